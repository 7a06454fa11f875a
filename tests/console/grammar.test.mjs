// The shell's grammar: what a line means, in a table.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { COMMANDS, RESOURCES } from "../../www/console/shell/commands.js";
import { complete } from "../../www/console/shell/complete.js";
import { parse } from "../../www/console/shell/grammar.js";
import { help } from "../../www/console/shell/help.js";
import { quote, words } from "../../www/console/shell/tokenize.js";

const openapi = JSON.parse(readFileSync(new URL("../../www/console/openapi.json", import.meta.url)));

/** A request as one text, `GET /path a=b`, and whatever is not as usual behind it. */
function shown({ kind, ...parts }) {
  if (kind === "error") return `error: ${parts.message}`;
  if (kind !== "request") return [kind, ...Object.values(parts).flat()].filter((part) => part !== undefined).join(" ");
  const { method, path, params, headers, idempotencyKey, confirm } = parts;
  return [
    method,
    path,
    ...params.map(([name, value]) => `${name}=${value}`),
    headers && "(headers)",
    confirm && "(confirm)",
    idempotencyKey && `(once: ${idempotencyKey})`,
  ]
    .filter(Boolean)
    .join(" ");
}

const cases = (table) => {
  for (const [why, line, expected] of table) test(why, () => assert.equal(shown(parse(line)), expected));
};

describe("a command of the guide is the request that Stripe’s CLI sends", () => {
  cases([
    ["a feature is made", 'stripe features create --name "SMS" --lookup-key sms', "POST /v1/entitlements/features name=SMS lookup_key=sms"],
    ["without `stripe` in front", "features create --name SMS --lookup-key=sms", "POST /v1/entitlements/features name=SMS lookup_key=sms"],
    ["with a namespace", "stripe entitlements features list --limit 3", "GET /v1/entitlements/features limit=3"],
    ["with the prompt pasted too", "$ stripe products list", "GET /v1/products"],
    ["what a product includes", "products list_features prod_1", "GET /v1/products/prod_1/features"],
    ["an operation with a hyphen", "products list-features prod_1", "GET /v1/products/prod_1/features"],
    [
      "a feature is attached",
      "products create_feature prod_1 --entitlement-feature feat_1",
      "POST /v1/products/prod_1/features entitlement_feature=feat_1",
    ],
    ["a feature is detached", "products delete_feature prod_1 prodft_1 -c", "DELETE /v1/products/prod_1/features/prodft_1"],
    ["what a product includes is applied", "products apply_features prod_1", "POST /v1/products/prod_1/features/apply"],
    ["a feature is archived", "features archive feat_1", "POST /v1/entitlements/features/feat_1 active=false"],
    [
      "a price with a part of a map",
      "prices create --product prod_1 --currency usd --unit-amount 1500 --recurring.interval month",
      "POST /v1/prices product=prod_1 currency=usd unit_amount=1500 recurring[interval]=month",
    ],
    [
      "a subscription by -d",
      'subscriptions create --customer cus_1 -d "items[0][price]=price_1"',
      "POST /v1/subscriptions customer=cus_1 items[0][price]=price_1",
    ],
    [
      "a subscription by a flag",
      "subscriptions create --customer cus_1 --items[0][price] price_1 --items.1.price=price_2",
      "POST /v1/subscriptions customer=cus_1 items[0][price]=price_1 items[1][price]=price_2",
    ],
    ["a subscription ends, if that is meant", "subscriptions cancel sub_1", "DELETE /v1/subscriptions/sub_1 (confirm)"],
    [
      "what a customer may use",
      "entitlements active_entitlements list --customer cus_1",
      "GET /v1/entitlements/active_entitlements customer=cus_1",
    ],
    [
      "an object in place of its id",
      "active_entitlements list --customer cus_1 -e data.feature",
      "GET /v1/entitlements/active_entitlements customer=cus_1 expand[0]=data.feature",
    ],
    [
      "a clock is advanced",
      "test_helpers test_clocks advance clock_1 --frozen-time 1800000000",
      "POST /v1/test_helpers/test_clocks/clock_1/advance frozen_time=1800000000",
    ],
    [
      "a list of texts",
      "webhook_endpoints create --url https://example.com --enabled-events customer.created --enabled-events '*'",
      "POST /v1/webhook_endpoints url=https://example.com enabled_events[0]=customer.created enabled_events[1]=*",
    ],
    [
      "a check",
      "check --customer cus_1 --feature sms --feature sso --fresh",
      "GET /v1/check customer=cus_1 feature[0]=sms feature[1]=sso fresh=true",
    ],
    ["a bare flag that is false", "check --customer cus_1 --feature sms --fresh=false", "GET /v1/check customer=cus_1 feature=sms"],
    ["any path", "get /v1/products -l 2", "GET /v1/products limit=2"],
    ["a path without its beginning", "get products", "GET /v1/products"],
    ["a post to any path", "post /v1/customers -d id=cus_1 -d email=ada@example.com", "POST /v1/customers id=cus_1 email=ada@example.com"],
    ["a key under which it is done once", "customers create -i one", "POST /v1/customers (once: one)"],
    ["with headers", "customers list -s", "GET /v1/customers (headers)"],
  ]);
});

