// npm's `stripe` in the versions that apps still use, each with the API version that it pins: the story of a subscription.
//
// Each item of a subscription has its period; until 2025-03-31.basil the subscription has it too. An SDK must find it where its types
// have it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, KEY } from "../worker/support.mjs";
import { SUMMARY_EVENT, serveCatalog, TestCatalog, VALID_CARD } from "../worker/test-catalog.mjs";
import { startWebhookReceiver } from "../worker/webhook-receiver.mjs";

const SDKS = [
  { name: "stripe-14", release: "14.25.0", version: "2023-10-16", hasPeriod: true },
  { name: "stripe-17", release: "17.7.0", version: "2025-02-24.acacia", hasPeriod: true },
  { name: "stripe", release: "20.4.1", version: "2026-02-25.clover", hasPeriod: false },
  { name: "stripe-23", release: "23.1.0", version: "2026-10-28.endive", hasPeriod: false },
];

for (const { name, release, version, hasPeriod } of SDKS) {
  describe(`stripe ${release}`, { timeout: 240_000 }, () => {
    let service;
    let catalog;
    let sdk;
    let receiver;
    let endpoint;
    let feature;
    let product;
    let price;
    let customer;
    let subscription;
    before(async () => {
      service = await serveCatalog();
      catalog = new TestCatalog(service);
      const { default: Stripe } = await import(name);
      const { hostname: host, port } = service.url;
      sdk = new Stripe(KEY, { host, port, protocol: "http", telemetry: false });
      receiver = await startWebhookReceiver();
      endpoint = await sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["*"], api_version: version });
    });
    after(async () => {
      await receiver?.close();
      await service?.stop();
    });

    /** The period that a subscription has, and the one that its item has. */
    const periods = ({ current_period_start, current_period_end, items: { data } }) => ({
      subscription: [current_period_start, current_period_end],
      item: [data[0].current_period_start, data[0].current_period_end],
    });
    /** The periods in the shape of this version. */
    const expected = (start, end) => ({ subscription: hasPeriod ? [start, end] : [undefined, undefined], item: [start, end] });
    /** Waits for the delivery of an event, and verifies its signature. */
    const received = (type, matches = (_object) => true) =>
      eventually(() => {
        const found = receiver.deliveries.filter(({ event }) => event.type === type && matches(event.data.object));
        assert.equal(found.length, 1, type);
        const [{ body, headers }] = found;
        return sdk.webhooks.constructEvent(body, headers["stripe-signature"], endpoint.secret);
      });

    test("it sends its API version, and the answer repeats it", async () => {
      const { lastResponse } = await sdk.customers.list();
      assert.equal(lastResponse.apiVersion, version);
      assert.equal(sdk.getApiField("version"), version);
      assert.equal(sdk.VERSION ?? sdk.constructor.PACKAGE_VERSION, release);
      assert.equal(endpoint.api_version, version);
    });

    test("a plan is a product with features and a price", async () => {
      feature = await sdk.entitlements.features.create({ lookup_key: "sms", name: "SMS" });
      product = await sdk.products.create({ name: "Pro" });
      const attached = await sdk.products.createFeature(product.id, { entitlement_feature: feature.id });
      assert.deepEqual([attached.object, attached.entitlement_feature.lookup_key], ["product_feature", "sms"]);
      price = await sdk.prices.create({ product: product.id, currency: "usd", unit_amount: 1000, recurring: { interval: "month" } });
      const { data } = await sdk.prices.list({ product: product.id, expand: ["data.product"] });
      assert.deepEqual(
        data.map(({ id, product: { name } }) => [id, name]),
        [[price.id, "Pro"]],
      );
    });

    test("a subscription has its period where this version has it", async () => {
      customer = await sdk.customers.create({ email: "ada@example.com", name: "Ada" });
      const created = await sdk.subscriptions.create({
        customer: customer.id,
        items: [{ price: price.id }],
        default_payment_method: VALID_CARD,
        expand: ["latest_invoice", "default_payment_method"],
      });
      assert.equal(created.status, "active");
      assert.deepEqual([created.default_payment_method.id, created.default_payment_method.card.brand], [VALID_CARD, "visa"]);
      const { start_date } = created;
      const [{ current_period_end: end }] = (await catalog.sdk.subscriptions.retrieve(created.id)).items.data;
      assert.deepEqual(periods(created), expected(start_date, end));
      assert.deepEqual(periods(await sdk.subscriptions.retrieve(created.id)), expected(start_date, end));
      const { data } = await sdk.subscriptions.list({ customer: customer.id, status: "all", expand: ["data.customer"] });
      assert.deepEqual(data.map(periods), [expected(start_date, end)]);
      assert.equal(data[0].customer.email, "ada@example.com");
      subscription = created;

      const event = await received("customer.subscription.created");
      assert.equal(event.api_version, version);
      assert.deepEqual(periods(event.data.object), expected(start_date, end));
    });

    test("its customer has the entitlement, also in the summary event", async () => {
      const { data } = await sdk.entitlements.activeEntitlements.list({ customer: customer.id });
      assert.deepEqual(
        data.map(({ lookup_key, feature }) => [lookup_key, feature]),
        [["sms", feature.id]],
      );
      const event = await received(SUMMARY_EVENT);
      assert.deepEqual([event.data.object.customer, event.data.object.entitlements.data], [customer.id, data.map((it) => ({ ...it }))]);
      await catalog.waitForCheck(customer, "sms", true);
    });

    test("an update and its event have the same shape", async () => {
      const updated = await sdk.subscriptions.update(subscription.id, { cancel_at_period_end: true, metadata: { team: "a" } });
      assert.deepEqual(periods(updated), periods(subscription));
      assert.deepEqual([updated.cancel_at_period_end, updated.cancel_at], [true, periods(subscription).item[1]]);
      const event = await received("customer.subscription.updated");
      assert.deepEqual(event.data.object.metadata, { team: "a" });
      assert.deepEqual(event.data.previous_attributes.metadata, { team: null });
      assert.deepEqual(periods(event.data.object), periods(subscription));
    });

    test("a cancellation ends the entitlement", async () => {
      const canceled = await sdk.subscriptions.cancel(subscription.id);
      assert.deepEqual([canceled.status, periods(canceled)], ["canceled", periods(subscription)]);
      const event = await received("customer.subscription.deleted");
      assert.deepEqual(periods(event.data.object), periods(subscription));
      const { data } = await sdk.entitlements.activeEntitlements.list({ customer: customer.id });
      assert.deepEqual(data, []);
      await received(SUMMARY_EVENT, ({ entitlements }) => entitlements.data.length === 0);
      await catalog.waitForCheck(customer, "sms", false);
    });

    test("an error is an error of the SDK, with its parameter", async () => {
      const { StripeInvalidRequestError } = sdk.constructor.errors ?? sdk.errors;
      await assert.rejects(sdk.subscriptions.create({ customer: customer.id, items: [{ price: "price_none" }] }), (error) => {
        assert.ok(error instanceof StripeInvalidRequestError);
        assert.deepEqual([error.statusCode, error.code, error.param], [400, "resource_missing", "items[0][price]"]);
        return true;
      });
      const forged = "t=1,v1=00";
      assert.throws(() => sdk.webhooks.constructEvent("{}", forged, endpoint.secret), { type: "StripeSignatureVerificationError" });
    });
  });
}
