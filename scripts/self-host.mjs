// The command `entgate-self-host` with the Worker of this repository: what scripts/build.sh built, and www/console.

import { fileURLToPath } from "node:url";
import { main } from "../packages/worker/self-host/main.js";
import { readRequirements } from "./worker-requirements.mjs";

/** @param {string} path */
const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

await main(process.argv.slice(2), async () => ({
  worker: root("build"),
  console: root("www/console"),
  requirements: await readRequirements(),
}));
