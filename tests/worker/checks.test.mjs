// `GET` and `POST /v1/check`: which store the response comes from, and what happens if a store lags or fails.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { serve, summary } from "./support.mjs";

/** Waits until a condition is true, without a timeout of its own: the test has one. */
async function waitUntil(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe("GET and POST /v1/check", { timeout: 60_000 }, () => {
  let service;
  let replica;
  let customer;
  let number = 0;
  before(async () => {
    service = await serve();
    replica = await service.replica();
  });
  beforeEach(() => {
    number += 1;
    customer = `cus_${number}`;
  });
  after(() => service.stop());

  const result = ({ status, json }) => [status, json.entitled, json.reason, json.version, json.served_by];
  const send = async (keys, more) => assert.equal((await service.send(summary(customer, keys, more))).status, 200);

  const replicated = (version) => waitUntil(async () => JSON.parse(await replica.get(`test:${customer}`)).version === version);

  test("a check after an event is answered from the replica at once, and a fresh check from the ledger", async () => {
    await send(["sms"]);
    assert.deepEqual(result(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "replica"]);
    assert.deepEqual(result(await service.check(customer, "sso")), [200, false, "not_entitled", 1, "replica"]);
    assert.deepEqual(result(await service.check(customer, "sms", { fresh: true })), [200, true, "active_entitlement", 1, "ledger"]);
  });

  test("no HTTP cache may store a denial", async () => {
    const { headers } = await service.check(customer, "sms");
    assert.equal(headers.get("cache-control"), "no-store");
  });

  test("a check is answered from the ledger if the replica has no record", async () => {
    await send(["sms"]);
    await replica.delete(`test:${customer}`);
    assert.deepEqual(result(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "ledger"]);
    assert.deepEqual(result(await service.check("cus_unknown", "sms")), [200, false, "unknown_customer", 0, "ledger"]);
  });

  test("a check is answered from the ledger if the replica's record is malformed", async () => {
    await send(["sms"]);
    for (const garbage of ["", "{}", "\xff", '{"v":999}']) {
      await replica.put(`test:${customer}`, garbage);
      assert.deepEqual(result(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "ledger"]);
    }
  });

  test("a check with at_least never returns an older version", async () => {
    await send(["sms"]);
    const old = await replica.get(`test:${customer}`);
    await send([]);
    // Once the alarm has written version 2, no task is pending: the old record is not overwritten.
    await replicated(2);
    await replica.put(`test:${customer}`, old);
    assert.deepEqual(result(await service.check(customer, "sms", { at_least: 2 })), [200, false, "not_entitled", 2, "ledger"]);
    const early = await service.check(customer, "sms", { at_least: 3 });
    assert.deepEqual([early.status, early.json.error.code, early.headers.get("retry-after")], [503, "version_not_reached", "1"]);
  });

  test("the alarm writes a second change within the same second to the replica", async () => {
    await send(["sms"]);
    await send(["sms", "sso"]);
    const { json } = await service.check(customer, "sso", { at_least: 2 });
    assert.deepEqual([json.entitled, json.version], [true, 2], "from either store");
    await replicated(2);
    assert.deepEqual(result(await service.check(customer, "sso")), [200, true, "active_entitlement", 2, "replica"]);
  });

  test("a truncated page revokes nothing, and a check of a feature that is not on it is a 503", async () => {
    const now = Math.floor(Date.now() / 1000);
    await send(["sms"], { created: now });
    await send(["sso"], { created: now + 1, hasMore: true });
    const check = (feature) => service.check(customer, feature, { at_least: 2 });
    for (const feature of ["sms", "sso"]) assert.equal((await check(feature)).json.entitled, true);
    const unknown = await check("api");
    assert.deepEqual([unknown.status, unknown.json.error.code], [503, "entitlements_incomplete"]);
    assert.equal(unknown.headers.get("retry-after"), "1");
    await send(["sso"], { created: now + 2 });
    assert.deepEqual((await service.check(customer, "sms", { at_least: 3 })).json.reason, "not_entitled");
  });

  test("a batch checks a hundred customers in one request", async () => {
    await send(["sms"]);
    const checks = Array.from({ length: 99 }, (_, i) => ({ customer: `cus_unknown_${i}`, feature: "sms" }));
    const body = JSON.stringify({ checks: [{ customer, feature: "sms" }, ...checks] });
    const { status, json } = await service.request("/v1/check", { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.equal(status, 200);
    assert.deepEqual(
      json.data.map(({ entitled }) => entitled),
      [true, ...Array(99).fill(false)],
    );
  });

  test("a set that exceeds a row of SQLite is stored and read completely", async () => {
    // Four pages of 3,000 entitlements, each key about 55 bytes long: a record of 2.3 MB, in three rows.
    const now = Math.floor(Date.now() / 1000);
    const key = (page, i) => `${"f".repeat(50)}_${page}_${i}`;
    for (let page = 0; page < 4; page += 1) {
      const keys = Array.from({ length: 3_000 }, (_, i) => key(page, i));
      await send(keys, { created: now + page, hasMore: true });
    }
    for (const feature of [key(0, 2_999), key(3, 0)]) {
      const { json } = await service.check(customer, feature, { fresh: true });
      assert.deepEqual([json.entitled, json.version], [true, 4], feature);
    }
  });
});

describe("a replica whose puts fail", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve({ faulty: true });
  });
  after(() => service.stop());

  for (const fault of /** @type {const} */ (["before", "after"])) {
    test(`the alarm writes it once KV works again, if the put failed ${fault} the write`, async () => {
      const customer = `cus_${fault}`;
      const replica = await service.replica();
      await service.failPuts(fault, fault);
      const sent = await service.send(summary(customer, ["sms"]));
      assert.deepEqual([sent.status, sent.json.outcome], [200, "applied"], "the ledger stores the event");
      const { json } = await service.check(customer, "sms", { at_least: 1 });
      assert.equal(json.entitled, true);

      await waitUntil(async () => {
        const [faults, record] = [await service.remainingPutFaults(), await replica.get(`test:${customer}`)];
        return faults.length === 0 && record !== null;
      });
      assert.equal((await service.check(customer, "sms")).json.served_by, "replica");
    });
  }
});
