// The Worker in processes of its own, so that a test can kill it.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Service } from "./support.mjs";

/** @import { ChildProcess } from "node:child_process" */
/** @import { PutFault, ServeOptions } from "./support.mjs" */

/**
 * Starts Node and workerd in a process group of their own.
 *
 * @param {string} folder Where the Worker stores its data.
 * @param {ServeOptions & { failEachPut?: PutFault }} [options]
 */
export async function startWorkerProcess(folder, options = {}) {
  const script = fileURLToPath(new URL("serve-until-killed.mjs", import.meta.url));
  // A killed workerd leaves temporary files; they are deleted with the folder.
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn(process.execPath, [script, folder, JSON.stringify(options)], {
    detached: true,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("http://")) return { child, service: new Service(undefined, new URL(line)) };
  }
  throw new Error("the Worker did not start");
}

/** Kills every process of the group at once, as a power failure would. @param {{ child: ChildProcess }} worker */
export async function killWorkerProcess({ child }) {
  if (child.pid === undefined) throw new Error("the Worker has no process");
  const exited = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, "SIGKILL");
  await exited;
}
