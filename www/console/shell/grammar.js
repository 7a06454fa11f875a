// What a line means: a request to send, something else to do, or what is wrong with it, in the words of Stripe's CLI. Pure.
//
// | kind    | with                                                                    |
// |---------|-------------------------------------------------------------------------|
// | request | `method`, `path`, `params` (pairs, as they are sent), `headers`, `idempotencyKey`, `confirm` (ask first) |
// | trigger | `event`, `customer`, `add`, `remove`                                    |
// | listen  | `customer`, `events`                                                    |
// | help    | `topic`, the words it is asked about                                    |
// | clear · history · version · nothing |                                             |
// | error   | `message`                                                               |
//
// Keys are no part of a line: the one at the top of the page goes with every request.

import { ALIASES, COMMANDS, EVENTS, GLOBALS, NAMESPACES, OTHERS, RESOURCES, VERBS } from "./commands.js";
import { words } from "./tokenize.js";

/** A complaint that ends the reading of a line. */
class Complaint extends Error {}

export function parse(line) {
  const cut = words(line);
  if (cut.open)
    return { kind: "error", message: cut.open === "\\" ? "the line ends in a backslash" : `a quote is not closed: ${cut.open}` };
  const said = [...cut.words];
  if (said[0] === "$") said.shift();
  if (said[0] === "stripe" || said[0] === "entgate") said.shift();
  if (said.length === 0) return { kind: cut.words.length > 0 ? "help" : "nothing", topic: [] };
  try {
    return command(said);
  } catch (error) {
    if (error instanceof Complaint) return { kind: "error", message: error.message };
    throw error;
  }
}

function command(said) {
  const [first, ...rest] = said;
  if (first === "help") return { kind: "help", topic: plain(rest) };
  if (first === "--help" || first === "-h") return { kind: "help", topic: [] };
  if (first === "--version" || first === "-v") return { kind: "version" };
  if (first.startsWith("-"))
    throw new Complaint(
      first.startsWith("--") ? `unknown flag: ${first.split("=")[0]}` : `unknown shorthand flag: '${first[1] ?? ""}' in ${first}`,
    );
  if (asksForHelp(rest)) return { kind: "help", topic: plain(said) };
  if (first === "trigger") return trigger(rest);
  if (first === "listen") return listen(rest);
  if (OTHERS.has(first)) return { kind: first };
  if (VERBS.has(first)) return anyRequest(first, VERBS.get(first), rest);
  if (COMMANDS.has(first)) return request(first, COMMANDS.get(first), rest);

  const [resource, ...more] = resolve(said);
  const { operations } = RESOURCES.get(resource);
  const [name, ...words] = more;
  if (name === undefined) return { kind: "help", topic: [resource] };
  if (name.startsWith("-")) throw new Complaint(`unknown flag: ${name.split("=")[0]}`);
  const operation = operations.get(name.replaceAll("-", "_"));
  if (!operation) throw new Complaint(unknown(name, `stripe ${resource}`, operations.keys()));
  return request(`${resource} ${name}`, operation, words);
}

/** The resource's name without its namespace, and what follows it. */
function resolve(said) {
  const [first, second, ...rest] = said.map((word, at) => (at < 2 ? word.replaceAll("-", "_") : word));
  const inside = Object.hasOwn(NAMESPACES, first) ? NAMESPACES[first] : undefined;
  if (inside?.includes(second)) return [second, ...rest];
  if (inside && second === undefined) throw new Complaint(`"stripe ${first}" is followed by ${inside.join(" or ")}`);
  if (inside) throw new Complaint(unknown(second, `stripe ${first}`, inside));
  const name = Object.hasOwn(ALIASES, first) ? ALIASES[first] : first;
  if (RESOURCES.has(name)) return [name, ...said.slice(1)];
  throw new Complaint(unknown(said[0], "stripe", names()));
}

/** Every first word that there is. */
export const names = () => [...RESOURCES.keys(), ...COMMANDS.keys(), ...OTHERS.keys(), ...VERBS.keys(), ...Object.keys(NAMESPACES)];

const plain = (words) => words.filter((word) => !word.startsWith("-"));

/** Whether help is asked for, before whatever stands behind `--`. */
function asksForHelp(said) {
  const end = said.indexOf("--");
  return said.slice(0, end < 0 ? said.length : end).some((word) => word === "--help" || word === "-h");
}

function request(name, { method, path, flags, fixed }, said) {
  const { args, params, values } = read(said, [...flags, ...GLOBALS]);
  const places = path.match(/\{\w+\}/g) ?? [];
  if (args.length !== places.length) {
    throw new Complaint(
      `\`stripe ${name}\` requires exactly ${places.length} positional argument${places.length === 1 ? "" : "s"}, not ${args.length}. See \`stripe ${name} --help\` for supported flags and usage`,
    );
  }
  let at = -1;
  const filled = path.replace(/\{\w+\}/g, () => segment(args[(at += 1)]));
  return sent(method, filled, [...Object.entries(fixed), ...params], values);
}

