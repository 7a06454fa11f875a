// The shell's pure functions: how a line is parsed and completed, and the help texts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { REQUEST_COMMANDS, RESOURCES } from "../../www/console/shell/commands.js";
import { complete } from "../../www/console/shell/complete.js";
import { parse } from "../../www/console/shell/grammar.js";
import { help } from "../../www/console/shell/help.js";
import { CONSOLE } from "../../www/console/shell/program.js";
import { quote, tokenize } from "../../www/console/shell/tokenize.js";

const openapi = JSON.parse(readFileSync(new URL("../../www/console/openapi.json", import.meta.url), "utf8"));

/**
 * Renders a command on one line: `GET /path a=b`, followed by what differs from the default.
 *
 * @param {import("../../www/console/shell/grammar.js").Command} command
 */
function render(command) {
  if (command.kind === "error") return `error: ${command.message}`;
  if (command.kind !== "request") {
    return Object.values(command)
      .flat()
      .filter((part) => part !== undefined)
      .join(" ");
  }
  const { method, path, params, headers, idempotencyKey, confirm } = command;
  return [
    method,
    path,
    ...params.map(([name, value]) => `${name}=${value}`),
    headers && "(headers)",
    confirm && "(confirm)",
    idempotencyKey && `(idempotency key: ${idempotencyKey})`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** @param {[why: string, line: string, expected: string][]} table */
const cases = (table) => {
  for (const [why, line, expected] of table) test(why, () => assert.equal(render(parse(line)), expected));
};

describe("a command is parsed into the request that Stripe’s CLI sends", () => {
  cases([
    [
      "a command creates a feature",
      'stripe features create --name "SMS" --lookup-key sms',
      "POST /v1/entitlements/features name=SMS lookup_key=sms",
    ],
    [
      "the word `stripe` is optional",
      "features create --name SMS --lookup-key=sms",
      "POST /v1/entitlements/features name=SMS lookup_key=sms",
    ],
    ["a namespace is accepted", "stripe entitlements features list --limit 3", "GET /v1/entitlements/features limit=3"],
    ["a pasted prompt is ignored", "$ stripe products list", "GET /v1/products"],
    ["a path contains an id", "products list_features prod_1", "GET /v1/products/prod_1/features"],
    ["an operation may contain hyphens", "products list-features prod_1", "GET /v1/products/prod_1/features"],
    [
      "a command attaches a feature",
      "products create_feature prod_1 --entitlement-feature feat_1",
      "POST /v1/products/prod_1/features entitlement_feature=feat_1",
    ],
    [
      "`-c` skips the confirmation of a DELETE",
      "products delete_feature prod_1 prodft_1 -c",
      "DELETE /v1/products/prod_1/features/prodft_1",
    ],
    ["a command applies the features of a product", "products apply_features prod_1", "POST /v1/products/prod_1/features/apply"],
    ["a fixed parameter is sent", "features archive feat_1", "POST /v1/entitlements/features/feat_1 active=false"],
    [
      "a dotted flag sets a member of a map",
      "prices create --product prod_1 --currency usd --unit-amount 1500 --recurring.interval month",
      "POST /v1/prices product=prod_1 currency=usd unit_amount=1500 recurring[interval]=month",
    ],
    [
      "`-d` sets a parameter",
      'subscriptions create --customer cus_1 -d "items[0][price]=price_1"',
      "POST /v1/subscriptions customer=cus_1 items[0][price]=price_1",
    ],
    [
      "a flag sets a member of a list",
      "subscriptions create --customer cus_1 --items[0][price] price_1 --items.1.price=price_2",
      "POST /v1/subscriptions customer=cus_1 items[0][price]=price_1 items[1][price]=price_2",
    ],
    ["a DELETE requires a confirmation", "subscriptions cancel sub_1", "DELETE /v1/subscriptions/sub_1 (confirm)"],
    [
      "a namespace precedes another resource",
      "entitlements active_entitlements list --customer cus_1",
      "GET /v1/entitlements/active_entitlements customer=cus_1",
    ],
    [
      "`-e` expands an object",
      "active_entitlements list --customer cus_1 -e data.feature",
      "GET /v1/entitlements/active_entitlements customer=cus_1 expand[0]=data.feature",
    ],
    [
      "a command advances a test clock",
      "test_helpers test_clocks advance clock_1 --frozen-time 1800000000",
      "POST /v1/test_helpers/test_clocks/clock_1/advance frozen_time=1800000000",
    ],
    [
      "a repeated flag sends a list",
      "webhook_endpoints create --url https://example.com --enabled-events customer.created --enabled-events '*'",
      "POST /v1/webhook_endpoints url=https://example.com enabled_events[0]=customer.created enabled_events[1]=*",
    ],
    [
      "a check sends several features as a list",
      "check --customer cus_1 --feature sms --feature sso --fresh",
      "GET /v1/check customer=cus_1 feature[0]=sms feature[1]=sso fresh=true",
    ],
    [
      "a boolean flag can be false, and a single feature is not a list",
      "check --customer cus_1 --feature sms --fresh=false",
      "GET /v1/check customer=cus_1 feature=sms",
    ],
    [
      "a command creates an override",
      'overrides create cus_1 --feature sms --effect grant --reason "Outage of May 3" --expires-in 172800',
      "POST /v1/customers/cus_1/overrides feature=sms effect=grant reason=Outage of May 3 expires_in=172800",
    ],
    ["a command lists all overrides", "overrides list cus_1 --status all", "GET /v1/customers/cus_1/overrides status=all"],
    ["a command retrieves an override", "overrides retrieve cus_1 ovr_1", "GET /v1/customers/cus_1/overrides/ovr_1"],
    [
      "a command ends an override",
      "overrides update cus_1 ovr_1 --expires-at now",
      "POST /v1/customers/cus_1/overrides/ovr_1 expires_at=now",
    ],
    [
      "an empty value removes the end of an override",
      'overrides update cus_1 ovr_1 --expires-at "" --metadata.ticket 7',
      "POST /v1/customers/cus_1/overrides/ovr_1 expires_at= metadata[ticket]=7",
    ],
    [
      "a command deletes an override with a reason",
      "overrides delete cus_1 ovr_1 --reason 'Made for the wrong customer'",
      "DELETE /v1/customers/cus_1/overrides/ovr_1 reason=Made for the wrong customer (confirm)",
    ],
    [
      "a command lists the changes of a customer",
      "history cus_1 --created.gte 1700000000 --limit 5",
      "GET /v1/customers/cus_1/history created[gte]=1700000000 limit=5",
    ],
    [
      "a command explains a past answer",
      "explain --customer cus_1 --feature sms --at 1700000000",
      "GET /v1/explain customer=cus_1 feature=sms at=1700000000",
    ],
    ["`get` sends a request to any path", "get /v1/products -l 2", "GET /v1/products limit=2"],
    ["`get` adds the prefix /v1", "get products", "GET /v1/products"],
    [
      "`post` sends parameters to any path",
      "post /v1/customers -d id=cus_1 -d email=ada@example.com",
      "POST /v1/customers id=cus_1 email=ada@example.com",
    ],
    ["`-i` sends an idempotency key", "customers create -i one", "POST /v1/customers (idempotency key: one)"],
    ["`-s` shows the headers", "customers list -s", "GET /v1/customers (headers)"],
  ]);
});

describe("a value is parsed as in a POSIX shell", () => {
  cases([
    ["single quotes keep every character", "features create --name 'a \"b\" $c \\d'", 'POST /v1/entitlements/features name=a "b" $c \\d'],
    ["double quotes keep most backslashes", 'features create --name "a \\"b\\" \\d"', 'POST /v1/entitlements/features name=a "b" \\d'],
    ["a backslash escapes a space", "features create --name a\\ b", "POST /v1/entitlements/features name=a b"],
    ["an empty value is sent", 'features create --name ""', "POST /v1/entitlements/features name="],
    ["a value may contain an equals sign", "features create --name=a=b", "POST /v1/entitlements/features name=a=b"],
    ["a value may look like a flag", "features create --name --x", "POST /v1/entitlements/features name=--x"],
    ["quotes may be inside a word", "get /v1/'pro'ducts", "GET /v1/products"],
    [
      "metadata keys keep hyphens and case",
      "customers create --metadata.my-key x --metadata[Other_key]=y",
      "POST /v1/customers metadata[my-key]=x metadata[Other_key]=y",
    ],
    ["the last value of a repeated scalar flag applies", "features create --name a --name b", "POST /v1/entitlements/features name=b"],
    ["a value may follow its letter directly", "customers list -l5", "GET /v1/customers limit=5"],
    ["an id is encoded as one path segment", "customers retrieve a/b?c", "GET /v1/customers/a%2Fb%3Fc"],
    ["no word after -- is a flag", "customers retrieve -- -x", "GET /v1/customers/-x"],
  ]);
});

describe("an invalid line returns the error of Stripe’s CLI", () => {
  const usage = "See `stripe customers retrieve --help` for supported flags and usage";
  cases([
    [
      "an unknown command with a suggestion",
      "featurs list",
      'error: Unknown command "featurs" for "stripe". Did you mean "features"?\nIf not, see "stripe --help" for a list of available commands.',
    ],
    [
      "an unknown command without a suggestion",
      "charges list",
      'error: Unknown command "charges" for "stripe".\nSee "stripe --help" for a list of available commands.',
    ],
    [
      "an unknown operation",
      "features creat",
      'error: Unknown command "creat" for "stripe features". Did you mean "create"?\nIf not, see "stripe features --help" for a list of available commands.',
    ],
    [
      "a resource of another namespace",
      "entitlements prices list",
      'error: Unknown command "prices" for "stripe entitlements".\nSee "stripe entitlements --help" for a list of available commands.',
    ],
    [
      "a name of Object.prototype",
      "constructor list",
      'error: Unknown command "constructor" for "stripe".\nSee "stripe --help" for a list of available commands.',
    ],
    ["an unknown flag", "features create --nam x", "error: unknown flag: --nam"],
    ["a member of an unknown map", "features create --other.part x", "error: unknown flag: --other.part"],
    ["a pagination flag on a retrieve operation", "customers retrieve cus_1 --limit 1", "error: unknown flag: --limit"],
    ["an unknown flag letter", "features list -x", "error: unknown shorthand flag: 'x' in -x"],
    ["a flag without a value", "features create --name", "error: flag needs an argument: --name"],
    ["a flag letter without a value", "customers list -l", "error: flag needs an argument: 'l' in -l"],
    ["a boolean flag with another value", "check --fresh=maybe", 'error: invalid argument "maybe" for "--fresh" flag: it is true or false'],
    ["a missing id", "customers retrieve", `error: \`stripe customers retrieve\` requires exactly 1 positional argument, not 0. ${usage}`],
    [
      "one id too many",
      "customers retrieve a b",
      `error: \`stripe customers retrieve\` requires exactly 1 positional argument, not 2. ${usage}`,
    ],
    [
      "an override without its customer",
      "overrides retrieve ovr_1",
      "error: `stripe overrides retrieve` requires exactly 2 positional arguments, not 1. See `stripe overrides retrieve --help` for supported flags and usage",
    ],
    [
      "a history without its customer",
      "history",
      "error: `stripe history` requires exactly 1 positional argument, not 0. See `stripe history --help` for supported flags and usage",
    ],
    [
      "an explanation of an argument instead of a flag",
      "explain cus_1",
      "error: `stripe explain` requires exactly 0 positional arguments, not 1. See `stripe explain --help` for supported flags and usage",
    ],
    ["an id that is a dot segment", "customers retrieve ..", 'error: invalid id: ".."'],
    ["an empty id", "customers retrieve ''", 'error: invalid id: ""'],
    ["data without an equals sign", "post /v1/customers -d x", 'error: invalid data argument: "x" is not name=value'],
    ["a path on another host", "get //example.com/v1", 'error: invalid path: "//example.com/v1"'],
    ["a path that browsers resolve to another host", "get '/\\example.com'", 'error: invalid path: "/\\example.com"'],
    ["an unterminated quote", "features create --name 'SMS", "error: unterminated quote: '"],
    ["a trailing backslash", "features list \\", "error: the line ends with a backslash"],
    ["an API key", "features list --api-key sk_live_x", "error: --api-key: the key at the top of the page is sent with every request"],
    ["a mode flag", "features list --live", "error: --live: the key at the top of the page determines the mode"],
    [
      "an unsupported event",
      "trigger customer.create",
      'error: The event "customer.create" cannot be triggered. Did you mean "customer.created"?\nSee "stripe trigger --help" for a list of supported events.',
    ],
    [
      "features of another event",
      "trigger customer.created --add sms",
      "error: --add and --remove are for entitlements.active_entitlement_summary.updated",
    ],
  ]);
});

describe("a command of the shell itself is parsed", () => {
  const SUMMARY_EVENT = "entitlements.active_entitlement_summary.updated";
  cases([
    ["an empty line does nothing", "   ", "nothing"],
    ["`stripe` alone shows the help", "stripe", "help"],
    ["a resource alone shows its help", "features", "help features"],
    ["help accepts a command", "help features create", "help features create"],
    ["--help shows the help of a command", "stripe features create --help", "help features create"],
    ["a trigger has an event", `trigger ${SUMMARY_EVENT}`, `trigger ${SUMMARY_EVENT}`],
    [
      "a trigger has a customer, added and removed features",
      `trigger ${SUMMARY_EVENT} --customer cus_1 --add sms --add sso,export --remove tax`,
      `trigger ${SUMMARY_EVENT} cus_1 sms sso export tax`,
    ],
    ["`listen` covers every event", "listen", "listen *"],
    [
      "`listen` accepts a customer and event types",
      "listen --customer cus_1 --events customer.created,customer.deleted",
      "listen cus_1 customer.created customer.deleted",
    ],
    ["`clear` is parsed", "clear", "clear"],
    ["--version is parsed", "stripe --version", "version"],
  ]);
});

test("every command is a documented route, and every flag a parameter of it", () => {
  /** @type {[name: string, operation: import("../../www/console/shell/commands.js").Operation][]} */
  const operations = [...REQUEST_COMMANDS];
  for (const [resource, { operations: byName }] of RESOURCES) {
    for (const [name, operation] of byName) operations.push([`${resource} ${name}`, operation]);
  }
  const withoutNames = (path) => path.replace(/\{\w+\}/g, "{}");
  const routes = Object.fromEntries(Object.entries(openapi.paths).map(([path, route]) => [withoutNames(path), route]));
  for (const [name, { method, path, flags }] of operations) {
    const route = routes[withoutNames(path)]?.[method.toLowerCase()];
    assert.ok(route, `${name}: ${method} ${path}`);
    const documented = parameterNames(route);
    for (const { param = "" } of flags) {
      assert.ok(documented.has(param.split("[")[0]), `${name}: ${param} is not one of ${[...documented].join(" ")}`);
    }
  }
});

/**
 * The names of an operation's parameters, in its query and its body.
 *
 * @param {any} operation  Of the OpenAPI document.
 * @returns {Set<string>}
 */
function parameterNames(operation) {
  const resolve = (/** @type {any} */ part) => (part?.$ref ? resolveReference(part.$ref) : part);
  const schemas = Object.values(resolve(operation.requestBody)?.content ?? {}).map(({ schema }) => resolve(schema));
  /** @returns {string[]} */
  const propertyNames = (/** @type {any} */ schema) => [
    ...Object.keys(schema?.properties ?? {}),
    ...(schema?.anyOf ?? []).flatMap((/** @type {any} */ each) => propertyNames(resolve(each))),
  ];
  /** @type {any[]} */
  const parameters = operation.parameters ?? [];
  return new Set([...parameters.map((each) => resolve(each).name.split("[")[0]), ...schemas.flatMap(propertyNames)]);
}

/**
 * Resolves a reference within the OpenAPI document: `#/components/schemas/…`.
 *
 * @param {string} reference
 */
function resolveReference(reference) {
  return reference
    .slice(2)
    .split("/")
    .reduce((at, key) => at[key], openapi);
}

describe("Tab completes a line", () => {
  /** @type {[why: string, line: string, expected: [line: string, candidates: string[]]][]} */
  const completions = [
    ["a command is completed", "fea", ["features ", []]],
    ["a command after `stripe` is completed", "stripe custo", ["stripe customers ", []]],
    ["an ambiguous word has candidates", "c", ["c", ["check", "clear", "customers"]]],
    ["an ambiguous operation has candidates", "products list", ["products list", ["list", "list_features"]]],
    ["a resource of a namespace is completed", "entitlements act", ["entitlements active_entitlements ", []]],
    ["a flag is completed", "features create --lo", ["features create --lookup-key ", []]],
    ["a complete word gets a space", "features create", ["features create ", []]],
    ["an operation of overrides is completed", "overrides up", ["overrides update ", []]],
    ["a flag of an explanation is completed", "explain --cu", ["explain --customer ", []]],
    ["an event is completed", "trigger ent", ["trigger entitlements.active_entitlement_summary.updated ", []]],
    ["an unknown word is not completed", "zzz", ["zzz", []]],
    ["a value is not completed", "features create --name S", ["features create --name S", []]],
    ["an unterminated quote is not completed", "features create --name 'S", ["features create --name 'S", []]],
  ];
  for (const [why, line, expected] of completions) {
    test(why, () => {
      const { line: completed, candidates } = complete(line);
      assert.deepEqual([completed, candidates], expected);
    });
  }
});

test("the help lists the commands, and the flags of one command", () => {
  const overview = help([], CONSOLE);
  for (const name of ["features", "overrides", "trigger", "listen", "check", "explain", "history", "get"])
    assert.match(overview, new RegExp(`^  ${name} `, "m"));
  assert.match(help(["features", "create"], CONSOLE), /stripe features create \[flags\][\s\S]*--lookup-key/);
  assert.match(help(["products", "list_features"], CONSOLE), /stripe products list_features <product> \[flags\]/);
  assert.match(help(["overrides", "create"], CONSOLE), /stripe overrides create <customer> \[flags\][\s\S]*--expires-in/);
  assert.match(help(["history"], CONSOLE), /stripe history <customer> \[flags\]/);
  assert.match(help(["entitlements", "features"], CONSOLE), /stripe features <operation>/);
  assert.match(help(["stripe", "features"], CONSOLE), /stripe features <operation>/);
  assert.match(help(["trigger"], CONSOLE), /customer\.subscription\.created/);
  assert.equal(
    help(["nonsense"], CONSOLE),
    'Unknown command "nonsense" for "stripe".\nSee "stripe --help" for a list of available commands.',
  );
});

test("a quoted word is tokenized into the same word", () => {
  for (const word of ["sms", "", "a b", "it's", '"', "\\", "$x", "a\\ b'c"]) {
    assert.deepEqual(tokenize(quote(word)).words, [word]);
  }
});
