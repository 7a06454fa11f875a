// The Worker is killed without warning: nothing that was acknowledged is lost.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, SseClient, versionMessage } from "./stream-clients.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

/** Takes customers' objects in a folder back to the form that they had at first. */
const FIRST_DAYS = `
import glob, sqlite3, sys
found = 0
for path in glob.glob(sys.argv[1] + "/durableObjects/**/*.sqlite", recursive=True):
    base = sqlite3.connect(path)
    if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'debts'").fetchone():
        base.executescript("""DROP TABLE account; DROP TABLE debts; DROP TABLE changes; CREATE TABLE outbox
            (task TEXT PRIMARY KEY, customer TEXT NOT NULL, failures INTEGER NOT NULL) WITHOUT ROWID;""")
        found += 1
    base.close()
assert found == 1, found
`;

test("what was acknowledged before SIGKILL is there after a restart", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const acknowledged = [];
    let running = await startWorkerProcess(folder);
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
        // An event that was under way at the kill may have been applied without being acknowledged.
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

test("a read of Stripe that SIGKILL cut off is begun again after a restart", { timeout: 60_000 }, async (t) => {
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
    assert.equal((await running.service.send(page(now))).status, 200);
    await stripe.waitForCalls(1, "cus_ada");
    // They go on coming, until nothing else is owed.
    for (let more = 1; Date.now() < (now + 4) * 1_000; more += 1) assert.equal((await running.service.send(page(now + more))).status, 200);
  } finally {
    await killWorkerProcess(running);
    release();
  }
  const reads = stripe.listCalls("cus_ada").length;
  const service = await serve({ folder, settings: stripe.settings });
  try {
    // Nobody asks: only the ledger itself can begin.
    await eventually(() => assert.ok(stripe.listCalls("cus_ada").length > reads));
  } finally {
    await service.stop();
  }
});

test("what an object of the first days kept is taken over with the next event", { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const first = await serve({ folder });
    const event = summary("cus_ada", ["sms"], { created: unixNow() - 9 });
    assert.equal((await first.send(event)).json.version, 1);
    await first.stop();
    // Then there was no `account` and no `changes`, and an `outbox` of another form.
    execFileSync("python3", ["-c", FIRST_DAYS, folder]);

    const service = await serve({ folder });
    try {
      const held = await service.check("cus_ada", "sms", { fresh: true });
      assert.deepEqual([held.json.entitled, held.json.version], [true, 1]);
      const listener = await SseClient.open(service, "cus_ada", { lastEventId: "0" });
      assert.deepEqual(await listener.receive(1), [versionMessage("cus_ada", 1)]);
      assert.equal((await service.send(event)).json.outcome, "duplicate");
      const next = await service.send(summary("cus_ada", ["sms", "sso"]));
      assert.deepEqual([next.status, next.json.outcome, next.json.version], [200, "applied", 2]);
      assert.deepEqual((await listener.receive(2))[1], changeMessage("cus_ada", 2, ["sso"]));
      await listener.close();
      await eventually(async () => assert.equal((await service.replicaRecord("cus_ada")).version, 2));
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
