// The guide of Stripe's Entitlements page, followed with Stripe's own libraries. Only their host is changed.
// https://docs.stripe.com/billing/entitlements

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Stripe from "stripe";
import { eventually, KEY } from "./support.mjs";
import { FEBRUARY, JANUARY, lookupKeys, SUMMARY_EVENT, serveCatalog, summaryChange, TestCatalog } from "./test-catalog.mjs";
import { startWebhookReceiver } from "./webhook-receiver.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

describe("the guide of Stripe's Entitlements page", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let receiver;
  let endpoint;
  before(async () => {
    service = await serveCatalog();
    receiver = await startWebhookReceiver();
    catalog = new TestCatalog(service);
    endpoint = await catalog.sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: [SUMMARY_EVENT] });
  });
  after(async () => {
    await service.stop();
    await receiver.close();
  });

  test("it works from the first feature to the cancellation, with one event for each change", async () => {
    const { sdk } = catalog;

    // Create a feature.
    const feature = await sdk.entitlements.features.create({ name: "API access", lookup_key: "api-access", metadata: { team: "core" } });
    assert.match(feature.id, /^feat_test_/);
    const expected = {
      object: "entitlements.feature",
      active: true,
      livemode: false,
      lookup_key: "api-access",
      metadata: { team: "core" },
      name: "API access",
    };
    assert.deepEqual({ ...feature }, { id: feature.id, ...expected });
    const support = await catalog.createFeature("support", "Support");
    const premium = await catalog.createFeature("premium-support", "Premium support");

    // Add it to a product, and list the product's features.
    const basic = await sdk.products.create({ name: "Basic" });
    const attached = await sdk.products.createFeature(basic.id, { entitlement_feature: feature.id });
    assert.match(attached.id, /^prodft_/);
    assert.deepEqual({ ...attached }, { id: attached.id, object: "product_feature", entitlement_feature: { ...feature }, livemode: false });
    await catalog.attachFeature(basic, support);
    const listed = await sdk.products.listFeatures(basic.id);
    assert.deepEqual(lookupKeys(listed.data.map((one) => one.entitlement_feature)), ["api-access", "support"]);
    assert.deepEqual([listed.has_more, listed.url], [false, `/v1/products/${basic.id}/features`]);
    const pro = await sdk.products.create({ name: "Pro" });
    await catalog.attachFeature(pro, feature);
    await catalog.attachFeature(pro, premium);

    // Price them, and find a customer.
    const price = { currency: "usd", unit_amount: 1000, recurring: { interval: "month" } };
    const low = await sdk.prices.create({ product: basic.id, ...price });
    const high = await sdk.prices.create({ product: pro.id, ...price, unit_amount: 2000 });
    const clock = await sdk.testHelpers.testClocks.create({ frozen_time: JANUARY });
    const customer = await sdk.customers.create({ email: "ada@example.com", test_clock: clock.id });

    /** @type {string[]} */
    let current = [];
    let changes = 0;
    const assertUnchanged = async () => {
      assert.deepEqual(await catalog.entitlementKeys(customer), current);
      assert.equal((await catalog.summaryEvents(customer)).length, changes);
    };
    const assertChangedTo = async (...now) => {
      const before = current;
      [current, changes] = [now, changes + 1];
      await assertUnchanged();
      const last = (await catalog.summaryEvents(customer)).at(-1);
      assert.deepEqual(summaryChange(last), [before, now]);
      await eventually(() => assert.equal(receiver.deliveries.length, changes));
      const { body, headers } = receiver.deliveries.at(-1);
      const event = sdk.webhooks.constructEvent(body, headers["stripe-signature"], endpoint.secret);
      assert.deepEqual([event.id, event.type, event.data], [last.id, SUMMARY_EVENT, last.data]);
      assert.deepEqual(event.request, { id: null, idempotency_key: null });
      for (const key of ["api-access", "support", "premium-support"]) await catalog.waitForCheck(customer, key, now.includes(key));
    };
    await assertUnchanged();

    // Subscribe: the features become entitlements.
    const subscription = await sdk.subscriptions.create({ customer: customer.id, items: [{ price: low.id }] });
    assert.equal(subscription.status, "active");
    await assertChangedTo("api-access", "support");
    const [entitlement] = (await sdk.entitlements.activeEntitlements.list({ customer: customer.id, limit: 1 })).data;
    assert.match(entitlement.id, /^ent_test_/);
    assert.deepEqual(await sdk.entitlements.activeEntitlements.retrieve(entitlement.id), entitlement);

    // Upgrade, and downgrade.
    const [item] = subscription.items.data;
    await sdk.subscriptions.update(subscription.id, { items: [{ id: item.id, price: high.id }] });
    await assertChangedTo("api-access", "premium-support");
    await sdk.subscriptions.update(subscription.id, { items: [{ id: item.id, price: low.id }] });
    await assertChangedTo("api-access", "support");

    // Remove a feature from the product: subscribers keep it until their next billing period.
    const deleted = await sdk.products.deleteFeature(basic.id, attached.id);
    assert.deepEqual({ ...deleted }, { id: attached.id, object: "product_feature", deleted: true });
    await assertUnchanged();
    await catalog.advanceClock(clock, FEBRUARY - 1);
    await assertUnchanged();
    await catalog.advanceClock(clock, FEBRUARY);
    await assertChangedTo("support");

    // Cancel.
    assert.equal((await sdk.subscriptions.cancel(subscription.id)).status, "canceled");
    await assertChangedTo();
  });

  test("it works with the Python SDK, which also pages from the list of an event to all 25 entitlements", async () => {
    const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), [
      file("catalog_guide.py"),
      service.url.origin,
      KEY,
    ]);
    const read = JSON.parse(stdout);
    assert.deepEqual(read.features, ["py-api", "py-support"]);
    assert.deepEqual(read.steps, [
      ["subscribe", ["py-api", "py-support"], [[[], ["py-api", "py-support"]]]],
      [
        "upgrade",
        ["py-api", "py-premium"],
        [
          [
            ["py-api", "py-support"],
            ["py-api", "py-premium"],
          ],
        ],
      ],
      [
        "downgrade",
        ["py-api", "py-support"],
        [
          [
            ["py-api", "py-premium"],
            ["py-api", "py-support"],
          ],
        ],
      ],
      ["detach", ["py-api", "py-support"], []],
      ["renew", ["py-support"], [[["py-api", "py-support"], ["py-support"]]]],
      ["cancel", [], [[["py-support"], []]]],
    ]);
    const all = Array.from({ length: 25 }, (_, i) => `py-${String(i).padStart(2, "0")}`);
    assert.deepEqual(read.many, { in_event: 10, has_more: true, paged: all, listed: all });
  });

  test("the SDK rejects a signature with the secret of another endpoint", () => {
    const { body, headers } = receiver.deliveries[0];
    assert.throws(
      () => catalog.sdk.webhooks.constructEvent(body, headers["stripe-signature"], "whsec_other"),
      Stripe.errors.StripeSignatureVerificationError,
    );
  });
});
