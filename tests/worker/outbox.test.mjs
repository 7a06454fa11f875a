// KV fails: nothing that an event told is lost or answered stale, and the replica has it once KV is back.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

/** How long the replica may lag after KV is back, in milliseconds. */
const LAG = 10_000;

/** Sends an event, and answers the version since. */
async function send(service, customer, keys, created) {
  const { status, json } = await service.send(summary(customer, keys, { created }));
  assert.equal(status, 200, JSON.stringify(json));
  return json.version;
}

/** Asserts what the replica holds: a version and its lookup keys. */
async function assertCopy(service, customer, version, keys) {
  const copy = await service.replicaRecord(customer);
  assert.deepEqual([copy?.version, copy?.keys], [version, keys]);
}

/** Sends changes while checks go on, none of which may be older than what was acknowledged before it. */
async function assertNeverStale(service, customers, rounds) {
  const now = unixNow();
  await Promise.all(
    customers.map(async (customer) => {
      for (let round = 1; round <= rounds; round += 1) {
        const version = await send(service, customer, [`f${round}`], now + round);
        assert.equal(version, round);
        for (const [feature, entitled] of [
          [`f${round}`, true],
          [`f${round - 1}`, false],
        ]) {
          const { status, json } = await service.check(customer, feature, { at_least: version });
          assert.deepEqual([status, json.entitled, json.version], [200, entitled, version]);
        }
      }
    }),
  );
}

/** Asserts that puts came no faster than one a second, and answers how many there were. */
async function assertOnceASecond(service, customer) {
  const puts = await service.putTimes(customer);
  // Over all of them: between two, a busy machine may hold the first one up. tests/it/account has the exact pauses.
  const took = puts.at(-1) - puts[0];
  assert.ok(took >= (puts.length - 1.5) * 1_000, `${puts.length} puts in ${took} ms`);
  return puts.length;
}

/** What becomes of the puts that fail. */
const FAULTS = Object.entries({ before: "are not done", after: "are done all the same", late: "are done late" });

/** Ends the failures, and waits until the replica holds the truth and nothing is owed: by the time that may take. */
async function assertRecovers(service, sets) {
  await service.failEachPut(undefined);
  const recovered = Date.now();
  const left = () => LAG - (Date.now() - recovered);
  const count = async (kind) => (await Promise.all(sets.map(([customer]) => service.putTimes(customer, kind)))).flat().length;
  await eventually(async () => assert.equal(await count("landed"), await count("late")), left());
  for (const set of sets) await eventually(() => assertCopy(service, ...set), left());
  await eventually(async () => {
    const { status, outbox } = await service.health();
    assert.deepEqual([status, outbox], ["ok", { pending: 0, oldest: null }]);
  });
  for (const [customer] of sets) await assertOnceASecond(service, customer);
}

