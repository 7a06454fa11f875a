// The objects of the catalog: Stripe's, as far as the catalog supports them, and its own.
//
// Not here: their routes (catalog-routes.mjs), and active entitlements, which the edge returns too (edge-schemas.mjs).
//
// Specification: https://docs.stripe.com/api.

import {
  array,
  boolean,
  constant,
  entgateObject,
  expandable,
  integer,
  listObject,
  nonEmpty,
  nullable,
  oneOfStrings,
  ref,
  stripeObject,
  timestamp,
} from "./schema-dsl.mjs";

const METADATA = { type: "object", additionalProperties: { type: "string" } };
const STRING_OR_NULL = nullable({ type: "string" });
const TIMESTAMP_OR_NULL = nullable(timestamp);
/** A schema that accepts any value. */
const ANY = {};

/** Why a subscription is paused, and since when. Absent without a pause. */
const STATUS_DETAILS = {
  type: "object",
  properties: {
    paused: {
      type: "object",
      properties: {
        subscription: {
          type: "object",
          properties: {
            type: oneOfStrings("pause_requested", "first_payment_failure", "final_payment_failure", "trial_end_without_payment_method"),
          },
          required: ["type"],
        },
        transitioned_at: timestamp,
        type: constant("subscription"),
      },
      required: ["subscription", "transitioned_at", "type"],
    },
  },
  required: ["paused"],
};

/** The members of a plan, Stripe's older form of a price. */
const PLAN_MEMBERS = {
  active: boolean,
  amount: nullable(integer(0)),
  created: timestamp,
  currency: nonEmpty(),
  product: expandable("Product", "Deleted"),
  livemode: boolean,
};

