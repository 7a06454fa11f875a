// Runs the command line as it was built, with an environment of its own.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { KEY } from "../worker/support.mjs";

/** The built command line. */
const CLI = fileURLToPath(new URL("../../www/npm/dist/cli.js", import.meta.url));

/** @typedef {{ status: number | null, stdout: string, stderr: string }} Result */

/**
 * Starts a command.
 *
 * @param {{ url: URL } | undefined} service
 * @param {string[]} args
 * @param {{ env?: Record<string, string>, cwd?: string }} [options]
 */
export function start(service, args, { env = {}, cwd } = {}) {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd,
    env: { PATH: process.env.PATH, ENTGATE_KEY: KEY, ...(service && { ENTGATE_URL: service.url.origin }), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of /** @type {const} */ (["stdout", "stderr"])) {
    child[name].setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output[name] += text;
    });
  }
  /** @type {Promise<Result>} */
  const ended = new Promise((resolve) => child.once("close", (status) => resolve({ status, ...output })));
  return { child, output, ended };
}

/** Runs a command to its end. @param {Parameters<typeof start>} parameters */
export const run = (...parameters) => start(...parameters).ended;
