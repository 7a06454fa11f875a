// Chaos test: kills the Worker at random times while webhook events arrive, then looks for lost events.
//
// Sends events at a fixed rate, also while the Worker is down. Retries an event until the response is a 200, as Stripe does. An
// acknowledged event is sent again only as a deliberate duplicate, whose outcome must be `duplicate`. Each event grants a feature with
// its own name and is newer than the event before it. So the entitlements of a customer show which events were applied.
//
// Prints a report, exits with 1 if an event or a replica write is lost. Not here: a power cut, which also loses the operating
// system's unwritten pages; the options and the plan, which are in chaos/plan.mjs.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Service, summary } from "../tests/worker/support.mjs";
import { createPlan, FIRST_CREATED, readOptions } from "./chaos/plan.mjs";

/** Concurrent deliveries. workerd closes a connection that it does not read for 5 s. */
const MAX_IN_FLIGHT = 100;
/** The run ends if no event is acknowledged for this time, in milliseconds. */
const STALL_TIMEOUT = 30_000;
/** Maximum replica lag after the last acknowledgement, in milliseconds. */
const MAX_REPLICA_LAG = 20_000;
/** Findings printed per kind. */
const MAX_PRINTED = 10;

/** @typedef {import("./chaos/plan.mjs").PlannedEvent} PlannedEvent */
/** @typedef {{ number: number, version: number }} Newest */
/** @typedef {Newest & { repeated: boolean }} StateAtSend */

const options = readOptions();
const { events, uptimes } = createPlan(options);
/**
 * Returns the JSON of a GET. Retries once, because a restarted Worker may have just closed the pooled connection.
 *
 * @param {string} path
 */
const getJson = async (path) => (await service.request(path).catch(() => service.request(path))).json;
/** @param {number} milliseconds */
const formatSeconds = (milliseconds) => `${(milliseconds / 1_000).toFixed(1)} s`;

/**
 * By customer: the highest number of an acknowledged event, and the highest version in a response.
 *
 * @type {Map<string, Newest>}
 */
const newestByCustomer = new Map();
/**
 * In the order of acknowledgement.
 *
 * @type {PlannedEvent[]}
 */
const acknowledged = [];
/** @type {string[]} */
const losses = [];
/** @type {string[]} */
const laggards = [];
/** @type {string[]} */
const failures = [];
/** @type {number[]} */
const restartTimes = [];
/** @type {number[]} */
const latencies = [];
/** @type {Promise<void>[]} */
const deliveries = [];
/** @type {(() => void)[]} */
const waiters = [];
const counts = { retries: 0, appliedWithoutResponse: 0, audited: 0 };
let inFlight = 0;

const folder = mkdtempSync(`${tmpdir()}/entgate-chaos-`);
/**
 * The leader of the Worker's process group.
 *
 * @type {import("node:child_process").ChildProcessByStdio<null, import("node:stream").Readable, import("node:stream").Readable>}
 */
let child;
/**
 * The client of the last Worker that started.
 *
 * @type {Service}
 */
