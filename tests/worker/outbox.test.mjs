// KV fails: no acknowledged event is lost, no check returns stale data, and the replica is written once KV works again.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

/** How long the replica may lag once KV works again, in milliseconds. */
const MAX_LAG = 10_000;

/** Sends an event and returns the new version. */
async function send(service, customer, keys, created) {
  const { status, json } = await service.send(summary(customer, keys, { created }));
  assert.equal(status, 200, JSON.stringify(json));
  return json.version;
}

/** Asserts the version and the lookup keys of the replica's record. */
async function assertReplica(service, customer, version, keys) {
  const record = await service.replicaRecord(customer);
  assert.deepEqual([record?.version, record?.keys], [version, keys]);
}

/** Sends changes, and asserts that a check after each one returns that version. */
async function assertNeverStale(service, customers, rounds) {
  const now = unixNow();
  await Promise.all(
    customers.map(async (customer) => {
      for (let round = 1; round <= rounds; round += 1) {
        const version = await send(service, customer, [`f${round}`], now + round);
        assert.equal(version, round);
        for (const [feature, entitled] of /** @type {[string, boolean][]} */ ([
          [`f${round}`, true],
          [`f${round - 1}`, false],
        ])) {
          const { status, json } = await service.check(customer, feature, { at_least: version });
          assert.deepEqual([status, json.entitled, json.version], [200, entitled, version]);
        }
      }
    }),
  );
}

/** Asserts at most one put in 1.5 s, and returns the number of puts. */
async function assertPauses(service, customer) {
  const puts = await service.putTimes(customer);
  // Measured over all puts, since a busy machine may delay a single one. The Rust tests assert the exact pauses.
  const took = puts.at(-1) - puts[0];
  assert.ok(took >= (puts.length - 1.5) * 1_500, `${puts.length} puts in ${took} ms`);
  return puts.length;
}

/** When a put that fails writes nevertheless. */
const FAULTS = /** @type {const} */ ([
  ["before", "never"],
  ["after", "at once"],
  ["late", "late"],
]);

/** Ends the failures, and waits until the replica equals the ledgers and no task is pending. */
async function assertRecovers(service, sets) {
  await service.failEachPut(undefined);
  const recovered = Date.now();
  const left = () => MAX_LAG - (Date.now() - recovered);
  const count = async (kind) => (await Promise.all(sets.map(([customer]) => service.putTimes(customer, kind)))).flat().length;
  await eventually(async () => assert.equal(await count("landed"), await count("late")), left());
  for (const set of sets) await eventually(() => assertReplica(service, ...set), left());
  await eventually(async () => {
    const { status, outbox } = await service.health();
    assert.deepEqual([status, outbox], ["ok", { pending: 0, oldest: null }]);
  });
  for (const [customer] of sets) await assertPauses(service, customer);
}

