// To be made.

import { empty } from "../elements.js";

export default {
  id: "overview",
  title: "Overview",
  mount(root, desk) {
    root.append(empty("Nothing here yet"));
    return { show() {}, hide() {} };
  },
};