/** @type {import("./schema-dsl.mjs").Members} */
export const CATALOG_SCHEMAS = {
  Deleted: {
    type: "object",
    properties: { id: nonEmpty(), object: nonEmpty(), deleted: constant(true) },
    required: ["id", "object", "deleted"],
  },
  Feature: stripeObject("entitlements.feature", {
    active: boolean,
    lookup_key: nonEmpty(),
    name: nonEmpty(),
    metadata: METADATA,
    livemode: boolean,
  }),
  Product: stripeObject("product", {
    active: boolean,
    created: timestamp,
    updated: timestamp,
    name: nonEmpty(),
    description: STRING_OR_NULL,
    default_price: nullable(expandable("Price")),
    images: array(ANY),
    marketing_features: array(ANY),
    metadata: METADATA,
    url: STRING_OR_NULL,
    livemode: boolean,
  }),
  ProductFeature: stripeObject("product_feature", { entitlement_feature: ref("Feature"), livemode: boolean }),
  ProductFeatureApplication: entgateObject("product_feature_application", {
    product: expandable("Product"),
    status: oneOfStrings("applied", "applying"),
    livemode: boolean,
  }),
  Price: stripeObject("price", {
    active: boolean,
    billing_scheme: nonEmpty(),
    created: timestamp,
    currency: nonEmpty(),
    lookup_key: STRING_OR_NULL,
    nickname: STRING_OR_NULL,
    metadata: METADATA,
    product: expandable("Product", "Deleted"),
    recurring: nullable({ type: "object", required: ["interval", "interval_count", "usage_type"] }),
    type: oneOfStrings("recurring", "one_time"),
    unit_amount: nullable(integer(0)),
    unit_amount_decimal: STRING_OR_NULL,
    livemode: boolean,
  }),
  Plan: stripeObject("plan", PLAN_MEMBERS),
  Account: stripeObject("account", {
    charges_enabled: boolean,
    details_submitted: boolean,
    email: STRING_OR_NULL,
    payouts_enabled: boolean,
    type: constant("standard"),
  }),
  Customer: stripeObject("customer", {
    address: nullable({ type: "object" }),
    balance: { type: "integer" },
    created: timestamp,
    delinquent: boolean,
    description: STRING_OR_NULL,
    email: STRING_OR_NULL,
    invoice_settings: { type: "object" },
    metadata: METADATA,
    name: STRING_OR_NULL,
    phone: STRING_OR_NULL,
    preferred_locales: array(ANY),
    shipping: nullable({ type: "object" }),
    tax_exempt: oneOfStrings("none", "exempt", "reverse"),
    test_clock: nullable(expandable("TestClock", "Deleted")),
    livemode: boolean,
  }),
  PaymentMethod: stripeObject("payment_method", {
    allow_redisplay: nonEmpty(),
    billing_details: { type: "object" },
    card: { type: "object", required: ["brand", "exp_month", "exp_year", "funding", "last4"] },
    created: timestamp,
    customer: nullable(expandable("Customer", "Deleted")),
    metadata: METADATA,
    type: constant("card"),
    livemode: boolean,
  }),
  Subscription: stripeObject(
    "subscription",
    {
      billing_cycle_anchor: timestamp,
      cancel_at: TIMESTAMP_OR_NULL,
      cancel_at_period_end: boolean,
      canceled_at: TIMESTAMP_OR_NULL,
      cancellation_details: { type: "object" },
      collection_method: oneOfStrings("charge_automatically", "send_invoice"),
      created: timestamp,
      currency: nonEmpty(),
      customer: expandable("Customer", "Deleted"),
      default_payment_method: nullable(expandable("PaymentMethod")),
      description: STRING_OR_NULL,
      ended_at: TIMESTAMP_OR_NULL,
      items: listObject(ref("SubscriptionItem")),
      metadata: METADATA,
      pause_collection: nullable({ type: "object", required: ["behavior", "resumes_at"] }),
      start_date: timestamp,
      status: oneOfStrings("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"),
      test_clock: nullable(expandable("TestClock", "Deleted")),
      trial_start: TIMESTAMP_OR_NULL,
      trial_end: TIMESTAMP_OR_NULL,
      trial_settings: { type: "object" },
      livemode: boolean,
    },
    { status_details: STATUS_DETAILS },
  ),
  SubscriptionItem: stripeObject("subscription_item", {
    created: timestamp,
    current_period_start: timestamp,
    current_period_end: timestamp,
    metadata: METADATA,
    plan: ref("Plan"),
    price: ref("Price"),
    quantity: nullable(integer(0)),
    subscription: nonEmpty(),
  }),
  TestClock: stripeObject("test_helpers.test_clock", {
    created: timestamp,
    deletes_after: timestamp,
    frozen_time: timestamp,
    name: STRING_OR_NULL,
    status: oneOfStrings("ready", "advancing"),
    status_details: { type: "object" },
    livemode: boolean,
  }),
  Event: stripeObject("event", {
    api_version: nonEmpty(),
    created: timestamp,
    data: { type: "object", properties: { object: { type: "object" }, previous_attributes: { type: "object" } }, required: ["object"] },
    pending_webhooks: integer(0),
    request: { type: "object", required: ["id", "idempotency_key"] },
    type: nonEmpty(),
    livemode: boolean,
  }),
  WebhookEndpoint: stripeObject("webhook_endpoint", {
    api_version: STRING_OR_NULL,
    created: timestamp,
    description: STRING_OR_NULL,
    enabled_events: array(nonEmpty()),
    metadata: METADATA,
    status: oneOfStrings("enabled", "disabled"),
    url: nonEmpty(),
    livemode: boolean,
  }),
  NewWebhookEndpoint: {
    allOf: [
      ref("WebhookEndpoint"),
      { type: "object", properties: { secret: nonEmpty(undefined, { pattern: "^whsec_" }) }, required: ["secret"] },
    ],
  },
  WebhookDelivery: entgateObject("webhook_delivery", {
    id: nonEmpty(),
    attempt: integer(1),
    created: timestamp,
    endpoint: nonEmpty(),
    event: nonEmpty(),
    event_type: nonEmpty(),
    outcome: oneOfStrings("succeeded", "failed"),
    status: nullable(integer(100, 599)),
    error: STRING_OR_NULL,
    next_attempt: TIMESTAMP_OR_NULL,
  }),
};