describe("pending writes to KV", { concurrency: true, timeout: 60_000 }, () => {
  describe("the replica has every acknowledged change ten seconds after KV works again", () => {
    for (const [fault, writes] of FAULTS) {
      test(`after every third put failed, and wrote ${writes}`, async (t) => {
        const service = await serve({ faulty: true, log: [] });
        t.after(() => service.stop());
        await service.failEachPut(fault, 3);
        const customers = Array.from({ length: 6 }, (_, i) => `cus_${i}`);
        await assertNeverStale(service, customers, 5);
        // Each of the six customers has a put, and at least the third one fails.
        await eventually(async () =>
          assert.ok((await Promise.all(customers.map((customer) => service.putTimes(customer)))).flat().length > 6),
        );
        await assertRecovers(
          service,
          customers.map((customer) => [customer, 5, ["f5"]]),
        );
      });

      test(`after all puts failed for a while, and wrote ${writes}, which /healthz reports meanwhile`, async (t) => {
        const service = await serve({ faulty: true, log: [] });
        t.after(() => service.stop());
        assert.equal((await service.health()).status, "ok");
        await service.failEachPut(fault);
        await assertNeverStale(service, ["cus_a", "cus_b"], 4);
        await eventually(async () => {
          const { status, outbox, message } = await service.health();
          assert.deepEqual([status, outbox.pending, outbox.oldest >= 2, message], ["degraded", 2, true, undefined]);
        });
        // One more change, and KV works again right after a failure.
        assert.equal(await send(service, "cus_a", ["f9"], unixNow() + 60), 5);
        const puts = (await service.putTimes("cus_a")).length;
        await eventually(async () => assert.ok((await service.putTimes("cus_a")).length > puts));
        await assertRecovers(service, [
          ["cus_a", 5, ["f9"]],
          ["cus_b", 4, ["f4"]],
        ]);
      });
    }

    test("after a slow put, for which the event does not wait", async (t) => {
      const service = await serve({ faulty: true, log: [] });
      t.after(() => service.stop());
      await service.failPuts("slow");
      const now = unixNow();
      const first = send(service, "cus_slow", ["f1"], now);
      await eventually(async () => assert.equal((await service.putTimes("cus_slow")).length, 1));
      const second = send(service, "cus_slow", ["f2"], now + 1);
      await eventually(async () => assert.equal((await service.check("cus_slow", "f2", { at_least: 2 })).json.entitled, true));
      assert.deepEqual(await Promise.all([first, second]), [1, 2]);
      assert.equal(await service.replicaRecord("cus_slow"), null, "the put is still in flight");
      await assertRecovers(service, [["cus_slow", 2, ["f2"]]]);
    });
  });

  describe("the replica is written", () => {
    let service;
    before(async () => {
      service = await serve({ faulty: true, log: [] });
    });
    after(() => service.stop());

    test("at most once in 1.5 s, for any rate of events, and ends with the last version", async () => {
      // There may be a thousand events, and none is of the future.
      const now = unixNow() - 10_000;
      const began = Date.now();
      let version = 0;
      while (version < 20 || Date.now() - began < 3_000) version = await send(service, "cus_busy", [`f${version}`], now + version);
      await eventually(() => assertReplica(service, "cus_busy", version, [`f${version - 1}`]));
      const took = (Date.now() - began) / 1_000;
      const puts = await assertPauses(service, "cus_busy");
      assert.ok(puts >= 3 && puts <= took / 1.5 + 1, `${puts} puts in ${took} s`);
    });

    test("not if the set did not change", async () => {
      const now = unixNow();
      assert.equal(await send(service, "cus_same", ["sms"], now), 1);
      await eventually(() => assertReplica(service, "cus_same", 1, ["sms"]));
      for (const more of [1, 2, 3]) assert.equal(await send(service, "cus_same", ["sms"], now + more), 1);
      // The alarm writes the second change of another customer. By then it would have written this customer too.
      await send(service, "cus_other", ["sms"], now);
      await send(service, "cus_other", [], now + 1);
      await eventually(() => assertReplica(service, "cus_other", 2, []));
      assert.equal((await service.putTimes("cus_same")).length, 1);
    });

    test("not while the customer has had no entitlement yet", async () => {
      const now = unixNow();
      assert.equal(await send(service, "cus_none", [], now), 1);
      await send(service, "cus_some", ["sms"], now);
      await send(service, "cus_some", [], now + 1);
      await eventually(() => assertReplica(service, "cus_some", 2, []));
      assert.deepEqual(await service.putTimes("cus_none"), []);
      const { json } = await service.check("cus_none", "sms");
      assert.deepEqual([json.reason, json.served_by], ["not_entitled", "ledger"]);
      assert.equal(await send(service, "cus_none", ["sms"], now + 1), 2);
      await eventually(() => assertReplica(service, "cus_none", 2, ["sms"]));
    });
  });

  test("pending writes survive SIGKILL, are reported by /healthz, and are completed", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const running = await startWorkerProcess(folder, { faulty: true, failEachPut: "before", log: [] });
    try {
      for (const customer of ["cus_a", "cus_b", "cus_c"]) assert.equal(await send(running.service, customer, ["sms"]), 1);
      await eventually(async () => assert.equal((await running.service.health()).outbox.pending, 3));
    } finally {
      await killWorkerProcess(running);
    }

    const service = await serve({ folder, faulty: true, log: [] });
    try {
      const { status, outbox } = await service.health();
      assert.deepEqual([status, outbox.pending], ["degraded", 3]);
      await eventually(async () => assert.ok((await service.health()).outbox.oldest >= 3));
      await service.failEachPut(undefined);
      const recovered = Date.now();
      for (const customer of ["cus_a", "cus_b", "cus_c"]) {
        await eventually(() => assertReplica(service, customer, 1, ["sms"]), MAX_LAG - (Date.now() - recovered));
      }
      await eventually(async () => assert.equal((await service.health()).status, "ok"));
    } finally {
      await service.stop();
    }
  });
});
