// Who is told of what: webhook endpoints, their filters and their secrets.

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

  const listens = (enabled_events = ["*"], more = {}) => sdk.webhookEndpoints.create({ url: receiver.url, enabled_events, ...more });
  /** The event of a customer that is created now. */
  async function created() {
    const { id } = await sdk.customers.create();
    const { data } = await sdk.events.list({ type: "customer.created", limit: 10 });
    return data.find((event) => event.data.object.id === id);
  }
  const waitForDeliveries = (event, times = 1) => eventually(() => assert.equal(receiver.deliveriesOf(event.id).length, times));
  const verified = ({ body, headers }, secret) => sdk.webhooks.constructEvent(body, headers["stripe-signature"], secret);
  /** How many of the header's signatures there are, and by which of these secrets it can be verified. */
  function proofs({ body, headers }, ...secrets) {
    const proves = (secret) => {
      try {
        return Boolean(sdk.webhooks.constructEvent(body, headers["stripe-signature"], secret));
      } catch {
        return false;
      }
    };
    return [headers["stripe-signature"].match(/v1=[0-9a-f]{64}/g).length, ...secrets.map(proves)];
  }

  test("gets the event as it is, once, with a signature that Stripe's SDK accepts", async () => {
    const { secret } = await listens();
    const event = await created();
    await waitForDeliveries(event);
    const [delivery] = receiver.deliveriesOf(event.id);
    assert.deepEqual([delivery.method, delivery.path], ["POST", "/hook"]);
    assert.match(delivery.headers["content-type"], /^application\/json/);
    assert.deepEqual({ ...verified(delivery, secret), pending_webhooks: 0 }, { ...event, pending_webhooks: 0 });
    await eventually(async () => assert.equal((await sdk.events.retrieve(event.id)).pending_webhooks, 0));
    assert.equal(receiver.deliveriesOf(event.id).length, 1);
    const changed = { body: delivery.body.replace(event.id, "evt_other"), headers: delivery.headers };
    assert.throws(() => verified(changed, secret), Stripe.errors.StripeSignatureVerificationError);
  });

  test("is told of what it asked for, beside one that asked for all", async () => {
    const other = await startWebhookReceiver();
    const all = await sdk.webhookEndpoints.create({ url: other.url, enabled_events: ["*"] });
    const some = await listens(["customer.updated", "product.created"]);
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
        assert.deepEqual(proofs(delivery, all.secret, some.secret), [1, secret === all.secret, secret === some.secret]);
    }
    await other.close();
  });

  test("counts in an event's pending_webhooks until it has it", async () => {
    receiver.responses.push("none");
    await listens(["customer.created"]);
    await listens(["product.created"]);
    const event = await created();
    assert.equal(event.pending_webhooks, 1);
    await waitForDeliveries(event);
    assert.equal((await sdk.events.retrieve(event.id)).pending_webhooks, 1);
    await sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["*"] });
    const both = await created();
    await eventually(async () => assert.equal((await sdk.events.retrieve(both.id)).pending_webhooks, 0));
    assert.equal(receiver.deliveriesOf(both.id).length, 2);
  });

  test("is told nothing while it is disabled, nor of it later", async () => {
    const { id } = await listens();
    assert.equal((await sdk.webhookEndpoints.update(id, { disabled: true })).status, "disabled");
    const missed = await created();
    assert.equal(missed.pending_webhooks, 0);
    assert.equal((await sdk.webhookEndpoints.update(id, { disabled: false })).status, "enabled");
    const event = await created();
    await waitForDeliveries(event);
    assert.deepEqual(receiver.deliveriesOf(missed.id), []);
  });

  test("is told nothing once it is deleted", async () => {
    const { id } = await listens();
    await waitForDeliveries(await created());
    await sdk.webhookEndpoints.del(id);
    const missed = await created();
    assert.equal(missed.pending_webhooks, 0);
    await assert.rejects(sdk.webhookEndpoints.retrieve(id), {
      constructor: Invalid,
      statusCode: 404,
      message: `No such webhook endpoint: '${id}'`,
    });
    await listens();
    await waitForDeliveries(await created());
    assert.deepEqual(receiver.deliveriesOf(missed.id), []);
  });

  test("is told elsewhere, and of other things, once it was changed", async () => {
    const { id, secret } = await listens(["product.created"]);
    const url = receiver.url.replace("/hook", "/moved");
    const changed = await sdk.webhookEndpoints.update(id, { url, enabled_events: ["customer.created"] });
    assert.deepEqual([changed.url, changed.enabled_events, changed.secret], [url, ["customer.created"], undefined]);
    await sdk.products.create({ name: "x" });
    const event = await created();
    await waitForDeliveries(event);
    assert.deepEqual(
      receiver.deliveries.map(({ path, event: { type } }) => [path, type]),
      [["/moved", "customer.created"]],
    );
    verified(receiver.deliveries[0], secret);
  });

  test("can be given a secret that is known already, and shows it once", async () => {
    const made = await listens(["*"], { secret: SECRET });
    assert.equal(made.secret, SECRET);
    const event = await created();
    await waitForDeliveries(event);
    verified(receiver.deliveriesOf(event.id)[0], SECRET);
    assert.equal((await sdk.webhookEndpoints.retrieve(made.id)).secret, undefined);
    await assert.rejects(listens(["*"], { secret: "no secret" }), { constructor: Invalid, statusCode: 400, param: "secret" });
  });

  test("signs with its old secret and its new one after a roll, or with the new one alone", async () => {
    const { id, secret } = await listens();
    const roll = (more) => sdk.rawRequest("POST", `/v1/webhook_endpoints/${id}/roll_secret`, more);
    const deliveries = async () => {
      const event = await created();
      await waitForDeliveries(event);
      return receiver.deliveriesOf(event.id)[0];
    };
    assert.deepEqual(proofs(await deliveries(), secret), [1, true]);
    const { secret: second, ...endpoint } = await roll();
    assert.match(second, /^whsec_/);
    assert.notEqual(second, secret);
    assert.deepEqual(endpoint, { ...(await sdk.webhookEndpoints.retrieve(id)) });
    assert.deepEqual(proofs(await deliveries(), secret, second), [2, true, true]);
    const { secret: third } = await roll({ expires_in: 0 });
    assert.deepEqual(proofs(await deliveries(), secret, second, third), [1, false, false, true]);
    assert.deepEqual((await roll({ expires_in: 86_400 })).id, id);
    for (const expires_in of [-1, 86_401])
      await assert.rejects(roll({ expires_in }), { constructor: Invalid, statusCode: 400, param: "expires_in" });
  });

  test("has an http URL in test mode only, and there are 16 of them and no more", async () => {
    const live = stripeClient(service.url, LIVE_KEY).webhookEndpoints;
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
