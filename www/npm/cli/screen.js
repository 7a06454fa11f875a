// The output in a terminal: results go to stdout, errors and questions to stderr. In colors if stdout is a terminal and NO_COLOR is not set.

import { inspect } from "node:util";

/** @typedef {import("../../console/shell/screen.js").Screen} Screen */

/** The colors of the tones. @type {Record<string, keyof typeof inspect.colors>} */
const COLORS = { success: "green", danger: "red", warning: "yellow", info: "cyan", violet: "magenta", teal: "cyan", muted: "gray" };

/**
 * Control characters of text that came from elsewhere could change what the terminal shows.
 *
 * @param {string} text
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are removed.
const printable = (text) => text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "\ufffd");

/**
 * Creates the screen.
 *
 * @param {{ stdout: NodeJS.WritableStream & { isTTY?: boolean }, stderr: NodeJS.WritableStream, env: NodeJS.ProcessEnv }} process
 * @returns {Screen & { readonly hasFailed: boolean }}  `hasFailed` is whether an error or a warning was printed.
 */
export function createScreen({ stdout, stderr, env }) {
  const inColors = Boolean(stdout.isTTY) && !env.NO_COLOR;
  let hasFailed = false;
  const paint = (/** @type {string} */ text, /** @type {string} */ tone) => {
    const color = inColors ? inspect.colors[COLORS[tone]] : undefined;
    return color ? `\x1b[${color[0]}m${printable(text)}\x1b[${color[1]}m` : printable(text);
  };
  return {
    get hasFailed() {
      return hasFailed;
    },
    echo() {},
    clear() {},
    print(text, tone = "") {
      const isProblem = tone === "danger" || tone === "warning";
      if (isProblem) hasFailed = true;
      (isProblem ? stderr : stdout).write(`${paint(text, tone)}\n`);
    },
    printSpans(...spans) {
      stdout.write(`${spans.map(([text, tone = ""]) => paint(text, tone)).join("")}\n`);
    },
    printJson(value) {
      stdout.write(`${printable(JSON.stringify(value, null, 2))}\n`);
    },
  };
}
