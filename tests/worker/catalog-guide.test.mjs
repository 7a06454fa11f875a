// The guide of Stripe's Entitlements page, followed with Stripe's own libraries, unchanged but for the host:
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
    await catalog.registerOwnEndpoint();
    endpoint = await catalog.sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: [SUMMARY_EVENT] });
  });
  after(async () => {
    await service.stop();
    await receiver.close();
  });

  test("works from the first feature to the cancellation, and each change is told once", async () => {
    const { sdk } = catalog;

    // Create a feature.
    const feature = await sdk.entitlements.features.create({ name: "API access", lookup_key: "api-access", metadata: { team: "core" } });
    assert.match(feature.id, /^feat_test_/);
    const shown = {
      object: "entitlements.feature",
      active: true,
      livemode: false,
      lookup_key: "api-access",
      metadata: { team: "core" },
      name: "API access",
    };
    assert.deepEqual({ ...feature }, { id: feature.id, ...shown });
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

    let held = [];
    let changes = 0;
    const unchanged = async () => {
      assert.deepEqual(await catalog.entitlementKeys(customer), held);
      assert.equal((await catalog.summaryEvents(customer)).length, changes);
    };
    const becomes = async (...now) => {
      const before = held;
      [held, changes] = [now, changes + 1];
      await unchanged();
      const last = (await catalog.summaryEvents(customer)).at(-1);
      assert.deepEqual(summaryChange(last), [before, now]);
      await eventually(() => assert.equal(receiver.deliveries.length, changes));
      const { body, headers } = receiver.deliveries.at(-1);
      const event = sdk.webhooks.constructEvent(body, headers["stripe-signature"], endpoint.secret);
      assert.deepEqual([event.id, event.type, event.data], [last.id, SUMMARY_EVENT, last.data]);
      assert.deepEqual(event.request, { id: null, idempotency_key: null });
      for (const key of ["api-access", "support", "premium-support"]) await catalog.waitForCheck(customer, key, now.includes(key));
    };
    await unchanged();

    // Subscribe: the features become entitlements.
    const subscription = await sdk.subscriptions.create({ customer: customer.id, items: [{ price: low.id }] });
    assert.equal(subscription.status, "active");
    await becomes("api-access", "support");
    const [entitlement] = (await sdk.entitlements.activeEntitlements.list({ customer: customer.id, limit: 1 })).data;
    assert.match(entitlement.id, /^ent_test_/);
    assert.deepEqual(await sdk.entitlements.activeEntitlements.retrieve(entitlement.id), entitlement);

    // Upgrade, and downgrade.
    const [item] = subscription.items.data;
    await sdk.subscriptions.update(subscription.id, { items: [{ id: item.id, price: high.id }] });
    await becomes("api-access", "premium-support");
    await sdk.subscriptions.update(subscription.id, { items: [{ id: item.id, price: low.id }] });
    await becomes("api-access", "support");

    // Remove a feature from the product: subscribers keep it until their next billing period.
    const gone = await sdk.products.deleteFeature(basic.id, attached.id);
    assert.deepEqual({ ...gone }, { id: attached.id, object: "product_feature", deleted: true });
    await unchanged();
    await catalog.advanceClock(clock, FEBRUARY - 1);
    await unchanged();
    await catalog.advanceClock(clock, FEBRUARY);
    await becomes("support");

    // Cancel.
    assert.equal((await sdk.subscriptions.cancel(subscription.id)).status, "canceled");
    await becomes();
  });

  test("works with the Python SDK too, whose list in an event pages through all 25 entitlements", async () => {
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

  test("a signature is refused by the SDK where the secret is another endpoint's", () => {
    const { body, headers } = receiver.deliveries[0];
    assert.throws(
      () => catalog.sdk.webhooks.constructEvent(body, headers["stripe-signature"], "whsec_other"),
      Stripe.errors.StripeSignatureVerificationError,
    );
  });
});
