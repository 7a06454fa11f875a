// The workloads: by name the requests, their expected status, and the Workers that receive them.
//
// Returns requests as bytes. Not here: workloads that need a stored event (ledger-workloads.mjs), and the measurement (interleave.mjs).

import Stripe from "stripe";
import { encodeRequest } from "./http-client.mjs";

export const KEY = "sk_test_bench_0123456789abcdef01";
export const SECRET = "whsec_bench_0123456789abcdef01";

/** Numbers of entitlements of the measured customers. */
export const SIZES = [1, 10, 100, 300];

/** Headers with the server key. */
export const AUTHORIZED = { authorization: `Bearer ${KEY}` };

/**
 * Creates so many requests.
 *
 * @typedef {(count: number) => Buffer[]} RequestFactory
 */

/**
 * What one Worker receives in a workload.
 *
 * @typedef {{ name: string, requests: RequestFactory, status?: number }} Subject
 */

/**
 * Options of an event. `body` and `signature` change the signed payload and the signature header.
 *
 * @typedef {object} EventOptions
 * @property {string[]} [features]
 * @property {(payload: string) => string} [body]
 * @property {(header: string) => string} [signature]
 */

/**
 * Returns a factory of identical GET requests.
 *
 * @param {string} path
 * @returns {RequestFactory}
 */
export const getRequests = (path) => {
  const request = encodeRequest({ path, headers: AUTHORIZED });
  return (count) => Array.from({ length: count }, () => request);
};

/** @param {number} size */
export const checkRequests = (size) => getRequests(`/v1/check?customer=cus_${size}&feature=feature-${size - 1}`);
/**
 * @param {number} size
 * @param {number} [limit]
 */
export const listRequests = (size, limit) =>
  getRequests(`/v1/entitlements/active_entitlements?customer=cus_${size}${limit ? `&limit=${limit}` : ""}`);

let eventCount = 0;

/**
 * Returns the body of a summary event. By default it has ten entitlements, the maximum that Stripe includes.
 *
 * @param {string} customer
 * @param {string[]} [features]
 */
function summaryEvent(customer, features = Array.from({ length: 10 }, (_, index) => `feature-${index}`)) {
  eventCount += 1;
  const data = features.map((feature, index) => ({
    id: `ent_test_${eventCount}_${index}`,
    object: "entitlements.active_entitlement",
    feature: `feat_test_${feature}`,
    livemode: false,
    lookup_key: feature,
  }));
  const entitlements = { object: "list", data, has_more: false, url: `/v1/customer/${customer}/entitlements` };
  return JSON.stringify({
    id: `evt_${eventCount}`,
    object: "event",
    api_version: "2026-10-28.endive",
    created: Math.floor(Date.now() / 1000),
    data: { object: { object: "entitlements.active_entitlement_summary", customer, entitlements, livemode: false } },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: "entitlements.active_entitlement_summary.updated",
  });
}

/** @param {string} value */
const unchanged = (value) => value;

/**
 * Returns the webhook request of a new, signed event.
 *
 * @param {string} customer
 * @param {EventOptions} [options]
 */
export function webhookRequest(customer, { features, body = unchanged, signature = unchanged } = {}) {
  const payload = body(summaryEvent(customer, features));
  const header = signature(Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET }));
  return encodeRequest({
    method: "POST",
    path: "/webhooks/stripe",
    headers: { "stripe-signature": header, "content-type": "application/json" },
    body: payload,
  });
}

/**
 * Returns one webhook request for each of `count` customers, whose ids start with `cus_` and the group.
 *
 * @param {string} group
 * @param {number} count
 */
export const webhookPerCustomer = (group, count) => Array.from({ length: count }, (_, number) => webhookRequest(`cus_${group}_${number}`));

/**
 * @param {EventOptions} options
 * @returns {RequestFactory}
 */
const webhookRequests = (options) => (count) => Array.from({ length: count }, () => webhookRequest("cus_ada", options));
/** @param {string} payload */
const withOtherType = (payload) => payload.replace("entitlements.active_entitlement_summary.updated", "invoice.paid");
/** @param {string} header */
const withInvalidSignature = (header) => header.replace(/v1=./, (found) => (found === "v1=0" ? "v1=1" : "v1=0"));

/**
 * Returns the workloads that change no state, by name. The first Worker of a workload is the reference of the others.
 *
 * @param {string[]} names The Workers that receive the workloads without own requests.
 * @returns {Record<string, Subject[]>}
 */
export const workloads = (names) => {
  /**
   * @param {RequestFactory} requests
   * @param {number} [status]
   */
  const all = (requests, status) => names.map((name) => ({ name, requests, status }));
  return {
    "KV read only": [{ name: "minimal", requests: getRequests("/kv") }],
    ...Object.fromEntries(SIZES.map((size) => [`check of ${size}`, all(checkRequests(size))])),
    "check, in-memory cache": [
      { name: "minimal", requests: getRequests("/memory?customer=cus_10&feature=feature-9") },
      { name: "entgate, cache on", requests: checkRequests(10) },
    ],
    "check of 10, in another Worker": [
      { name: "entgate, by HTTP", requests: getRequests("/http") },
      { name: "entgate, by its service binding", requests: getRequests("/rpc") },
      { name: "no check", requests: getRequests("/none") },
    ],
    "list, 10 of 10": all(listRequests(10)),
    "list, 10 of 300": all(listRequests(300)),
    "list, 100 of 300": all(listRequests(300, 100)),
    "webhook, invalid signature": all(webhookRequests({ signature: withInvalidSignature }), 400),
    "webhook, other event type": all(webhookRequests({ body: withOtherType })),
  };
};
