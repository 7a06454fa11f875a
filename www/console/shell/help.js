// What `help` says. Pure.

import { ALIASES, COMMANDS, EVENTS, GLOBALS, NAMESPACES, OTHERS, RESOURCES, VERBS } from "./commands.js";
import { parse } from "./grammar.js";

/** Lines of a name and what it is, the second in one column. */
function columns(rows, indent = "  ") {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, about]) => `${indent}${name.padEnd(width)}${about}`.trimEnd()).join("\n");
}

const abouts = (map) => [...map].map(([name, { about }]) => [name, about]);

/** On everything, on a resource, or on one command. */
export function help(topic) {
  const words = topic.map((word) => word.replaceAll("-", "_")).filter((word) => word !== "stripe" && !Object.hasOwn(NAMESPACES, word));
  const second = words[1];
  const first = Object.hasOwn(ALIASES, words[0] ?? "") ? ALIASES[words[0]] : words[0];
  if (first === undefined) return overview();
  if (first === "trigger") return ofTrigger();
  if (first === "listen") return ofListen();
  if (VERBS.has(first)) return usage(`${first} <path>`, VERBS.get(first));
  if (COMMANDS.has(first)) return usage(first, COMMANDS.get(first));
  if (OTHERS.has(first)) return OTHERS.get(first);
  const resource = RESOURCES.get(first);
  const operation = resource?.operations.get(second);
  if (operation) return usage([first, second, ...places(operation)].join(" "), operation);
  // The grammar says what is wrong with it.
  if (!resource || second !== undefined) return parse(topic.join(" ")).message;
  return [
    `${first}: ${resource.about}`,
    "",
    "Usage:",
    `  stripe ${first} <operation> [flags]`,
    "",
    "Operations:",
    columns(abouts(resource.operations)),
    "",
    `See "stripe ${first} <operation> --help" for its flags.`,
  ].join("\n");
}

const places = ({ path }) => (path.match(/\{\w+\}/g) ?? []).map((place) => `<${place.slice(1, -1)}>`);

function overview() {
  return [
    "Usage:",
    "  stripe <command> [flags]",
    "",
    "Resources:",
    columns(abouts(RESOURCES)),
    "",
    "Requests:",
    columns([...abouts(COMMANDS), ...abouts(VERBS)]),
    "",
    "More:",
    columns([...OTHERS]),
    "",
    "“stripe” may be left out. Tab completes, the arrow keys go through what was typed, Ctrl-C ends what runs.",
    'See "help <command>" for how one is used.',
  ].join("\n");
}

function usage(line, { method, path, about, flags }) {
  const request = path ? [`${method} ${path}`, ""] : [];
  const own = flags.map(({ name, many, letter }) => [
    `${letter ? `-${letter}, ` : "    "}--${name}`,
    many ? "may be given several times" : "",
  ]);
  const all = GLOBALS.map(({ name, letter, about }) => [`-${letter}, --${name}`, about]);
  return [
    `${about[0].toUpperCase()}${about.slice(1)}.`,
    ...request,
    "Usage:",
    `  stripe ${line} [flags]`,
    "",
    ...(own.length ? ["Parameters:", columns(own), ""] : []),
    "Flags:",
    columns(all),
  ].join("\n");
}

function ofTrigger() {
  return [
    "Let an event happen in the catalog, so that it is signed and sent to every endpoint.",
    "",
    "Usage:",
    "  stripe trigger <event> [flags]",
    "",
    "Supported events:",
    columns([...EVENTS]),
    "",
    "Flags:",
    columns([
      ["--customer", "whom it is about; without it, somebody new"],
      ["--add", "a lookup key that the customer gets"],
      ["--remove", "a lookup key that the customer loses"],
    ]),
  ].join("\n");
}

function ofListen() {
  return [
    "Show events as they come, and what is decided. Ctrl-C ends it.",
    "",
    "Usage:",
    "  stripe listen [flags]",
    "",
    "Flags:",
    columns([
      ["    --customer", "what is decided of one customer only"],
      ["-e, --events", "types of events, with commas between"],
    ]),
  ].join("\n");
}
