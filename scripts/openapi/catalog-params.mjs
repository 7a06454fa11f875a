// The parameters of the catalog's routes: those of Stripe's API, as far as the catalog supports them.
//
// Parameters that the catalog accepts and ignores are `ignored`. Not here: the routes (catalog-routes.mjs) and the objects that they
// return (catalog-schemas.mjs).
//
// Specification: https://docs.stripe.com/api.

import {
  anyObjectOf,
  array,
  boolean,
  constant,
  ignored,
  integer,
  longNonEmpty,
  longString,
  MAX_STRING_LENGTH,
  nonEmpty,
  oneOfStrings,
  orEmptyString,
  PAGINATION,
  ref,
  required,
  strictObject,
  string,
  TIMESTAMP_RANGE,
  timestamp,
} from "./schema-dsl.mjs";

export const METADATA = ref("MetadataUpdate");
const ANY_LIST = orEmptyString({ type: "array" });
const ADDRESS = orEmptyString(
  strictObject({ city: longString, country: longString, line1: longString, line2: longString, postal_code: longString, state: longString }),
);
export const CLIENT_ID = string(255, {
  minLength: 1,
  pattern: "^[!-.0-~]+$",
  description: "An id of your choice. Without it, the catalog generates one.",
});
export const PAGINATION_AND_CREATED = { ...PAGINATION, created: TIMESTAMP_RANGE };
export const SEARCH = {
  query: required(
    nonEmpty(MAX_STRING_LENGTH, {
      description: "Up to ten clauses of Stripe's search query language: `name:'Ada' AND metadata['team']:'a'`.",
    }),
  ),
  limit: integer(1, 100, { default: 10 }),
  page: nonEmpty(MAX_STRING_LENGTH, { description: "The `next_page` of the previous response." }),
};
export const DELETED = ref("Deleted");

export const FEATURE = { name: nonEmpty(80), metadata: METADATA };

export const PRODUCT = {
  active: boolean,
  metadata: METADATA,
  description: longString,
  images: ANY_LIST,
  marketing_features: ANY_LIST,
  shippable: boolean,
  statement_descriptor: longString,
  tax_code: longString,
  unit_label: longString,
  url: longString,
  ...ignored("package_dimensions", "tax_details", "type"),
};
export const NEW_PRODUCT = { id: CLIENT_ID, name: required(longNonEmpty), ...PRODUCT };

export const INTERVAL = oneOfStrings("day", "week", "month", "year");
export const PRICE = {
  active: boolean,
  lookup_key: string(200),
  transfer_lookup_key: boolean,
  metadata: METADATA,
  nickname: longString,
  tax_behavior: longString,
};
const NEW_PRICE = {
  currency: required({ type: "string", pattern: "^[A-Za-z]{3}$" }),
  recurring: strictObject({
    interval: required(INTERVAL),
    interval_count: integer(1, 1_095, { default: 1, description: "The interval times the count is at most three years." }),
    trial_period_days: integer(0, 730),
    usage_type: oneOfStrings("licensed", "metered"),
    meter: longNonEmpty,
  }),
  ...PRICE,
  ...ignored("currency_options", "tiers", "tiers_mode", "transform_quantity"),
};
/** The ways to give the amount of a price. @type {import("./schema-dsl.mjs").Members[]} */
const AMOUNTS = [
  { unit_amount: required(integer(0, 999_999_999_999)), billing_scheme: constant("per_unit") },
  { unit_amount_decimal: required({ type: "string", pattern: "^[0-9]{1,12}(\\.[0-9]{1,12})?$" }), billing_scheme: constant("per_unit") },
  { billing_scheme: required(constant("tiered")) },
  { custom_unit_amount: required(ref("Ignored")) },
];
/** The alternative parameters of a new price. */
export const NEW_PRICES = AMOUNTS.map((amount) => ({ ...amount, ...NEW_PRICE }));

