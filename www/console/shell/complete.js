// Completes a command line when Tab is pressed. Pure functions.

import { ALIASES, GLOBAL_FLAGS, HTTP_COMMANDS, NAMESPACES, REQUEST_COMMANDS, RESOURCES, TRIGGER_EVENTS } from "./commands.js";
import { commandNames } from "./grammar.js";
import { CONSOLE } from "./program.js";
import { tokenize } from "./tokenize.js";

/**
 * Completes the last word of a line as far as it is unambiguous; `candidates` lists the alternatives if there are several.
 *
 * @param {string} line
 * @returns {{ line: string, candidates: string[] }}
 */
export function complete(line) {
  const { words, unterminated } = tokenize(line);
  const prefix = /\s$/.test(line) ? "" : (words.pop() ?? "");
  if (unterminated || !line.endsWith(prefix)) return { line, candidates: [] };
  if (words[0] === "$") words.shift();
  if (words[0] === "stripe") words.shift();
  const candidates = nextWords(words, prefix)
    .filter((word) => word.startsWith(prefix))
    .sort();
  if (candidates.length === 0) return { line, candidates: [] };
  const head = line.slice(0, line.length - prefix.length);
  if (candidates.length === 1) return { line: `${head}${candidates[0]} `, candidates: [] };
  return { line: head + commonPrefix(candidates), candidates };
}

/**
 * The words that may follow these words.
 *
 * @param {string[]} words
 * @param {string} prefix
 * @returns {string[]}
 */
function nextWords(words, prefix) {
  const [first, ...rest] = words;
  let name = Object.hasOwn(ALIASES, first ?? "") ? ALIASES[first] : first;
  if (name === undefined) return commandNames(CONSOLE);
  if (name === "help") return rest.length ? nextWords(rest, prefix) : commandNames(CONSOLE);
  if (Object.hasOwn(NAMESPACES, name)) {
    const resource = rest.shift();
    if (resource === undefined) return NAMESPACES[name];
    name = resource;
  }
  if (name === "trigger") {
    return prefix.startsWith("-") ? ["--customer", "--add", "--remove"] : rest.length ? [] : [...TRIGGER_EVENTS.keys()];
  }
  if (name === "listen") return prefix.startsWith("-") ? ["--customer", "--events"] : [];
  const operations = RESOURCES.get(name)?.operations;
  if (operations && rest.length === 0) return [...operations.keys()];
  const operation = operations?.get(rest[0].replaceAll("-", "_")) ?? REQUEST_COMMANDS.get(name) ?? HTTP_COMMANDS.get(name);
  if (!operation || !prefix.startsWith("-")) return [];
  return [...operation.flags, ...GLOBAL_FLAGS].map((flag) => `--${flag.name}`);
}

/**
 * The longest common prefix of several words.
 *
 * @param {string[]} words
 */
function commonPrefix(words) {
  let length = 0;
  while (words.every((word) => length < word.length && word[length] === words[0][length])) length += 1;
  return words[0].slice(0, length);
}
