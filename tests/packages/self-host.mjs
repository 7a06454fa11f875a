// Runs entgate on plain workerd as `make self-host` does, with its storage in a temporary folder.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, Service } from "../worker/support.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/self-host.mjs", import.meta.url));
const { default: workerd } = createRequire(import.meta.url)("workerd");

/**
 * Runs workerd itself, so that a test can kill it. The command writes its configuration, unless an earlier call wrote it into the folder.
 *
 * @param {string} folder
 * @param {Record<string, string>} settings
 * @param {string[]} options  Of the command.
 */
export async function selfHost(folder, settings, ...options) {
  const configuration = join(folder, "workerd/config.capnp");
  const env = { PATH: process.env.PATH, ...settings };
  if (!existsSync(configuration)) {
    const args = [
      "--listen",
      `127.0.0.1:${await findFreePort()}`,
      "--storage",
      join(folder, "data"),
      "--configuration",
      join(folder, "workerd"),
    ];
    const written = await runToEnd(process.execPath, [SCRIPT, ...args, "--write-only", ...options], env);
    if (written.status !== 0) throw new Error(written.output);
  }
  const [, address] = /sockets = .* address = "([\d.:]+)"/.exec(readFileSync(configuration, "utf8")) ?? [];
  const child = spawn(workerd, ["serve", configuration], { env, stdio: ["ignore", "inherit", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const service = new Service(undefined, new URL(`http://${address}`));
  await eventually(() => service.request("/healthz", { key: null }));
  return {
    service,
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Returns a port on which nothing listens. */
export async function findFreePort() {
  const server = createServer();
  const port = await listenOnFreePort(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Runs a command to its end.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @param {string} [cwd]
 * @returns {Promise<{ status: number | null, output: string }>}
 */
export function runToEnd(command, args, env, cwd) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        output += text;
      });
    }
    child.once("close", (status) => resolve({ status, output }));
  });
}
