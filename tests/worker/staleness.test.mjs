// How old an answer can be: a KV location that is behind a revocation, and simultaneous changes while KV delays, fails and reorders.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, SseClient, versionMessage } from "./stream-clients.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

/** What a check says: whether the customer may, the version, and who answered. */
const answer = ({ status, json }) => (status === 200 ? [json.entitled, json.version, json.served_by] : [status]);

describe("a KV location that is behind a revocation", { timeout: 60_000 }, () => {
  const LIST = "/v1/entitlements/active_entitlements?customer=cus_ada";
  const now = unixNow();
  let service;
  let stream;
  before(async () => {
    service = await serve({ faulty: true, settings: { ENTGATE_STRICT_FEATURES: "payouts" }, log: [] });
    await service.send(summary("cus_ada", ["sms", "payouts"], { created: now }));
    await eventually(async () => assert.equal((await service.replicaRecord("cus_ada"))?.version, 1));
    await service.freezeReplica("cus_ada");
    stream = await SseClient.open(service, "cus_ada");
    assert.equal((await service.send(summary("cus_ada", [], { created: now + 1 }))).json.version, 2);
  });
  after(async () => {
    await stream.close();
    await service.stop();
  });

  test("a plain check still grants, as that location does", async () => {
    assert.deepEqual(answer(await service.check("cus_ada", "sms")), [true, 1, "replica"]);
  });

  for (const [why, feature, params] of /** @type {[string, string, Record<string, unknown>][]} */ ([
    ["at_least the version of the revocation", "sms", { at_least: 2 }],
    ["fresh", "sms", { fresh: true }],
    ["a strict feature", "payouts", {}],
  ])) {
    test(`a check with ${why} denies`, async () => {
      assert.deepEqual(answer(await service.check("cus_ada", feature, params)), [false, 2, "ledger"]);
    });
  }

  test("a list, a bulk evaluation and an authorization of a strict feature know the revocation", async () => {
    const list = await service.request(LIST);
    assert.deepEqual([list.json.data, list.headers.get("entgate-served-by")], [[], "ledger"]);
    const bulk = await service.request("/ofrep/v1/evaluate/flags", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ context: { targetingKey: "cus_ada" } }),
    });
    assert.deepEqual([bulk.json.metadata.version, bulk.json.flags.filter(({ value }) => value)], [2, []]);
    assert.equal((await service.request("/v1/authorize?customer=cus_ada&feature=payouts")).status, 403);
    assert.equal((await service.request("/v1/authorize?customer=cus_ada&feature=sms")).status, 204);
  });

  test("a stream has sent the change", async () => {
    assert.deepEqual(await stream.receive(2), [versionMessage("cus_ada", 1), changeMessage("cus_ada", 2, [], ["payouts", "sms"])]);
  });

  test("a plain check denies once the location has the record", async () => {
    await eventually(async () => assert.equal((await service.replicaRecord("cus_ada"))?.version, 2));
    await service.freezeReplica("cus_ada", undefined);
    assert.deepEqual(answer(await service.check("cus_ada", "sms")), [false, 2, "replica"]);
  });
});

describe("simultaneous changes", { concurrency: true, timeout: 120_000 }, () => {
  for (const [outcome, final] of /** @type {[string, string[]][]} */ ([
    ["a grant", ["sms", "sso"]],
    ["a revocation", []],
  ])) {
    test(`of a grant and a revocation in one second, ledger and KV end with ${outcome} if Stripe does, while KV delays, fails and reorders`, async (t) => {
      const stripe = await fakeStripe();
      const service = await serve({ faulty: true, settings: stripe.settings, log: [] });
      t.after(() => Promise.all([service.stop(), stripe.stop()]));
      const customers = Array.from({ length: 4 }, (_, i) => `cus_${i}`);
      for (const customer of customers) {
        stripe.setEntitlements(customer, ["sms"]);
        assert.equal((await service.send(summary(customer, ["sms"], { created: unixNow() - 60 }))).status, 200);
      }
      await service.failEachPut("mixed");
      const streams = await Promise.all(customers.map((customer) => SseClient.open(service, customer)));
      for (const customer of customers) stripe.setEntitlements(customer, final);
      const created = unixNow();
      const events = customers.flatMap((customer) => [summary(customer, ["sms", "sso"], { created }), summary(customer, [], { created })]);
      const responses = await Promise.all(events.map((event) => service.send(event)));
      assert.deepEqual(new Set(responses.map(({ status }) => status)), new Set([200]));

      const expected = final.toSorted();
      for (const customer of customers) {
        await eventually(async () => {
          const list = await service.request(`/v1/entitlements/active_entitlements?customer=${customer}&fresh=true`);
          assert.deepEqual(list.json.data.map(({ lookup_key }) => lookup_key).toSorted(), expected);
        });
      }
      await service.failEachPut(undefined);
      // Writes that failed and may still take effect have done so, and the record was written again after them.
      const count = async (kind) => (await Promise.all(customers.map((customer) => service.putTimes(customer, kind)))).flat().length;
      await eventually(async () => assert.equal(await count("landed"), await count("late")), 20_000);
      for (const [i, customer] of customers.entries()) {
        const { version } = (await service.check(customer, "sms", { fresh: true })).json;
        await eventually(async () => {
          const record = await service.replicaRecord(customer);
          assert.deepEqual([record.version, record.keys.toSorted()], [version, expected], customer);
        }, 20_000);
        await streams[i].waitForVersion(version);
        // Replays what the stream has sent.
        const keys = new Set(["sms"]);
        for (const { event, data } of streams[i].events) {
          if (event !== "change") continue;
          for (const key of data.added) keys.add(key);
          for (const key of data.removed) keys.delete(key);
        }
        assert.deepEqual([...keys].toSorted(), expected, customer);
        await streams[i].close();
      }
    });
  }

  test("one event that arrives four times at once is applied once, and a stream hears one change", async (t) => {
    const service = await serve({ log: [] });
    t.after(() => service.stop());
    const stream = await SseClient.open(service, "cus_ada");
    const event = summary("cus_ada", ["sms"]);
    const responses = await Promise.all(Array.from({ length: 4 }, () => service.send(event)));
    assert.deepEqual(responses.map(({ json }) => [json.outcome, json.version]).sort(), [
      ["applied", 1],
      ["duplicate", 1],
      ["duplicate", 1],
      ["duplicate", 1],
    ]);
    // A later change: the messages before it are complete.
    await service.send(summary("cus_ada", ["sso"], { created: event.created + 1 }));
    assert.deepEqual(await stream.receive(3), [
      versionMessage("cus_ada", 0),
      changeMessage("cus_ada", 1, ["sms"]),
      changeMessage("cus_ada", 2, ["sso"], ["sms"]),
    ]);
    await stream.close();
  });

  test("two events for one change are one version and one message", async (t) => {
    const service = await serve({ log: [] });
    t.after(() => service.stop());
    const stream = await SseClient.open(service, "cus_ada");
    const created = unixNow();
    const events = [summary("cus_ada", ["sms"], { created }), summary("cus_ada", ["sms"], { created })];
    const responses = await Promise.all(events.map((event) => service.send(event)));
    assert.deepEqual(responses.map(({ json }) => [json.outcome, json.version]).sort(), [
      ["applied", 1],
      ["unchanged", 1],
    ]);
    await service.send(summary("cus_ada", [], { created: created + 1 }));
    assert.deepEqual(await stream.receive(3), [
      versionMessage("cus_ada", 0),
      changeMessage("cus_ada", 1, ["sms"]),
      changeMessage("cus_ada", 2, [], ["sms"]),
    ]);
    await stream.close();
  });
});
