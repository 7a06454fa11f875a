// The commands that are requests, by the names that Stripe's CLI has for them; the routes that only entgate has, beside them.
//
// A line is `[operation, method, path, flags, about]`. A flag is a parameter of the request: `name[]` is a list, `name+` is one
// only where there are several, `map.name` is a part of a map, `name!` needs no value. What is not listed can be given with `-d`.

const PAGE = "limit starting_after ending_before";
const CREATED = `created ${PAGE}`;
const PRICE = "active lookup_key metadata nickname tax_behavior transfer_lookup_key";
const PRODUCT = "active description images[] metadata shippable statement_descriptor tax_code unit_label url";
const CUSTOMER =
  "address default_source description email invoice_settings.default_payment_method metadata name payment_method phone shipping source tax_exempt";
const SUBSCRIPTION =
  "cancel_at cancel_at_period_end collection_method days_until_due default_payment_method default_source description metadata trial_end trial_settings.end_behavior.missing_payment_method";
const ITEM = "items[0][price] items[0][quantity]";
const CLOCKS = "/v1/test_helpers/test_clocks";

const TABLE = {
  features: [
    "what products can include",
    [
      ["create", "POST", "/v1/entitlements/features", "name lookup_key metadata", "make a feature"],
      ["list", "GET", "/v1/entitlements/features", `archived lookup_key ${PAGE}`, "list features"],
      ["retrieve", "GET", "/v1/entitlements/features/{id}", "", "show a feature"],
      ["update", "POST", "/v1/entitlements/features/{id}", "active name metadata", "change a feature"],
      ["archive", "POST", "/v1/entitlements/features/{id}", "", "archive a feature, for good", { active: "false" }],
    ],
  ],
  products: [
    "what is sold",
    [
      [
        "create",
        "POST",
        "/v1/products",
        `name id ${PRODUCT} default_price_data.currency default_price_data.unit_amount default_price_data.recurring.interval`,
        "make a product",
      ],
      ["list", "GET", "/v1/products", `active ids[] shippable url ${CREATED}`, "list products"],
      ["retrieve", "GET", "/v1/products/{id}", "", "show a product"],
      ["update", "POST", "/v1/products/{id}", `name default_price ${PRODUCT}`, "change a product"],
      ["delete", "DELETE", "/v1/products/{id}", "", "delete a product that was never sold"],
      ["create_feature", "POST", "/v1/products/{product}/features", "entitlement_feature", "attach a feature to a product"],
      ["list_features", "GET", "/v1/products/{product}/features", PAGE, "list what a product includes"],
      ["retrieve_feature", "GET", "/v1/products/{product}/features/{id}", "", "show a feature of a product"],
      ["delete_feature", "DELETE", "/v1/products/{product}/features/{id}", "", "detach a feature from a product"],
      ["apply_features", "POST", "/v1/products/{product}/features/apply", "", "give what it includes now to those who have it (only here)"],
    ],
  ],
  prices: [
    "what products cost",
    [
      ["create", "POST", "/v1/prices", `product currency unit_amount recurring.interval recurring.interval_count ${PRICE}`, "make a price"],
      ["list", "GET", "/v1/prices", `active currency lookup_keys[] product type ${CREATED}`, "list prices"],
      ["retrieve", "GET", "/v1/prices/{id}", "", "show a price"],
      ["update", "POST", "/v1/prices/{id}", PRICE, "change a price"],
    ],
  ],
  customers: [
    "who buys",
    [
      ["create", "POST", "/v1/customers", `id test_clock ${CUSTOMER}`, "make a customer"],
      ["list", "GET", "/v1/customers", `email test_clock ${CREATED}`, "list customers"],
      ["retrieve", "GET", "/v1/customers/{id}", "", "show a customer"],
      ["update", "POST", "/v1/customers/{id}", CUSTOMER, "change a customer"],
      ["delete", "DELETE", "/v1/customers/{id}", "", "delete a customer, and end what they have"],
      ["sync", "POST", "/v1/customers/{id}/sync", "feature wait", "read their entitlements at the source now (only here)"],
    ],
  ],
  subscriptions: [
    "who has bought what",
    [
      [
        "create",
        "POST",
        "/v1/subscriptions",
        `customer ${ITEM} ${SUBSCRIPTION} billing_cycle_anchor payment_behavior trial_from_plan trial_period_days`,
        "sell something to a customer",
      ],
      ["list", "GET", "/v1/subscriptions", `customer price status test_clock collection_method ${CREATED}`, "list subscriptions"],
      ["retrieve", "GET", "/v1/subscriptions/{id}", "", "show a subscription"],
      [
        "update",
        "POST",
        "/v1/subscriptions/{id}",
        `items[0][id] ${ITEM} ${SUBSCRIPTION} billing_cycle_anchor pause_collection.behavior status`,
        "change a subscription",
      ],
      [
        "cancel",
        "DELETE",
        "/v1/subscriptions/{id}",
        "cancellation_details.comment cancellation_details.feedback",
        "end a subscription now",
      ],
      ["pause", "POST", "/v1/subscriptions/{id}/pause", "type", "pause a subscription"],
      ["resume", "POST", "/v1/subscriptions/{id}/resume", "billing_cycle_anchor", "resume a paused subscription"],
    ],
  ],
  active_entitlements: [
    "what customers may use",
    [
      ["list", "GET", "/v1/entitlements/active_entitlements", `customer at_least fresh! ${PAGE}`, "list what a customer may use"],
      ["retrieve", "GET", "/v1/entitlements/active_entitlements/{id}", "", "show an active entitlement"],
    ],
  ],
  events: [
    "what happened",
    [
      ["list", "GET", "/v1/events", `type types[] delivery_success ${CREATED}`, "list events"],
      ["retrieve", "GET", "/v1/events/{id}", "", "show an event"],
      ["resend", "POST", "/v1/events/{id}/retry", "webhook_endpoint", "send an event to an endpoint again"],
    ],
  ],
  webhook_endpoints: [
    "who is told",
    [
      ["create", "POST", "/v1/webhook_endpoints", "url enabled_events[] api_version description metadata", "register an endpoint"],
      ["list", "GET", "/v1/webhook_endpoints", PAGE, "list endpoints"],
      ["retrieve", "GET", "/v1/webhook_endpoints/{id}", "", "show an endpoint"],
      ["update", "POST", "/v1/webhook_endpoints/{id}", "url enabled_events[] disabled description metadata", "change an endpoint"],
      ["delete", "DELETE", "/v1/webhook_endpoints/{id}", "", "delete an endpoint"],
      ["list_deliveries", "GET", "/v1/webhook_endpoints/{id}/deliveries", CREATED, "list the attempts at an endpoint (only here)"],
    ],
  ],
  test_clocks: [
    "time, for tests",
    [
      ["create", "POST", CLOCKS, "frozen_time name", "make a test clock"],
      ["list", "GET", CLOCKS, PAGE, "list test clocks"],
      ["retrieve", "GET", `${CLOCKS}/{id}`, "", "show a test clock"],
      ["delete", "DELETE", `${CLOCKS}/{id}`, "", "delete a test clock, and the customers on it"],
      ["advance", "POST", `${CLOCKS}/{id}/advance`, "frozen_time", "let time pass"],
    ],
  ],
};

