// What the contenders are asked: each work has its name, and who is sent which requests, of which all are to have one status.

import Stripe from "stripe";
import { bytes } from "./drive.mjs";

export const KEY = "sk_test_bench";
export const SECRET = "whsec_bench";

/** The entitlements of the customers that are asked about. */
export const SIZES = [1, 10, 100, 300];

/** So many customers have events, in turn, so that each one's copy is written and none waits for its second. */
const CUSTOMERS = 500;

const asks = (path, headers) => {
  const request = bytes({ path, headers });
  return () => request;
};

/** A summary of ten entitlements, the most that Stripe puts into one. */
function summary(number) {
  const customer = `cus_${number % CUSTOMERS}`;
  const data = Array.from({ length: 10 }, (_, at) => ({
    id: `ent_test_${number}_${at}`,
    object: "entitlements.active_entitlement",
    feature: `feat_test_${at}`,
    livemode: false,
    lookup_key: `feature-${at}`,
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

let events = 0;

/** Events, each another one and signed anew. */
const sends = ({ body = (text) => text, signature = (text) => text } = {}) => () => {
  const payload = body(summary((events += 1)));
  const header = signature(Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET }));
  return bytes({ method: "POST", path: "/webhooks/stripe", headers: { "stripe-signature": header, "content-type": "application/json" }, body: payload });
};

const otherType = (text) => text.replace("entitlements.active_entitlement_summary.updated", "invoice.paid");
const forged = (text) => text.replace(/v1=./, (found) => (found === "v1=0" ? "v1=1" : "v1=0"));

/** The works, for these contenders; the first of each work is what the others are measured by. */
export function works(names) {
  const key = { authorization: `Bearer ${KEY}` };
  const all = (next, status = 200) => names.map((name) => ({ name, next, status }));
  const checks = SIZES.map((size) => [`check of ${size}`, all(asks(`/v1/check?customer=cus_${size}&feature=feature-${size - 1}`, key))]);
  const remembered = [
    { name: "floor", next: asks("/memory?customer=cus_10&feature=feature-9"), status: 200 },
    { name: "entgate, remembering", next: asks("/v1/check?customer=cus_10&feature=feature-9", key), status: 200 },
  ];
  return {
    "read of KV alone": [{ name: "floor", next: asks("/kv"), status: 200 }],
    ...Object.fromEntries(checks),
    "check, from memory": remembered,
    "webhook, forged": all(sends({ signature: forged }), 400),
    "webhook, of another type": all(sends({ body: otherType })),
    webhook: all(sends()),
  };
}
