// To be made.

import { empty } from "../elements.js";

export default {
  id: "ask",
  title: "Ask",
  mount(root, desk) {
    root.append(empty("Nothing here yet"));
    return { show() {}, hide() {} };
  },
};
