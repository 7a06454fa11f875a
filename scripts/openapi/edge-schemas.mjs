// The values, errors and objects of the edge's routes. An object of entgate has no other members; an object of Stripe may have some.
//
// Not here: the routes (edge-routes.mjs), and the objects of OFREP and of the catalog (ofrep-schemas.mjs, catalog-schemas.mjs).

import {
  array,
  boolean,
  constant,
  entgateObject,
  expandable,
  integer,
  listObject,
  NO_CONTROL_CHARACTERS,
  nonEmpty,
  nullable,
  oneOfStrings,
  orEmptyString,
  ref,
  required,
  strictObject,
  string,
  stripeObject,
  timestamp,
} from "./schema-dsl.mjs";

const CUSTOMER = ref("CustomerId");
const VERSION = ref("Version");
const TIMESTAMP_OR_NULL = nullable(timestamp);
const SETTING_STATUS = oneOfStrings("set", "missing");

/** The reason of the answer to a check. */
export const CHECK_REASON = oneOfStrings(
  "active_entitlement",
  "override",
  "default_feature",
  "denied_by_override",
  "not_entitled",
  "unknown_feature",
  "unknown_customer",
);

/** The outcome of a decision. */
export const ACTIVITY_OUTCOME = oneOfStrings(
  "applied",
  "unchanged",
  "duplicate",
  "stale",
  "deferred",
  "failed",
  "confirmed",
  "corrected",
  "drift",
);

/**
 * A string of at most `bytes` bytes, without control characters.
 *
 * @param {number} bytes
 * @param {string} description
 */
const boundedString = (bytes, description) =>
  nonEmpty(bytes, { pattern: NO_CONTROL_CHARACTERS, description: `${description}, at most ${bytes} bytes of UTF-8.` });

/**
 * The lookup keys that a decision or a change `added` or `removed`.
 *
 * @param {string} subject
 * @param {string} verb
 */
export const changedKeys = (subject, verb) => ({
  ...nullable(array(ref("LookupKey"), 1_000)),
  description: `The lookup keys that the ${subject} ${verb}, in order; \`null\` if it changed more than 1,000 keys.`,
});

/** No control characters, no white space and no invisible characters: `is_invisible` in src/id.rs. */
const VISIBLE_CHARACTERS =
  "^[^\\u0000-\\u0020\\u007F-\\u00A0\\u00AD\\u034F\\u061C\\u115F\\u1160\\u1680\\u17B4\\u17B5\\u180B-\\u180F\\u2000-\\u200F\\u2028-\\u202F\\u205F-\\u206F\\u2800\\u3000" +
  "\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFFB\u{1BCA0}-\u{1BCA3}\u{1D173}-\u{1D17A}\u{E0000}-\u{E0FFF}]*$";

