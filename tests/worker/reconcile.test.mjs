// The cron trigger: it reconciles sets that were not confirmed for a day, twenty in a run.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary } from "./support.mjs";

describe("the cron trigger", { concurrency: true, timeout: 60_000 }, () => {
  test("once a deployment has a key for Stripe, each run reconciles twenty older sets", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const stripe = await fakeStripe();
    t.after(async () => {
      await stripe.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const customers = Array.from({ length: 25 }, (_, i) => `cus_${i}`);

    const keyless = await serve({ folder, faulty: true, log: [] });
    try {
      for (const customer of customers) {
        assert.equal((await keyless.send(summary(customer, ["old"]))).status, 200);
        stripe.setEntitlements(customer, ["new"]);
      }
      // The ledgers report to the customer index a second later, this one after the others.
      await keyless.failEachPut("before");
      await keyless.send(summary("cus_last", ["old"]));
      await eventually(async () => assert.equal((await keyless.health()).outbox.pending, 1));
      await keyless.failEachPut(undefined);
      await eventually(async () => assert.equal((await keyless.health()).status, "ok"));
      assert.equal((await keyless.runCron()).outcome, "ok");
    } finally {
      await keyless.stop();
    }
    assert.deepEqual(stripe.calls, []);

    const log = [];
    const service = await serve({ folder, faulty: true, settings: stripe.settings, log });
    try {
      stripe.setEntitlements("cus_last", ["old"]);
      const customersRead = () => new Set(stripe.calls.map(({ query }) => query.get("customer"))).size;
      const { json } = await service.check("cus_0", "old");
      assert.deepEqual([json.entitled, json.version], [true, 1], "no list is read before the cron trigger");
      assert.equal((await service.runCron()).outcome, "ok");
      await eventually(() => assert.equal(customersRead(), 20));
      assert.equal((await service.runCron()).outcome, "ok");
      await eventually(() => assert.equal(customersRead(), 26));
      assert.equal(stripe.calls.length, 26);
      for (const customer of customers) {
        const { json } = await service.check(customer, "new", { fresh: true });
        assert.deepEqual([json.entitled, json.version], [true, 2], customer);
      }
      assert.equal((await service.check("cus_last", "old", { fresh: true })).json.version, 1);
      const drift = log.filter((line) => /^drift: test:cus_\d+ lacked 1 and had 1 too many /.test(line));
      assert.equal(drift.length, 25);
      const runs = log.filter((line) => line.startsWith("reconcile: "));
      assert.match(runs[0], /^reconcile: 20 sets confirmed, (19|20) of them had drifted; 0 could not be read$/);
      assert.match(runs[1], /^reconcile: 6 sets confirmed, [56] of them had drifted; 0 could not be read$/);

      assert.equal((await service.runCron()).outcome, "ok");
      assert.equal(stripe.calls.length, 26, "a confirmed set is not read again for a day");
      await eventually(async () => assert.deepEqual((await service.replicaRecord("cus_0")).keys, ["new"]));
    } finally {
      await service.stop();
    }
  });

  test("a set that cannot be read does not delay the others, and is read later", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const stripe = await fakeStripe();
    t.after(async () => {
      await stripe.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const customers = ["cus_a", "cus_b", "cus_c"];
    const keyless = await serve({ folder, log: [] });
    for (const customer of customers) {
      await keyless.send(summary(customer, ["old"]));
      stripe.setEntitlements(customer, ["new"]);
    }
    await keyless.stop();

    stripe.failAlways({ status: 500 }, "cus_b");
    const service = await serve({ folder, settings: stripe.settings, log: [] });
    try {
      const hasNewSet = async (customer) => (await service.check(customer, "new", { fresh: true })).json.entitled;
      // Reports that were pending when the Worker stopped are sent after the restart.
      await eventually(async () => {
        await service.runCron();
        assert.deepEqual(await Promise.all(customers.map(hasNewSet)), [true, false, true]);
      });
      await stripe.waitForCalls(3, "cus_b");
      await eventually(async () => assert.equal((await service.health()).outbox.pending, 1));
      stripe.failAlways(undefined, "cus_b");
      await eventually(async () => assert.equal(await hasNewSet("cus_b"), true));
      await eventually(async () => assert.equal((await service.health()).status, "ok"));
    } finally {
      await service.stop();
    }
  });
});
