// Webhook endpoints of the catalog: their filters, their secrets, and what they receive.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually, LIVE_KEY, SECRET, stripeClient } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";
import { startWebhookReceiver } from "./webhook-receiver.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("a webhook endpoint", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  let receiver;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
  });
  beforeEach(async () => {
    receiver = await startWebhookReceiver();
    for (const { id } of (await sdk.webhookEndpoints.list({ limit: 100 })).data) await sdk.webhookEndpoints.del(id);
  });
  afterEach(() => receiver.close());
  after(() => service.stop());

  /** Creates an endpoint with the receiver's URL. */
  const createEndpoint = (enabled_events = ["*"], params = {}) =>
    sdk.webhookEndpoints.create({ url: receiver.url, enabled_events, ...params });
  /** Creates a customer, and returns the event of it. */
  async function createEvent() {
    const { id } = await sdk.customers.create();
    const { data } = await sdk.events.list({ type: "customer.created", limit: 10 });
    return data.find((event) => event.data.object.id === id);
  }
  const waitForDeliveries = (event, times = 1) => eventually(() => assert.equal(receiver.deliveriesOf(event.id).length, times));
  const verify = ({ body, headers }, secret) => sdk.webhooks.constructEvent(body, headers["stripe-signature"], secret);
  /** The number of signatures in the header, and for each secret whether it verifies one. */
  function verifyAll({ body, headers }, ...secrets) {
    const verifies = (secret) => {
      try {
        return Boolean(sdk.webhooks.constructEvent(body, headers["stripe-signature"], secret));
      } catch {
        return false;
      }
    };
    return [headers["stripe-signature"].match(/v1=[0-9a-f]{64}/g).length, ...secrets.map(verifies)];
  }

  test("it receives the event once, with a signature that Stripe's SDK verifies", async () => {
    const { secret } = await createEndpoint();
    const event = await createEvent();
    await waitForDeliveries(event);
    const [delivery] = receiver.deliveriesOf(event.id);
    assert.deepEqual([delivery.method, delivery.path], ["POST", "/hook"]);
    assert.match(delivery.headers["content-type"], /^application\/json/);
    assert.deepEqual({ ...verify(delivery, secret), pending_webhooks: 0 }, { ...event, pending_webhooks: 0 });
    await eventually(async () => assert.equal((await sdk.events.retrieve(event.id)).pending_webhooks, 0));
    assert.equal(receiver.deliveriesOf(event.id).length, 1);
    const changed = { body: delivery.body.replace(event.id, "evt_other"), headers: delivery.headers };
    assert.throws(() => verify(changed, secret), Stripe.errors.StripeSignatureVerificationError);
  });

  test("it receives the types that it enabled, and another endpoint receives all", async () => {
    const other = await startWebhookReceiver();
    const all = await sdk.webhookEndpoints.create({ url: other.url, enabled_events: ["*"] });
    const some = await createEndpoint(["customer.updated", "product.created"]);
    const { id } = await sdk.customers.create();
    await sdk.customers.update(id, { name: "Ada" });
    await sdk.customers.del(id);
    await sdk.products.create({ name: "Last" });
    const types = ({ deliveries }) => deliveries.map(({ event }) => event.type).sort();
    await eventually(() => assert.deepEqual(types(other), ["customer.created", "customer.deleted", "customer.updated", "product.created"]));
    await eventually(() => assert.deepEqual(types(receiver), ["customer.updated", "product.created"]));
    const [update] = receiver.deliveries.filter(({ event }) => event.type === "customer.updated");
    assert.deepEqual(update.event.data.previous_attributes, { name: null });
    assert.equal(update.event.data.object.name, "Ada");
    for (const [deliveries, { secret }] of [
      [other.deliveries, all],
      [receiver.deliveries, some],
    ]) {
      for (const delivery of deliveries)
        assert.deepEqual(verifyAll(delivery, all.secret, some.secret), [1, secret === all.secret, secret === some.secret]);
    }
    await other.close();
  });

  test("it counts in pending_webhooks of an event until the delivery", async () => {
    receiver.responses.push("none");
    await createEndpoint(["customer.created"]);
    await createEndpoint(["product.created"]);
    const event = await createEvent();
    assert.equal(event.pending_webhooks, 1);
    await waitForDeliveries(event);
    assert.equal((await sdk.events.retrieve(event.id)).pending_webhooks, 1);
    await sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["*"] });
    const both = await createEvent();
    await eventually(async () => assert.equal((await sdk.events.retrieve(both.id)).pending_webhooks, 0));
    assert.equal(receiver.deliveriesOf(both.id).length, 2);
  });

  test("while it is disabled it receives nothing, and the missed events are not sent later", async () => {
    const { id } = await createEndpoint();
    assert.equal((await sdk.webhookEndpoints.update(id, { disabled: true })).status, "disabled");
    const missed = await createEvent();
    assert.equal(missed.pending_webhooks, 0);
    assert.equal((await sdk.webhookEndpoints.update(id, { disabled: false })).status, "enabled");
    const event = await createEvent();
    await waitForDeliveries(event);
    assert.deepEqual(receiver.deliveriesOf(missed.id), []);
  });

  test("once it is deleted, it receives nothing", async () => {
    const { id } = await createEndpoint();
    await waitForDeliveries(await createEvent());
    await sdk.webhookEndpoints.del(id);
    const missed = await createEvent();
    assert.equal(missed.pending_webhooks, 0);
    await assert.rejects(sdk.webhookEndpoints.retrieve(id), {
      constructor: Invalid,
      statusCode: 404,
      message: `No such webhook endpoint: '${id}'`,
    });
    await createEndpoint();
    await waitForDeliveries(await createEvent());
    assert.deepEqual(receiver.deliveriesOf(missed.id), []);
  });

  test("after an update, it has another URL and other types", async () => {
    const { id, secret } = await createEndpoint(["product.created"]);
    const url = receiver.url.replace("/hook", "/moved");
    const changed = await sdk.webhookEndpoints.update(id, { url, enabled_events: ["customer.created"] });
    assert.deepEqual([changed.url, changed.enabled_events, changed.secret], [url, ["customer.created"], undefined]);
    await sdk.products.create({ name: "x" });
    const event = await createEvent();
    await waitForDeliveries(event);
    assert.deepEqual(
      receiver.deliveries.map(({ path, event: { type } }) => [path, type]),
      [["/moved", "customer.created"]],
    );
    verify(receiver.deliveries[0], secret);
  });

  test("it can be created with a given secret, which is returned once", async () => {
    const created = await createEndpoint(["*"], { secret: SECRET });
    assert.equal(created.secret, SECRET);
    const event = await createEvent();
    await waitForDeliveries(event);
    verify(receiver.deliveriesOf(event.id)[0], SECRET);
    assert.equal((await sdk.webhookEndpoints.retrieve(created.id)).secret, undefined);
    await assert.rejects(createEndpoint(["*"], { secret: "no secret" }), { constructor: Invalid, statusCode: 400, param: "secret" });
  });

  test("after its secret is rolled, it signs with both secrets, or with the new one only", async () => {
    const { id, secret } = await createEndpoint();
    const roll = (params) => sdk.rawRequest("POST", `/v1/webhook_endpoints/${id}/roll_secret`, params);
    const nextDelivery = async () => {
      const event = await createEvent();
      await waitForDeliveries(event);
      return receiver.deliveriesOf(event.id)[0];
    };
    assert.deepEqual(verifyAll(await nextDelivery(), secret), [1, true]);
    const { secret: second, ...endpoint } = await roll();
    assert.match(second, /^whsec_/);
    assert.notEqual(second, secret);
    assert.deepEqual(endpoint, { ...(await sdk.webhookEndpoints.retrieve(id)) });
    assert.deepEqual(verifyAll(await nextDelivery(), secret, second), [2, true, true]);
    const { secret: third } = await roll({ expires_in: 0 });
    assert.deepEqual(verifyAll(await nextDelivery(), secret, second, third), [1, false, false, true]);
    assert.deepEqual((await roll({ expires_in: 86_400 })).id, id);
    for (const expires_in of [-1, 86_401])
      await assert.rejects(roll({ expires_in }), { constructor: Invalid, statusCode: 400, param: "expires_in" });
  });

  test("its URL may be http in test mode only, and a mode has at most 16 endpoints", async () => {
    const live = stripeClient(service.url, LIVE_KEY).webhookEndpoints;
    /** @type {["*"]} */
    const enabled_events = ["*"];
    for (const url of ["http://example.com", "ftp://example.com", "example.com", "https://"]) {
      await assert.rejects(live.create({ url, enabled_events }), { constructor: Invalid, statusCode: 400, param: "url" }, url);
    }
    for (const url of ["ftp://example.com", "example.com"])
      await assert.rejects(sdk.webhookEndpoints.create({ url, enabled_events }), { statusCode: 400, param: "url" }, url);
    for (let count = 0; count < 16; count += 1) await live.create({ url: `https://example.com/${count}`, enabled_events });
    await assert.rejects(live.create({ url: "https://example.com/16", enabled_events }), { constructor: Invalid, statusCode: 400 });
    const { data } = await live.list({ limit: 100 });
    assert.deepEqual(
      data.map(({ url }) => new URL(url).pathname),
      Array.from({ length: 16 }, (_, i) => `/${15 - i}`),
    );
    assert.deepEqual((await sdk.webhookEndpoints.list()).data, []);
  });
});