let service;
/** Whether the Worker is running. */
let isUp = false;
process.on("exit", (code) => {
  // `kill` does not fail if the group is gone; `process.kill` throws.
  if (child) spawnSync("kill", ["-KILL", "--", `-${child.pid}`]);
  if (code === 1 && acknowledged.length > 0) console.error(`the Worker's storage is kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.prependOnceListener(signal, () => process.exit(130));

console.log(
  Object.entries(options)
    .map(([name, value]) => `--${name} ${value}`)
    .join(" "),
);
await start();
const began = performance.now();
await Promise.all([sendAll(), killRepeatedly()]);
await Promise.race([Promise.all(deliveries), waitUntilStalled()]);
const ended = performance.now();
const replicaStatus = await watchReplica();
await forEachParallel([...newestByCustomer], verifyLedger);
// Every acknowledged event must be a duplicate when it is sent again.
await forEachParallel([...acknowledged], deliver);
await report();
await kill();
process.exit(losses.length + laggards.length > 0 ? 1 : 0);

/** Starts Node and workerd in a separate process group, on the storage in `folder`. */
async function start() {
  const script = fileURLToPath(new URL("../tests/worker/serve-until-killed.mjs", import.meta.url));
  // A killed workerd leaves temporary files. They are removed with the folder.
  const env = { ...process.env, TMPDIR: folder };
  child = spawn(process.execPath, [script, folder], { detached: true, env, stdio: ["ignore", "pipe", "pipe"] });
  // workerd logs a line for each alarm that a kill interrupted.
  createInterface({ input: child.stderr }).on("line", (line) => line.includes("NOSENTRY SQLite alarm") || console.error(line));
  /** @type {string} */
  const url = await new Promise((resolve, reject) => {
    child.once("exit", () => {
      if (isUp) throw new Error("the Worker exited unexpectedly");
      reject(new Error("the Worker did not start"));
    });
    createInterface({ input: child.stdout }).on("line", (line) => line.startsWith("http://") && resolve(line));
  });
  service = new Service(undefined, new URL(url));
  isUp = true;
}

/** Kills every process of the group at once. */
async function kill() {
  isUp = false;
  process.kill(-Number(child.pid), "SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
}

async function killRepeatedly() {
  for (const uptime of uptimes) {
    await sleep(uptime);
    const killed = performance.now();
    await kill();
    await start();
    const restartTime = performance.now() - killed;
    restartTimes.push(restartTime);
    const prefix = `kill ${restartTimes.length} at ${formatSeconds(killed - began)}, restarted after ${formatSeconds(restartTime)}`;
    console.log(`${prefix}: ${acknowledged.length} events acknowledged, ${counts.retries} retries`);
    // No requests for the ledgers after the last kill: the replica must catch up without them.
    if (restartTimes.length < uptimes.length) auditLedgers().catch(() => {});
  }
}

async function sendAll() {
  for (const event of events) {
    await sleep(Math.max(0, began + (event.number * 1_000) / options.rate - performance.now()));
    deliveries.push(sleep(event.delay).then(() => deliver(event)));
    if (event.duplicate === undefined) continue;
    const earlier = acknowledged[Math.floor(event.duplicate * acknowledged.length)];
    if (earlier) deliveries.push(deliver(earlier));
  }
}

async function waitUntilStalled() {
  for (let previous = -1; previous < acknowledged.length; await sleep(STALL_TIMEOUT)) previous = acknowledged.length;
}

/**
 * Delivers an event until the response is a 200.
 *
 * @param {PlannedEvent} event
 */
async function deliver(event) {
  for (let attempts = 0; !(await attemptDelivery(event)); attempts += 1) {
    counts.retries += 1;
    await sleep(Math.min(1_000 * 1.5 ** attempts, 5_000) * (1 + event.jitter));
  }
}

/**
 * Makes one attempt and returns whether the event was acknowledged.
 *
 * @param {PlannedEvent} event
 */
async function attemptDelivery(event) {
  if (inFlight === MAX_IN_FLIGHT) await new Promise((resolve) => waiters.push(() => resolve(undefined)));
  else inFlight += 1;
  const before = { repeated: event.acknowledged, ...(newestByCustomer.get(event.customer) ?? { number: -1, version: 0 }) };
  const [target, sent] = [service, performance.now()];
  event.body ??= JSON.stringify(summary(event.customer, event.keys, { id: `evt_${event.number}`, created: FIRST_CREATED + event.number }));
  const response = await target.send(event.body).catch((error) => ({
    status: undefined,
    text: error.cause?.code ?? error.message,
    json: undefined,
  }));
  const next = waiters.shift();
  if (next) next();
  else inFlight -= 1;
  if (response.status === 200) acknowledge(event, before, response.json, performance.now() - sent);
  else if (isUp && target === service) failures.push(`${response.status ?? "no response"}: ${response.text}`);
  return response.status === 200;
}

/**
 * Records an acknowledgement. Compares it with the acknowledged state at the time of sending.
 *
 * @param {PlannedEvent} event
 * @param {StateAtSend} before
 * @param {{ outcome: string, version: number }} receipt
 * @param {number} latency
 */
function acknowledge(event, before, { outcome, version }, latency) {
  const { number, customer } = event;
  const finding = `${customer}: event ${number} is \`${outcome}\` at version ${version}`;
  if (before.repeated && outcome !== "duplicate") losses.push(`${finding}, but was acknowledged before`);
  if (outcome === "applied" && number < before.number) losses.push(`${finding}, but event ${before.number} was acknowledged before`);
  if (version < before.version) losses.push(`${finding}, but version ${before.version} was returned before`);
  if (!event.acknowledged) {
    event.acknowledged = true;
    acknowledged.push(event);
    latencies.push(latency);
    if (outcome === "duplicate") counts.appliedWithoutResponse += 1;
  }
  const newest = newestByCustomer.get(customer) ?? { number, version };
  newestByCustomer.set(customer, { number: Math.max(newest.number, number), version: Math.max(newest.version, version) });
}

/** Checks the newest acknowledged event of each customer in the ledgers after a restart. The next kill may interrupt it. */
async function auditLedgers() {
  const snapshot = [...newestByCustomer];
  for (let first = 0; first < snapshot.length; first += 100) {
    const batch = snapshot.slice(first, first + 100);
    const checks = batch.map(([customer, { number }]) => ({ customer, feature: `f${number}`, fresh: true }));
    const headers = { "content-type": "application/json" };
    const { json } = await service.request("/v1/check", { method: "POST", headers, body: JSON.stringify({ checks }) });
    for (const [index, [customer, { number, version }]] of batch.entries()) {
      const check = json.data[index];
      if (check.entitled === null) continue;
      counts.audited += 1;
      // An event whose response was lost may have been applied too: then the ledger is newer.
      const isStored = check.as_of > FIRST_CREATED + number || (check.entitled && check.as_of === FIRST_CREATED + number);
      if (!isStored || check.version < version) {
        losses.push(`${customer}: event ${number} (version ${version}) was acknowledged, but the ledger returns ${JSON.stringify(check)}`);
      }
    }
  }
}

/** Waits until the replica has the newest event of every customer. Returns the lag after the last acknowledgement, as text. */
async function watchReplica() {
  for (let pending = [...newestByCustomer]; ; await sleep(100)) {
    /** @type {[string, Newest, unknown][]} */
    const stale = [];
    await forEachParallel(pending, async ([customer, newest]) => {
      const check = await getJson(`/v1/check?customer=${customer}&feature=f${newest.number}`);
      const isCurrent = check.entitled && check.as_of === FIRST_CREATED + newest.number && check.version >= newest.version;
      if (!isCurrent || check.served_by !== "replica") stale.push([customer, newest, check]);
    });
    pending = stale.map(([customer, newest]) => [customer, newest]);
    const lag = performance.now() - ended;
    if (stale.length > 0 && lag < MAX_REPLICA_LAG) continue;
    for (const [customer, { number }, check] of stale) {
      laggards.push(`${customer}: event ${number} was acknowledged, but the replica returns ${JSON.stringify(check)}`);
    }
    return stale.length > 0 ? `except ${stale.length} customers after ${formatSeconds(lag)}` : `after ${formatSeconds(lag)}`;
  }
}

/**
 * Checks that the ledger has exactly the set of the newest event.
 *
 * @param {[string, Newest]} entry
 */
async function verifyLedger([customer, { number, version }]) {
  const check = await getJson(`/v1/check?customer=${customer}&feature=f${number}&fresh=true`);
  const list = await getJson(`/v1/entitlements/active_entitlements?customer=${customer}&limit=100&fresh=true`);
  /** @type {string[] | undefined} */
  const keys = list.data?.map((/** @type {{ lookup_key: string }} */ { lookup_key }) => lookup_key).sort();
  const isCurrent = check.entitled && check.as_of === FIRST_CREATED + number && check.version >= version;
  if (isCurrent && String(keys) === String(events[number].keys.toSorted())) return;
  losses.push(
    `${customer}: event ${number} (version ${version}) was acknowledged, but the ledger returns ${JSON.stringify(check)}, ${keys}`,
  );
}

/**
 * @template T
 * @param {T[]} items
 * @param {(item: T) => Promise<void>} visit
 */
async function forEachParallel(items, visit) {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await visit(item);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

/**
 * @param {number[]} values
 * @param {number} fraction
 */
function quantile(values, fraction) {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * fraction) - 1]?.toFixed(0) ?? "–";
}

async function report() {
  const perSecond = acknowledged.length / ((ended - began) / 1_000);
  for (const event of events) if (!event.acknowledged) losses.push(`event ${event.number} was never acknowledged`);
  const table = {
    seed: options.seed,
    "events sent": `${events.length}, plus ${deliveries.length - events.length} deliberate duplicates`,
    "events acknowledged": `${acknowledged.length} in ${formatSeconds(ended - began)}, ${perSecond.toFixed(0)} per second`,
    retries: `${counts.retries}, of which ${counts.appliedWithoutResponse} were already applied`,
    "failures outside of kills": [failures.length, ...new Set(failures.slice(0, MAX_PRINTED))].join("; "),
    kills: `${restartTimes.length}, restart takes ${quantile(restartTimes, 0.5)} ms (median), ${quantile(restartTimes, 1)} ms (maximum)`,
    "latency of a 200": `${quantile(latencies, 0.5)} ms (median), ${quantile(latencies, 0.99)} ms (p99), at most ${MAX_IN_FLIGHT} in flight`,
    "checks after restarts": counts.audited,
    "replica caught up": replicaStatus,
    "/healthz": (await service.request("/healthz")).text.trim(),
  };
  for (const finding of [...losses.slice(0, MAX_PRINTED), ...laggards.slice(0, MAX_PRINTED)]) console.log(finding);
  for (const [name, value] of Object.entries(table)) console.log(`${name.padEnd(30)}  ${value}`);
  console.log(`${newestByCustomer.size} customers checked, ${losses.length} lost`);
}
