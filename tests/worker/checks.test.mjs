// The way out: which store a check is answered from, and what happens when one of them lags or fails.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { serve, summary } from "./support.mjs";

/** Waits until something holds, however long it takes; the test runner ends what never does. */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
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
  beforeEach(() => (customer = `cus_${(number += 1)}`));
  after(() => service.stop());

  const told = ({ status, json }) => [status, json.entitled, json.reason, json.version, json.served_by];
  const send = async (keys, more) => assert.equal((await service.send(summary(customer, keys, more))).status, 200);

  const replicated = (version) => until(async () => JSON.parse(await replica.get(`test:${customer}`)).version === version);

  test("what Stripe granted is answered from the replica at once", async () => {
    await send(["sms"]);
    assert.deepEqual(told(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "replica"]);
    assert.deepEqual(told(await service.check(customer, "sso")), [200, false, "not_entitled", 1, "replica"]);
    assert.deepEqual(told(await service.check(customer, "sms", { fresh: true })), [200, true, "active_entitlement", 1, "ledger"]);
  });

  test("a denial is never kept by a cache", async () => {
    const { headers } = await service.check(customer, "sms");
    assert.equal(headers.get("cache-control"), "no-store");
  });

  test("a replica that lost its copy says nothing: the ledger answers", async () => {
    await send(["sms"]);
    await replica.delete(`test:${customer}`);
    assert.deepEqual(told(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "ledger"]);
    assert.deepEqual(told(await service.check("cus_nobody", "sms")), [200, false, "unknown_customer", 0, "ledger"]);
  });

  test("a replica that cannot be read says nothing: the ledger answers", async () => {
    await send(["sms"]);
    for (const garbage of ["", "{}", "\xff", '{"v":999}']) {
      await replica.put(`test:${customer}`, garbage);
      assert.deepEqual(told(await service.check(customer, "sms")), [200, true, "active_entitlement", 1, "ledger"]);
    }
  });

  test("a caller that knows a version never sees an older one", async () => {
    await send(["sms"]);
    const old = await replica.get(`test:${customer}`);
    await send([]);
    // Once the alarm has written the new copy nothing is owed, and the old one put back stays.
    await replicated(2);
    await replica.put(`test:${customer}`, old);
    assert.deepEqual(told(await service.check(customer, "sms", { at_least: 2 })), [200, false, "not_entitled", 2, "ledger"]);
    const early = await service.check(customer, "sms", { at_least: 3 });
    assert.deepEqual([early.status, early.json.error.code, early.headers.get("retry-after")], [503, "version_not_reached", "1"]);
  });

  test("a second change within KV's one second is written by the alarm", async () => {
    await send(["sms"]);
    await send(["sms", "sso"]);
    const { json } = await service.check(customer, "sso", { at_least: 2 });
    assert.deepEqual([json.entitled, json.version], [true, 2], "whichever store has it by now");
    await replicated(2);
    assert.deepEqual(told(await service.check(customer, "sso")), [200, true, "active_entitlement", 2, "replica"]);
  });

  test("a truncated page revokes nothing, and what it lacks is a 503", async () => {
    const now = Math.floor(Date.now() / 1000);
    await send(["sms"], { created: now });
    await send(["sso"], { created: now + 1, hasMore: true });
    const check = (feature) => service.check(customer, feature, { at_least: 2 });
    for (const held of ["sms", "sso"]) assert.equal((await check(held)).json.entitled, true);
    const unknown = await check("api");
    assert.deepEqual([unknown.status, unknown.json.error.code], [503, "entitlements_incomplete"]);
    assert.equal(unknown.headers.get("retry-after"), "1");
    await send(["sso"], { created: now + 2 });
    assert.deepEqual((await service.check(customer, "sms", { at_least: 3 })).json.reason, "not_entitled");
  });

  test("a batch asks about a hundred customers at once", async () => {
    await send(["sms"]);
    const checks = Array.from({ length: 99 }, (_, i) => ({ customer: `cus_stranger_${i}`, feature: "sms" }));
    const body = JSON.stringify({ checks: [{ customer, feature: "sms" }, ...checks] });
    const { status, json } = await service.request("/v1/check", { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.equal(status, 200);
    assert.deepEqual(
      json.data.map(({ entitled }) => entitled),
      [true, ...Array(99).fill(false)],
    );
  });

  test("a set of more than a row of SQLite is kept and read whole", async () => {
    // Four pages of 3,000 entitlements with names of some 50 letters: a record of 2.3 MB, in three rows.
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

describe("a replica that cannot be written", { timeout: 60_000 }, () => {
  let service;
  before(async () => (service = await serve({ faulty: true })));
  after(() => service.stop());

  for (const fault of ["before", "after"]) {
    test(`is written by the alarm when KV is back, having failed ${fault} the write`, async () => {
      const customer = `cus_${fault}`;
      const replica = await service.replica();
      await service.failPuts(fault, fault);
      const sent = await service.send(summary(customer, ["sms"]));
      assert.deepEqual([sent.status, sent.json.outcome], [200, "applied"], "the ledger has it");
      const { json } = await service.check(customer, "sms", { at_least: 1 });
      assert.equal(json.entitled, true);

      const faults = await service.workerd.getKVNamespace("FAULTS", "entgate");
      await until(async () => (await faults.get("puts")) === "[]" && (await replica.get(`test:${customer}`)) !== null);
      assert.equal((await service.check(customer, "sms")).json.served_by, "replica");
    });
  }
});
