// What the contenders are asked: each work has its name, the requests, how they are to be answered, and who is asked.

import Stripe from "stripe";
import { bytes } from "./http-client.mjs";

export const KEY = "sk_test_bench";
export const SECRET = "whsec_bench";

/** The entitlements of the customers that are asked about. */
export const SIZES = [1, 10, 100, 300];

/** Headers of who has a server key. */
export const KEYED = { authorization: `Bearer ${KEY}` };

/** So many of the same request. */
export const asks = (path) => {
  const request = bytes({ path, headers: KEYED });
  return (count) => Array.from({ length: count }, () => request);
};

export const check = (size) => asks(`/v1/check?customer=cus_${size}&feature=feature-${size - 1}`);
export const list = (size, limit) => asks(`/v1/entitlements/active_entitlements?customer=cus_${size}${limit ? `&limit=${limit}` : ""}`);

let events = 0;

/** A summary of ten entitlements, the most that Stripe puts into one. */
function summary(customer, features = Array.from({ length: 10 }, (_, at) => `feature-${at}`)) {
  const number = (events += 1);
  const data = features.map((feature, at) => ({
    id: `ent_test_${number}_${at}`,
    object: "entitlements.active_entitlement",
    feature: `feat_test_${feature}`,
    livemode: false,
    lookup_key: feature,
  }));
  const entitlements = { object: "list", data, has_more: false, url: `/v1/customer/${customer}/entitlements` };
  return JSON.stringify({
    id: `evt_${number}`,
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

const same = (text) => text;

/** An event about a customer, another one each time and signed anew. */
export function event(customer, { features, body = same, signature = same } = {}) {
  const payload = body(summary(customer, features));
  const header = signature(Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET }));
  return bytes({
    method: "POST",
    path: "/webhooks/stripe",
    headers: { "stripe-signature": header, "content-type": "application/json" },
    body: payload,
  });
}

/** An event about each of so many customers, whose names begin so. */
export const eventOfEach = (group, count) => Array.from({ length: count }, (_, number) => event(`cus_${group}_${number}`));

const eventsOf = (options) => (count) => Array.from({ length: count }, () => event("cus_ada", options));
const otherType = (text) => text.replace("entitlements.active_entitlement_summary.updated", "invoice.paid");
const forged = (text) => text.replace(/v1=./, (found) => (found === "v1=0" ? "v1=1" : "v1=0"));

/**
 * What leaves nothing behind, by name: the requests, and the status they are to be answered with. All of `names` are asked, or those
 * who have requests of their own; the first is what the others are measured by.
 */
export const works = (names) => {
  const all = (requests, status) => names.map((name) => ({ name, requests, status }));
  return {
    "read of KV alone": [{ name: "floor", requests: asks("/kv") }],
    ...Object.fromEntries(SIZES.map((size) => [`check of ${size}`, all(check(size))])),
    "check, from memory": [
      { name: "floor", requests: asks("/memory?customer=cus_10&feature=feature-9") },
      { name: "entgate, remembering", requests: check(10) },
    ],
    "list, 10 of 10": all(list(10)),
    "list, 10 of 300": all(list(300)),
    "list, 100 of 300": all(list(300, 100)),
    "webhook, forged": all(eventsOf({ signature: forged }), 400),
    "webhook, of another type": all(eventsOf({ body: otherType })),
  };
};
