// Retries of the catalog's webhooks: after an error, a redirect, a failed connection, and SIGKILL.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually, unixNow } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";
import { startWebhookReceiver } from "./webhook-receiver.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

/** Creates a customer, and returns the event of it. */
async function createEvent({ sdk }) {
  const { id } = await sdk.customers.create();
  const { data } = await sdk.events.list({ type: "customer.created", limit: 10 });
  return data.find((event) => event.data.object.id === id);
}

describe("a webhook whose delivery fails", { timeout: 180_000, concurrency: false }, () => {
  let service;
  let catalog;
  let receiver;
  let endpoint;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
  });
  beforeEach(async () => {
    receiver = await startWebhookReceiver();
    endpoint = await catalog.sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["*"] });
  });
  afterEach(async () => {
    await catalog.sdk.webhookEndpoints.del(endpoint.id);
    await receiver.close();
  });
  after(() => service.stop());

  const listDeliveries = async () => (await service.request(`/v1/webhook_endpoints/${endpoint.id}/deliveries?limit=100`)).json.data;
  const pending = async (event) => (await catalog.sdk.events.retrieve(event.id)).pending_webhooks;
  const waitForDeliveries = (event, times) => eventually(() => assert.equal(receiver.deliveriesOf(event.id).length, times));

  test("it is sent again after one second and after four more, with a new signature, and each attempt is listed", async () => {
    receiver.responses.push(500, 302);
    const event = await createEvent(catalog);
    await waitForDeliveries(event, 3);
    const [first, second, third] = receiver.deliveriesOf(event.id);
    // The clocks of the two processes can differ by a few milliseconds.
    assert.ok(second.receivedAt - first.receivedAt > 950, `${second.receivedAt - first.receivedAt} ms`);
    assert.ok(third.receivedAt - second.receivedAt > 3_950, `${third.receivedAt - second.receivedAt} ms`);
    const times = receiver.deliveriesOf(event.id).map(({ body, headers }) => {
      const signature = headers["stripe-signature"];
      assert.equal(catalog.sdk.webhooks.constructEvent(body, signature, endpoint.secret).id, event.id);
      return Number(signature.match(/^t=(\d+),/)[1]);
    });
    assert.ok(times[0] < times[1] && times[1] < times[2], `${times}`);
    // A redirect is not followed.
    assert.deepEqual(
      receiver.deliveries.filter(({ path }) => path !== "/hook"),
      [],
    );

    await eventually(async () => assert.equal(await pending(event), 0));
    const attempts = (await listDeliveries()).filter((delivery) => delivery.event === event.id);
    assert.deepEqual(
      attempts.map(({ attempt, outcome, status, error }) => [attempt, outcome, status, error]),
      [
        [3, "succeeded", 200, null],
        [2, "failed", 302, null],
        [1, "failed", 500, null],
      ],
    );
    for (const [delivery, least, most] of [
      [attempts[2], 1, 2],
      [attempts[1], 4, 5],
    ]) {
      const pause = delivery.next_attempt - delivery.created;
      assert.ok(least <= pause && pause <= most, `attempt ${delivery.attempt}: ${pause} s`);
    }
    const { id, created } = attempts[0];
    assert.deepEqual(attempts[0], {
      id,
      object: "webhook_delivery",
      created,
      endpoint: endpoint.id,
      event: event.id,
      event_type: "customer.created",
      attempt: 3,
      outcome: "succeeded",
      status: 200,
      error: null,
      next_attempt: null,
    });
    assert.ok(Math.abs(created - unixNow()) < 60);
  });

  test("it is sent again after a failed connection, which is listed with an error", async () => {
    await receiver.close();
    const event = await createEvent(catalog);
    await eventually(async () => assert.equal((await listDeliveries()).length, 1));
    const [{ attempt, outcome, status, error }] = await listDeliveries();
    assert.deepEqual([attempt, outcome, status, typeof error], [1, "failed", null, "string"]);
    assert.equal(await pending(event), 1);
    await receiver.reopen();
    await waitForDeliveries(event, 1);
    await eventually(async () => assert.equal(await pending(event), 0));
  });

  test("it delays neither another event nor another endpoint", async () => {
    const other = await startWebhookReceiver();
    const { id } = await catalog.sdk.webhookEndpoints.create({ url: other.url, enabled_events: ["customer.created"] });
    try {
      receiver.responses.push("none");
      const pendingEvent = await createEvent(catalog);
      await waitForDeliveries(pendingEvent, 1);
      const next = await createEvent(catalog);
      await waitForDeliveries(next, 1);
      await eventually(() => assert.deepEqual(other.deliveries.map(({ event }) => event.id).sort(), [pendingEvent.id, next.id].sort()));
      assert.equal(await pending(pendingEvent), 1);
    } finally {
      await catalog.sdk.webhookEndpoints.del(id);
      await other.close();
    }
  });

  test("it is not sent again once its endpoint is disabled", async () => {
    receiver.responses.push(500);
    const event = await createEvent(catalog);
    await waitForDeliveries(event, 1);
    await catalog.sdk.webhookEndpoints.update(endpoint.id, { disabled: true });
    await eventually(async () => assert.equal(await pending(event), 0));
    await catalog.sdk.webhookEndpoints.update(endpoint.id, { disabled: false });
    await waitForDeliveries(await createEvent(catalog), 1);
    assert.equal(receiver.deliveriesOf(event.id).length, 1);
  });

  test("it is sent again on request, even after a successful delivery", async () => {
    const event = await createEvent(catalog);
    await waitForDeliveries(event, 1);
    const resend = (id, webhook_endpoint) => catalog.sdk.rawRequest("POST", `/v1/events/${id}/retry`, { webhook_endpoint });
    assert.equal((await resend(event.id, endpoint.id)).id, event.id);
    await waitForDeliveries(event, 2);
    await eventually(async () => assert.equal((await listDeliveries()).filter((delivery) => delivery.event === event.id).length, 2));
    await assert.rejects(resend("evt_none", endpoint.id), { constructor: Invalid, statusCode: 404, code: "resource_missing" });
    await assert.rejects(resend(event.id, "we_none"), {
      constructor: Invalid,
      statusCode: 400,
      code: "resource_missing",
      param: "webhook_endpoint",
    });
    await assert.rejects(resend(event.id), { constructor: Invalid, statusCode: 400, code: "parameter_missing", param: "webhook_endpoint" });
  });

  test("the list of deliveries is paged, newest first", async () => {
    for (let count = 0; count < 3; count += 1) await waitForDeliveries(await createEvent(catalog), 1);
    await eventually(async () => assert.equal((await listDeliveries()).length, 3));
    const all = (await listDeliveries()).map(({ id }) => id);
    const path = `/v1/webhook_endpoints/${endpoint.id}/deliveries`;
    const page = async (query) => {
      const { json } = await service.request(`${path}?${query}`);
      return [json.object, json.url, json.data.map(({ id }) => id), json.has_more];
    };
    assert.deepEqual(await page("limit=2"), ["list", path, all.slice(0, 2), true]);
    assert.deepEqual(await page(`limit=2&starting_after=${all[1]}`), ["list", path, all.slice(2), false]);
    assert.deepEqual(await page(`limit=2&ending_before=${all[2]}`), ["list", path, all.slice(0, 2), false]);
    assert.equal((await service.request("/v1/webhook_endpoints/we_none/deliveries")).status, 404);
  });
});