export const CUSTOMER = {
  email: string(512, { pattern: "^$|^[A-Za-z0-9._+-]+@[A-Za-z0-9]+(\\.[A-Za-z0-9]+)+$" }),
  source: longString,
  default_source: longString,
  payment_method: longString,
  invoice_settings: strictObject({ default_payment_method: longString, ...ignored("custom_fields", "footer", "rendering_options") }),
  address: ADDRESS,
  business_name: longString,
  description: longString,
  individual_name: longString,
  invoice_prefix: longString,
  name: longString,
  phone: longString,
  preferred_locales: ANY_LIST,
  shipping: orEmptyString(
    strictObject({ address: ADDRESS, carrier: longString, name: longString, phone: longString, tracking_number: longString }),
  ),
  tax_exempt: oneOfStrings("none", "exempt", "reverse"),
  metadata: METADATA,
  ...ignored("balance", "cash_balance", "next_invoice_sequence", "tax", "tax_id_data", "validate"),
};

export const ITEM = {
  quantity: integer(0, Number.MAX_SAFE_INTEGER),
  metadata: METADATA,
  ...ignored("billing_thresholds", "clear_usage", "current_trial", "discounts", "tax_rates"),
};
const ITEM_WITH_PRICE = { price: required(longNonEmpty), ...ITEM };
export const NEW_ITEM = anyObjectOf(
  ITEM_WITH_PRICE,
  { plan: required(longNonEmpty), ...ITEM },
  { price_data: required(anyObjectOf(...NEW_PRICES.map((price) => ({ product: required(longNonEmpty), ...price })))), ...ITEM },
);
/** What requests for one item accept and ignore, besides what every item does. */
export const IGNORED_OF_ITEM_REQUESTS = ignored("off_session", "payment_behavior", "proration_behavior", "proration_date");
export const NOW_OR_TIMESTAMP = { anyOf: [constant("now"), timestamp] };
/** A timestamp, or the end of the first or of the last period of an item. */
export const CANCEL_AT = { anyOf: [timestamp, oneOfStrings("min_period_end", "max_period_end", "max_billed_until")] };
const CYCLE_ANCHORS = oneOfStrings("now", "unchanged");
export const BILLING_CYCLE_ANCHOR = { anyOf: [CYCLE_ANCHORS, strictObject({ type: required(CYCLE_ANCHORS) })] };
export const CANCELLATION_DETAILS = strictObject({ comment: longString, feedback: longString, feedback_option: longString });
export const SUBSCRIPTION = {
  cancel_at_period_end: boolean,
  default_payment_method: longString,
  default_source: longString,
  trial_settings: strictObject({
    end_behavior: strictObject({
      missing_payment_method: oneOfStrings("cancel", "create_invoice", "pause"),
      ...ignored("billing_cycle_anchor"),
    }),
  }),
  collection_method: oneOfStrings("charge_automatically", "send_invoice"),
  days_until_due: integer(0, 3_650, { description: "Required if `collection_method` is `send_invoice`." }),
  description: longString,
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
export const NEW_SUBSCRIPTION = {
  customer: required(longNonEmpty),
  items: required(array(NEW_ITEM, 20, { minItems: 1 })),
  ...SUBSCRIPTION,
  billing_cycle_anchor: timestamp,
  cancel_at: CANCEL_AT,
  trial_from_plan: boolean,
  payment_behavior: oneOfStrings("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
};
export const SUBSCRIPTION_STATUSES = ["active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"];

export const ENDPOINT_URL = nonEmpty(MAX_STRING_LENGTH, {
  format: "uri",
  pattern: "^https?://",
  description: "In live mode it must start with `https://`, and its host must be public.",
});
export const API_VERSION = string(MAX_STRING_LENGTH, {
  pattern: "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(\\.[a-z]+)?$",
  description: "A version of Stripe's API. Objects follow it from 2022-11-15 on; the default is the latest one.",
});
export const EVENT_TYPES = array(nonEmpty(), 500, { minItems: 1, description: "Complete event types, or `*` for all types." });
