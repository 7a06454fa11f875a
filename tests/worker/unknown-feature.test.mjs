// `unknown_feature` in the Worker: the fast path leaves a denial to the slow path until that one knows that the feature exists.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary } from "./support.mjs";

/** How often the Worker listed the source's features. @param {Awaited<ReturnType<typeof fakeStripe>>} stripe */
const lists = (stripe) => stripe.calls.filter(({ path }) => path === "/v1/entitlements/features").length;

test("a mistyped feature is unknown, and one that exists is denied", { timeout: 60_000 }, async (t) => {
  const stripe = await fakeStripe();
  t.after(() => stripe.stop());
  stripe.setProductFeatures("prod_pro", ["sms", "export"]);
  stripe.setEntitlements("cus_ada", ["sms"]);
  const service = await serve({ settings: stripe.settings, clock: true });
  t.after(() => service.stop());
  await service.send(summary("cus_ada", ["sms"]));
  await eventually(async () => assert.ok(await service.replicaRecord("cus_ada")));

  const check = async (/** @type {string} */ feature) => {
    const { status, json } = await service.check("cus_ada", feature);
    return [status, json.entitled, json.reason, json.served_by];
  };
  for (const times of [1, 2]) {
    assert.deepEqual(await check("sms"), [200, true, "active_entitlement", "replica"]);
    assert.deepEqual(await check("export"), [200, false, "not_entitled", "replica"]);
    assert.deepEqual(await check("exports"), [200, false, "unknown_feature", "replica"], `${times}`);
  }
  assert.equal(lists(stripe), 1);

  const { status, json } = await service.request("/v1/authorize?customer=cus_ada&feature=exports");
  assert.deepEqual([status, json.error.code], [403, "unknown_feature"]);

  // A feature that is created later is noticed after five seconds.
  stripe.setProductFeatures("prod_max", ["exports"]);
  await service.setClockOffset(6);
  await eventually(async () => assert.deepEqual(await check("exports"), [200, false, "not_entitled", "replica"]));
});
