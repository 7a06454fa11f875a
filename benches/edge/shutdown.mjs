// Whatever goes wrong, nothing is left running, and no folder is left behind: a process of its own sees to that, even if this one
// is killed.

import { fork } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const guard = fork(fileURLToPath(new URL("shutdown-process.mjs", import.meta.url)), { stdio: "ignore" });
guard.unref();
guard.channel.unref();

/** A process that ends with this one at the latest. */
export function ending(child) {
  guard.send({ started: child.pid });
  child.once("exit", () => guard.connected && guard.send({ stopped: child.pid }));
  return child;
}

/** A folder that is gone with this process. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "entgate-bench-"));
  guard.send({ folder: path });
  return path;
}
