// The routes of the edge. What each of them may answer next to its own lines is in ../openapi.mjs.

import { PAGE, anyOf, filled, flag, get, integer, list, listOf, map, needed, post, ref, text, words } from "./schema-dsl.mjs";

const CUSTOMER = ref("CustomerId");
const KEY = ref("LookupKey");

const FRESH = {
  at_least: integer(0, undefined, {
    description: "A version you know of: the answer is that one or newer, else a 503 with the code `version_not_reached`.",
  }),
  fresh: { ...flag, default: false, description: "`true` asks the ledger, which is never behind, instead of the replica." },
};

const EXPAND = list(words("data.feature"), 20, {
  description: "Puts the features themselves where their ids are. With Stripe as the source it needs STRIPE_API_KEY.",
});

/** `feature=a`, or `feature=a&feature=b`. */
const FEATURES = list(KEY, 100, { minItems: 1 });
const ONE_OR_MANY = { anyOf: [KEY, FEATURES] };
const CHECK = { customer: needed(CUSTOMER), feature: needed(ONE_OR_MANY), ...FRESH };

/** What a list has no room for, and a 204 none at all. */
const HELD = {
  "Entgate-Version": { description: "The version of the set.", schema: integer(0) },
  "Entgate-As-Of": {
    description: "When the source last said so. Not there for a customer of whom nothing is known.",
    schema: ref("Moment"),
  },
  "Entgate-Served-By": { description: "Who answered.", schema: ref("ServedBy") },
};

const TOKEN = { token: text(8_192, { description: "A customer token, for those who cannot send headers: browsers' EventSource." }) };
const LAST_EVENT = { "Last-Event-ID": text(64, { description: "The id of the last event seen: what changed since comes first." }) };

const stream = (description) => ({ media: "text/event-stream", schema: { type: "string", description } });

const CONTEXT = map({ targetingKey: needed(CUSTOMER) }, { additionalProperties: true });

const OFREP = {
  401: "NoBody",
  403: "NoBody",
  429: "TooMany",
  500: { description: "It cannot be told now, which is not a no.", schema: { anyOf: [ref("FlagFailure"), ref("Error")] } },
  503: undefined,
};

