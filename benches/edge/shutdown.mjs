// Stops child processes and removes temporary folders when this process ends, even if it is killed.
//
// A separate process does it: shutdown-process.mjs. Accepts child processes, returns folders. Not here: a regular stop of a process.

import { fork } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const shutdownProcess = fork(fileURLToPath(new URL("shutdown-process.mjs", import.meta.url)), { stdio: "ignore" });
shutdownProcess.unref();
shutdownProcess.channel?.unref();

/**
 * Registers a child process: it is killed when this process ends. Returns the child.
 *
 * @template {import("node:child_process").ChildProcess} T
 * @param {T} child
 */
export function killOnExit(child) {
  shutdownProcess.send({ started: child.pid });
  child.once("exit", () => shutdownProcess.connected && shutdownProcess.send({ stopped: child.pid }));
  return child;
}

/** Creates a temporary folder, which is removed when this process ends. */
export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "entgate-bench-"));
  shutdownProcess.send({ folder: path });
  return path;
}