describe("what is owed to KV", { concurrency: true, timeout: 60_000 }, () => {
  describe("the replica has what was acknowledged ten seconds after KV is back", () => {
    for (const [fault, done] of FAULTS) {
      test(`when every third put failed, and those ${done}`, async (t) => {
        const service = await serve({ faulty: true, log: [] });
        t.after(() => service.stop());
        await service.failEachPut(fault, 3);
        const customers = Array.from({ length: 6 }, (_, i) => `cus_${i}`);
        await assertNeverStale(service, customers, 5);
        // The third at the latest fails, and each of the six has one.
        await eventually(async () =>
          assert.ok((await Promise.all(customers.map((customer) => service.putTimes(customer)))).flat().length > 6),
        );
        await assertRecovers(
          service,
          customers.map((customer) => [customer, 5, ["f5"]]),
        );
      });

      test(`when all puts failed for a while, and those ${done}, as /healthz tells meanwhile`, async (t) => {
        const service = await serve({ faulty: true, log: [] });
        t.after(() => service.stop());
        assert.equal((await service.health()).status, "ok");
        await service.failEachPut(fault);
        await assertNeverStale(service, ["cus_a", "cus_b"], 4);
        await eventually(async () => {
          const { status, outbox, message } = await service.health();
          assert.deepEqual([status, outbox.pending, outbox.oldest >= 2, message], ["degraded", 2, true, undefined]);
        });
        // One more change, and KV is back just after a failure.
        assert.equal(await send(service, "cus_a", ["f9"], unixNow() + 60), 5);
        const puts = (await service.putTimes("cus_a")).length;
        await eventually(async () => assert.ok((await service.putTimes("cus_a")).length > puts));
        await assertRecovers(service, [
          ["cus_a", 5, ["f9"]],
          ["cus_b", 4, ["f4"]],
        ]);
      });
    }

    test("when a put was slow, for which the event does not wait", async (t) => {
      const service = await serve({ faulty: true, log: [] });
      t.after(() => service.stop());
      await service.failPuts("slow");
      const now = unixNow();
      const first = send(service, "cus_slow", ["f1"], now);
      await eventually(async () => assert.equal((await service.putTimes("cus_slow")).length, 1));
      const second = send(service, "cus_slow", ["f2"], now + 1);
      await eventually(async () => assert.equal((await service.check("cus_slow", "f2", { at_least: 2 })).json.entitled, true));
      assert.deepEqual(await Promise.all([first, second]), [1, 2]);
      assert.equal(await service.replicaRecord("cus_slow"), null, "the put goes on");
      await assertRecovers(service, [["cus_slow", 2, ["f2"]]]);
    });
  });

  describe("the replica is written", () => {
    let service;
    before(async () => (service = await serve({ faulty: true, log: [] })));
    after(() => service.stop());

    test("once a second at most, however fast events come in, and holds the last", async () => {
      const now = unixNow();
      const began = Date.now();
      let version = 0;
      while (version < 20 || Date.now() - began < 3_000) version = await send(service, "cus_busy", [`f${version}`], now + version);
      await eventually(() => assertCopy(service, "cus_busy", version, [`f${version - 1}`]));
      const took = (Date.now() - began) / 1_000;
      const puts = await assertOnceASecond(service, "cus_busy");
      assert.ok(puts >= 3 && puts <= took + 1, `${puts} puts in ${took} s`);
    });

    test("not at all if the set did not change", async () => {
      const now = unixNow();
      assert.equal(await send(service, "cus_same", ["sms"], now), 1);
      await eventually(() => assertCopy(service, "cus_same", 1, ["sms"]));
      for (const more of [1, 2, 3]) assert.equal(await send(service, "cus_same", ["sms"], now + more), 1);
      // A set that changed twice within a second is written a second time by the alarm: after what would be owed here.
      await send(service, "cus_other", ["sms"], now);
      await send(service, "cus_other", [], now + 1);
      await eventually(() => assertCopy(service, "cus_other", 2, []));
      assert.equal((await service.putTimes("cus_same")).length, 1);
    });

    test("not at all while all that is known is that a customer holds nothing", async () => {
      const now = unixNow();
      assert.equal(await send(service, "cus_none", [], now), 1);
      await send(service, "cus_some", ["sms"], now);
      await send(service, "cus_some", [], now + 1);
      await eventually(() => assertCopy(service, "cus_some", 2, []));
      assert.deepEqual(await service.putTimes("cus_none"), []);
      const { json } = await service.check("cus_none", "sms");
      assert.deepEqual([json.reason, json.served_by], ["not_entitled", "ledger"]);
      assert.equal(await send(service, "cus_none", ["sms"], now + 1), 2);
      await eventually(() => assertCopy(service, "cus_none", 2, ["sms"]));
    });
  });

  test("what is owed survives SIGKILL, is told by /healthz, and is paid", async (t) => {
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
        await eventually(() => assertCopy(service, customer, 1, ["sms"]), LAG - (Date.now() - recovered));
      }
      await eventually(async () => assert.equal((await service.health()).status, "ok"));
    } finally {
      await service.stop();
    }
  });
});
