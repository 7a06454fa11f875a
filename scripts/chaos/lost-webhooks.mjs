// The second part of the chaos test: half of all webhooks are never delivered, and the Worker is killed while it polls for events.
//
// Stripe is the fake of the tests: it has the state of each customer, and lists each event. Half of the events have no webhook. The
// others are sent until the response is a 200. After the last kill, the sets of all customers must be Stripe's within two polls. At
// the end every event is sent again: the ledgers must know it.
//
// Usage: node scripts/chaos/lost-webhooks.mjs [<seed>]. Prints a report, exits with 1 if an event is lost or a set is wrong.

import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fakeStripe } from "../../tests/worker/fake-stripe.mjs";
import { summary, unixNow } from "../../tests/worker/support.mjs";
import { killWorkerProcess, startWorkerProcess } from "../../tests/worker/worker-process.mjs";
import { mulberry32 } from "./plan.mjs";

const EVENTS = 600;
const SECONDS = 60;
const CUSTOMERS = 150;
const KILLS = 10;
const FEATURES = ["sms", "export", "sso", "audit_log", "api", "seats"];
/** Seconds between two polls. */
const INTERVAL = 30;

const seed = Number(process.argv[2] ?? randomInt(2 ** 32));
const random = mulberry32(seed);
const folder = mkdtempSync(`${tmpdir()}/entgate-chaos-`);
const stripe = await fakeStripe();
const options = {
  folder,
  log: [],
  settings: { ...stripe.settings, ENTGATE_EVENT_POLL: `${INTERVAL}`, ENTGATE_STRIPE_RATE: "100" },
};

let worker = await startWorkerProcess(folder, options);
process.on("exit", () => {
  // `kill` does not fail if the group is gone; `process.kill` throws.
  spawnSync("kill", ["-KILL", "--", `-${worker.child.pid}`]);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});

/** @type {ReturnType<typeof summary>[]} */
const events = [];
/** @type {string[]} */
const losses = [];
const counts = { delivered: 0, refused: 0 };

/** Sends an event until the response is a 200. @param {ReturnType<typeof summary>} event */
async function deliver(event) {
  for (;;) {
    const response = await worker.service.send(event).catch(() => undefined);
    if (response?.status === 200) return response.json.outcome;
    counts.refused += 1;
    await sleep(500 + random() * 1_000);
  }
}

async function changeRepeatedly() {
  /** @type {Promise<unknown>[]} */
  const deliveries = [];
  for (let number = 0; number < EVENTS; number += 1) {
    await sleep(Math.max(0, began + (number * SECONDS * 1_000) / EVENTS - performance.now()));
    const customer = `cus_${Math.floor(random() * CUSTOMERS)}`;
    const keys = FEATURES.filter(() => random() < 0.4);
    stripe.setEntitlements(customer, keys);
    const event = summary(customer, keys, { created: unixNow() });
    stripe.listEvent(event);
    events.push(event);
    if (random() < 0.5) continue;
    counts.delivered += 1;
    deliveries.push(deliver(event));
  }
  await Promise.all(deliveries);
}

async function killRepeatedly() {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await sleep(((0.5 + random()) * SECONDS * 1_000) / (KILLS + 1));
    await killWorkerProcess(worker);
    worker = await startWorkerProcess(folder, options);
    // A request makes sure that the alarm is set: a local server runs no cron trigger.
    await worker.service.health();
    console.log(`kill ${kill} at ${((performance.now() - began) / 1_000).toFixed(1)} s: ${events.length} events`);
  }
}

/** The customers whose sets are not Stripe's. */
async function wrongCustomers() {
  const wrong = [];
  for (const [customer, { entitlements }] of stripe.customers) {
    const { json } = await worker.service.request(`/v1/entitlements/active_entitlements?customer=${customer}&limit=100&fresh=true`);
    const keys = (/** @type {{ lookup_key: string }[]} */ list) => `${list?.map(({ lookup_key }) => lookup_key).sort()}`;
    if (keys(json.data) !== keys(entitlements)) wrong.push(customer);
  }
  return wrong;
}

const began = performance.now();
await Promise.all([changeRepeatedly(), killRepeatedly()]);
const ended = performance.now();
const calls = stripe.eventCalls().length;
/** Two polls begin within this time, and each of them ends. */
const limit = (2 * INTERVAL + 10) * 1_000;
let wrong = await wrongCustomers();
const wrongAtFirst = wrong.length;
while (wrong.length > 0 && performance.now() - ended < limit) {
  await sleep(250);
  wrong = await wrongCustomers();
}
const rightAfter = performance.now() - ended;
await sleep(Math.max(0, limit - rightAfter));
const { poll } = await worker.service.health();
for (const customer of wrong) losses.push(`${customer}: its set is not Stripe's`);
for (const event of events) {
  const outcome = await deliver(event);
  if (outcome !== "duplicate") losses.push(`${event.id}: the ledger did not know it, outcome ${outcome}`);
}
for (const line of losses.slice(0, 10)) console.log(line);
for (const [name, value] of Object.entries({
  seed,
  "events, of which with a webhook": `${events.length}, ${counts.delivered}`,
  "webhooks refused and sent again": counts.refused,
  kills: KILLS,
  "listings of events": `${stripe.eventCalls().length}, ${stripe.eventCalls().length - calls} after the last kill`,
  "wrong sets at the end of the load": wrongAtFirst,
  "every set is Stripe's": wrong.length ? "never" : `after ${(rightAfter / 1_000).toFixed(1)} s, with a poll every ${INTERVAL} s`,
  "poll in /healthz": JSON.stringify(poll),
})) {
  console.log(`${name.padEnd(36)}  ${value}`);
}
console.log(`${stripe.customers.size} customers checked, ${losses.length} lost`);
await killWorkerProcess(worker);
await stripe.stop();
process.exit(losses.length > 0 ? 1 : 0);
