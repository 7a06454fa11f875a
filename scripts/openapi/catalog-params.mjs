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
const ANY_MAP = orEmptyString({ type: "object" });
export const CLIENT_ID = string(255, {
  minLength: 1,
  pattern: "^[!-.0-~]+$",
  description: "An id of your choice. Without it, the catalog generates one.",
});
export const PAGINATION_AND_CREATED = { ...PAGINATION, created: TIMESTAMP_RANGE };
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
export const NEW_PRICE = {
  currency: required({ type: "string", pattern: "^[A-Za-z]{3}$" }),
  unit_amount: integer(0, 999_999_999_999),
  recurring: strictObject({
    interval: required(INTERVAL),
    interval_count: integer(1, 1_095, { default: 1, description: "The interval times the count is at most three years." }),
    trial_period_days: integer(0, 730),
    usage_type: oneOfStrings("licensed", "metered"),
    meter: longNonEmpty,
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

export const CUSTOMER = {
  email: string(512),
  source: longString,
  default_source: longString,
  payment_method: longString,
  invoice_settings: strictObject({ default_payment_method: longString, ...ignored("custom_fields", "footer", "rendering_options") }),
  address: ANY_MAP,
  business_name: longString,
  description: longString,
  individual_name: longString,
  invoice_prefix: longString,
  name: longString,
  phone: longString,
  preferred_locales: ANY_LIST,
  shipping: ANY_MAP,
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
  { price_data: required(strictObject({ product: required(longNonEmpty), ...NEW_PRICE })), ...ITEM },
);
export const NOW_OR_TIMESTAMP = { anyOf: [constant("now"), timestamp] };
export const BILLING_CYCLE_ANCHOR = oneOfStrings("now", "unchanged");
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
  days_until_due: integer(0, 3_650),
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
  cancel_at: timestamp,
  trial_from_plan: boolean,
  payment_behavior: oneOfStrings("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"),
};
export const SUBSCRIPTION_STATUSES = ["active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"];

export const ENDPOINT_URL = nonEmpty(MAX_STRING_LENGTH, {
  format: "uri",
  pattern: "^https?://",
  description: "In live mode it must start with `https://`.",
});
export const EVENT_TYPES = array(nonEmpty(), 500, { minItems: 1, description: "Complete event types, or `*` for all types." });