/** Stripe's CLI has these behind a name; they are taken with it and without. */
export const NAMESPACES = { entitlements: ["features", "active_entitlements"], test_helpers: ["test_clocks"] };

/** What products include has been called this too. */
export const ALIASES = { product_features: "products", entitlement_features: "features" };

const LETTERS = { limit: "l", starting_after: "a", ending_before: "b" };

/** An operation: `{ method, path, flags, about, fixed }`; `fixed` parameters are part of it. */
function operation([, method, path, flags, about, fixed = {}]) {
  return { method, path, flags: written(flags), about, fixed };
}

const written = (flags) => flags.split(" ").filter(Boolean).map(flag);

/** A flag: `name` as it is typed, `param` as it is sent. */
function flag(written) {
  const [, name, mark] = /^(.*?)(\[\]|[+!])?$/.exec(written);
  const [first, ...rest] = name.split(".");
  return {
    name: name.replaceAll("_", "-"),
    letter: LETTERS[name],
    param: first + rest.map((part) => `[${part}]`).join(""),
    many: mark === "[]" || mark === "+",
    lone: mark === "+",
    bare: mark === "!",
  };
}

const named = (lines) => new Map(lines.map((line) => [line[0], operation(line)]));

/** By resource: what it is, and its operations. */
export const RESOURCES = new Map(Object.entries(TABLE).map(([name, [about, lines]]) => [name, { about, operations: named(lines) }]));

/** Those of one word. */
export const COMMANDS = named([
  ["check", "GET", "/v1/check", "customer feature+ at_least fresh!", "ask whether a customer may use a feature"],
  ["activity", "GET", "/v1/activity", `customer ${PAGE}`, "list what was decided lately"],
  ["health", "GET", "/healthz", "", "ask the Worker how it does"],
]);

/** Any request: `get /v1/products`. */
export const VERBS = new Map([
  ["get", { method: "GET", flags: written(PAGE), about: "send a GET request to a path" }],
  ["post", { method: "POST", flags: [], about: "send a POST request to a path, with -d" }],
  ["delete", { method: "DELETE", flags: [], about: "send a DELETE request to a path" }],
]);

/** What is no request. */
export const OTHERS = new Map([
  ["trigger", "let an event happen, and be sent"],
  ["listen", "show events as they come, and what is decided"],
  ["help", "show commands, or how one is used"],
  ["history", "show what was typed"],
  ["clear", "clear the screen"],
  ["version", "show the version"],
]);

/** Events that can be triggered. */
export const EVENTS = new Map([
  ["entitlements.active_entitlement_summary.updated", "a customer gets features, or loses them"],
  ["customer.created", "a customer is made"],
  ["customer.deleted", "a customer is deleted"],
  ["customer.subscription.created", "a customer buys something"],
  ["customer.subscription.deleted", "a subscription ends"],
  ["product.created", "a product is made"],
]);

/** Flags of every command that is a request: its letter, and whether it needs no value. */
export const GLOBALS = [
  { name: "data", letter: "d", about: 'a parameter: -d "items[0][price]=price_…"' },
  { name: "expand", letter: "e", param: "expand", many: true, about: "an object in place of its id" },
  { name: "idempotency", letter: "i", about: "a key under which it is done once" },
  { name: "show-headers", letter: "s", bare: true, about: "show the answer's headers too" },
  { name: "confirm", letter: "c", bare: true, about: "do not ask before a DELETE" },
  { name: "help", letter: "h", bare: true, about: "show how it is used" },
];
