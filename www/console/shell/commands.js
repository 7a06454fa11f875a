// The commands of the shell: the requests by resource, named as in Stripe's CLI, including routes that only entgate has.
//
// A row of `RESOURCE_TABLE` is `[operation, method, path, flags, description, fixed parameters]`. A flag is a parameter of the request:
// `name[]` is a list, `name+` is a list only if it is given several times. `map.name` is a member of a map, `name!` has no value. Other
// parameters are passed with `-d`.

const PAGINATION = "limit starting_after ending_before";
const CREATED_LIST = `created ${PAGINATION}`;
const PRICE_FIELDS = "active lookup_key metadata nickname tax_behavior transfer_lookup_key";
const PRODUCT_FIELDS = "active description images[] metadata shippable statement_descriptor tax_code unit_label url";
const CUSTOMER_FIELDS =
  "address default_source description email invoice_settings.default_payment_method metadata name payment_method phone shipping source tax_exempt";
const SUBSCRIPTION_FIELDS =
  "cancel_at cancel_at_period_end collection_method days_until_due default_payment_method default_source description metadata trial_end trial_settings.end_behavior.missing_payment_method";
const FIRST_ITEM = "items[0][price] items[0][quantity]";
const TEST_CLOCKS = "/v1/test_helpers/test_clocks";
const OVERRIDES = "/v1/customers/{customer}/overrides";
const OVERRIDE_FIELDS = "reason actor starts_at expires_at expires_in metadata";

/**
 * @typedef {[name: string, method: string, path: string, flags: string, description: string, fixed?: Record<string, string>]} Row
 * @type {Record<string, [description: string, rows: Row[]]>}
 */
