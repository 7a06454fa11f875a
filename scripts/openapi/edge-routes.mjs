// The routes of the edge: checks, lists, webhooks, streams, tokens, snapshots, OFREP and operations.
//
// Not here: the objects that they return (edge-schemas.mjs, override-schemas.mjs, ofrep-schemas.mjs), and the responses that every route has (../openapi.mjs).

import { headerRefs, IDEMPOTENCY_KEY } from "./components.mjs";
import { ACTIVITY_OUTCOME } from "./edge-schemas.mjs";
import { OVERRIDE_EFFECT } from "./override-schemas.mjs";
import {
  anyObjectOf,
  array,
  boolean,
  constant,
  get,
  integer,
  listObject,
  nonEmpty,
  oneOfStrings,
  orEmptyString,
  PAGINATION,
  post,
  ref,
  remove,
  required,
  strictObject,
  string,
  TIMESTAMP_RANGE,
  timestamp,
} from "./schema-dsl.mjs";

const CUSTOMER = ref("CustomerId");
const LOOKUP_KEY = ref("LookupKey");

/** Parameters that choose how current an answer must be. */
const CONSISTENCY = {
  at_least: integer(0, undefined, {
    description: "A version of the set. The response has this version or a newer one, or is a 503 with the code `version_not_reached`.",
  }),
  fresh: { ...boolean, default: false, description: "`true` reads the ledger, which is always current, instead of the replica." },
};

const EXPAND = array(oneOfStrings("data.feature"), 20, {
  description: "Replaces ids of features by the features. With Stripe as the source it requires STRIPE_API_KEY.",
});

/** `feature=a`, or `feature=a&feature=b`. */
const FEATURES = array(LOOKUP_KEY, 100, { minItems: 1 });
const ONE_OR_MANY_FEATURES = { anyOf: [LOOKUP_KEY, FEATURES] };
const CHECK = { customer: required(CUSTOMER), feature: required(ONE_OR_MANY_FEATURES), ...CONSISTENCY };

/** Headers about the set, for responses whose body cannot contain its version: a list, and a 204. */
const SET_HEADERS = {
  "Entgate-Version": { description: "The version of the set.", schema: integer(0) },
  "Entgate-As-Of": { description: "When the source last reported the set. Absent for an unknown customer.", schema: ref("Timestamp") },
  "Entgate-Served-By": { description: "The store that answered.", schema: ref("ServedBy") },
};

const TOKEN = string(8_192, { description: "A customer token, for clients that cannot send headers: EventSource in browsers." });
const LAST_EVENT_ID = string(64, {
  description: "The id of the last event that the client received. The stream starts with the changes after it.",
});

/** @param {string} description */
const eventStream = (description) => ({ media: "text/event-stream", schema: { type: "string", description } });

/** Parameters of an override. */
const REASON = nonEmpty(500, { description: "Why: a sentence, or the number of a ticket." });
const ACTOR = nonEmpty(255, { description: "Who does this. By default the key of the request, of which only the end is shown." });
const STARTS_AT = {
  anyOf: [timestamp],
  description: "The first second in which the override is active. By default now; a time in the past is now.",
};
const EXPIRES_IN = integer(1, 315_360_000, { description: "The end, in seconds from the start: at most ten years." });
const METADATA = ref("MetadataUpdate");

const CONTEXT = strictObject({ targetingKey: required(CUSTOMER) }, { additionalProperties: true });

const OFREP_RESPONSES = {
  408: undefined,
  413: undefined,
  401: "EmptyBody",
  403: "EmptyBody",
  429: "TooManyRequests",
  500: { description: "The flag cannot be evaluated now. This is not a denial.", schema: { anyOf: [ref("FlagFailure"), ref("Error")] } },
  503: undefined,
};

