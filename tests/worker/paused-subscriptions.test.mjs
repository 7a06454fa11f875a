// Paused subscriptions grant nothing if the operator sets `ENTGATE_PAUSED_SUBSCRIPTIONS=revoke`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

test("a trial that ends paused revokes the features that no other subscription grants", {
  timeout: 60_000,
}, async (t) => {
  const stripe = await fakeStripe();
  const service = await serve({ settings: { ...stripe.settings, ENTGATE_PAUSED_SUBSCRIPTIONS: "revoke" } });
  t.after(async () => {
    await service.stop();
    await stripe.stop();
  });
  const syncedKeys = async () => (await service.sync("cus_ada")).json.entitlements.data.map(({ lookup_key }) => lookup_key);
  const sendSubscriptionEvent = async (status, customer = "cus_ada") => {
    const type = `customer.subscription.${status}`;
    const event = {
      id: `evt_${status}`,
      object: "event",
      type,
      created: unixNow(),
      livemode: false,
      data: { object: { id: "sub_1", object: "subscription", customer } },
    };
    const { status: code, json } = await service.send(event);
    assert.deepEqual([code, json.outcome], [200, "deferred"]);
  };
  const checkFresh = async (feature) => (await service.check("cus_ada", feature, { fresh: true })).json.entitled;

  stripe.setProductFeatures("prod_pro", ["sms", "sso"]);
  stripe.setProductFeatures("prod_basic", ["sso"]);
  stripe.setEntitlements("cus_ada", ["sms", "sso"]);
  const subscriptions = (status) => [
    { status, products: ["prod_pro"] },
    { status: "active", products: ["prod_basic"] },
  ];
  stripe.setSubscriptions("cus_ada", subscriptions("trialing"));
  const { json } = await service.send(summary("cus_ada", ["sms", "sso"]));
  assert.equal(json.outcome, "deferred");
  assert.deepEqual(await syncedKeys(), ["sms", "sso"]);

  stripe.setSubscriptions("cus_ada", subscriptions("paused"));
  await sendSubscriptionEvent("paused");
  await eventually(async () => assert.deepEqual([await checkFresh("sms"), await checkFresh("sso")], [false, true]));

  stripe.setSubscriptions("cus_ada", subscriptions("active"));
  await sendSubscriptionEvent("resumed");
  await eventually(async () => assert.deepEqual([await checkFresh("sms"), await checkFresh("sso")], [true, true]));
});
