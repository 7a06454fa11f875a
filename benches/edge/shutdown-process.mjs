// The process of shutdown.mjs: when its parent has ended, it kills the registered processes and removes the registered folders.

import { rmSync } from "node:fs";

/** @type {Set<number>} */
const pids = new Set();
/** @type {Set<string>} */
const folders = new Set();

process.on("message", (/** @type {{ started?: number, stopped?: number, folder?: string }} */ { started, stopped, folder }) => {
  if (started) pids.add(started);
  if (stopped) pids.delete(stopped);
  if (folder) folders.add(folder);
});
process.on("disconnect", () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // The process has already exited.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit();
});
// Ctrl-C reaches all processes of the terminal. This one must survive it to clean up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
