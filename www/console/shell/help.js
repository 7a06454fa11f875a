// Renders the help texts. Pure functions.

import { ALIASES, GLOBAL_FLAGS, HTTP_COMMANDS, NAMESPACES, REQUEST_COMMANDS, RESOURCES, TRIGGER_EVENTS } from "./commands.js";
import { parseWords } from "./grammar.js";

/** @typedef {import("./program.js").Program} Program */

/**
 * Renders the help on everything, on a resource or on one command.
 *
 * @param {string[]} topic
 * @param {Program} program
 * @returns {string}
 */
export function help(topic, program) {
  const words = topic.map((word) => word.replaceAll("-", "_")).filter((word) => word !== program.name && !Object.hasOwn(NAMESPACES, word));
  const second = words[1];
  const first = Object.hasOwn(ALIASES, words[0] ?? "") ? ALIASES[words[0]] : words[0];
  if (first === undefined) return overview(program);
  if (first === "trigger") return triggerHelp(program);
  if (first === "listen") return listenHelp(program);
  const httpCommand = HTTP_COMMANDS.get(first);
  if (httpCommand) return usage(`${first} <path>`, httpCommand, program);
  const requestCommand = REQUEST_COMMANDS.get(first);
  if (requestCommand) return usage([first, ...placeholders(requestCommand.path)].join(" "), requestCommand, program);
  const ownCommand = program.commands.get(first);
  if (ownCommand) return ownCommand;
  const resource = RESOURCES.get(first);
  const operation = resource?.operations.get(second);
  if (operation) return usage([first, second, ...placeholders(operation.path)].join(" "), operation, program);
  if (!resource || second !== undefined) {
    const command = parseWords(topic, program);
    return command.kind === "error" ? command.message : overview(program);
  }
  return [
    `${first}: ${resource.description}`,
    "",
    "Usage:",
    `  ${program.name} ${first} <operation> [flags]`,
    "",
    "Operations:",
    columns(descriptions(resource.operations)),
    "",
    `See "${program.name} ${first} <operation> --help" for its flags.`,
  ].join("\n");
}

/**
 * Aligns names and descriptions in two columns.
 *
 * @param {string[][]} rows
 */
function columns(rows) {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, description]) => `  ${name.padEnd(width)}${description}`.trimEnd()).join("\n");
}

/** @param {Map<string, { description: string }>} commands */
const descriptions = (commands) => [...commands].map(([name, { description }]) => [name, description]);

/** @param {string} path */
const placeholders = (path) => (path.match(/\{\w+\}/g) ?? []).map((placeholder) => `<${placeholder.slice(1, -1)}>`);

/** @param {Program} program */
function overview(program) {
  return [
    "Usage:",
    `  ${program.name} <command> [flags]`,
    "",
    "Resources:",
    columns(descriptions(RESOURCES)),
    "",
    "Requests:",
    columns([...descriptions(REQUEST_COMMANDS), ...descriptions(HTTP_COMMANDS)]),
    "",
    "Commands:",
    columns([...program.commands]),
    "",
    program.usageNote,
    'See "help <command>" for the usage of a command.',
  ].join("\n");
}

/**
 * @param {string} line
 * @param {{ method: string, path?: string, description: string, flags: import("./commands.js").Flag[] }} command
 * @param {Program} program
 */
function usage(line, { method, path, description, flags }, program) {
  const parameters = flags.map(({ name, repeatable, letter }) => [
    `${letter ? `-${letter}, ` : "    "}--${name}`,
    repeatable ? "repeatable" : "",
  ]);
  return [
    `${description[0].toUpperCase()}${description.slice(1)}.`,
    ...(path ? [`${method} ${path}`, ""] : []),
    "Usage:",
    `  ${program.name} ${line} [flags]`,
    "",
    ...(parameters.length ? ["Parameters:", columns(parameters), ""] : []),
    "Flags:",
    columns(GLOBAL_FLAGS.map(({ name, letter, description: about }) => [`-${letter}, --${name}`, about])),
  ].join("\n");
}

/** @param {Program} program */
function triggerHelp(program) {
  return [
    "Trigger an event: change the catalog, which signs the event and sends it to every endpoint.",
    "",
    "Usage:",
    `  ${program.name} trigger <event> [flags]`,
    "",
    "Supported events:",
    columns([...TRIGGER_EVENTS]),
    "",
    "Flags:",
    columns([
      ["--customer", "the customer of the event; by default a new one"],
      ["--add", "a lookup key that the customer gains"],
      ["--remove", "a lookup key that the customer loses"],
    ]),
  ].join("\n");
}

/** @param {Program} program */
function listenHelp(program) {
  return [
    "Show events and outcomes as they arrive. Ctrl-C stops it.",
    "",
    "Usage:",
    `  ${program.name} listen [flags]`,
    "",
    "Flags:",
    columns([
      ["    --customer", "show the outcomes of one customer only"],
      ["-e, --events", "event types, separated by commas"],
    ]),
  ].join("\n");
}
