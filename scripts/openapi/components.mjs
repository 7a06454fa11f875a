// Components of the OpenAPI document that many routes use: security schemes, headers and responses.
//
// Not here: the schemas of objects (edge-schemas.mjs and others), and which routes use what (../openapi.mjs).

import { integer, nonEmpty, ref, string } from "./schema-dsl.mjs";

/** @typedef {import("./schema-dsl.mjs").Schema} Schema */

const SERVER = [{ serverKey: [] }, { serverKeyAsUser: [] }, { apiKey: [] }];
const READ = [...SERVER, { readOnlyKey: [] }];
const CUSTOMER = [...READ, { customerToken: [] }];
/** Security requirements, by the access of a route. */
export const SECURITY = {
  public: [],
  publicOrServer: [{}, ...SERVER],
  signature: [{ signature: [] }],
  server: SERVER,
  read: READ,
  customer: CUSTOMER,
  stream: [...CUSTOMER, { tokenInQuery: [] }],
  streamToken: [{ tokenInQuery: [] }],
};

export const SECURITY_SCHEMES = {
  serverKey: { type: "http", scheme: "bearer", description: "A secret key, `sk_test_…` or `sk_live_…`. It determines the mode." },
  serverKeyAsUser: { type: "http", scheme: "basic", description: "A server key as the user name, without a password." },
  readOnlyKey: {
    type: "http",
    scheme: "bearer",
    description: "A read-only key, `rk_test_…` or `rk_live_…`. It opens only the routes that read the entitlements of customers.",
  },
  customerToken: { type: "http", scheme: "bearer", bearerFormat: "JWT", description: "A token that names one customer." },
  apiKey: {
    type: "apiKey",
    in: "header",
    name: "X-API-Key",
    description: "A server key, or a customer token where the route accepts one.",
  },
  tokenInQuery: { type: "apiKey", in: "query", name: "token", description: "A customer token in the URL of a stream." },
  signature: {
    type: "apiKey",
    in: "header",
    name: "Stripe-Signature",
    description: "`t=…,v1=…`, the signature of the body with the endpoint's secret: https://docs.stripe.com/webhooks/signature",
  },
};

export const HEADERS = {
  "Request-Id": { description: "Identifies the request in logs and events.", schema: nonEmpty(undefined, { pattern: "^req_" }) },
  "Retry-After": { description: "Seconds to wait before a retry.", schema: integer(0) },
  "WWW-Authenticate": { description: "The authentication scheme to use.", schema: nonEmpty() },
  "Stripe-Version": { description: "The version of Stripe's API that the objects follow.", schema: nonEmpty() },
  "Idempotency-Key": { description: "The idempotency key of the request, if it had one.", schema: nonEmpty() },
  "Idempotent-Replayed": { description: "Present if this is the stored response of an earlier request.", schema: { const: "true" } },
  "Original-Request": {
    description: "The request that received this response first.",
    schema: nonEmpty(undefined, { pattern: "^req_" }),
  },
};

/** The request header that makes a request idempotent. */
export const IDEMPOTENCY_KEY = {
  "Idempotency-Key": string(255, { minLength: 1, pattern: "^[ -~]+$", description: "A retry with the same key has no further effect." }),
};

/**
 * Returns references to shared headers.
 *
 * @param {string[]} names
 */
export const headerRefs = (...names) => Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
/**
 * Returns the content of a JSON body.
 *
 * @param {Schema} schema
 */
export const jsonContent = (schema) => ({ "application/json": { schema } });
/**
 * @param {string} description
 * @param {string[]} more
 */
const errorResponse = (description, ...more) => ({
  description,
  headers: headerRefs("Request-Id", ...more),
  content: jsonContent(ref("Error")),
});

export const RESPONSES = {
  Invalid: errorResponse("A parameter is missing, unknown or invalid, or refers to an object that does not exist."),
  Unauthorized: errorResponse("The request has no key or token, or an invalid one.", "WWW-Authenticate"),
  Declined: errorResponse("The charge was declined, and `payment_behavior` requires an error."),
  Forbidden: errorResponse(
    "The caller has no permission: code `secret_key_required` (a read-only key), `server_key_required` or `customer_mismatch` (a token), or `origin_not_allowed` for a WebSocket.",
  ),
  OtherAccount: errorResponse("The id is not that of the catalog's account: code `account_invalid`."),
  NotFound: errorResponse("The path refers to an object that does not exist."),
  CatalogNotFound: errorResponse("The path refers to an object that does not exist, or ENTGATE_SOURCE is not `catalog`."),
  KeyInUse: errorResponse("Another request with this Idempotency-Key is in progress."),
  BodyTimeout: errorResponse("The body did not arrive within ten seconds."),
  TooLarge: errorResponse("The body exceeds the size limit of the route."),
  UriTooLong: { description: "The URL exceeds the limit of the platform, which sends its own body." },
  TooManyRequests: errorResponse("Too many concurrent requests. Retry later.", "Retry-After"),
  Misconfigured: errorResponse("A setting of the deployment is malformed."),
  Unavailable: errorResponse("The answer is unknown or the action is not possible now, or a required setting is missing.", "Retry-After"),
  EmptyBody: { description: "The request is not authenticated, or not authorized." },
};