export const EDGE = [
  post("/webhooks/stripe", "receiveEvent", "Takes one signed event in.", undefined, ref("WebhookReceipt"), {
    who: "signature",
    json: ref("EventIn"),
    description: "A 200 says that the event was kept durably, or that it is none of ours; after anything else Stripe sends it again.",
  }),
  get(
    "/v1/check",
    "check",
    "Tells whether a customer may use a feature, or several.",
    { customer: CHECK.customer, feature: needed({ ...FEATURES, repeated: true }), ...FRESH },
    { oneOf: [ref("Check"), ref("CheckList")] },
    {
      who: "customer",
      description:
        'One feature is answered as one check, several as a list in the order asked. A check that cannot be decided is a 503, in a list an `"entitled": null`; if none can be, the list is a 503.',
    },
  ),
  post(
    "/v1/check",
    "checkMany",
    "Tells it of many customers at once.",
    anyOf({ checks: needed(list(map(CHECK), 100, { minItems: 1 })) }, CHECK),
    { oneOf: [ref("Check"), ref("CheckList")] },
    { description: "Up to 100 checks in all, several features of one customer being several." },
  ),
  get(
    "/v1/authorize",
    "authorize",
    "Lets a request through, or not: for nginx's auth_request, Traefik and Caddy.",
    { feature: needed({ ...FEATURES, repeated: true, description: "All of them must be granted." }), customer: CUSTOMER, ...FRESH },
    undefined,
    {
      who: "customer",
      takesHeaders: { "Entgate-Customer": { ...CUSTOMER, description: "The customer, for a server key, instead of `customer`." } },
      statuses: {
        204: {
          description: "Every feature is granted.",
          headers: { "Entgate-Customer": { description: "Who asked.", schema: CUSTOMER }, ...HELD },
        },
        403: {
          description: "Not granted (code `not_entitled` or `unknown_customer`), or not this caller's to ask (`customer_mismatch`).",
          schema: ref("Error"),
        },
      },
    },
  ),
  get(
    "/v1/entitlements/active_entitlements",
    "listActiveEntitlements",
    "Lists what a customer may use, as Stripe does.",
    { customer: needed(CUSTOMER), ...PAGE, ...FRESH, expand: EXPAND },
    listOf(ref("ActiveEntitlement")),
    { who: "customer", headers: HELD },
  ),
  get(
    "/v1/entitlements/active_entitlements/{id}",
    "retrieveActiveEntitlement",
    "Shows one active entitlement, as the source has it.",
    { expand: { ...EXPAND, items: words("feature") } },
    ref("ActiveEntitlement"),
  ),
  get(
    "/v1/customer/{id}/entitlements",
    "listEntitlementsOfSummary",
    "Lists the same, under the path that a summary's `url` names.",
    { ...PAGE, ...FRESH, expand: EXPAND },
    listOf(ref("ActiveEntitlement")),
    { headers: HELD },
  ),
  post(
    "/v1/customers/{id}/sync",
    "syncCustomer",
    "Reads a customer's set at its source now.",
    {
      feature: { ...KEY, description: "Whether this one is granted is told too." },
      wait: integer(0, 25, { default: 0, description: "The most seconds to wait until `feature` is granted." }),
    },
    ref("CustomerSync"),
    {
      inQuery: true,
      description: "It needs STRIPE_API_KEY, or the catalog. Parameters of the body count where there is no query string.",
    },
  ),
  get(
    "/v1/activity",
    "listActivity",
    "Lists what was decided lately, newest first.",
    { customer: { ...CUSTOMER, description: "Only what was decided about this one." }, ...PAGE },
    listOf(ref("Activity")),
    {
      description:
        "The last 1,000 decisions of the key's mode, for people to look at: an entry may be missing. An id that is forgotten since is a cursor all the same, one that was never given is a 400.",
    },
  ),
  get(
    "/v1/roster",
    "listRoster",
    "Lists the customers of whom something was heard, in the order of their ids.",
    { prefix: { ...CUSTOMER, description: "Only those whose id begins with this." }, ...PAGE },
    listOf(ref("RosterEntry")),
    {
      description: "A cursor need not be anybody's id: ids are ordered by their bytes.",
    },
  ),
  get(
    "/v1/snapshot",
    "createSnapshot",
    "Signs a customer's set, so that any backend can check it offline.",
    { customer: CUSTOMER, expires_in: integer(60, 86_400, { default: 3_600 }), ...FRESH },
    ref("EntitlementSnapshot"),
    {
      who: "customer",
      description: "A 503 where ENTGATE_SIGNING_KEY is not set, or the set is known in part.",
    },
  ),
  get("/.well-known/jwks.json", "listKeys", "Lists the public keys that snapshots are signed with.", {}, ref("Jwks"), {
    who: "anyone",
    headers: { "Cache-Control": { description: "Five minutes, for anybody.", schema: { const: "public, max-age=300" } } },
  }),
  post(
    "/v1/tokens",
    "createToken",
    "Makes a token with which one customer can ask for themselves.",
    { customer: needed(CUSTOMER), expires_in: integer(1, 3_600, { default: 900 }) },
    ref("CustomerToken"),
    { description: "A 503 where ENTGATE_TOKEN_SECRETS is not set." },
  ),
  get(
    "/v1/stream",
    "streamChanges",
    "Tells of a customer's changes as they happen.",
    { customer: CUSTOMER, ...TOKEN, last_event_id: { ...LAST_EVENT["Last-Event-ID"] } },
    stream(
      "Events `version` (EntitlementVersion), `change` (EntitlementChange) and at its end `expired` (StreamEnd), each with the version as its id; a comment line every 25 seconds.",
    ),
    {
      who: "stream",
      takesHeaders: LAST_EVENT,
      statuses: {
        101: {
          description:
            "With `Upgrade: websocket`: the same objects as text messages, and a Heartbeat every 25 seconds. It closes with 4401 when the token ends, with 4408 after a day.",
        },
        429: "TooMany",
      },
    },
  ),
  post(
    "/ofrep/v1/evaluate/flags",
    "evaluateFlags",
    "Evaluates all features for a customer, for OpenFeature's client providers.",
    undefined,
    ref("Flags"),
    {
      who: "customer",
      tag: "openfeature",
      json: map({ context: needed(CONTEXT) }, { additionalProperties: true }),
      takesQuery: { flagConfigEtag: text(1_024), flagConfigLastModified: text(64) },
      takesHeaders: { "If-None-Match": text(1_024) },
      headers: { ETag: { description: "What the answer was made of, for `If-None-Match`.", schema: filled() } },
      statuses: {
        ...OFREP,
        304: { description: "Nothing has changed." },
        400: { description: "The request cannot be read, or names no customer.", schema: ref("FlagsFailure") },
      },
    },
  ),
  post(
    "/ofrep/v1/evaluate/flags/{key}",
    "evaluateFlag",
    "Evaluates one feature for a customer, for OpenFeature's server providers.",
    undefined,
    ref("Flag"),
    {
      who: "customer",
      tag: "openfeature",
      json: map({ context: needed(CONTEXT) }, { additionalProperties: true }),
      statuses: {
        ...OFREP,
        400: { description: "The request cannot be read, or names no customer.", schema: ref("FlagFailure") },
        404: { description: "No such feature is known.", schema: ref("FlagFailure") },
      },
    },
  ),
  get(
    "/ofrep/v1/stream",
    "streamFlagChanges",
    "Tells OpenFeature's client providers when to evaluate anew.",
    { token: needed({ ...TOKEN.token, description: "The stream token in the address that the bulk evaluation tells." }) },
    stream("Events `message` with a FlagsEvent and the version as their id; a comment line every 25 seconds."),
    {
      who: "streamToken",
      tag: "openfeature",
      takesHeaders: LAST_EVENT,
      statuses: { 429: "TooMany" },
    },
  ),
  get("/healthz", "showHealth", "Tells whether the deployment is set up, and keeps up.", {}, ref("Health"), { who: "anyone" }),
  get("/openapi.json", "showDocument", "Shows this document.", {}, { type: "object" }, { who: "anyone", file: true }),
  get("/", "showPage", "Shows the console.", {}, { media: "text/html", schema: { type: "string" } }, { who: "anyone", file: true }),
];
