// Ends what it was told of when the process that told it is gone, however that went. See ending.mjs.

import { rmSync } from "node:fs";

const pids = new Set();
const folders = new Set();

process.on("message", ({ started, stopped, folder }) => {
  if (started) pids.add(started);
  if (stopped) pids.delete(stopped);
  if (folder) folders.add(folder);
});
process.on("disconnect", () => {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended.
    }
  }
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit();
});
// Who interrupts a run interrupts all of its processes: this one has its work then.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {});