describe("a value is taken as it is written", () => {
  cases([
    ["single quotes", "features create --name 'a \"b\" $c \\d'", 'POST /v1/entitlements/features name=a "b" $c \\d'],
    ["double quotes", 'features create --name "a \\"b\\" \\d"', 'POST /v1/entitlements/features name=a "b" \\d'],
    ["a backslash before a space", "features create --name a\\ b", "POST /v1/entitlements/features name=a b"],
    ["an empty value", 'features create --name ""', "POST /v1/entitlements/features name="],
    ["an equals sign in a value", "features create --name=a=b", "POST /v1/entitlements/features name=a=b"],
    ["a value like a flag", "features create --name --x", "POST /v1/entitlements/features name=--x"],
    ["quotes in the middle of a word", "get /v1/'pro'ducts", "GET /v1/products"],
    [
      "metadata keeps its names",
      "customers create --metadata.my-key x --metadata[Other_key]=y",
      "POST /v1/customers metadata[my-key]=x metadata[Other_key]=y",
    ],
    ["what is said twice counts the last time", "features create --name a --name b", "POST /v1/entitlements/features name=b"],
    ["a letter with its value", "customers list -l5", "GET /v1/customers limit=5"],
    ["an id is one part of the path", "customers retrieve a/b?c", "GET /v1/customers/a%2Fb%3Fc"],
    ["behind -- nothing is a flag", "customers retrieve -- -x", "GET /v1/customers/-x"],
  ]);
});

describe("what is wrong is said in the words of Stripe’s CLI", () => {
  const usage = "See `stripe customers retrieve --help` for supported flags and usage";
  cases([
    [
      "an unknown command, and what may have been meant",
      "featurs list",
      'error: Unknown command "featurs" for "stripe". Did you mean "features"?\nIf not, see "stripe --help" for a list of available commands.',
    ],
    [
      "an unknown command that is like nothing",
      "charges list",
      'error: Unknown command "charges" for "stripe".\nSee "stripe --help" for a list of available commands.',
    ],
    [
      "an unknown operation",
      "features creat",
      'error: Unknown command "creat" for "stripe features". Did you mean "create"?\nIf not, see "stripe features --help" for a list of available commands.',
    ],
    [
      "an unknown part of a namespace",
      "entitlements prices list",
      'error: Unknown command "prices" for "stripe entitlements".\nSee "stripe entitlements --help" for a list of available commands.',
    ],
    [
      "a name that every object has",
      "constructor list",
      'error: Unknown command "constructor" for "stripe".\nSee "stripe --help" for a list of available commands.',
    ],
    ["an unknown flag", "features create --nam x", "error: unknown flag: --nam"],
    ["a part of what has none", "features create --other.part x", "error: unknown flag: --other.part"],
    ["a flag of lists on what is none", "customers retrieve cus_1 --limit 1", "error: unknown flag: --limit"],
    ["an unknown letter", "features list -x", "error: unknown shorthand flag: 'x' in -x"],
    ["a flag without its value", "features create --name", "error: flag needs an argument: --name"],
    ["a letter without its value", "customers list -l", "error: flag needs an argument: 'l' in -l"],
    ["a bare flag with a value", "check --fresh=maybe", 'error: invalid argument "maybe" for "--fresh" flag: it is true or false'],
    ["no id", "customers retrieve", `error: \`stripe customers retrieve\` requires exactly 1 positional argument, not 0. ${usage}`],
    [
      "an id too many",
      "customers retrieve a b",
      `error: \`stripe customers retrieve\` requires exactly 1 positional argument, not 2. ${usage}`,
    ],
    ["an id that is a way up", "customers retrieve ..", 'error: not an id: ".."'],
    ["an id that is nothing", "customers retrieve ''", 'error: not an id: ""'],
    ["data that is none", "post /v1/customers -d x", 'error: invalid data argument: "x" is not name=value'],
    ["a path that is somebody else’s", "get //example.com/v1", 'error: not a path: "//example.com/v1"'],
    ["a path that a browser makes somebody else’s", "get '/\\example.com'", 'error: not a path: "/\\example.com"'],
    ["a quote that is not closed", "features create --name 'SMS", "error: a quote is not closed: '"],
    ["a line that goes on", "features list \\", "error: the line ends in a backslash"],
    ["a key", "features list --api-key sk_live_x", "error: --api-key: the key at the top of the page goes with every request"],
    ["another mode", "features list --live", "error: --live: the key at the top of the page decides the mode"],
    [
      "an event that cannot be made",
      "trigger customer.create",
      'error: The event "customer.create" cannot be triggered here. Did you mean "customer.created"?\nSee "stripe trigger --help" for a list of supported events.',
    ],
    [
      "features with another event",
      "trigger customer.created --add sms",
      "error: --add and --remove are for entitlements.active_entitlement_summary.updated",
    ],
  ]);
});

