// Parses the flags and arguments of a command: its positional arguments, the parameters of the request, and the shell's own flags.
// Pure functions.

import { GLOBAL_FLAGS } from "./commands.js";

/** @typedef {import("./commands.js").Flag} Flag */

/** An error in a command line; the message is shown to the user. */
export class CommandError extends Error {}

/**
 * Parses the words after a command's name; `global` also accepts the flags of every request.
 *
 * @param {string[]} words
 * @param {Flag[]} commandFlags
 * @param {{ program: import("./program.js").Program, global?: boolean }} options
 */
export function parseArguments(words, commandFlags, { program, global = false }) {
  const flags = global ? [...commandFlags, ...GLOBAL_FLAGS] : commandFlags;
  /** @type {string[]} */
  const args = [];
  /** @type {[name: string, value: string][]} */
  const params = [];
  /** @type {Map<string, string>} */
  const values = new Map();
  const addValue = (/** @type {Flag} */ flag, /** @type {string} */ value) => {
    if (flag.name === "data") params.push(parseData(value));
    else if (flag.repeatable) params.push([`${flag.param}[${params.filter(([name]) => name.startsWith(`${flag.param}[`)).length}]`, value]);
    else if (flag.param) params.push([flag.param, value]);
    else values.set(flag.name, value);
  };

  for (let at = 0; at < words.length; at += 1) {
    const word = words[at];
    if (word === "--") {
      args.push(...words.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      args.push(word);
      continue;
    }
    const { flag, typed, value } = parseFlag(word, flags, program);
    if (flag.boolean) {
      if (value !== undefined && value !== "true" && value !== "false")
        throw new CommandError(`invalid argument "${value}" for "--${flag.name}" flag: it is true or false`);
      if (value !== "false") addValue(flag, "true");
    } else if (value !== undefined) {
      addValue(flag, value);
    } else {
      at += 1;
      if (at >= words.length) throw new CommandError(`flag needs an argument: ${typed}`);
      addValue(flag, words[at]);
    }
  }
  for (const { param } of flags.filter(({ scalarIfSingle }) => scalarIfSingle)) {
    const [single, another] = params.filter(([name]) => name.startsWith(`${param}[`));
    if (single && !another && param) single[0] = param;
  }
  return { args, params, values };
}

/**
 * Parses one flag: `--name`, `--name=value`, `-n`, `-nvalue` or `-n=value`; `typed` is the flag as error messages quote it.
 *
 * @param {string} word
 * @param {Flag[]} flags
 * @param {import("./program.js").Program} program
 * @returns {{ flag: Flag, typed: string, value: string | undefined }}
 */
function parseFlag(word, flags, program) {
  if (word.startsWith("--")) {
    const equals = word.indexOf("=");
    const name = word.slice(2, equals < 0 ? word.length : equals);
    return { flag: findLongFlag(name, flags, program), typed: `--${name}`, value: equals < 0 ? undefined : word.slice(equals + 1) };
  }
  const [, letter, value] = /^-(.)(?:=?([\s\S]+))?$/.exec(word) ?? ["", "", undefined];
  const flag = flags.find((each) => each.letter === letter);
  if (!flag) throw new CommandError(`unknown shorthand flag: '${letter}' in ${word}`);
  return { flag, typed: `'${letter}' in ${word}`, value };
}

/**
 * Finds a flag by its name. Any member of a map parameter is valid: `--metadata.plan`, `--items[1][price]`.
 *
 * @param {string} name
 * @param {Flag[]} flags
 * @param {import("./program.js").Program} program
 * @returns {Flag}
 */
function findLongFlag(name, flags, program) {
  if (name === "api-key") throw new CommandError(`--api-key: ${program.keyHint}`);
  if (name === "live") throw new CommandError(`--live: ${program.modeHint}`);
  const [first, ...parts] = name.replaceAll("]", "").split(/[.[]/);
  const root = first.replaceAll("-", "_");
  // The keys of metadata are the user's own, so that their hyphens are kept.
  const param = root + parts.map((part) => `[${root === "metadata" ? part : part.replaceAll("-", "_")}]`).join("");
  const flag = flags.find((each) => (each.param ?? each.name.replaceAll("-", "_")) === param);
  if (flag) return flag;
  const isMapMember = parts.length > 0 && parts.every(Boolean) && flags.some((each) => each.param?.split("[")[0] === root);
  if (!isMapMember) throw new CommandError(`unknown flag: --${name}`);
  return { name, param };
}

/**
 * Parses the value of `-d`: `name=value`.
 *
 * @param {string} text
 * @returns {[name: string, value: string]}
 */
function parseData(text) {
  const at = text.indexOf("=");
  if (at < 1) throw new CommandError(`invalid data argument: "${text}" is not name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}
