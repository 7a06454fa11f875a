// The Worker is killed without warning: nothing that was acknowledged is lost.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { kill, start } from "./process.mjs";
import { standIn } from "./stripe.mjs";
import { eventually, seconds, serve, summary } from "./support.mjs";

test("what was acknowledged before SIGKILL is there after a restart", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const acknowledged = [];
    let running = await start(folder);
    // Three senders at once; the kill comes while their next events are on the way.
    let sent = 0;
    let killed = false;
    const sender = async () => {
      while (!killed) {
        const number = (sent += 1);
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
          await kill(running);
        }
      }
    };
    await Promise.all([sender(), sender(), sender()]);
    assert.ok(acknowledged.length >= 100);

    running = await start(folder);
    try {
      const newest = new Map();
      for (const event of acknowledged) {
        if (!(newest.get(event.customer)?.number > event.number)) newest.set(event.customer, event);
      }
      for (const { customer, feature, number } of newest.values()) {
        const { json } = await running.service.check(customer, feature, { fresh: true });
        // An event that was under way at the kill may have been applied without being acknowledged.
        const superseded = json.as_of > 1_700_000_000 + number;
        assert.ok(json.entitled || superseded, `${customer} lost ${feature}: ${JSON.stringify(json)}`);
      }
    } finally {
      await kill(running);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a read of Stripe that SIGKILL cut off is begun again after a restart", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const stripe = await standIn();
  t.after(async () => {
    await stripe.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  stripe.holds("cus_ada", ["sms", "sso"]);
  const release = stripe.hold("cus_ada");
  const running = await start(folder, { settings: stripe.settings });
  try {
    const page = (created) => summary("cus_ada", ["sms"], { created, hasMore: true });
    const now = seconds();
    assert.equal((await running.service.send(page(now))).status, 200);
    await stripe.arrived(1, "cus_ada");
    // They go on coming, until nothing else is owed.
    for (let more = 1; Date.now() < (now + 4) * 1_000; more += 1) assert.equal((await running.service.send(page(now + more))).status, 200);
  } finally {
    await kill(running);
    release();
  }
  const reads = stripe.lists("cus_ada").length;
  const service = await serve({ folder, settings: stripe.settings });
  try {
    // Nobody asks: only the ledger itself can begin.
    await eventually(() => assert.ok(stripe.lists("cus_ada").length > reads));
  } finally {
    await service.stop();
  }
});
