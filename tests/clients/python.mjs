// Python of the client tests: its virtual environment has what requirements.txt lists.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The path of a file of this folder. @param {string} name */
export const path = (name) => fileURLToPath(new URL(name, import.meta.url));

export const PYTHON = path("../../.tools/clients/bin/python");

/**
 * Runs a program of Python to its end. Returns what it printed; if it fails, throws an error with it.
 *
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
export async function runPython(args, env = {}) {
  const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
  try {
    const { stdout, stderr } = await promisify(execFile)(PYTHON, args, options);
    return { stdout, stderr };
  } catch (error) {
    throw new Error(`${args.join(" ")}\n${error.stdout}\n${error.stderr}`);
  }
}
