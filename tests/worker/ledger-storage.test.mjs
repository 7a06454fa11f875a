// The statements that a ledger runs for an event, and how often it sets its alarm.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, serve, summary, unixNow } from "./support.mjs";

const STATEMENT = /^(SELECT|CREATE (?:TABLE|INDEX) IF NOT EXISTS|INSERT OR \w+ INTO|INSERT INTO|DELETE FROM|UPDATE) (?:.* FROM )?(\w+)/s;

/** The first words of each statement, up to the name of its table. @param {string[]} calls */
const shortened = (calls) => calls.map((call) => STATEMENT.exec(call)?.slice(1).join(" ") ?? call);

/**
 * What the ledger of a customer has called once it has called `last` so many times.
 *
 * @param {import("./support.mjs").Service} service
 * @param {string} customer
 * @param {string} last
 * @param {number} times
 */
async function callsUntil(service, customer, last, times) {
  /** @type {string[]} */
  const calls = [];
  await eventually(async () => {
    calls.push(...shortened(await service.storageCalls(customer)));
    assert.equal(calls.filter((call) => call === last).length, times, calls.join("\n"));
  });
  return calls;
}

/** The statements of an event that changes the set, until the write of the replica is complete. */
const CHANGE = [
  "SELECT events",
  "transactionSync",
  "INSERT OR REPLACE INTO state",
  "INSERT OR REPLACE INTO events",
  "INSERT OR REPLACE INTO history",
  // The alarm writes the replica if the ledger stops here.
  "setAlarm",
  "UPDATE state",
  "deleteAlarm",
];

test("a ledger runs five statements for an event that changes something, and one for a duplicate", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const now = unixNow() - 100;
  const second = summary("cus_ada", ["sms"], { created: now + 1 });
  let service = await serve({ folder, storageCalls: true });
  try {
    assert.equal((await service.send(summary("cus_ada", ["sms", "sso"], { created: now }))).json.version, 1);
    // The second and the third update store that a report was sent to the customer index, and that it was received.
    const first = await callsUntil(service, "cus_ada", "UPDATE state", 3);
    assert.deepEqual(
      first.filter((call) => !call.endsWith("Alarm")),
      [
        "SELECT sqlite_master",
        "transactionSync",
        ...["state", "record_chunks", "events", "history", "overrides"].map((table) => `CREATE TABLE IF NOT EXISTS ${table}`),
        "CREATE INDEX IF NOT EXISTS overrides_by_key",
        "CREATE TABLE IF NOT EXISTS schema",
        "INSERT OR IGNORE INTO schema",
        "INSERT OR REPLACE INTO state",
        "INSERT OR REPLACE INTO events",
        "INSERT OR REPLACE INTO history",
        "UPDATE state",
        "UPDATE state",
        "UPDATE state",
      ],
    );

    // The replica is written once in 1.5 s. After that, the event itself may write it.
    await sleep(1_600);
    assert.equal((await service.send(second)).json.version, 2);
    assert.deepEqual(await callsUntil(service, "cus_ada", "deleteAlarm", 1), CHANGE);
    assert.equal((await service.send(second)).json.outcome, "duplicate");
    assert.deepEqual(shortened(await service.storageCalls("cus_ada")), ["SELECT events"]);
    assert.equal((await service.send(summary("cus_ada", ["sms"], { created: now + 2 }))).json.outcome, "unchanged");
    assert.deepEqual(shortened(await service.storageCalls("cus_ada")), [
      "SELECT events",
      "transactionSync",
      "INSERT OR REPLACE INTO state",
      "INSERT OR REPLACE INTO events",
    ]);
  } finally {
    await service.stop();
  }

  // An object that has left memory reads the stamp of its tables, and the row of state.
  service = await serve({ folder, storageCalls: true });
  try {
    assert.equal((await service.send(second)).json.outcome, "duplicate");
    const reads = ["SELECT sqlite_master", "SELECT schema", "SELECT state", "SELECT events"];
    assert.deepEqual(shortened(await service.storageCalls("cus_ada")), reads);
  } finally {
    await service.stop();
  }
});