const RESOURCE_TABLE = {
  features: [
    "features that products include",
    [
      ["create", "POST", "/v1/entitlements/features", "name lookup_key metadata", "create a feature"],
      ["list", "GET", "/v1/entitlements/features", `archived lookup_key ${PAGINATION}`, "list features"],
      ["retrieve", "GET", "/v1/entitlements/features/{id}", "", "retrieve a feature"],
      ["update", "POST", "/v1/entitlements/features/{id}", "active name metadata", "update a feature"],
      ["archive", "POST", "/v1/entitlements/features/{id}", "", "archive a feature permanently", { active: "false" }],
    ],
  ],
  products: [
    "products",
    [
      [
        "create",
        "POST",
        "/v1/products",
        `name id ${PRODUCT_FIELDS} default_price_data.currency default_price_data.unit_amount default_price_data.recurring.interval`,
        "create a product",
      ],
      ["list", "GET", "/v1/products", `active ids[] shippable url ${CREATED_LIST}`, "list products"],
      ["retrieve", "GET", "/v1/products/{id}", "", "retrieve a product"],
      ["update", "POST", "/v1/products/{id}", `name default_price ${PRODUCT_FIELDS}`, "update a product"],
      ["delete", "DELETE", "/v1/products/{id}", "", "delete a product that was never sold"],
      ["create_feature", "POST", "/v1/products/{product}/features", "entitlement_feature", "attach a feature to a product"],
      ["list_features", "GET", "/v1/products/{product}/features", PAGINATION, "list the features of a product"],
      ["retrieve_feature", "GET", "/v1/products/{product}/features/{id}", "", "retrieve a feature of a product"],
      ["delete_feature", "DELETE", "/v1/products/{product}/features/{id}", "", "detach a feature from a product"],
      [
        "apply_features",
        "POST",
        "/v1/products/{product}/features/apply",
        "",
        "grant the current features to every subscriber (entgate only)",
      ],
    ],
  ],
  prices: [
    "prices of products",
    [
      [
        "create",
        "POST",
        "/v1/prices",
        `product currency unit_amount recurring.interval recurring.interval_count ${PRICE_FIELDS}`,
        "create a price",
      ],
      ["list", "GET", "/v1/prices", `active currency lookup_keys[] product type ${CREATED_LIST}`, "list prices"],
      ["retrieve", "GET", "/v1/prices/{id}", "", "retrieve a price"],
      ["update", "POST", "/v1/prices/{id}", PRICE_FIELDS, "update a price"],
    ],
  ],
  customers: [
    "customers",
    [
      ["create", "POST", "/v1/customers", `id test_clock ${CUSTOMER_FIELDS}`, "create a customer"],
      ["list", "GET", "/v1/customers", `email test_clock ${CREATED_LIST}`, "list customers"],
      ["retrieve", "GET", "/v1/customers/{id}", "", "retrieve a customer"],
      ["update", "POST", "/v1/customers/{id}", CUSTOMER_FIELDS, "update a customer"],
      ["delete", "DELETE", "/v1/customers/{id}", "", "delete a customer and cancel its subscriptions"],
      ["sync", "POST", "/v1/customers/{id}/sync", "feature wait", "read the entitlements at the source now (entgate only)"],
    ],
  ],
  subscriptions: [
    "subscriptions of customers",
    [
      [
        "create",
        "POST",
        "/v1/subscriptions",
        `customer ${FIRST_ITEM} ${SUBSCRIPTION_FIELDS} billing_cycle_anchor payment_behavior trial_from_plan trial_period_days`,
        "create a subscription",
      ],
      ["list", "GET", "/v1/subscriptions", `customer price status test_clock collection_method ${CREATED_LIST}`, "list subscriptions"],
      ["retrieve", "GET", "/v1/subscriptions/{id}", "", "retrieve a subscription"],
      [
        "update",
        "POST",
        "/v1/subscriptions/{id}",
        `items[0][id] ${FIRST_ITEM} ${SUBSCRIPTION_FIELDS} billing_cycle_anchor pause_collection.behavior status`,
        "update a subscription",
      ],
      [
        "cancel",
        "DELETE",
        "/v1/subscriptions/{id}",
        "cancellation_details.comment cancellation_details.feedback",
        "cancel a subscription immediately",
      ],
      [
        "pause",
        "POST",
        "/v1/subscriptions/{id}/pause",
        "type bill_for.outstanding_usage_through.type bill_for.unused_time_from.type invoicing_behavior",
        "pause a subscription",
      ],
      ["resume", "POST", "/v1/subscriptions/{id}/resume", "billing_cycle_anchor payment_behavior", "resume a paused subscription"],
    ],
  ],
  active_entitlements: [
    "active entitlements of customers",
    [
      [
        "list",
        "GET",
        "/v1/entitlements/active_entitlements",
        `customer at_least fresh! ${PAGINATION}`,
        "list the active entitlements of a customer",
      ],
      ["retrieve", "GET", "/v1/entitlements/active_entitlements/{id}", "", "retrieve an active entitlement"],
    ],
  ],
  overrides: [
    "exceptions for one customer: a feature granted or denied (entgate only)",
    [
      ["create", "POST", OVERRIDES, `feature effect ${OVERRIDE_FIELDS}`, "grant or deny a feature, whatever the source says"],
      ["list", "GET", OVERRIDES, `status ${PAGINATION}`, "list the overrides of a customer"],
      ["retrieve", "GET", `${OVERRIDES}/{id}`, "", "retrieve an override"],
      ["update", "POST", `${OVERRIDES}/{id}`, OVERRIDE_FIELDS, "change the end, the reason or the metadata of an override"],
      ["delete", "DELETE", `${OVERRIDES}/{id}`, "reason actor", "end an override now, and mark it as deleted"],
    ],
  ],
  events: [
    "events",
    [
      ["list", "GET", "/v1/events", `type types[] delivery_success ${CREATED_LIST}`, "list events"],
      ["retrieve", "GET", "/v1/events/{id}", "", "retrieve an event"],
      ["resend", "POST", "/v1/events/{id}/retry", "webhook_endpoint", "resend an event to an endpoint"],
    ],
  ],
  webhook_endpoints: [
    "endpoints that receive events",
    [
      ["create", "POST", "/v1/webhook_endpoints", "url enabled_events[] api_version description metadata", "create an endpoint"],
      ["list", "GET", "/v1/webhook_endpoints", PAGINATION, "list endpoints"],
      ["retrieve", "GET", "/v1/webhook_endpoints/{id}", "", "retrieve an endpoint"],
      ["update", "POST", "/v1/webhook_endpoints/{id}", "url enabled_events[] disabled description metadata", "update an endpoint"],
      ["delete", "DELETE", "/v1/webhook_endpoints/{id}", "", "delete an endpoint"],
      [
        "list_deliveries",
        "GET",
        "/v1/webhook_endpoints/{id}/deliveries",
        CREATED_LIST,
        "list the delivery attempts of an endpoint (entgate only)",
      ],
    ],
  ],
  test_clocks: [
    "clocks that simulate time",
    [
      ["create", "POST", TEST_CLOCKS, "frozen_time name", "create a test clock"],
      ["list", "GET", TEST_CLOCKS, PAGINATION, "list test clocks"],
      ["retrieve", "GET", `${TEST_CLOCKS}/{id}`, "", "retrieve a test clock"],
      ["delete", "DELETE", `${TEST_CLOCKS}/{id}`, "", "delete a test clock and its customers"],
      ["advance", "POST", `${TEST_CLOCKS}/{id}/advance`, "frozen_time", "advance a test clock"],
    ],
  ],
};

/**
 * The namespaces of Stripe's CLI. A resource is accepted with and without its namespace.
 *
 * @type {Record<string, string[]>}
 */