test("after SIGKILL, a pending webhook is delivered, and an interrupted one is still pending", {
  timeout: 180_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const settings = { ENTGATE_SOURCE: "catalog" };
  const [absent, silent] = [await startWebhookReceiver(), await startWebhookReceiver()];
  try {
    await absent.close();
    silent.responses.push("none");
    const first = await startWorkerProcess(folder, { settings });
    let event;
    let customer;
    try {
      const catalog = new TestCatalog(first.service);
      for (const { url } of [absent, silent]) await catalog.sdk.webhookEndpoints.create({ url, enabled_events: ["customer.created"] });
      customer = await catalog.sdk.customers.create({ name: "Ada" }, { idempotencyKey: "once" });
      [event] = (await catalog.sdk.events.list({ type: "customer.created" })).data;
      await eventually(() => assert.equal(silent.deliveriesOf(event.id).length, 1));
    } finally {
      await killWorkerProcess(first);
    }
    await absent.reopen();

    const second = await startWorkerProcess(folder, { settings });
    try {
      // No request arrives, so only the catalog's alarm can start the delivery.
      await eventually(() => assert.equal(absent.deliveriesOf(event.id).length, 1), 30_000);
      const { sdk } = new TestCatalog(second.service);
      // The interrupted delivery is sent again once its lease expires, which takes longer than a test should.
      await eventually(async () => assert.equal((await sdk.events.retrieve(event.id)).pending_webhooks, 1));
      const repeated = await sdk.customers.create({ name: "Ada" }, { idempotencyKey: "once" });
      assert.deepEqual([repeated.id, repeated.lastResponse.headers["idempotent-replayed"]], [customer.id, "true"]);
    } finally {
      await killWorkerProcess(second);
    }
  } finally {
    await Promise.all([absent.close(), silent.close()]);
    rmSync(folder, { recursive: true, force: true });
  }
});
