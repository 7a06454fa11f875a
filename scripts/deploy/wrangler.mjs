// Asks Cloudflare by wrangler: commands that read, and the options that they share with `wrangler deploy`.

import { execFile } from "node:child_process";
import { parseArgs } from "node:util";

const TIMEOUT = 120_000; // Milliseconds.
const MAX_OUTPUT = 16 * 1024 * 1024; // Bytes: a Worker may have many versions and bindings.

/** A command of wrangler that failed, with what it printed. */
export class WranglerError extends Error {
  /** @param {string} what @param {string} output */
  constructor(what, output) {
    const advice = /CLOUDFLARE_API_TOKEN|not (logged in|authenticated)/i.test(output) ? "\nTo log in: npx wrangler login" : "";
    super(`failed to ${what}:\n${output.trim() || "wrangler printed nothing"}${advice}`);
    this.output = output;
  }

  /** Whether Cloudflare has no such Worker, or a Worker that was never deployed. */
  get isNewWorker() {
    return /\[code: 10007\]|has no deployments/.test(this.output);
  }
}

/**
 * @typedef {object} DeployOptions
 * @property {string} config  The configuration file.
 * @property {string} [env]  The environment in it.
 * @property {string} [name]  The name of the Worker, if it is not that of the configuration.
 * @property {string[]} vars  `NAME:value`
 * @property {boolean} keepsVars  Whether variables that are not named stay as they are.
 */

/** Options of `wrangler deploy` that concern entgate. Others are ignored. @param {string[]} args @returns {DeployOptions} */
export function readDeployOptions(args) {
  const { values } = parseArgs({
    args,
    strict: false,
    options: {
      config: { type: "string", short: "c" },
      env: { type: "string", short: "e" },
      name: { type: "string" },
      var: { type: "string", multiple: true },
      "keep-vars": { type: "boolean" },
    },
  });
  const text = (/** @type {unknown} */ value) => (typeof value === "string" ? value : undefined);
  return {
    config: text(values.config) ?? "wrangler.toml",
    env: text(values.env),
    name: text(values.name),
    vars: [values.var ?? []].flat().map(String),
    keepsVars: values["keep-vars"] === true,
  };
}

/**
 * Runs a command that reads, and returns its output.
 *
 * @param {string} what  For an error: the verb and the object.
 * @param {string[]} command
 * @param {DeployOptions} options
 * @returns {Promise<string>}
 */
export function read(what, command, { config, env }) {
  const args = [...command, "--config", config, ...(env === undefined ? [] : ["--env", env])];
  return new Promise((resolve, reject) => {
    const child = execFile("wrangler", args, { timeout: TIMEOUT, maxBuffer: MAX_OUTPUT }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const reason = error.killed ? `no answer within ${TIMEOUT / 1000} s` : error.code === undefined ? error.message : "";
      reject(new WranglerError(what, `${stdout}${stderr}${reason}`));
    });
    // A question of wrangler gets no answer, so that it fails.
    child.stdin?.end();
  });
}

/**
 * Runs a command that reads, and parses its JSON. wrangler may print warnings before it.
 *
 * @param {string} what
 * @param {string[]} command
 * @param {DeployOptions} options
 * @returns {Promise<any>}
 */
export async function readJson(what, command, options) {
  const output = await read(what, command, options);
  for (const start of output.matchAll(/^[[{]/gm)) {
    try {
      return JSON.parse(output.slice(start.index));
    } catch {
      // A warning may begin with a bracket too.
    }
  }
  throw new WranglerError(what, `expected JSON: ${output.slice(0, 300)}`);
}