export const NAMESPACES = { entitlements: ["features", "active_entitlements"], test_helpers: ["test_clocks"] };

/**
 * Other names of resources.
 *
 * @type {Record<string, string>}
 */
export const ALIASES = { product_features: "products", entitlement_features: "features" };

/** @type {Record<string, string>} */
const FLAG_LETTERS = { limit: "l", starting_after: "a", ending_before: "b" };

/**
 * @typedef {object} Flag
 * @property {string} name  As it is typed, without the hyphens.
 * @property {string} [letter]
 * @property {string} [param]  The parameter of the request; undefined for a flag of the shell.
 * @property {boolean} [repeatable]  Whether the parameter is a list.
 * @property {boolean} [scalarIfSingle]  Whether a list of one is sent as a single value.
 * @property {boolean} [boolean]  Whether the flag has no value.
 * @property {string} [description]
 */

/**
 * @typedef {object} Operation
 * @property {string} method
 * @property {string} path
 * @property {Flag[]} flags
 * @property {string} description
 * @property {Record<string, string>} fixed  Parameters that are always sent.
 */

/**
 * @param {Row} row
 * @returns {Operation}
 */
function parseRow([, method, path, flags, description, fixed = {}]) {
  return { method, path, flags: parseFlags(flags), description, fixed };
}

/** @param {string} flags */
function parseFlags(flags) {
  return flags.split(" ").filter(Boolean).map(parseFlag);
}

/**
 * @param {string} text
 * @returns {Flag}
 */
function parseFlag(text) {
  const suffix = /(\[\]|[+!])?$/.exec(text)?.[0] ?? "";
  const name = text.slice(0, text.length - suffix.length);
  const [first, ...rest] = name.split(".");
  return {
    name: name.replaceAll("_", "-"),
    letter: FLAG_LETTERS[name],
    param: first + rest.map((part) => `[${part}]`).join(""),
    repeatable: suffix === "[]" || suffix === "+",
    scalarIfSingle: suffix === "+",
    boolean: suffix === "!",
  };
}

/** @param {Row[]} rows */
const operationsByName = (rows) => new Map(rows.map((row) => [row[0], parseRow(row)]));

/** The operations by resource. */
export const RESOURCES = new Map(
  Object.entries(RESOURCE_TABLE).map(([name, [description, rows]]) => [name, { description, operations: operationsByName(rows) }]),
);

/** The requests whose command is a single word. */
export const REQUEST_COMMANDS = operationsByName([
  ["check", "GET", "/v1/check", "customer feature+ at_least fresh!", "check whether a customer may use a feature"],
  ["explain", "GET", "/v1/explain", "customer feature at", "explain why a customer may or may not use a feature"],
  ["history", "GET", "/v1/customers/{customer}/history", CREATED_LIST, "list the changes of a customer's entitlements, with their cause"],
  ["activity", "GET", "/v1/activity", `customer ${PAGINATION}`, "list recent events and source reads"],
  ["sync", "POST", "/v1/customers/{id}/sync", "feature wait", "read the entitlements of a customer at the source now"],
  ["health", "GET", "/healthz", "", "show the health of the Worker"],
]);

/**
 * The commands that send a request to any path: `get /v1/products`.
 *
 * @type {Map<string, { method: string, flags: Flag[], description: string }>}
 */
export const HTTP_COMMANDS = new Map([
  ["get", { method: "GET", flags: parseFlags(PAGINATION), description: "send a GET request to a path" }],
  ["post", { method: "POST", flags: [], description: "send a POST request to a path, with -d" }],
  ["delete", { method: "DELETE", flags: [], description: "send a DELETE request to a path" }],
]);

/** The events that `trigger` supports, with their description. */
export const TRIGGER_EVENTS = new Map([
  ["entitlements.active_entitlement_summary.updated", "a customer gains or loses features"],
  ["customer.created", "a customer is created"],
  ["customer.deleted", "a customer is deleted"],
  ["customer.subscription.created", "a subscription is created"],
  ["customer.subscription.deleted", "a subscription is canceled"],
  ["product.created", "a product is created"],
]);

/**
 * The flags of every request.
 *
 * @type {(Flag & { letter: string, description: string })[]}
 */
export const GLOBAL_FLAGS = [
  { name: "data", letter: "d", description: 'a parameter: -d "items[0][price]=price_…"' },
  { name: "expand", letter: "e", param: "expand", repeatable: true, description: "expand an id to its object" },
  { name: "idempotency", letter: "i", description: "an idempotency key" },
  { name: "show-headers", letter: "s", boolean: true, description: "show the response headers" },
  { name: "confirm", letter: "c", boolean: true, description: "skip the confirmation of a DELETE" },
  { name: "help", letter: "h", boolean: true, description: "show the usage" },
];