/** @type {import("./schema-dsl.mjs").Route[]} */
export const EDGE_ROUTES = [
  post("/webhooks/stripe", "receiveEvent", "Receives one signed event.", undefined, ref("WebhookReceipt"), {
    access: "signature",
    jsonBody: ref("IncomingEvent"),
    description: "A 200 confirms that the event is durably stored, or that entgate ignores it. After any other status Stripe retries.",
  }),
  get(
    "/v1/check",
    "check",
    "Checks whether a customer may use one feature, or several.",
    {
      customer: CHECK.customer,
      feature: required({ ...FEATURES, repeated: true, description: "For several, repeat it: `feature=a&feature=b`, or `feature[]=a`." }),
      ...CONSISTENCY,
    },
    { oneOf: [ref("Check"), ref("CheckList")] },
    {
      access: "customer",
      description:
        'For one feature the response is a check, for several it is a list in their order. A check that cannot be decided is a 503; in a list it has `"entitled": null`. If no check can be decided, the list is a 503.',
    },
  ),
  post(
    "/v1/check",
    "checkMany",
    "Checks features of several customers.",
    anyObjectOf({ checks: required(array(strictObject(CHECK), 100, { minItems: 1 })) }, CHECK),
    { oneOf: [ref("Check"), ref("CheckList")] },
    { access: "read", description: "Up to 100 checks. Each feature of a customer counts as one check." },
  ),
  get(
    "/v1/authorize",
    "authorize",
    "Authorizes a request for a reverse proxy: nginx's auth_request, Traefik's ForwardAuth, Caddy's forward_auth.",
    { feature: required({ ...FEATURES, repeated: true, description: "All of them must be granted." }), customer: CUSTOMER, ...CONSISTENCY },
    undefined,
    {
      access: "customer",
      headerParams: { "Entgate-Customer": { ...CUSTOMER, description: "The customer, instead of `customer`. Only with a server key." } },
      responses: {
        204: {
          description: "Every feature is granted.",
          headers: { "Entgate-Customer": { description: "The customer of the request.", schema: CUSTOMER }, ...SET_HEADERS },
        },
        403: {
          description:
            "A feature is not granted (code `not_entitled`, `unknown_feature`, `unknown_customer` or `denied_by_override`), or the token names another customer (`customer_mismatch`).",
          schema: ref("Error"),
        },
      },
    },
  ),
  get(
    "/v1/entitlements/active_entitlements",
    "listActiveEntitlements",
    "Lists the active entitlements of a customer, as Stripe does.",
    { customer: required(CUSTOMER), ...PAGINATION, ...CONSISTENCY, expand: EXPAND },
    listObject(ref("ActiveEntitlement")),
    { access: "customer", responseHeaders: SET_HEADERS },
  ),
  get(
    "/v1/entitlements/active_entitlements/{id}",
    "retrieveActiveEntitlement",
    "Retrieves an active entitlement from the source.",
    { expand: { ...EXPAND, items: oneOfStrings("feature") } },
    ref("ActiveEntitlement"),
    { access: "read" },
  ),
  get(
    "/v1/customer/{id}/entitlements",
    "listEntitlementsOfSummary",
    "Lists the active entitlements of a customer, at the `url` of an entitlement summary.",
    { ...PAGINATION, ...CONSISTENCY, expand: EXPAND },
    listObject(ref("ActiveEntitlement")),
    { access: "read", responseHeaders: SET_HEADERS },
  ),
  post(
    "/v1/customers/{id}/sync",
    "syncCustomer",
    "Reads the entitlements of a customer from the source now.",
    {
      feature: { ...LOOKUP_KEY, description: "The response then includes whether this feature is granted." },
      wait: integer(0, 25, { default: 0, description: "Maximum seconds to wait until `feature` is granted." }),
    },
    ref("CustomerSync"),
    {
      paramsInQuery: true,
      description: "Requires STRIPE_API_KEY, or the catalog. Without a query string, the parameters are read from the body.",
    },
  ),
  get(
    "/v1/customers/{customer}/overrides",
    "listOverrides",
    "Lists the overrides of a customer, newest first.",
    {
      status: {
        ...oneOfStrings("scheduled", "active", "ended", "all"),
        description: "Only overrides with this status. By default all that have not ended. Those that ended are kept for a year.",
      },
      ...PAGINATION,
    },
    listObject(ref("Override")),
  ),
  post(
    "/v1/customers/{customer}/overrides",
    "createOverride",
    "Grants or denies a feature to a customer.",
    {
      feature: required({ ...LOOKUP_KEY, description: "The lookup key of the feature." }),
      effect: required(OVERRIDE_EFFECT),
      reason: required(REASON),
      actor: ACTOR,
      starts_at: STARTS_AT,
      expires_at: {
        ...orEmptyString(timestamp),
        description: "The first second in which it is not active any more. By default it has no end.",
      },
      expires_in: EXPIRES_IN,
      metadata: METADATA,
    },
    ref("CreatedOverride"),
    {
      description:
        "The customer needs no other data. `version` is what `at_least` of a check takes to see the override. A customer has up to 100 overrides that have not ended, then the code is `override_limit_exceeded`.",
      headerParams: IDEMPOTENCY_KEY,
      responseHeaders: headerRefs("Idempotency-Key", "Idempotent-Replayed"),
    },
  ),
  get("/v1/customers/{customer}/overrides/{id}", "retrieveOverride", "Retrieves an override.", {}, ref("Override")),
  post(
    "/v1/customers/{customer}/overrides/{id}",
    "updateOverride",
    "Updates an override.",
    {
      reason: REASON,
      actor: { ...ACTOR, description: `${ACTOR.description} It is noted in the history.` },
      starts_at: { ...STARTS_AT, description: "Another start, until the override has started (code `override_started`)." },
      expires_at: {
        ...orEmptyString({ anyOf: [timestamp, constant("now")] }),
        description: "Another end. `now` ends the override now, and an empty value removes the end.",
      },
      expires_in: EXPIRES_IN,
      metadata: METADATA,
    },
    ref("Override"),
    {
      description: "`feature` and `effect` are fixed. Of an override that has ended only the metadata can change (code `override_ended`).",
    },
  ),
  remove(
    "/v1/customers/{customer}/overrides/{id}",
    "deleteOverride",
    "Ends an override now.",
    { reason: REASON, actor: ACTOR },
    ref("DeletedOverride"),
    {
      description: "The override stays in the list as `ended`, with `deletion`. The parameters may be in a body too, as a form or JSON.",
      responses: { 408: "BodyTimeout", 413: "TooLarge" },
    },
  ),
  get(
    "/v1/customers/{customer}/history",
    "listHistory",
    "Lists the changes of a customer's entitlements, newest first.",
    { created: { ...TIMESTAMP_RANGE, description: "Only changes that took effect at this time, or within these bounds." }, ...PAGINATION },
    listObject(ref("HistoryEntry")),
    { description: "One entry for each version, with its cause. The last 1,000 entries of a customer are kept, for up to 400 days." },
  ),
  get(
    "/v1/explain",
    "explain",
    "Explains the answer of a check, now or at a past time.",
    {
      customer: required(CUSTOMER),
      feature: required(LOOKUP_KEY),
      at: { ...timestamp, description: "A past time. Before the oldest entry of the history the code is `history_too_old`." },
    },
    ref("Explanation"),
    { description: "What the source, overrides, default features and the replica contribute. A part that cannot be read says so." },
  ),
  get(
    "/v1/activity",
    "listActivity",
    "Lists recent decisions, newest first.",
    {
      customer: { ...CUSTOMER, description: "Only decisions about this customer." },
      outcome: { ...ACTIVITY_OUTCOME, description: "Only decisions with this outcome." },
      feature: { ...LOOKUP_KEY, description: "Only decisions that added or removed this feature." },
      from: integer(0, Number.MAX_SAFE_INTEGER, { description: "Only decisions at this time or later, in milliseconds." }),
      until: integer(0, Number.MAX_SAFE_INTEGER, { description: "Only decisions at this time or earlier, in milliseconds." }),
      ...PAGINATION,
    },
    ref("ActivityList"),
    {
      description:
        "Recent decisions of the key's mode. For operators: an entry may be missing, and old ones are deleted. A cursor does not have to be the id of a stored entry.",
    },
  ),
  get(
    "/v1/sync_status",
    "listSyncStatus",
    "Lists the known customers and their sync status.",
    {
      prefix: { ...CUSTOMER, description: "Only customers whose id starts with this string." },
      problem: {
        ...oneOfStrings("any", "key_refused", "unknown_customer", "pending"),
        description: "Only customers with this problem, ordered by `problem_since`. The cursor is then the `cursor` of an item.",
      },
      ends_before: {
        ...timestamp,
        description:
          "Only customers with an override that ends before this time, ordered by `next_override_end`. The cursor is then the `cursor` of an item. Not with `problem`.",
      },
      ...PAGINATION,
    },
    listObject(ref("CustomerSyncStatus")),
    {
      description:
        "Ordered by the bytes of the ids, unless `problem` or `ends_before` is set. A cursor does not have to be of a known customer.",
    },
  ),
  get(
    "/v1/snapshot",
    "createSnapshot",
    "Signs the entitlements of a customer, for offline checks.",
    { customer: CUSTOMER, expires_in: integer(60, 86_400, { default: 3_600 }), ...CONSISTENCY },
    ref("EntitlementSnapshot"),
    { access: "customer", description: "A 503 if ENTGATE_SIGNING_KEY is not set, or if the set is incomplete." },
  ),
  get("/.well-known/jwks.json", "listKeys", "Lists the public keys of snapshots.", {}, ref("Jwks"), {
    access: "public",
    responseHeaders: { "Cache-Control": { description: "Public, five minutes.", schema: { const: "public, max-age=300" } } },
  }),
  post(
    "/v1/tokens",
    "createToken",
    "Creates a token that authenticates one customer.",
    { customer: required(CUSTOMER), expires_in: integer(1, 3_600, { default: 900 }) },
    ref("CustomerToken"),
    { description: "A 503 if ENTGATE_TOKEN_SECRETS is not set." },
  ),
  get(
    "/v1/stream",
    "streamChanges",
    "Streams the changes of a customer's entitlements.",
    { customer: CUSTOMER, token: TOKEN, last_event_id: LAST_EVENT_ID },
    eventStream(
      "Events `version` (EntitlementVersion), `change` (EntitlementChange), and `expired` (StreamEnd) at the end. The id of each event is the version. A comment line is sent every 25 seconds.",
    ),
    {
      access: "stream",
      headerParams: { "Last-Event-ID": LAST_EVENT_ID },
      responses: {
        101: {
          description:
            "With `Upgrade: websocket`: the same objects as text messages, and a Heartbeat every 25 seconds. The close code is 4401 when the token expires, and 4408 after one day.",
        },
        429: "TooManyRequests",
      },
    },
  ),
  post(
    "/ofrep/v1/evaluate/flags",
    "evaluateFlags",
    "Evaluates all features for a customer. For OpenFeature's client providers.",
    undefined,
    ref("Flags"),
    {
      access: "customer",
      tag: "openfeature",
      jsonBody: strictObject({ context: required(CONTEXT) }, { additionalProperties: true }),
      queryParams: { flagConfigEtag: string(1_024), flagConfigLastModified: string(64) },
      headerParams: { "If-None-Match": string(1_024) },
      responseHeaders: { ETag: { description: "The version of the response, for `If-None-Match`.", schema: nonEmpty() } },
      responses: {
        ...OFREP_RESPONSES,
        304: { description: "Not modified." },
        400: { description: "The request is malformed, or does not name a customer.", schema: ref("FlagsFailure") },
      },
    },
  ),
  post(
    "/ofrep/v1/evaluate/flags/{key}",
    "evaluateFlag",
    "Evaluates one feature for a customer. For OpenFeature's server providers.",
    undefined,
    ref("Flag"),
    {
      access: "customer",
      tag: "openfeature",
      jsonBody: strictObject({ context: required(CONTEXT) }, { additionalProperties: true }),
      responses: {
        ...OFREP_RESPONSES,
        400: { description: "The request is malformed, or does not name a customer.", schema: ref("FlagFailure") },
        404: { description: "The feature is unknown.", schema: ref("FlagFailure") },
      },
    },
  ),
  get(
    "/ofrep/v1/stream",
    "streamFlagChanges",
    "Notifies OpenFeature's client providers that they must evaluate again.",
    { token: required({ ...TOKEN, description: "The stream token in the URL that the bulk evaluation returns." }) },
    eventStream("Events `message` (FlagsEvent). The id of each event is the version. A comment line is sent every 25 seconds."),
    {
      access: "streamToken",
      tag: "openfeature",
      headerParams: { "Last-Event-ID": LAST_EVENT_ID },
      responses: { 429: "TooManyRequests" },
    },
  ),
  get("/healthz", "retrieveHealth", "Returns whether the deployment is configured and up to date.", {}, ref("Health"), {
    access: "publicOrServer",
    description:
      "Without a secret key, the response is the status of all modes, at most ten seconds old. With one, it has the details of the key's mode.",
  }),
  get("/openapi.json", "retrieveDocument", "Returns this document.", {}, { type: "object" }, { access: "public", isStaticFile: true }),
  get(
    "/",
    "retrieveConsole",
    "Returns the console.",
    {},
    { media: "text/html", schema: { type: "string" } },
    { access: "public", isStaticFile: true },
  ),
];