describe("what is no request", () => {
  const SUMMARY = "entitlements.active_entitlement_summary.updated";
  cases([
    ["nothing", "   ", "nothing"],
    ["`stripe` alone is a question", "stripe", "help"],
    ["a resource alone is a question", "features", "help features"],
    ["help on a command", "help features create", "help features create"],
    ["help by a flag", "stripe features create --help", "help features create"],
    ["a trigger", `trigger ${SUMMARY}`, `trigger ${SUMMARY}`],
    [
      "a trigger with all that there is",
      `trigger ${SUMMARY} --customer cus_1 --add sms --add sso,export --remove tax`,
      `trigger ${SUMMARY} cus_1 sms sso export tax`,
    ],
    ["listening", "listen", "listen *"],
    [
      "listening to some",
      "listen --customer cus_1 --events customer.created,customer.deleted",
      "listen cus_1 customer.created customer.deleted",
    ],
    ["clearing", "clear", "clear"],
    ["history", "history", "history"],
    ["version", "stripe --version", "version"],
  ]);
});

test("every command is a route of the document, and every flag a parameter of it", () => {
  const operations = [
    ...COMMANDS,
    ...[...RESOURCES].flatMap(([resource, { operations }]) =>
      [...operations].map(([name, operation]) => [`${resource} ${name}`, operation]),
    ),
  ];
  const nameless = (path) => path.replace(/\{\w+\}/g, "{}");
  const routes = Object.fromEntries(Object.entries(openapi.paths).map(([path, route]) => [nameless(path), route]));
  for (const [name, { method, path, flags }] of operations) {
    const route = routes[nameless(path)]?.[method.toLowerCase()];
    assert.ok(route, `${name}: ${method} ${path}`);
    const taken = parameters(route);
    for (const { param } of flags) assert.ok(taken.has(param.split("[")[0]), `${name}: ${param} is none of ${[...taken].join(" ")}`);
  }
});

/** The names of a route's parameters, of its query and of its body. */
function parameters(route) {
  const resolve = (part) =>
    part?.$ref
      ? part.$ref
          .slice(2)
          .split("/")
          .reduce((at, key) => at[key], openapi)
      : part;
  const bodies = Object.values(resolve(route.requestBody)?.content ?? {}).map(({ schema }) => resolve(schema));
  const within = (schema) => [...Object.keys(schema?.properties ?? {}), ...(schema?.anyOf ?? []).flatMap((each) => within(resolve(each)))];
  return new Set([...(route.parameters ?? []).map((each) => resolve(each).name.split("[")[0]), ...bodies.flatMap(within)]);
}

describe("what can be completed", () => {
  for (const [why, line, expected] of [
    ["a command", "fea", ["features ", []]],
    ["a command behind `stripe`", "stripe custo", ["stripe customers ", []]],
    ["several, as far as they agree", "c", ["c", ["check", "clear", "customers"]]],
    ["an operation", "products list", ["products list", ["list", "list_features"]]],
    ["within a namespace", "entitlements act", ["entitlements active_entitlements ", []]],
    ["a flag", "features create --lo", ["features create --lookup-key ", []]],
    ["what is typed in full gets its space", "features create", ["features create ", []]],
    ["an event", "trigger ent", ["trigger entitlements.active_entitlement_summary.updated ", []]],
    ["nothing that is not known", "zzz", ["zzz", []]],
    ["no value", "features create --name S", ["features create --name S", []]],
    ["nothing within quotes", "features create --name 'S", ["features create --name 'S", []]],
  ]) {
    test(why, () => {
      const { line: completed, candidates } = complete(line);
      assert.deepEqual([completed, candidates], expected);
    });
  }
});

test("help tells of every command, and of every flag of one", () => {
  const all = help([]);
  for (const name of ["features", "products", "trigger", "listen", "check", "get"]) assert.match(all, new RegExp(`^  ${name} `, "m"));
  assert.match(help(["features", "create"]), /stripe features create \[flags\][\s\S]*--lookup-key/);
  assert.match(help(["products", "list_features"]), /stripe products list_features <product> \[flags\]/);
  assert.match(help(["entitlements", "features"]), /stripe features <operation>/);
  assert.match(help(["stripe", "features"]), /stripe features <operation>/);
  assert.match(help(["trigger"]), /customer\.subscription\.created/);
  assert.equal(help(["nonsense"]), 'Unknown command "nonsense" for "stripe".\nSee "stripe --help" for a list of available commands.');
});

test("a word that is quoted is one word again", () => {
  for (const word of ["sms", "", "a b", "it's", '"', "\\", "$x", "a\\ b'c"]) {
    assert.deepEqual(words(quote(word)).words, [word]);
  }
});