function anyRequest(name, { method, flags }, said) {
  const { args, params, values } = read(said, [...flags, ...GLOBALS]);
  if (args.length !== 1)
    throw new Complaint(
      `\`stripe ${name}\` requires exactly 1 positional argument, not ${args.length}. See \`stripe ${name} --help\` for supported flags and usage`,
    );
  const path = args[0].startsWith("/") ? args[0] : `/v1/${args[0]}`;
  // What begins with two slashes is the address of somebody else, and the key goes with the request.
  if (!/^\/(?![/\\])[!-~]*$/.test(path) || /[#\\]/.test(path)) throw new Complaint(`not a path: "${args[0]}"`);
  return sent(method, path, params, values);
}

function sent(method, path, params, values) {
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

/** An id as a part of a path. A browser takes dots for a way up, escaped or not. */
function segment(id) {
  if (id === "" || /^\.{1,2}$/.test(id)) throw new Complaint(`not an id: "${id}"`);
  return encodeURIComponent(id);
}

/** The words of a command: its arguments, the parameters that are sent, and what else the flags say. */
function read(said, flags) {
  const args = [];
  const params = [];
  const values = new Map();
  const note = (flag, value) => {
    const count = () => params.filter(([param]) => param.startsWith(`${flag.param}[`)).length;
    if (flag.name === "data") params.push(pair(value));
    else if (flag.many) params.push([`${flag.param}[${count()}]`, value]);
    else if (flag.param) params.push([flag.param, value]);
    else values.set(flag.name, value);
  };

  for (let at = 0; at < said.length; at += 1) {
    const word = said[at];
    if (word === "--") {
      args.push(...said.slice(at + 1));
      break;
    }
    if (!word.startsWith("-") || word === "-") {
      args.push(word);
      continue;
    }
    const long = word.startsWith("--");
    const [, typed, given] = long ? /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) : /^-(.)(?:=?([\s\S]+))?$/.exec(word);
    const flag = long ? longFlag(typed, flags) : letterFlag(typed, flags, word);
    if (flag.bare) {
      if (given !== undefined && given !== "true" && given !== "false")
        throw new Complaint(`invalid argument "${given}" for "--${flag.name}" flag: it is true or false`);
      if (given !== "false") note(flag, "true");
      continue;
    }
    if (given === undefined && at + 1 >= said.length)
      throw new Complaint(`flag needs an argument: ${long ? `--${typed}` : `'${typed}' in ${word}`}`);
    note(flag, given ?? said[(at += 1)]);
  }
  for (const { param } of flags.filter(({ lone }) => lone)) {
    const [one, another] = params.filter(([name]) => name.startsWith(`${param}[`));
    if (one && !another) one[0] = param;
  }
  return { args, params, values };
}

/** A flag by its name; a part of a map may be any: `--metadata.plan`, `--items[1][price]`. */
function longFlag(typed, flags) {
  if (typed === "api-key") throw new Complaint("--api-key: the key at the top of the page goes with every request");
  if (typed === "live") throw new Complaint("--live: the key at the top of the page decides the mode");
  const [first, ...parts] = typed.replaceAll("]", "").split(/[.[]/);
  const root = first.replaceAll("-", "_");
  // Names within metadata are the writer's own.
  const param = root + parts.map((part) => `[${root === "metadata" ? part : part.replaceAll("-", "_")}]`).join("");
  const flag = flags.find((flag) => (flag.param ?? flag.name.replaceAll("-", "_")) === param);
  if (flag) return flag;
  const within = parts.length > 0 && parts.every(Boolean) && flags.some((flag) => flag.param?.split("[")[0] === root);
  if (!within) throw new Complaint(`unknown flag: --${typed}`);
  return { name: typed, param };
}

function letterFlag(letter, flags, word) {
  const flag = flags.find((flag) => flag.letter === letter);
  if (!flag) throw new Complaint(`unknown shorthand flag: '${letter}' in ${word}`);
  return flag;
}

/** `-d name=value`. */
function pair(text) {
  const at = text.indexOf("=");
  if (at < 1) throw new Complaint(`invalid data argument: "${text}" is not name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function trigger(said) {
  const flags = [
    { name: "customer", param: "customer" },
    { name: "add", param: "add", many: true },
    { name: "remove", param: "remove", many: true },
  ];
  const { args, params } = read(said, flags);
  const [event] = args;
  if (args.length === 0) return { kind: "help", topic: ["trigger"] };
  if (args.length > 1)
    throw new Complaint(
      `\`stripe trigger\` requires exactly 1 positional argument, not ${args.length}. See \`stripe trigger --help\` for supported flags and usage`,
    );
  if (!EVENTS.has(event))
    throw new Complaint(
      `The event "${event}" cannot be triggered here.${meant(event, EVENTS.keys())}\nSee "stripe trigger --help" for a list of supported events.`,
    );
  const all = (name) =>
    params
      .filter(([param]) => param.startsWith(`${name}[`))
      .flatMap(([, value]) => value.split(","))
      .filter(Boolean);
  const add = all("add");
  const remove = all("remove");
  if ((add.length || remove.length) && !event.startsWith("entitlements."))
    throw new Complaint("--add and --remove are for entitlements.active_entitlement_summary.updated");
  return { kind: "trigger", event, customer: new Map(params).get("customer"), add, remove };
}

function listen(said) {
  const { args, params } = read(said, [
    { name: "customer", param: "customer" },
    { name: "events", letter: "e", param: "events" },
  ]);
  if (args.length)
    throw new Complaint(
      `\`stripe listen\` requires exactly 0 positional arguments, not ${args.length}. See \`stripe listen --help\` for supported flags and usage`,
    );
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

function unknown(word, where, known) {
  const near = meant(word, known);
  return `Unknown command "${word}" for "${where}".${near}${near ? "\nIf not, s" : "\nS"}ee "${where} --help" for a list of available commands.`;
}

function meant(word, known) {
  const near = nearest(word, known);
  return near ? ` Did you mean "${near}"?` : "";
}

/** Of what is known, what begins so or is a slip away; the closest one. */
function nearest(word, known) {
  const ranked = [...known]
    .map((each) => [each.startsWith(word) ? 1 : distance(word.toLowerCase(), each), each])
    .filter(([away, each]) => away <= Math.min(2, each.length / 2));
  return ranked.sort(([a], [b]) => a - b)[0]?.[1];
}

/** How many letters have to be put in, taken out or changed. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
