// The routes of the catalog: Stripe's around entitlements, and a little more.

import {
  NAME,
  PAGE,
  RANGE,
  TEXT,
  anyOf,
  filled,
  flag,
  get,
  ignored,
  integer,
  list,
  listOf,
  map,
  moment,
  needed,
  only,
  orEmpty,
  post,
  ref,
  remove,
  text,
  words,
} from "./schema-dsl.mjs";

const METADATA = ref("MetadataChange");
const ANY_LIST = orEmpty({ type: "array" });
const ANY_MAP = orEmpty({ type: "object" });
const ID = text(255, { minLength: 1, pattern: "^[!-.0-~]+$", description: "A name of your own; without it one is made." });
const CREATED = { ...PAGE, created: RANGE };
const DELETED = ref("Deleted");

const FEATURE = { name: filled(80), metadata: METADATA };

const PRODUCT = {
  active: flag,
  metadata: METADATA,
  description: text(TEXT),
  images: ANY_LIST,
  marketing_features: ANY_LIST,
  shippable: flag,
  statement_descriptor: text(TEXT),
  tax_code: text(TEXT),
  unit_label: text(TEXT),
  url: text(TEXT),
  ...ignored("package_dimensions", "tax_details", "type"),
};
const NEW_PRODUCT = { id: ID, name: needed(filled(TEXT)), ...PRODUCT };

const INTERVAL = words("day", "week", "month", "year");
const PRICE = {
  active: flag,
  lookup_key: text(200),
  transfer_lookup_key: flag,
  metadata: METADATA,
  nickname: text(TEXT),
  tax_behavior: text(TEXT),
};
const NEW_PRICE = {
  currency: needed({ type: "string", pattern: "^[A-Za-z]{3}$" }),
  unit_amount: integer(0, 999_999_999_999),
  recurring: map({
    interval: needed(INTERVAL),
    interval_count: integer(1, 1_095, { default: 1, description: "At most three years in all." }),
    trial_period_days: integer(0, 730),
    usage_type: words("licensed", "metered"),
    meter: filled(TEXT),
  }),
  ...PRICE,
  ...ignored(
    "billing_scheme",
    "currency_options",
    "custom_unit_amount",
    "tiers",
    "tiers_mode",
    "transform_quantity",
    "unit_amount_decimal",
  ),
};

const CUSTOMER = {
  email: text(512),
  source: text(TEXT),
  default_source: text(TEXT),
  payment_method: text(TEXT),
  invoice_settings: map({ default_payment_method: text(TEXT), ...ignored("custom_fields", "footer", "rendering_options") }),
  address: ANY_MAP,
  business_name: text(TEXT),
  description: text(TEXT),
  individual_name: text(TEXT),
  invoice_prefix: text(TEXT),
  name: text(TEXT),
  phone: text(TEXT),
  preferred_locales: ANY_LIST,
  shipping: ANY_MAP,
  tax_exempt: words("none", "exempt", "reverse"),
  metadata: METADATA,
  ...ignored("balance", "cash_balance", "next_invoice_sequence", "tax", "tax_id_data", "validate"),
};

