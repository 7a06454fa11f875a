// What requests and answers are made of. Objects of entgate's own have just these members; Stripe's may have others.

import {
  NAME,
  filled,
  flag,
  idOr,
  integer,
  list,
  listOf,
  map,
  moment,
  needed,
  object,
  only,
  orEmpty,
  orNull,
  ref,
  stripes,
  text,
  words,
} from "./schema-dsl.mjs";

const CUSTOMER = ref("CustomerId");
const VERSION = ref("Version");
const TEXTS = { type: "object", additionalProperties: { type: "string" } };
const orNothing = orNull({ type: "string" });
const momentOrNull = orNull(moment);
const ANY = {};
const SET = words("set", "missing");
const LIVE = { livemode: flag };

/** A name that entgate can hold, of so many bytes. */
const name = (bytes, description) => filled(bytes, { pattern: NAME, description: `${description}, at most ${bytes} bytes of UTF-8.` });

const PRICE_OF_OLD = {
  active: flag,
  amount: orNull(integer(0)),
  created: moment,
  currency: filled(),
  product: idOr("Product", "Deleted"),
  ...LIVE,
};

export const SCHEMAS = {
  // --- What is given ---
  CustomerId: name(255, "A customer's id"),
  LookupKey: name(20_000, "A feature's lookup key"),
  Moment: integer(0, 253_402_300_799, { description: "Seconds since 1970-01-01T00:00:00Z." }),
  MetadataChange: orEmpty({
    type: "object",
    description: "Up to 50 notes of your own. An empty one takes the note away, an empty text all of them.",
    maxProperties: 50,
    propertyNames: { minLength: 1, maxLength: 40 },
    additionalProperties: text(500),
  }),
  EventIn: {
    type: "object",
    description:
      "An event as Stripe sends it, in the snapshot payload style. Of other types than these only `id` and `type` are looked at.",
    properties: {
      id: ref("EventId"),
      object: only("event"),
      type: { anyOf: [words("entitlements.active_entitlement_summary.updated", "customer.deleted"), { type: "string" }] },
      created: moment,
      livemode: flag,
      data: {
        type: "object",
        properties: {
          object: {
            type: "object",
            properties: {
              id: CUSTOMER,
              customer: CUSTOMER,
              livemode: flag,
              entitlements: {
                type: "object",
                properties: {
                  object: only("list"),
                  data: list(
                    {
                      type: "object",
                      properties: { id: filled(255), feature: filled(255), lookup_key: ref("LookupKey") },
                      required: ["id", "feature", "lookup_key"],
                    },
                    10,
                  ),
                  has_more: flag,
                },
                required: ["data", "has_more"],
              },
            },
          },
        },
        required: ["object"],
      },
    },
    required: ["id", "type", "created", "livemode", "data"],
  },
  EventId: name(255, "An event's id"),
  Ignored: { description: "Accepted, and ignored." },

  // --- What went wrong ---
  Error: map({ error: needed(ref("ErrorDetails")) }, { description: "Stripe's envelope." }),
  ErrorDetails: map({
    type: needed(words("api_error", "card_error", "idempotency_error", "invalid_request_error")),
    code: filled(undefined, { description: "What went wrong, for programs." }),
    message: needed(filled(undefined, { description: "What went wrong, in a sentence." })),
    param: filled(undefined, { description: "The parameter that is at fault." }),
  }),

  // --- The edge's ---
  Version: integer(0, undefined, { description: "Counts the changes of a customer's set." }),
  ServedBy: words("replica", "ledger", "source", "memory"),
  Check: {
    oneOf: [
      object("entitlement_check", {
        customer: CUSTOMER,
        feature: ref("LookupKey"),
        entitled: flag,
        reason: words("active_entitlement", "not_entitled", "unknown_customer"),
        version: VERSION,
        as_of: momentOrNull,
        served_by: ref("ServedBy"),
      }),
      object("entitlement_check", {
        customer: CUSTOMER,
        feature: ref("LookupKey"),
        entitled: { type: "null", description: "Neither yes nor no." },
        error: ref("ErrorDetails"),
      }),
    ],
  },
  CheckList: listOf(ref("Check")),
  ActiveEntitlement: stripes("entitlements.active_entitlement", { feature: idOr("Feature"), lookup_key: filled(), ...LIVE }),
  CustomerSync: object(
    "customer_sync",
    { customer: CUSTOMER, version: VERSION, as_of: moment, served_by: ref("ServedBy"), entitlements: listOf(ref("ActiveEntitlement")) },
    { feature: ref("LookupKey"), entitled: flag },
  ),
  Activity: object("activity", {
    id: filled(undefined, { pattern: "^act_[1-9][0-9]*$" }),
    ...LIVE,
    customer: CUSTOMER,
    event: orNull(filled(undefined, { description: "The event behind it; `null` where the source's list was read." })),
    event_created: orNull({ type: "integer" }),
    outcome: words("applied", "unchanged", "duplicate", "stale", "deferred", "confirmed", "drift"),
    version: VERSION,
    at: integer(0, undefined, { description: "When it was decided, in milliseconds since 1970-01-01T00:00:00Z." }),
  }),
  RosterEntry: object("roster_entry", {
    id: CUSTOMER,
    ...LIVE,
    confirmed_at: orNull({
      ...moment,
      description: "When the set was last compared with the source's list, as far as that was reported: once an hour at most.",
    }),
    pending: integer(0, undefined, { description: "How much is owed that was tried in vain." }),
    pending_since: momentOrNull,
    trouble: orNull(words("key_refused", "unknown_customer")),
  }),
  WebhookReceipt: object(
    "webhook_receipt",
    { event: filled(), outcome: words("applied", "unchanged", "duplicate", "stale", "deferred", "ignored") },
    { customer: CUSTOMER, version: VERSION, message: filled() },
  ),
  Health: object(
    "health",
    {
      status: words("ok", "degraded", "unconfigured"),
      source: words("stripe", "catalog"),
      settings: map(
        { ENTGATE_API_KEYS: needed(SET), STRIPE_WEBHOOK_SECRETS: needed(SET), STRIPE_API_KEY: SET },
        { additionalProperties: SET, description: "Which settings are there, never their values." },
      ),
      outbox: orNull(
        map(
          { pending: needed(integer(0)), oldest: needed(orNull(integer(0))) },
          { description: "What was tried in vain and is tried again, and how many seconds the oldest of it has been owed." },
        ),
      ),
      version: filled(),
    },
    { message: filled() },
  ),
  CustomerToken: object("customer_token", { customer: CUSTOMER, ...LIVE, token: filled(), expires_at: moment }),
  EntitlementSnapshot: object("entitlement_snapshot", {
    customer: CUSTOMER,
    ...LIVE,
    version: VERSION,
    as_of: momentOrNull,
    expires_at: moment,
    snapshot: filled(undefined, { description: "A JWT, signed with EdDSA by a key of /.well-known/jwks.json." }),
  }),
  Jwks: map({
    keys: needed(
      list(
        map({
          kty: needed(only("OKP")),
          crv: needed(only("Ed25519")),
          alg: needed(only("EdDSA")),
          use: needed(only("sig")),
          kid: needed(filled()),
          x: needed(filled()),
        }),
      ),
    ),
  }),
  EntitlementVersion: object("entitlement_version", { customer: CUSTOMER, ...LIVE, version: VERSION }),
  EntitlementChange: object("entitlement_change", {
    customer: CUSTOMER,
    ...LIVE,
    version: VERSION,
    added: list(ref("LookupKey")),
    removed: list(ref("LookupKey")),
  }),
  StreamEnd: object("stream_end", { reason: words("token_expired", "max_age") }),
  Heartbeat: object("heartbeat", {}),

  // --- OpenFeature's: https://github.com/open-feature/protocol, 0.3.0 ---
  Flag: {
    type: "object",
    properties: {
      key: filled(),
      value: flag,
      reason: words("STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"),
      variant: { type: "string" },
      metadata: { type: "object" },
    },
    required: ["key", "value", "reason", "variant"],
  },
  Flags: {
    type: "object",
    properties: {
      flags: list(ref("Flag")),
      metadata: { type: "object" },
      eventStreams: list(
        map({
          type: needed(only("sse")),
          endpoint: needed(map({ requestUri: needed(filled(undefined, { pattern: "^/ofrep/v1/stream\\?token=" })) })),
          inactivityDelaySec: integer(1),
        }),
      ),
    },
    required: ["flags"],
  },
  FlagFailure: {
    type: "object",
    properties: { key: { type: "string" }, errorCode: filled(), errorDetails: filled() },
    required: ["key", "errorCode", "errorDetails"],
  },
  FlagsFailure: { type: "object", properties: { errorCode: filled(), errorDetails: filled() }, required: ["errorCode", "errorDetails"] },
  FlagsEvent: map({ type: needed(only("refetchEvaluation")), etag: needed(filled()) }),

  // --- The catalog's ---
  Deleted: { type: "object", properties: { id: filled(), object: filled(), deleted: only(true) }, required: ["id", "object", "deleted"] },
  Feature: stripes("entitlements.feature", { active: flag, lookup_key: filled(), name: filled(), metadata: TEXTS, ...LIVE }),
  Product: stripes("product", {
    active: flag,
    created: moment,
    updated: moment,
    name: filled(),
    description: orNothing,
    default_price: orNull(idOr("Price")),
    images: list(ANY),
    marketing_features: list(ANY),
    metadata: TEXTS,
    url: orNothing,
    ...LIVE,
  }),
  ProductFeature: stripes("product_feature", { entitlement_feature: ref("Feature"), ...LIVE }),
  ProductFeatureApplication: object("product_feature_application", {
    product: idOr("Product"),
    status: words("applied", "applying"),
    ...LIVE,
  }),
  Price: stripes("price", {
    active: flag,
    billing_scheme: filled(),
    created: moment,
    currency: filled(),
    lookup_key: orNothing,
    nickname: orNothing,
    metadata: TEXTS,
    product: idOr("Product", "Deleted"),
    recurring: orNull({ type: "object", required: ["interval", "interval_count", "usage_type"] }),
    type: words("recurring", "one_time"),
    unit_amount: orNull(integer(0)),
    unit_amount_decimal: orNothing,
    ...LIVE,
  }),
  Plan: stripes("plan", PRICE_OF_OLD),
  Customer: stripes("customer", {
    address: orNull({ type: "object" }),
    balance: { type: "integer" },
    created: moment,
    delinquent: flag,
    description: orNothing,
    email: orNothing,
    invoice_settings: { type: "object" },
    metadata: TEXTS,
    name: orNothing,
    phone: orNothing,
    preferred_locales: list(ANY),
    shipping: orNull({ type: "object" }),
    tax_exempt: words("none", "exempt", "reverse"),
    test_clock: orNull(idOr("TestClock", "Deleted")),
    ...LIVE,
  }),
  Subscription: stripes("subscription", {
    billing_cycle_anchor: moment,
    cancel_at: momentOrNull,
    cancel_at_period_end: flag,
    canceled_at: momentOrNull,
    cancellation_details: { type: "object" },
    collection_method: words("charge_automatically", "send_invoice"),
    created: moment,
    currency: filled(),
    customer: idOr("Customer", "Deleted"),
    default_payment_method: orNothing,
    description: orNothing,
    ended_at: momentOrNull,
    items: listOf(ref("SubscriptionItem")),
    metadata: TEXTS,
    pause_collection: orNull({ type: "object", required: ["behavior", "resumes_at"] }),
    start_date: moment,
    status: words("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"),
    test_clock: orNull(idOr("TestClock", "Deleted")),
    trial_start: momentOrNull,
    trial_end: momentOrNull,
    trial_settings: { type: "object" },
    ...LIVE,
  }),
  SubscriptionItem: stripes("subscription_item", {
    created: moment,
    current_period_start: moment,
    current_period_end: moment,
    metadata: TEXTS,
    plan: ref("Plan"),
    price: ref("Price"),
    quantity: orNull(integer(0)),
    subscription: filled(),
  }),
  TestClock: stripes("test_helpers.test_clock", {
    created: moment,
    deletes_after: moment,
    frozen_time: moment,
    name: orNothing,
    status: words("ready", "advancing"),
    status_details: { type: "object" },
    ...LIVE,
  }),
  Event: stripes("event", {
    api_version: filled(),
    created: moment,
    data: { type: "object", properties: { object: { type: "object" }, previous_attributes: { type: "object" } }, required: ["object"] },
    pending_webhooks: integer(0),
    request: { type: "object", required: ["id", "idempotency_key"] },
    type: filled(),
    ...LIVE,
  }),
  WebhookEndpoint: stripes("webhook_endpoint", {
    api_version: orNothing,
    created: moment,
    description: orNothing,
    enabled_events: list(filled()),
    metadata: TEXTS,
    status: words("enabled", "disabled"),
    url: filled(),
    ...LIVE,
  }),
  NewWebhookEndpoint: {
    allOf: [
      ref("WebhookEndpoint"),
      { type: "object", properties: { secret: filled(undefined, { pattern: "^whsec_" }) }, required: ["secret"] },
    ],
  },
  WebhookDelivery: {
    ...object("webhook_delivery", {
      id: filled(),
      attempt: integer(1),
      created: moment,
      endpoint: filled(),
      event: filled(),
      event_type: filled(),
      outcome: words("succeeded", "failed"),
      status: orNull(integer(100, 599)),
      error: orNothing,
      next_attempt: momentOrNull,
    }),
  },
};
