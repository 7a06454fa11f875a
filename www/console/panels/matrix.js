// To be made.

import { empty } from "../elements.js";

export default {
  id: "matrix",
  title: "Matrix",
  mount(root, desk) {
    root.append(empty("Nothing here yet"));
    return { show() {}, hide() {} };
  },
};