const ITEM = {
  quantity: integer(0, Number.MAX_SAFE_INTEGER),
  metadata: METADATA,
  ...ignored("billing_thresholds", "clear_usage", "current_trial", "discounts", "tax_rates"),
};
const OF_PRICE = { price: needed(filled(TEXT)), ...ITEM };
const NEW_ITEM = anyOf(
  OF_PRICE,
  { plan: needed(filled(TEXT)), ...ITEM },
  { price_data: needed(map({ product: needed(filled(TEXT)), ...NEW_PRICE })), ...ITEM },
);
const OR_NOW = { anyOf: [only("now"), moment] };
const ANCHOR = words("now", "unchanged");
const CANCELLATION = map({ comment: text(TEXT), feedback: text(TEXT), feedback_option: text(TEXT) });
const SUBSCRIPTION = {
  cancel_at_period_end: flag,
  default_payment_method: text(TEXT),
  default_source: text(TEXT),
  trial_settings: map({
    end_behavior: map({ missing_payment_method: words("cancel", "create_invoice", "pause"), ...ignored("billing_cycle_anchor") }),
  }),
  collection_method: words("charge_automatically", "send_invoice"),
  days_until_due: integer(0, 3_650),
  description: text(TEXT),
  metadata: METADATA,
  ...ignored(
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax",
    "bill_for",
    "billing_mode",
    "billing_schedules",
    "billing_thresholds",
    "currency",
    "default_tax_rates",
    "discounts",
    "invoice_settings",
    "invoicing_behavior",
    "off_session",
    "on_behalf_of",
    "payment_settings",
    "pending_invoice_item_interval",
    "proration_behavior",
    "proration_date",
    "transfer_data",
  ),
};
const NEW_SUBSCRIPTION = {
  customer: needed(filled(TEXT)),
  items: needed(list(NEW_ITEM, 20, { minItems: 1 })),
  ...SUBSCRIPTION,
  billing_cycle_anchor: moment,
  cancel_at: moment,
  trial_from_plan: flag,
  payment_behavior: words("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
};
const STATUSES = ["active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"];

const URL = filled(TEXT, { format: "uri", pattern: "^https?://", description: "In live mode it begins with https://." });
const TYPES = list(filled(), 500, { minItems: 1, description: "Whole types, or `*` for all of them." });

export const CATALOG = [
  get(
    "/v1/entitlements/features",
    "listFeatures",
    "Lists features.",
    { archived: flag, lookup_key: filled(TEXT), ...PAGE },
    listOf(ref("Feature")),
  ),
  post(
    "/v1/entitlements/features",
    "createFeature",
    "Makes a feature.",
    { lookup_key: needed(filled(80, { pattern: NAME })), ...FEATURE, name: needed(FEATURE.name) },
    ref("Feature"),
  ),
  get("/v1/entitlements/features/{id}", "retrieveFeature", "Shows a feature.", {}, ref("Feature")),
  post(
    "/v1/entitlements/features/{id}",
    "updateFeature",
    "Changes a feature, or archives it for good.",
    { active: flag, ...FEATURE },
    ref("Feature"),
  ),

  get(
    "/v1/products",
    "listProducts",
    "Lists products.",
    { active: flag, ids: list(filled()), url: filled(TEXT), shippable: flag, ...ignored("type"), ...CREATED },
    listOf(ref("Product")),
  ),
  post("/v1/products", "createProduct", "Makes a product.", { ...NEW_PRODUCT, default_price_data: map(NEW_PRICE) }, ref("Product")),
  get("/v1/products/{id}", "retrieveProduct", "Shows a product.", {}, ref("Product")),
  post(
    "/v1/products/{id}",
    "updateProduct",
    "Changes a product.",
    { name: filled(TEXT), default_price: text(TEXT), ...PRODUCT },
    ref("Product"),
  ),
  remove("/v1/products/{id}", "deleteProduct", "Deletes a product that was never sold.", {}, DELETED),
  get("/v1/products/{product}/features", "listProductFeatures", "Lists what a product includes.", PAGE, listOf(ref("ProductFeature"))),
  post(
    "/v1/products/{product}/features",
    "attachFeature",
    "Attaches a feature to a product: subscribers have it from their next period on.",
    { entitlement_feature: needed(filled(TEXT)) },
    ref("ProductFeature"),
  ),
  post(
    "/v1/products/{product}/features/apply",
    "applyFeatures",
    "Gives everybody who has the product what it includes now. Only here, not at Stripe.",
    {},
    ref("ProductFeatureApplication"),
  ),
  get("/v1/products/{product}/features/{id}", "retrieveProductFeature", "Shows a feature of a product.", {}, ref("ProductFeature")),
  remove(
    "/v1/products/{product}/features/{id}",
    "detachFeature",
    "Detaches a feature from a product: subscribers keep it until their next period.",
    {},
    DELETED,
  ),

  get(
    "/v1/prices",
    "listPrices",
    "Lists prices.",
    {
      active: flag,
      product: filled(TEXT),
      lookup_keys: list(text(200), 10),
      currency: filled(3),
      type: words("recurring", "one_time"),
      recurring: map({ interval: INTERVAL, usage_type: filled(TEXT), meter: filled(TEXT) }),
      ...CREATED,
    },
    listOf(ref("Price")),
  ),
  post(
    "/v1/prices",
    "createPrice",
    "Makes a price.",
    anyOf({ product: needed(filled(TEXT)), ...NEW_PRICE }, { product_data: needed(map(NEW_PRODUCT)), ...NEW_PRICE }),
    ref("Price"),
  ),
  get("/v1/prices/{id}", "retrievePrice", "Shows a price.", {}, ref("Price")),
  post("/v1/prices/{id}", "updatePrice", "Changes a price.", { ...PRICE, ...ignored("currency_options") }, ref("Price")),

  get(
    "/v1/customers",
    "listCustomers",
    "Lists customers.",
    { email: filled(512), test_clock: filled(TEXT), ...CREATED },
    listOf(ref("Customer")),
  ),
  post("/v1/customers", "createCustomer", "Makes a customer.", { id: ID, test_clock: filled(TEXT), ...CUSTOMER }, ref("Customer")),
  get("/v1/customers/{id}", "retrieveCustomer", "Shows a customer, a deleted one too.", {}, { anyOf: [ref("Customer"), DELETED] }),
  post("/v1/customers/{id}", "updateCustomer", "Changes a customer.", CUSTOMER, ref("Customer")),
  remove("/v1/customers/{id}", "deleteCustomer", "Deletes a customer, and ends what they have.", {}, DELETED),

  get(
    "/v1/subscriptions",
    "listSubscriptions",
    "Lists subscriptions: without `status` all but the canceled ones.",
    {
      customer: filled(TEXT),
      price: filled(TEXT),
      test_clock: filled(TEXT),
      collection_method: filled(TEXT),
      status: words("all", "ended", ...STATUSES),
      current_period_start: RANGE,
      current_period_end: RANGE,
      ...CREATED,
      ...ignored("automatic_tax"),
    },
    listOf(ref("Subscription")),
  ),
  post(
    "/v1/subscriptions",
    "createSubscription",
    "Sells something to a customer.",
    anyOf({ trial_end: OR_NOW, ...NEW_SUBSCRIPTION }, { trial_period_days: integer(0, 730), ...NEW_SUBSCRIPTION }),
    ref("Subscription"),
    { statuses: { 402: "Declined" } },
  ),
  get("/v1/subscriptions/{id}", "retrieveSubscription", "Shows a subscription.", {}, ref("Subscription")),
  post(
    "/v1/subscriptions/{id}",
    "updateSubscription",
    "Changes a subscription, or tells how its payments stand.",
    {
      items: list({ anyOf: [map({ id: needed(filled(TEXT)), deleted: flag, price: filled(TEXT), ...ITEM }), ...NEW_ITEM.anyOf] }, 20),
      trial_end: OR_NOW,
      ...SUBSCRIPTION,
      billing_cycle_anchor: ANCHOR,
      cancel_at: orEmpty(moment),
      cancellation_details: CANCELLATION,
      pause_collection: orEmpty(map({ behavior: needed(words("keep_as_draft", "mark_uncollectible", "void")), resumes_at: moment })),
      status: {
        ...words("active", "past_due", "unpaid"),
        description: "What your billing knows of the payments. Only here, not at Stripe.",
      },
      ...ignored("payment_behavior", "trial_from_plan"),
    },
    ref("Subscription"),
  ),
  remove(
    "/v1/subscriptions/{id}",
    "cancelSubscription",
    "Ends a subscription now.",
    { cancellation_details: CANCELLATION, ...ignored("invoice_now", "prorate") },
    ref("Subscription"),
  ),
  post(
    "/v1/subscriptions/{id}/pause",
    "pauseSubscription",
    "Pauses a subscription.",
    { type: words("subscription"), ...ignored("bill_for", "invoicing_behavior") },
    ref("Subscription"),
  ),
  post(
    "/v1/subscriptions/{id}/resume",
    "resumeSubscription",
    "Resumes a paused subscription.",
    { billing_cycle_anchor: ANCHOR, ...ignored("payment_behavior", "proration_behavior", "proration_date") },
    ref("Subscription"),
  ),

  get("/v1/test_helpers/test_clocks", "listTestClocks", "Lists test clocks.", PAGE, listOf(ref("TestClock"))),
  post(
    "/v1/test_helpers/test_clocks",
    "createTestClock",
    "Makes a test clock.",
    { frozen_time: needed(moment), name: filled(300) },
    ref("TestClock"),
  ),
  get("/v1/test_helpers/test_clocks/{id}", "retrieveTestClock", "Shows a test clock.", {}, ref("TestClock")),
  remove("/v1/test_helpers/test_clocks/{id}", "deleteTestClock", "Deletes a test clock, and the customers on it.", {}, DELETED),
  post(
    "/v1/test_helpers/test_clocks/{id}/advance",
    "advanceTestClock",
    "Lets time pass on a test clock.",
    { frozen_time: needed(moment) },
    ref("TestClock"),
  ),

  get(
    "/v1/events",
    "listEvents",
    "Lists what happened in the last 30 days.",
    { type: filled(TEXT), types: list(filled(), 20), delivery_success: flag, ...CREATED },
    listOf(ref("Event")),
  ),
  get("/v1/events/{id}", "retrieveEvent", "Shows an event.", {}, ref("Event")),
  post(
    "/v1/events/{id}/retry",
    "retryEvent",
    "Sends an event to an endpoint again.",
    { webhook_endpoint: needed(filled(TEXT)) },
    ref("Event"),
  ),

  get("/v1/webhook_endpoints", "listWebhookEndpoints", "Lists webhook endpoints.", PAGE, listOf(ref("WebhookEndpoint"))),
  post(
    "/v1/webhook_endpoints",
    "createWebhookEndpoint",
    "Registers a webhook endpoint, and tells its secret this once.",
    {
      url: needed(URL),
      enabled_events: needed(TYPES),
      api_version: filled(TEXT),
      description: filled(TEXT),
      metadata: METADATA,
      secret: text(TEXT, {
        minLength: 16,
        pattern: "^whsec_[!-~]*$",
        description: "For a receiver that has one already. Only here, not at Stripe.",
      }),
      ...ignored("connect"),
    },
    ref("NewWebhookEndpoint"),
  ),
  get("/v1/webhook_endpoints/{id}", "retrieveWebhookEndpoint", "Shows a webhook endpoint.", {}, ref("WebhookEndpoint")),
  post(
    "/v1/webhook_endpoints/{id}",
    "updateWebhookEndpoint",
    "Changes a webhook endpoint.",
    { url: URL, enabled_events: { ...TYPES, minItems: 0 }, disabled: flag, description: text(TEXT), metadata: METADATA },
    ref("WebhookEndpoint"),
  ),
  remove("/v1/webhook_endpoints/{id}", "deleteWebhookEndpoint", "Deletes a webhook endpoint.", {}, DELETED),
  post(
    "/v1/webhook_endpoints/{id}/roll_secret",
    "rollSecret",
    "Makes a new secret; for a while both sign. Only here, not at Stripe.",
    { expires_in: integer(0, 86_400, { default: 86_400 }) },
    ref("NewWebhookEndpoint"),
  ),
  get(
    "/v1/webhook_endpoints/{id}/deliveries",
    "listDeliveries",
    "Lists each attempt at an endpoint, and what came of it. Only here, not at Stripe.",
    CREATED,
    listOf(ref("WebhookDelivery")),
  ),
];
