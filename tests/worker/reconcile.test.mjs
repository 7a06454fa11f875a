// The sweep of the coordinator: where no poll runs, it reads sets that were not confirmed for a day, as the budget allows.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary } from "./support.mjs";

/** Longer than a sweep and the pause before the next one. */
const PATIENCE = 40_000;

describe("the sweep", { concurrency: true, timeout: 90_000 }, () => {
  test("once a deployment has a key for Stripe, older sets are read, in batches of twenty", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const stripe = await fakeStripe();
    t.after(async () => {
      await stripe.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const customers = Array.from({ length: 25 }, (_, i) => `cus_${i}`);

    const keyless = await serve({ folder, log: [] });
    try {
      for (const customer of customers) {
        assert.equal((await keyless.send(summary(customer, ["old"]))).status, 200);
        stripe.setEntitlements(customer, ["new"]);
      }
      // The ledgers report to the customer index a second later.
      const known = async () => (await keyless.request("/v1/sync_status?limit=100")).json.data.length;
      await eventually(async () => assert.equal(await known(), 25));
      assert.equal((await keyless.runCron()).outcome, "ok");
    } finally {
      await keyless.stop();
    }
    assert.deepEqual(stripe.calls, []);

    const log = [];
    const service = await serve({ folder, settings: stripe.settings, log });
    try {
      const { json } = await service.check("cus_0", "old");
      assert.deepEqual([json.entitled, json.version], [true, 1], "the replica answers");
      // The settings have changed, so the coordinator works at once. The cron trigger only sets its alarm.
      assert.equal((await service.runCron()).outcome, "ok");
      await eventually(async () => {
        for (const customer of customers) {
          const { json } = await service.check(customer, "new", { fresh: true });
          assert.deepEqual([json.entitled, json.version], [true, 2], customer);
        }
      }, PATIENCE);
      for (const customer of customers) assert.equal(stripe.listCalls(customer).length, 1, `${customer} is read once`);
      // A denial asks whether the feature exists.
      const others = stripe.calls.filter(({ path }) => path !== "/v1/entitlements/features");
      assert.equal(others.length, 25, "and nothing else is read");
      await eventually(() => {
        const drift = log.filter((line) =>
          /^\{"message":"drift","customer":"test:cus_\d+","missing":1,"extra":1,"version":2\}$/.test(line),
        );
        assert.equal(drift.length, 25);
        const runs = log.filter((line) => line.startsWith("sweep: "));
        assert.deepEqual(runs, [
          "sweep: 20 sets that were not confirmed for a day were read; 0 could not be read",
          "sweep: 5 sets that were not confirmed for a day were read; 0 could not be read",
        ]);
      });
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
    await eventually(async () => assert.equal((await keyless.request("/v1/sync_status")).json.data.length, 3));
    await keyless.stop();

    stripe.failAlways({ status: 500 }, "cus_b");
    const service = await serve({ folder, settings: stripe.settings, log: [] });
    try {
      const hasNewSet = async (customer) => (await service.check(customer, "new", { fresh: true })).json.entitled;
      await eventually(async () => assert.deepEqual(await Promise.all(customers.map(hasNewSet)), [true, false, true]), PATIENCE);
      await eventually(async () => assert.equal((await service.health()).outbox.pending, 1));
      stripe.failAlways(undefined, "cus_b");
      await eventually(async () => assert.equal(await hasNewSet("cus_b"), true), PATIENCE);
      await eventually(async () => assert.equal((await service.health()).status, "ok"));
    } finally {
      await service.stop();
    }
  });
});
