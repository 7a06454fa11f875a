// What Tab makes of a line. Pure.

import { ALIASES, COMMANDS, EVENTS, GLOBALS, NAMESPACES, RESOURCES, VERBS } from "./commands.js";
import { names } from "./grammar.js";
import { words } from "./tokenize.js";

/** The line with its last word completed, as far as there is one way; where there are several, they are `candidates`. */
export function complete(line) {
  const cut = words(line);
  const said = [...cut.words];
  const prefix = /\s$/.test(line) || said.length === 0 ? "" : said.pop();
  if (cut.open || !line.endsWith(prefix)) return { line, candidates: [] };
  if (said[0] === "$") said.shift();
  if (said[0] === "stripe") said.shift();
  const fitting = choices(said, prefix)
    .filter((choice) => choice.startsWith(prefix))
    .sort();
  if (fitting.length === 0) return { line, candidates: [] };
  const head = line.slice(0, line.length - prefix.length);
  if (fitting.length === 1) return { line: `${head}${fitting[0]} `, candidates: [] };
  return { line: head + common(fitting), candidates: fitting };
}

/** What may stand at the end of these words. */
function choices(said, prefix) {
  const [first, ...more] = said;
  const rest = [...more];
  let name = Object.hasOwn(ALIASES, first ?? "") ? ALIASES[first] : first;
  if (name === undefined) return names();
  if (name === "help") return rest.length ? choices(rest, prefix) : names();
  if (Object.hasOwn(NAMESPACES, name)) {
    if (rest.length === 0) return NAMESPACES[name];
    name = rest.shift();
  }
  if (name === "trigger") return prefix.startsWith("-") ? ["--customer", "--add", "--remove"] : rest.length ? [] : [...EVENTS.keys()];
  if (name === "listen") return prefix.startsWith("-") ? ["--customer", "--events"] : [];
  const operations = RESOURCES.get(name)?.operations;
  if (operations && rest.length === 0) return [...operations.keys()];
  const operation = operations?.get(rest[0].replaceAll("-", "_")) ?? COMMANDS.get(name) ?? VERBS.get(name);
  if (!operation || !prefix.startsWith("-")) return [];
  return [...operation.flags, ...GLOBALS].map((flag) => `--${flag.name}`);
}

/** How all of them begin. */
function common(all) {
  let length = 0;
  while (all.every((each) => length < each.length && each[length] === all[0][length])) length += 1;
  return all[0].slice(0, length);
}
