import { fileURLToPath } from "node:url";

export default {
  // `entgate` is a link into this repository, and Next reads no file outside of this folder.
  turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
};