/** @type {import("./schema-dsl.mjs").Members} */
export const EDGE_SCHEMAS = {
  // --- Values and requests ---
  CustomerId: nonEmpty(255, {
    pattern: VISIBLE_CHARACTERS,
    description: "The id of a customer, at most 255 bytes of UTF-8. It has no white space and no invisible characters.",
  }),
  LookupKey: boundedString(20_000, "The lookup key of a feature"),
  Timestamp: integer(0, 253_402_300_799, { description: "Seconds since 1970-01-01T00:00:00Z." }),
  MetadataUpdate: orEmptyString({
    type: "object",
    description: "Up to 50 key-value pairs. An empty value removes its key; an empty string instead of the object removes all keys.",
    maxProperties: 50,
    propertyNames: { minLength: 1, maxLength: 40 },
    additionalProperties: string(500),
  }),
  IncomingEvent: {
    type: "object",
    description: "An event of Stripe, in the snapshot payload style. Of any other event type, entgate reads only `id` and `type`.",
    properties: {
      id: ref("EventId"),
      object: constant("event"),
      type: { anyOf: [oneOfStrings("entitlements.active_entitlement_summary.updated", "customer.deleted"), { type: "string" }] },
      created: timestamp,
      livemode: boolean,
      data: {
        type: "object",
        properties: {
          object: {
            type: "object",
            properties: {
              id: CUSTOMER,
              customer: CUSTOMER,
              livemode: boolean,
              entitlements: {
                type: "object",
                properties: {
                  object: constant("list"),
                  data: array(
                    {
                      type: "object",
                      properties: { id: nonEmpty(255), feature: nonEmpty(255), lookup_key: ref("LookupKey") },
                      required: ["id", "feature", "lookup_key"],
                    },
                    10,
                  ),
                  has_more: boolean,
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
  EventId: boundedString(255, "The id of an event"),
  Ignored: { description: "Accepted and ignored." },

  // --- Errors ---
  Error: strictObject({ error: required(ref("ErrorDetails")) }, { description: "Stripe's envelope." }),
  ErrorDetails: strictObject({
    type: required(oneOfStrings("api_error", "card_error", "idempotency_error", "invalid_request_error")),
    code: nonEmpty(undefined, { description: "The error code, for programs." }),
    message: required(nonEmpty(undefined, { description: "The error message, for people." })),
    param: string(undefined, { description: "The invalid parameter. A caller can send one without a name." }),
  }),

  // --- Objects ---
  Version: integer(0, undefined, { description: "Counter of the changes of a customer's set." }),
  ServedBy: oneOfStrings("replica", "ledger", "source", "memory"),
  Check: {
    oneOf: [
      entgateObject(
        "entitlement_check",
        {
          customer: CUSTOMER,
          feature: ref("LookupKey"),
          entitled: boolean,
          reason: CHECK_REASON,
          version: VERSION,
          as_of: TIMESTAMP_OR_NULL,
          served_by: ref("ServedBy"),
        },
        {
          nearest_feature: {
            ...ref("LookupKey"),
            description: "Only with the reason `unknown_feature`, and in development: the feature that the key probably means.",
          },
        },
      ),
      entgateObject("entitlement_check", {
        customer: CUSTOMER,
        feature: ref("LookupKey"),
        entitled: { type: "null", description: "The check cannot be decided." },
        error: ref("ErrorDetails"),
      }),
    ],
  },
  CheckList: listObject(ref("Check")),
  ActiveEntitlement: stripeObject("entitlements.active_entitlement", {
    feature: expandable("Feature"),
    lookup_key: nonEmpty(),
    livemode: boolean,
  }),
  CustomerSync: entgateObject(
    "customer_sync",
    {
      customer: CUSTOMER,
      version: VERSION,
      as_of: timestamp,
      served_by: ref("ServedBy"),
      entitlements: listObject(ref("ActiveEntitlement")),
    },
    { feature: ref("LookupKey"), entitled: boolean },
  ),
  Activity: entgateObject("activity", {
    id: nonEmpty(undefined, { pattern: "^act_[0-9]+_[0-9]+_[1-9][0-9]*$" }),
    livemode: boolean,
    customer: CUSTOMER,
    event: nullable(
      nonEmpty(undefined, { description: "The event that caused the decision. `null` if it was a read of the source's list." }),
    ),
    event_created: nullable({ type: "integer" }),
    outcome: ACTIVITY_OUTCOME,
    origin: nullable({
      ...oneOfStrings("delivery", "poll"),
      description: "Whether the event was delivered, or found in Stripe's list of events. `null` without an event.",
    }),
    added: changedKeys("decision", "added"),
    removed: changedKeys("decision", "removed"),
    added_count: integer(0),
    removed_count: integer(0),
    version: VERSION,
    at: integer(0, undefined, { description: "The time of the decision, in milliseconds since 1970-01-01T00:00:00Z." }),
  }),
  ActivityList: strictObject({
    object: required(constant("list")),
    data: required(array(ref("Activity"), 100)),
    has_more: required(boolean),
    url: required(nonEmpty()),
    complete_since: required(
      integer(0, undefined, { description: "Since when no entry of the list was deleted, in milliseconds since 1970-01-01T00:00:00Z." }),
    ),
  }),
  CustomerSyncStatus: entgateObject("customer_sync_status", {
    id: CUSTOMER,
    livemode: boolean,
    confirmed_at: nullable({
      ...timestamp,
      description: "When the set was last compared with the source's list. Updated at most once an hour.",
    }),
    pending: integer(0, undefined, { description: "Pending tasks that failed at least once." }),
    pending_since: TIMESTAMP_OR_NULL,
    problem: nullable(oneOfStrings("key_refused", "unknown_customer")),
    problem_since: {
      ...TIMESTAMP_OR_NULL,
      description: "Since when reports show a failed task or a problem. `null` if the last one shows none.",
    },
    next_override_end: {
      ...TIMESTAMP_OR_NULL,
      description: "When the first of the customer's overrides ends, whether it has started or not. `null` if none has an end.",
    },
    cursor: nonEmpty(undefined, { description: "What `starting_after` and `ending_before` take." }),
  }),
  WebhookReceipt: entgateObject(
    "webhook_receipt",
    { event: nonEmpty(), outcome: oneOfStrings("applied", "unchanged", "duplicate", "stale", "deferred", "ignored") },
    { customer: CUSTOMER, version: VERSION, message: nonEmpty() },
  ),
  Health: {
    oneOf: [entgateObject("health", { status: ref("HealthStatus") }), ref("DetailedHealth")],
    description: "The status alone, or the details of one mode for a secret key of it.",
  },
  HealthStatus: oneOfStrings("ok", "degraded", "unconfigured"),
  DetailedHealth: entgateObject(
    "health",
    {
      status: ref("HealthStatus"),
      livemode: boolean,
      source: oneOfStrings("stripe", "catalog"),
      settings: strictObject(
        {
          ENTGATE_API_KEYS: required(SETTING_STATUS),
          STRIPE_WEBHOOK_SECRETS: required(SETTING_STATUS),
          STRIPE_API_KEY: SETTING_STATUS,
          ENTGATE_UNKNOWN_CUSTOMERS: SETTING_STATUS,
        },
        { additionalProperties: SETTING_STATUS, description: "Which settings are set. Never contains their values." },
      ),
      outbox: nullable(
        strictObject(
          { pending: required(integer(0)), oldest: required(nullable(integer(0))) },
          { description: "Pending tasks that failed at least once, and the age of the oldest one in seconds." },
        ),
      ),
      poll: nullable(
        strictObject(
          {
            interval: required(integer(5, 3600, { description: "The seconds between two listings." })),
            age: required(nullable(integer(0, undefined, { description: "The seconds since the last complete listing." }))),
            error: required(nullable(nonEmpty(undefined, { description: "Why the last attempt failed." }))),
            missing_permission: required(
              nullable(
                nonEmpty(undefined, { description: "The permission that the restricted key lacks, as Stripe's dashboard names it." }),
              ),
            ),
            gap: required(
              nullable(
                strictObject(
                  { found_at: required(timestamp), unread: required(nullable(integer(0))) },
                  { description: "Events may be missing. `unread` customers were not read since then." },
                ),
              ),
            ),
            found_by_poll_only: required(
              integer(0, undefined, { description: "How many events of the last day no webhook had brought after a minute." }),
            ),
            pending: required(integer(0, undefined, { description: "How many events could not be stored yet." })),
          },
          { description: "The listing of Stripe's events. `null` if events are not listed." },
        ),
      ),
      version: nonEmpty(),
    },
    {
      message: nonEmpty(),
      unknown_settings: array(nonEmpty(), undefined, {
        description:
          "Names with the prefix of a setting that are not settings, each with the setting that was probably meant. Only with a secret key.",
      }),
    },
  ),
  CustomerToken: entgateObject("customer_token", { customer: CUSTOMER, livemode: boolean, token: nonEmpty(), expires_at: timestamp }),
  EntitlementSnapshot: entgateObject("entitlement_snapshot", {
    customer: CUSTOMER,
    livemode: boolean,
    version: VERSION,
    as_of: TIMESTAMP_OR_NULL,
    expires_at: timestamp,
    changes_at: {
      ...TIMESTAMP_OR_NULL,
      description: "When the next override starts or ends, and the snapshot has to be read again. `null` if none does.",
    },
    snapshot: nonEmpty(undefined, { description: "A JWT, signed with EdDSA. Its key is in /.well-known/jwks.json." }),
  }),
  Jwks: strictObject({
    keys: required(
      array(
        strictObject({
          kty: required(constant("OKP")),
          crv: required(constant("Ed25519")),
          alg: required(constant("EdDSA")),
          use: required(constant("sig")),
          kid: required(nonEmpty()),
          x: required(nonEmpty()),
        }),
      ),
    ),
  }),
  EntitlementVersion: entgateObject("entitlement_version", { customer: CUSTOMER, livemode: boolean, version: VERSION }),
  EntitlementChange: entgateObject("entitlement_change", {
    customer: CUSTOMER,
    livemode: boolean,
    version: VERSION,
    added: array(ref("LookupKey")),
    removed: array(ref("LookupKey")),
  }),
  StreamEnd: entgateObject("stream_end", { reason: oneOfStrings("token_expired", "max_age") }),
  Heartbeat: entgateObject("heartbeat", {}),
};
