// The Worker is killed or stopped and started again on the same storage: nothing that was acknowledged is lost.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, SseClient, versionMessage } from "./stream-clients.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

test("events that were acknowledged before SIGKILL are stored after a restart", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    /** @type {{ customer: string, feature: string, number: number }[]} */
    const acknowledged = [];
    let running = await startWorkerProcess(folder);
    // Three senders at once. The Worker is killed while their next events are in flight.
    let sent = 0;
    let killed = false;
    const sender = async () => {
      while (!killed) {
        sent += 1;
        const number = sent;
        const customer = `cus_${number % 40}`;
        const event = summary(customer, [`f${number}`], { created: 1_700_000_000 + number });
        try {
          const { status } = await running.service.send(event);
          if (status === 200) acknowledged.push({ customer, feature: `f${number}`, number });
        } catch {
          return;
        }
        if (acknowledged.length >= 100 && !killed) {
          killed = true;
          await killWorkerProcess(running);
        }
      }
    };
    await Promise.all([sender(), sender(), sender()]);
    assert.ok(acknowledged.length >= 100);

    running = await startWorkerProcess(folder);
    try {
      const newest = new Map();
      for (const event of acknowledged) {
        if (!(newest.get(event.customer)?.number > event.number)) newest.set(event.customer, event);
      }
      for (const { customer, feature, number } of newest.values()) {
        const { json } = await running.service.check(customer, feature, { fresh: true });
        // An event in flight may have been applied without being acknowledged.
        const superseded = json.as_of > 1_700_000_000 + number;
        assert.ok(json.entitled || superseded, `${customer} lost ${feature}: ${JSON.stringify(json)}`);
      }
    } finally {
      await killWorkerProcess(running);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a read at Stripe that SIGKILL interrupted starts again after a restart", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const stripe = await fakeStripe();
  t.after(async () => {
    await stripe.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  stripe.setEntitlements("cus_ada", ["sms", "sso"]);
  const release = stripe.delayResponses("cus_ada");
  const running = await startWorkerProcess(folder, { settings: stripe.settings });
  try {
    const page = (created) => summary("cus_ada", ["sms"], { created, hasMore: true });
    const now = unixNow();
    // There may be a thousand of them, and none is of the future.
    const first = now - 10_000;
    assert.equal((await running.service.send(page(first))).status, 200);
    await stripe.waitForCalls(1, "cus_ada");
    // Events keep arriving until the read is the only pending task.
    for (let more = 1; Date.now() < (now + 4) * 1_000; more += 1)
      assert.equal((await running.service.send(page(first + more))).status, 200);
  } finally {
    await killWorkerProcess(running);
    release();
  }
  const reads = stripe.listCalls("cus_ada").length;
  const service = await serve({ folder, settings: stripe.settings });
  try {
    // No request arrives, so only the ledger's alarm can start the read.
    await eventually(() => assert.ok(stripe.listCalls("cus_ada").length > reads));
  } finally {
    await service.stop();
  }
});

test("a ledger keeps its set, its event ids and its stream history across a restart", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const first = await serve({ folder });
    const event = summary("cus_ada", ["sms"], { created: unixNow() - 9 });
    assert.equal((await first.send(event)).json.version, 1);
    await first.stop();

    const service = await serve({ folder });
    try {
      const { json } = await service.check("cus_ada", "sms", { fresh: true });
      assert.deepEqual([json.entitled, json.version], [true, 1]);
      const client = await SseClient.open(service, "cus_ada", { lastEventId: "0" });
      assert.deepEqual(await client.receive(2), [changeMessage("cus_ada", 1, ["sms"]), versionMessage("cus_ada", 1)]);
      assert.equal((await service.send(event)).json.outcome, "duplicate");
      const next = await service.send(summary("cus_ada", ["sms", "sso"]));
      assert.deepEqual([next.status, next.json.outcome, next.json.version], [200, "applied", 2]);
      assert.deepEqual((await client.receive(3))[2], changeMessage("cus_ada", 2, ["sso"]));
      await client.close();
      await eventually(async () => assert.equal((await service.replicaRecord("cus_ada")).version, 2));
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
