// The Worker in processes of its own, which can be killed.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Service } from "./support.mjs";

/** Starts Node and workerd in a process group of their own, with what `serve` takes and `serve-until-killed.mjs` adds. */
export async function start(folder, options = {}) {
  const script = fileURLToPath(new URL("serve-until-killed.mjs", import.meta.url));
  // What workerd leaves behind when it is killed goes with the folder.
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

/** Kills every process of the group at once, as a power cut would. */
export async function kill({ child }) {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  process.kill(-child.pid, "SIGKILL");
  await gone;
}
