// Parses a command line, with the grammar and the error messages of Stripe's CLI. Pure functions.
//
// | kind    | members                                                                                        |
// |---------|------------------------------------------------------------------------------------------------|
// | request | `method`, `path`, `params` (in order), `headers`, `idempotencyKey`, `confirm` (whether to ask)  |
// | trigger | `event`, `customer`, `add`, `remove`                                                           |
// | listen  | `customer`, `events`                                                                           |
// | help    | `topic`, the words that help is requested for                                                  |
// | error   | `message`                                                                                      |
// | clear, history, version, nothing | none                                                                  |
//
// A line contains no key: the server key at the top of the page is sent with every request.

import { ALIASES, HTTP_COMMANDS, NAMESPACES, REQUEST_COMMANDS, RESOURCES, SHELL_COMMANDS, TRIGGER_EVENTS } from "./commands.js";
import { CommandError, parseArguments } from "./flags.js";
import { unknownCommand, unknownEvent } from "./suggest.js";
import { tokenize } from "./tokenize.js";

/** @typedef {import("./commands.js").Flag} Flag */

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
 * @typedef {{ kind: "clear" | "history" | "version" | "nothing" }} PlainCommand
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
  try {
    return parseCommand(words);
  } catch (error) {
    if (error instanceof CommandError) return { kind: "error", message: error.message };
    throw error;
  }
}

/** Lists every valid first word. */
export const commandNames = () => [
  ...RESOURCES.keys(),
  ...REQUEST_COMMANDS.keys(),
  ...SHELL_COMMANDS.keys(),
  ...HTTP_COMMANDS.keys(),
  ...Object.keys(NAMESPACES),
];

/**
 * @param {string[]} words
 * @returns {Command}
 */
function parseCommand(words) {
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
  if (first === "trigger") return parseTrigger(rest);
  if (first === "listen") return parseListen(rest);
  if (first === "clear" || first === "history" || first === "version") return { kind: first };
  const httpCommand = HTTP_COMMANDS.get(first);
  if (httpCommand) return parseHttpCommand(first, httpCommand, rest);
  const requestCommand = REQUEST_COMMANDS.get(first);
  if (requestCommand) return parseRequest(first, requestCommand, rest);

  const [resource, name, ...args] = resolveResource(words);
  if (name === undefined) return { kind: "help", topic: [resource] };
  if (name.startsWith("-")) throw new CommandError(`unknown flag: ${name.split("=")[0]}`);
  const operations = RESOURCES.get(resource)?.operations ?? new Map();
  const operation = operations.get(name.replaceAll("-", "_"));
  if (!operation) throw new CommandError(unknownCommand(name, `stripe ${resource}`, operations.keys()));
  return parseRequest(`${resource} ${name}`, operation, args);
}

/**
 * Resolves namespaces and aliases. Returns the resource and the remaining words.
 *
 * @param {string[]} words
 * @returns {string[]}
 */
function resolveResource(words) {
  const [first, second, ...rest] = words.map((word, at) => (at < 2 ? word.replaceAll("-", "_") : word));
  const resources = Object.hasOwn(NAMESPACES, first) ? NAMESPACES[first] : undefined;
  if (resources?.includes(second)) return [second, ...rest];
  if (resources && second === undefined) throw new CommandError(`"stripe ${first}" requires a resource: ${resources.join(" or ")}`);
  if (resources) throw new CommandError(unknownCommand(second, `stripe ${first}`, resources));
  const name = Object.hasOwn(ALIASES, first) ? ALIASES[first] : first;
  if (RESOURCES.has(name)) return [name, ...words.slice(1)];
  throw new CommandError(unknownCommand(words[0], "stripe", commandNames()));
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
 * @returns {RequestCommand}
 */
function parseRequest(name, { method, path, flags, fixed }, words) {
  const { args, params, values } = parseArguments(words, flags, { global: true });
  const placeholders = path.match(/\{\w+\}/g) ?? [];
  requireArguments(name, placeholders.length, args);
  const segments = args.map(pathSegment);
  const filledPath = placeholders.reduce((filled, placeholder, at) => filled.replace(placeholder, () => segments[at]), path);
  return toRequest(method, filledPath, [...Object.entries(fixed), ...params], values);
}

/**
 * @param {string} name
 * @param {{ method: string, flags: Flag[] }} command
 * @param {string[]} words
 * @returns {RequestCommand}
 */
function parseHttpCommand(name, { method, flags }, words) {
  const { args, params, values } = parseArguments(words, flags, { global: true });
  requireArguments(name, 1, args);
  const path = args[0].startsWith("/") ? args[0] : `/v1/${args[0]}`;
  // A path with two leading slashes is another host's address, and the request contains the key.
  if (!/^\/(?![/\\])[!-~]*$/.test(path) || /[#\\]/.test(path)) throw new CommandError(`invalid path: "${args[0]}"`);
  return toRequest(method, path, params, values);
}

/**
 * @param {string} name
 * @param {number} count
 * @param {string[]} args
 */
function requireArguments(name, count, args) {
  if (args.length === count) return;
  const plural = count === 1 ? "" : "s";
  throw new CommandError(
    `\`stripe ${name}\` requires exactly ${count} positional argument${plural}, not ${args.length}. See \`stripe ${name} --help\` for supported flags and usage`,
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
 * @returns {Command}
 */
function parseTrigger(words) {
  const { args, params } = parseArguments(words, TRIGGER_FLAGS);
  if (args.length === 0) return { kind: "help", topic: ["trigger"] };
  requireArguments("trigger", 1, args);
  const [event] = args;
  if (!TRIGGER_EVENTS.has(event)) throw new CommandError(unknownEvent(event, TRIGGER_EVENTS.keys()));
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
 * @returns {Command}
 */
function parseListen(words) {
  const { args, params } = parseArguments(words, LISTEN_FLAGS);
  requireArguments("listen", 0, args);
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
