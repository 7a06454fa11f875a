// The largest set: 100,000 entitlements, which Stripe lists on a thousand pages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, stripeClient, summary } from "./support.mjs";

test("a set of 100,000 entitlements is read at Stripe, stored, checked and listed", { timeout: 120_000 }, async (t) => {
  const keys = Array.from({ length: 100_000 }, (_, i) => `f${i}`);
  const stripe = await fakeStripe();
  const service = await serve({ settings: stripe.settings });
  t.after(async () => {
    await service.stop();
    await stripe.stop();
  });
  stripe.setEntitlements("cus_large", keys);
  const sent = await service.send(summary("cus_large", keys.slice(0, 10), { hasMore: true }));
  assert.deepEqual([sent.status, sent.json.outcome], [200, "applied"]);

  await stripe.waitForCalls(2_000, "cus_large");
  await eventually(async () => assert.equal((await service.replicaRecord("cus_large"))?.keys.length, 100_000), 30_000);
  for (const [feature, entitled] of /** @type {[string, boolean][]} */ ([
    ["f0", true],
    ["f99999", true],
    ["f100000", false],
  ])) {
    const { status, json } = await service.check("cus_large", feature);
    assert.deepEqual([status, json.entitled, json.version, json.served_by], [200, entitled, 2, "replica"], feature);
  }
  assert.equal((await service.check("cus_large", "f50000", { fresh: true })).json.entitled, true);

  const { activeEntitlements } = stripeClient(service.url).entitlements;
  const list = (more) => activeEntitlements.list({ customer: "cus_large", limit: 100, ...more });
  const first = await list();
  const next = await list({ starting_after: first.data[99].id });
  const seen = [...first.data, ...next.data].map(({ id }) => id);
  assert.deepEqual([first.has_more, next.has_more, new Set(seen).size], [true, true, 200]);
  const before = await list({ ending_before: next.data[0].id });
  assert.deepEqual(before.data, first.data);
  assert.equal(stripe.listCalls("cus_large").length, 2_000, "two equal passes of a thousand pages");
});
