// A request that is sent twice is done once.

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

  /** One POST: its status, whether it is an answer of old, and its body. */
  async function post(path, parameters, idempotencyKey, key = KEY) {
    const headers = { "content-type": "application/x-www-form-urlencoded", "idempotency-key": idempotencyKey };
    const {
      status,
      headers: told,
      json,
    } = await service.request(path, { method: "POST", body: new URLSearchParams(parameters).toString(), headers, key });
    return { status, replayed: told.get("idempotent-replayed"), json };
  }
  const named = async (name) =>
    (await catalog.sdk.customers.list({ limit: 100 }).autoPagingToArray({ limit: 1000 })).filter((customer) => customer.name === name);
  const customers = "/v1/customers";

  test("is answered as the first time when it comes again, and says so", async () => {
    const first = await post(customers, { name: "Ada", email: "ada@example.com" }, "k1");
    assert.deepEqual([first.status, first.replayed], [200, null]);
    await catalog.sdk.customers.update(first.json.id, { name: "Ada Lovelace" });
    assert.deepEqual(await post(customers, { name: "Ada", email: "ada@example.com" }, "k1"), {
      status: 200,
      replayed: "true",
      json: first.json,
    });
    assert.deepEqual([(await named("Ada")).length, (await named("Ada Lovelace")).length], [0, 1]);
  });

  test("is answered as the first time by Stripe's SDK too", async () => {
    const create = () => catalog.sdk.customers.create({ name: "Sid" }, { idempotencyKey: "k2" });
    const [first, second] = [await create(), await create()];
    assert.deepEqual(second, first);
    assert.deepEqual(
      [first, second].map(({ lastResponse }) => lastResponse.headers["idempotent-replayed"]),
      [undefined, "true"],
    );
    assert.notEqual(first.lastResponse.requestId, second.lastResponse.requestId);
  });

  test("is refused with other parameters, or on another path", async () => {
    await post(customers, { name: "Bob" }, "k3");
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
    assert.deepEqual([(await named("Bob")).length, (await named("Rob")).length], [1, 0]);
  });

  test("is done anew when the first was refused, or was of the other mode", async () => {
    const feature = { lookup_key: "sms", name: "SMS" };
    const holder = await catalog.createFeature("sms");
    assert.equal((await post("/v1/entitlements/features", feature, "k4")).json.error.code, "resource_already_exists");
    await catalog.sdk.entitlements.features.update(holder.id, { active: false });
    const made = await post("/v1/entitlements/features", feature, "k4");
    assert.deepEqual([made.status, made.replayed, made.json.lookup_key], [200, null, "sms"]);

    const test_ = await post(customers, { name: "Eve" }, "k5");
    const live = await post(customers, { name: "Eve" }, "k5", LIVE_KEY);
    assert.deepEqual([live.status, live.replayed, live.json.livemode], [200, null, true]);
    assert.notEqual(live.json.id, test_.json.id);
  });

  test("may have a key of 255 characters, and no more", async () => {
    assert.equal((await post(customers, { name: "x" }, "k".repeat(255))).status, 200);
    const { status, json } = await post(customers, { name: "x" }, "k".repeat(256));
    assert.deepEqual([status, json.error.type], [400, "invalid_request_error"]);
  });

  test("makes one object, however many are sent at once: each is told of it, or that another is in hand", async () => {
    for (const [path, parameters, find] of [
      [customers, { name: "Many" }, () => named("Many")],
      [
        "/v1/entitlements/features",
        { lookup_key: "many", name: "Many" },
        async () => (await catalog.sdk.entitlements.features.list({ lookup_key: "many" })).data,
      ],
    ]) {
      const key = randomUUID();
      const answers = await Promise.all(Array.from({ length: 20 }, () => post(path, parameters, key)));
      const made = await find();
      assert.equal(made.length, 1);
      const fresh = answers.filter(({ status, replayed }) => status === 200 && replayed === null);
      assert.equal(fresh.length, 1);
      for (const { status, json } of answers) {
        if (status === 200) assert.deepEqual(json, fresh[0].json);
        else assert.deepEqual([status, json.error.code], [409, "idempotency_key_in_use"]);
      }
      assert.deepEqual(await post(path, parameters, key), { status: 200, replayed: "true", json: fresh[0].json });
    }
  });

  test("leaves a DELETE as it is", async () => {
    const { id } = await catalog.sdk.customers.create();
    const remove = () => service.request(`/v1/customers/${id}`, { method: "DELETE", headers: { "idempotency-key": "k6" } });
    assert.deepEqual((await remove()).json, { id, object: "customer", deleted: true });
    assert.equal((await remove()).status, 404);
  });

  test("is noted in the event that it caused", async () => {
    const { json } = await post(customers, { name: "Zoe" }, "k7");
    const { data } = await catalog.sdk.events.list({ type: "customer.created" });
    const event = data.find(({ data: { object } }) => object.id === json.id);
    assert.equal(event.request.idempotency_key, "k7");
    assert.match(event.request.id, /^req_/);
  });
});
