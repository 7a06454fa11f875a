// To be made.

import { empty } from "../elements.js";

export default {
  id: "activity",
  title: "Activity",
  mount(root, desk) {
    root.append(empty("Nothing here yet"));
    return { show() {}, hide() {} };
  },
};
