// Workloads that store an event: in a ledger object, or in KV only.
//
// | workload                   | each event is about a customer                                                         |
// |----------------------------|----------------------------------------------------------------------------------------|
// | webhook, new customer      | without earlier events; includes the report to the customer index one second later     |
// | webhook, evicted object    | whose object has left memory, as it does ten seconds after its last event              |
// | webhook, object in memory  | with an event two seconds ago                                                          |
// | webhook, by component      | the same, for a ledger in JavaScript that has one more component each time             |
//
// Accepts the running Workers, reports the samples of each workload. Not here: the ledger in JavaScript (baselines/ledger.mjs).

import { setTimeout as sleep } from "node:timers/promises";
import { ACTIVITY_DELAY, EVICTION_DELAY, INDEX_REPORT_DELAY, REPLICA_WRITE_DELAY } from "./delays.mjs";
import { cpuPerRequest, measureInterleaved } from "./interleave.mjs";
import { webhookPerCustomer } from "./workloads.mjs";

/** @typedef {import("./workerd.mjs").RunningWorker} RunningWorker */

const ROUNDS = Number(process.env.EVENT_ROUNDS ?? 5);
const EVENTS = Number(process.env.EVENTS ?? 150);

/** The rounds of a workload that are not measured. */
const WARM_UP = 1;

/** Components of the ledger in JavaScript: the table label, and the name in its setting `COMPONENTS`. */
const COMPONENTS = [
  ["tables", "tables"],
  ["replica write", "replica"],
  ["alarm", "alarm"],
  ["changes", "changes"],
  ["customer index", "customer_index"],
  ["limits and log", "limits"],
];

/** @param {number} count */
const firstComponents = (count) =>
  COMPONENTS.slice(0, count)
    .map(([, name]) => name)
    .join();

/** The setting `COMPONENTS` of the complete ledger in JavaScript. */
export const ALL_COMPONENTS = firstComponents(COMPONENTS.length);

/**
 * The setting `COMPONENTS` by Worker name: each Worker has one more component than the one before it.
 *
 * @type {Record<string, string>}
 */
export const COMPONENTS_BY_WORKER = Object.fromEntries([
  ["object call only", ""],
  ...COMPONENTS.map(([label], index) => [`+ ${label}`, firstComponents(index + 1)]),
]);

/**
 * Measures each workload and passes its samples to `record`. Sends `warmUp` events to each Worker before: V8 recompiles frequently
 * executed functions in background threads.
 *
 * @param {Record<string, RunningWorker>} running Workers by name.
 * @param {string[]} names The Workers of the first three workloads.
 * @param {(workload: string, names: string[], samples: number[][]) => void} record
 * @param {number} warmUp
 */
export async function runLedgerWorkloads(running, names, record, warmUp) {
  for (let sent = 0; sent < warmUp; sent += EVENTS) {
    await Promise.all(names.map((name) => cpuPerRequest(running[name], webhookPerCustomer("warm_up", EVENTS), 200, REPLICA_WRITE_DELAY)));
  }
  /**
   * @param {number} backgroundTime
   * @param {string} group
   */
  const measureOnce = (backgroundTime, group) => (/** @type {string} */ name, /** @type {number} */ round) =>
    cpuPerRequest(running[name], webhookPerCustomer(`${group}_${round}`, EVENTS), 200, backgroundTime);
  /** @param {string} group */
  const measureInMemory = (group) => async (/** @type {string} */ name, /** @type {number} */ round) => {
    await measureOnce(REPLICA_WRITE_DELAY, group)(name, round);
    return measureOnce(ACTIVITY_DELAY, group)(name, round);
  };
  record("webhook, new customer", names, await measureInterleaved(names, ROUNDS, measureOnce(INDEX_REPORT_DELAY, "stored"), WARM_UP));
  await sleep(EVICTION_DELAY);
  record("webhook, evicted object", names, await measureInterleaved(names, ROUNDS, measureOnce(ACTIVITY_DELAY, "stored"), WARM_UP));
  record("webhook, object in memory", names, await measureInterleaved(names, ROUNDS, measureInMemory("stored"), WARM_UP));
  const growing = Object.keys(COMPONENTS_BY_WORKER);
  record("webhook, by component", growing, await measureInterleaved(growing, ROUNDS, measureInMemory("components"), WARM_UP));
}
