// Parses a command line, with the grammar and the error messages of Stripe's CLI. Pure functions.
//
// | kind    | members                                                                                        |
// |---------|------------------------------------------------------------------------------------------------|
// | request | `method`, `path`, `params` (in order), `headers`, `idempotencyKey`, `confirm` (whether to ask)  |
// | trigger | `event`, `customer`, `add`, `remove`                                                           |
// | listen  | `customer`, `events`                                                                           |
// | help    | `topic`, the words that help is requested for                                                  |
// | error   | `message`                                                                                      |
// | clear, version, nothing | none                                                                           |
//
// The console's shell and the command line of the npm package share this grammar; `Program` has what differs. A line contains no key:
// the server key at the top of the page, or of the environment, is sent with every request.

import { ALIASES, HTTP_COMMANDS, NAMESPACES, REQUEST_COMMANDS, RESOURCES, TRIGGER_EVENTS } from "./commands.js";
import { CommandError, parseArguments } from "./flags.js";
import { CONSOLE } from "./program.js";
import { unknownCommand, unknownEvent } from "./suggest.js";
import { tokenize } from "./tokenize.js";

/** @typedef {import("./commands.js").Flag} Flag */
/** @typedef {import("./program.js").Program} Program */

/**
 * @typedef {object} RequestCommand
 * @property {"request"} kind
 * @property {string} method
 * @property {string} path
 * @property {[name: string, value: string][]} params
 * @property {boolean} headers  Whether to show the response headers.
 * @property {string} [idempotencyKey]
 * @property {boolean} confirm  Whether to ask for a confirmation first.
 *
 * @typedef {object} TriggerCommand
 * @property {"trigger"} kind
 * @property {string} event
 * @property {string} [customer]
 * @property {string[]} add  Lookup keys.
 * @property {string[]} remove  Lookup keys.
 *
 * @typedef {object} ListenCommand
 * @property {"listen"} kind
 * @property {string} [customer]
 * @property {string[]} events
 *
 * @typedef {{ kind: "help", topic: string[] }} HelpCommand
 * @typedef {{ kind: "error", message: string }} ErrorCommand
 * @typedef {{ kind: "clear" | "version" | "nothing" }} PlainCommand
 *
 * @typedef {RequestCommand | TriggerCommand | ListenCommand | HelpCommand | ErrorCommand | PlainCommand} Command
 */

/** @type {Flag[]} */
const TRIGGER_FLAGS = [
  { name: "customer", param: "customer" },
  { name: "add", param: "add", repeatable: true },
  { name: "remove", param: "remove", repeatable: true },
];

/** @type {Flag[]} */
const LISTEN_FLAGS = [
  { name: "customer", param: "customer" },
  { name: "events", letter: "e", param: "events" },
];

/**
 * Parses a line. An invalid line is a command of the kind "error".
 *
 * @param {string} line
 * @returns {Command}
 */
export function parse(line) {
  const { words, unterminated } = tokenize(line);
  if (unterminated) {
    return { kind: "error", message: unterminated === "\\" ? "the line ends with a backslash" : `unterminated quote: ${unterminated}` };
  }
  const empty = words.length === 0;
  if (words[0] === "$") words.shift();
  if (words[0] === "stripe" || words[0] === "entgate") words.shift();
  if (words.length === 0) return empty ? { kind: "nothing" } : { kind: "help", topic: [] };
  return parseWords(words, CONSOLE);
}

/**
 * Parses the words of a command, without the name of the program. Invalid words are a command of the kind "error".
 *
 * @param {string[]} words  At least one.
 * @param {Program} program
 * @returns {Command}
 */
export function parseWords(words, program) {
  try {
    return parseCommand(words, program);
  } catch (error) {
    if (error instanceof CommandError) return { kind: "error", message: error.message };
    throw error;
  }
}

/** Lists every valid first word. @param {Program} program */
export const commandNames = (program) => [
  ...RESOURCES.keys(),
  ...REQUEST_COMMANDS.keys(),
  ...program.commands.keys(),
  ...HTTP_COMMANDS.keys(),
  ...Object.keys(NAMESPACES),
];

/**
 * @param {string[]} words
 * @param {Program} program
 * @returns {Command}
 */
function parseCommand(words, program) {
  const [first, ...rest] = words;
  if (first === "help") return { kind: "help", topic: withoutFlags(rest) };
  if (first === "--help" || first === "-h") return { kind: "help", topic: [] };
  if (first === "--version" || first === "-v") return { kind: "version" };
  if (first.startsWith("-")) {
    throw new CommandError(
      first.startsWith("--") ? `unknown flag: ${first.split("=")[0]}` : `unknown shorthand flag: '${first[1] ?? ""}' in ${first}`,
    );
  }
  if (hasHelpFlag(rest)) return { kind: "help", topic: withoutFlags(words) };
  if (first === "trigger") return parseTrigger(rest, program);
  if (first === "listen") return parseListen(rest, program);
  if ((first === "clear" || first === "version") && program.commands.has(first)) return { kind: first };
  const httpCommand = HTTP_COMMANDS.get(first);
  if (httpCommand) return parseHttpCommand(first, httpCommand, rest, program);
  const requestCommand = REQUEST_COMMANDS.get(first);
  if (requestCommand) return parseRequest(first, requestCommand, rest, program);

  const [resource, name, ...args] = resolveResource(words, program);
  if (name === undefined) return { kind: "help", topic: [resource] };
  if (name.startsWith("-")) throw new CommandError(`unknown flag: ${name.split("=")[0]}`);
  const operations = RESOURCES.get(resource)?.operations ?? new Map();
  const operation = operations.get(name.replaceAll("-", "_"));
  if (!operation) throw new CommandError(unknownCommand(name, `${program.name} ${resource}`, operations.keys()));
  return parseRequest(`${resource} ${name}`, operation, args, program);
}

