// Idempotency keys: a request that is sent twice is executed once.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { KEY, LIVE_KEY } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";

describe("a request with an idempotency key", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
  });
  after(() => service.stop());

  /** Sends a POST. Returns the status, whether the response is a replay, and the JSON. */
  async function post(path, parameters, idempotencyKey, key = KEY) {
    const requestHeaders = { "content-type": "application/x-www-form-urlencoded", "idempotency-key": idempotencyKey };
    const body = new URLSearchParams(parameters).toString();
    const { status, headers, json } = await service.request(path, { method: "POST", body, headers: requestHeaders, key });
    return { status, replayed: headers.get("idempotent-replayed"), json };
  }
  const customersNamed = async (name) =>
    (await catalog.sdk.customers.list({ limit: 100 }).autoPagingToArray({ limit: 1000 })).filter((customer) => customer.name === name);
  const CUSTOMERS = "/v1/customers";

  test("a repeated request returns the first response, marked as a replay", async () => {
    const first = await post(CUSTOMERS, { name: "Ada", email: "ada@example.com" }, "k1");
    assert.deepEqual([first.status, first.replayed], [200, null]);
    await catalog.sdk.customers.update(first.json.id, { name: "Ada Lovelace" });
    assert.deepEqual(await post(CUSTOMERS, { name: "Ada", email: "ada@example.com" }, "k1"), {
      status: 200,
      replayed: "true",
      json: first.json,
    });
    assert.deepEqual([(await customersNamed("Ada")).length, (await customersNamed("Ada Lovelace")).length], [0, 1]);
  });

  test("a repeated request of Stripe's SDK returns the first response", async () => {
    const create = () => catalog.sdk.customers.create({ name: "Sid" }, { idempotencyKey: "k2" });
    const [first, second] = [await create(), await create()];
    assert.deepEqual(second, first);
    assert.deepEqual(
      [first, second].map(({ lastResponse }) => lastResponse.headers["idempotent-replayed"]),
      [undefined, "true"],
    );
    assert.notEqual(first.lastResponse.requestId, second.lastResponse.requestId);
  });

  test("the same key with other parameters or another path is an error", async () => {
    await post(CUSTOMERS, { name: "Bob" }, "k3");
    const message =
      "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'k3' if you meant to execute a different request.";
    await assert.rejects(catalog.sdk.customers.create({ name: "Rob" }, { idempotencyKey: "k3" }), {
      constructor: Stripe.errors.StripeIdempotencyError,
      statusCode: 400,
      message,
    });
    await assert.rejects(catalog.sdk.products.create({ name: "Bob" }, { idempotencyKey: "k3" }), {
      constructor: Stripe.errors.StripeIdempotencyError,
      statusCode: 400,
    });
    assert.deepEqual([(await customersNamed("Bob")).length, (await customersNamed("Rob")).length], [1, 0]);
  });

  test("a request is executed again if the first one failed, or was in the other mode", async () => {
    const feature = { lookup_key: "sms", name: "SMS" };
    const existing = await catalog.createFeature("sms");
    assert.equal((await post("/v1/entitlements/features", feature, "k4")).json.error.code, "resource_already_exists");
    await catalog.sdk.entitlements.features.update(existing.id, { active: false });
    const created = await post("/v1/entitlements/features", feature, "k4");
    assert.deepEqual([created.status, created.replayed, created.json.lookup_key], [200, null, "sms"]);

    const first = await post(CUSTOMERS, { name: "Eve" }, "k5");
    const live = await post(CUSTOMERS, { name: "Eve" }, "k5", LIVE_KEY);
    assert.deepEqual([live.status, live.replayed, live.json.livemode], [200, null, true]);
    assert.notEqual(live.json.id, first.json.id);
  });

  test("a key may have up to 255 characters", async () => {
    assert.equal((await post(CUSTOMERS, { name: "x" }, "k".repeat(255))).status, 200);
    const { status, json } = await post(CUSTOMERS, { name: "x" }, "k".repeat(256));
    assert.deepEqual([status, json.error.type], [400, "invalid_request_error"]);
  });

  test("20 requests at once create one object; each returns it, or that another request is in progress", async () => {
    for (const [path, parameters, find] of /** @type {[string, Record<string, string>, () => Promise<object[]>][]} */ ([
      [CUSTOMERS, { name: "Many" }, () => customersNamed("Many")],
      [
        "/v1/entitlements/features",
        { lookup_key: "many", name: "Many" },
        async () => (await catalog.sdk.entitlements.features.list({ lookup_key: "many" })).data,
      ],
    ])) {
      const key = randomUUID();
      const responses = await Promise.all(Array.from({ length: 20 }, () => post(path, parameters, key)));
      assert.equal((await find()).length, 1);
      const executed = responses.filter(({ status, replayed }) => status === 200 && replayed === null);
      assert.equal(executed.length, 1);
      for (const { status, json } of responses) {
        if (status === 200) assert.deepEqual(json, executed[0].json);
        else assert.deepEqual([status, json.error.code], [409, "idempotency_key_in_use"]);
      }
      assert.deepEqual(await post(path, parameters, key), { status: 200, replayed: "true", json: executed[0].json });
    }
  });

  test("a DELETE ignores the key", async () => {
    const { id } = await catalog.sdk.customers.create();
    const remove = () => service.request(`/v1/customers/${id}`, { method: "DELETE", headers: { "idempotency-key": "k6" } });
    assert.deepEqual((await remove()).json, { id, object: "customer", deleted: true });
    assert.equal((await remove()).status, 404);
  });

  test("the event of a request has the key and the request id", async () => {
    const { json } = await post(CUSTOMERS, { name: "Zoe" }, "k7");
    const { data } = await catalog.sdk.events.list({ type: "customer.created" });
    const event = data.find(({ data: { object } }) => object.id === json.id);
    assert.equal(event.request.idempotency_key, "k7");
    assert.match(event.request.id, /^req_/);
  });
});
