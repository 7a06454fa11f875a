/// <reference path="./cloudflare.d.ts" />
// Baseline `hono`: a typical Worker with the Hono framework, and Stripe's SDK for webhooks.
//
// Not here: authentication, and a ledger (ledger.mjs).

import { Hono } from "hono";
import Stripe from "stripe";

/** @typedef {{ id: string, feature: string, lookup_key: string }} Grant */
/** @typedef {{ version: number, as_of: number, data: Grant[] }} EntitlementSet */

const stripe = new Stripe("sk_test_bench", { httpClient: Stripe.createFetchHttpClient() });
const crypto = Stripe.createSubtleCryptoProvider();
/** @type {Hono<{ Bindings: { ENTITLEMENTS: KvNamespace, STRIPE_WEBHOOK_SECRETS: string } }>} */
const app = new Hono();

app.get("/v1/check", async (c) => {
  const { customer, feature } = c.req.query();
  const set = /** @type {EntitlementSet} */ (await c.env.ENTITLEMENTS.get(`test:${customer}`, "json"));
  const entitled = set.data.some(({ lookup_key }) => lookup_key === feature);
  return c.json({
    object: "entitlement_check",
    customer,
    feature,
    entitled,
    reason: entitled ? "active_entitlement" : "not_entitled",
    version: set.version,
    as_of: set.as_of,
    served_by: "replica",
  });
});

app.get("/v1/entitlements/active_entitlements", async (c) => {
  const { customer, limit = "10" } = c.req.query();
  const set = /** @type {EntitlementSet} */ (await c.env.ENTITLEMENTS.get(`test:${customer}`, "json"));
  const data = set.data.slice(0, Number(limit));
  return c.json({
    object: "list",
    data: data.map((grant) => ({ ...grant, object: "entitlements.active_entitlement", livemode: false })),
    has_more: set.data.length > data.length,
    url: c.req.path,
  });
});

app.post("/webhooks/stripe", async (c) => {
  let event;
  try {
    event = await stripe.webhooks.constructEventAsync(
      await c.req.text(),
      c.req.header("stripe-signature") ?? "",
      c.env.STRIPE_WEBHOOK_SECRETS,
      undefined,
      crypto,
    );
  } catch (error) {
    return c.json({ error: { message: error.message } }, 400);
  }
  if (event.type === "entitlements.active_entitlement_summary.updated") {
    const { customer, entitlements } = event.data.object;
    const data = entitlements.data.map(({ id, feature, lookup_key }) => ({ id, feature, lookup_key }));
    await c.env.ENTITLEMENTS.put(
      `test:${customer}`,
      JSON.stringify({ v: 1, version: 1, as_of: event.created, completeness: "complete", data }),
    );
  }
  return c.json({ received: true });
});

export default app;