/**
 * Resolves namespaces and aliases. Returns the resource and the remaining words.
 *
 * @param {string[]} words
 * @param {Program} program
 * @returns {string[]}
 */
function resolveResource(words, program) {
  const [first, second, ...rest] = words.map((word, at) => (at < 2 ? word.replaceAll("-", "_") : word));
  const resources = Object.hasOwn(NAMESPACES, first) ? NAMESPACES[first] : undefined;
  if (resources?.includes(second)) return [second, ...rest];
  if (resources && second === undefined)
    throw new CommandError(`"${program.name} ${first}" requires a resource: ${resources.join(" or ")}`);
  if (resources) throw new CommandError(unknownCommand(second, `${program.name} ${first}`, resources));
  const name = Object.hasOwn(ALIASES, first) ? ALIASES[first] : first;
  if (RESOURCES.has(name)) return [name, ...words.slice(1)];
  throw new CommandError(unknownCommand(words[0], program.name, commandNames(program)));
}

/** @param {string[]} words */
const withoutFlags = (words) => words.filter((word) => !word.startsWith("-"));

/**
 * Whether the words before `--` contain a help flag.
 *
 * @param {string[]} words
 */
function hasHelpFlag(words) {
  const end = words.indexOf("--");
  return words.slice(0, end < 0 ? words.length : end).some((word) => word === "--help" || word === "-h");
}

/**
 * @param {string} name
 * @param {import("./commands.js").Operation} operation
 * @param {string[]} words
 * @param {Program} program
 * @returns {RequestCommand}
 */
function parseRequest(name, { method, path, flags, fixed }, words, program) {
  const { args, params, values } = parseArguments(words, flags, { program, global: true });
  const placeholders = path.match(/\{\w+\}/g) ?? [];
  requireArguments(name, placeholders.length, args, program);
  const segments = args.map(pathSegment);
  const filledPath = placeholders.reduce((filled, placeholder, at) => filled.replace(placeholder, () => segments[at]), path);
  return toRequest(method, filledPath, [...Object.entries(fixed), ...params], values);
}

/**
 * @param {string} name
 * @param {{ method: string, flags: Flag[] }} command
 * @param {string[]} words
 * @param {Program} program
 * @returns {RequestCommand}
 */
function parseHttpCommand(name, { method, flags }, words, program) {
  const { args, params, values } = parseArguments(words, flags, { program, global: true });
  requireArguments(name, 1, args, program);
  const path = args[0].startsWith("/") ? args[0] : `/v1/${args[0]}`;
  // A path with two leading slashes is another host's address, and the request contains the key.
  if (!/^\/(?![/\\])[!-~]*$/.test(path) || /[#\\]/.test(path)) throw new CommandError(`invalid path: "${args[0]}"`);
  return toRequest(method, path, params, values);
}

/**
 * @param {string} name
 * @param {number} count
 * @param {string[]} args
 * @param {Program} program
 */
function requireArguments(name, count, args, program) {
  if (args.length === count) return;
  const plural = count === 1 ? "" : "s";
  throw new CommandError(
    `\`${program.name} ${name}\` requires exactly ${count} positional argument${plural}, not ${args.length}. See \`${program.name} ${name} --help\` for supported flags and usage`,
  );
}

/**
 * @param {string} method
 * @param {string} path
 * @param {[name: string, value: string][]} params
 * @param {Map<string, string>} values
 * @returns {RequestCommand}
 */
function toRequest(method, path, params, values) {
  return {
    kind: "request",
    method,
    path,
    params: [...new Map(params)],
    headers: values.has("show-headers"),
    idempotencyKey: values.get("idempotency"),
    confirm: method === "DELETE" && !values.has("confirm"),
  };
}

/**
 * Encodes an id as a path segment. Browsers resolve dot segments, escaped or not, so that these are invalid.
 *
 * @param {string} id
 */
function pathSegment(id) {
  if (id === "" || /^\.{1,2}$/.test(id)) throw new CommandError(`invalid id: "${id}"`);
  return encodeURIComponent(id);
}

/**
 * @param {string[]} words
 * @param {Program} program
 * @returns {Command}
 */
function parseTrigger(words, program) {
  const { args, params } = parseArguments(words, TRIGGER_FLAGS, { program });
  if (args.length === 0) return { kind: "help", topic: ["trigger"] };
  requireArguments("trigger", 1, args, program);
  const [event] = args;
  if (!TRIGGER_EVENTS.has(event)) throw new CommandError(unknownEvent(event, program.name, TRIGGER_EVENTS.keys()));
  const lookupKeys = (/** @type {string} */ name) =>
    params
      .filter(([param]) => param.startsWith(`${name}[`))
      .flatMap(([, value]) => value.split(","))
      .filter(Boolean);
  const add = lookupKeys("add");
  const remove = lookupKeys("remove");
  if ((add.length || remove.length) && !event.startsWith("entitlements."))
    throw new CommandError("--add and --remove are for entitlements.active_entitlement_summary.updated");
  return { kind: "trigger", event, customer: new Map(params).get("customer"), add, remove };
}

/**
 * @param {string[]} words
 * @param {Program} program
 * @returns {Command}
 */
function parseListen(words, program) {
  const { args, params } = parseArguments(words, LISTEN_FLAGS, { program });
  requireArguments("listen", 0, args, program);
  const { customer, events = "*" } = Object.fromEntries(params);
  return {
    kind: "listen",
    customer,
    events: events
      .split(",")
      .map((type) => type.trim())
      .filter(Boolean),
  };
}
