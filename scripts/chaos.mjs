// Kills the Worker at random while events come in, and looks for what was lost.
//
// Events come in at a fixed rate, whether the Worker is up or not. One without a 200 is sent again later, as Stripe does.
// One with a 200 is not, so that what a kill takes of it is missed; only deliberate duplicates repeat it, and have to be
// answered as such. Each event grants a feature that names it, and is newer than those before it.
//
// Not here: a power cut, which also takes what the operating system has not written yet.

import { spawn, spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Service, summary } from "../tests/worker/support.mjs";

const USAGE = `Usage: node scripts/chaos.mjs [options]
  --rate <number>       new events in a second (200)
  --seconds <number>    how long they come in (60)
  --customers <number>  whose they are (500)
  --kills <number>      how often the Worker is killed meanwhile (10)
  --seed <number>       repeats the choices of an earlier run (random)`;

/** Deliveries on their way at once. workerd closes a connection that it did not come to read for 5 s. */
const IN_FLIGHT = 100;
/** About how long a restart takes, in milliseconds. */
const RESTART = 3_000;
/** How long it may take until one more event is acknowledged, in milliseconds. */
const PATIENCE = 30_000;
/** How long after the last acknowledgement the replica may lag, in milliseconds. */
const LAG = 20_000;
/** The moment of event 0, in Unix seconds; every event is a second newer than the one before. */
const BEGINNING = 1_700_000_000;
/** What may stand in a set beside the feature that names the event. */
const FEATURES = ["sms", "export", "sso", "audit_log", "api", "seats"];
/** How many findings of a kind are printed. */
const TOLD = 10;

const options = readOptions();
const random = mulberry32(options.seed);
const chance = (probability) => random() < probability;
/** Twice, because the Worker may just be closing the connection that the first goes out on. */
const ask = async (path) => (await service.request(path).catch(() => service.request(path))).json;
const inSeconds = (milliseconds) => `${(milliseconds / 1_000).toFixed(1)} s`;
const events = Array.from({ length: options.rate * options.seconds }, (_, number) => planEvent(number));
const kills = planKills();

/** By customer: the number of the newest acknowledged event, and the highest version that was told. */
const newest = new Map();
/** The acknowledged events, in that order. */
const acknowledged = [];
const losses = [],
  lagging = [],
  failures = [],
  restarts = [],
  latencies = [],
  deliveries = [],
  waiting = [];
const count = { again: 0, cut: 0, audited: 0 };
let inFlight = 0;

const folder = mkdtempSync(`${tmpdir()}/entgate-chaos-`);
/** The head of the process group, the way to it (the old one until the next answers), and whether it answers. */
let child, service, up;
process.on("exit", (code) => {
  // Unlike process.kill, it does not throw when nobody is left.
  if (child) spawnSync("kill", ["-KILL", "--", `-${child.pid}`]);
  if (code === 1 && acknowledged.length > 0) console.error(`what the Worker stored is kept in ${folder}`);
  else rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.prependOnceListener(signal, () => process.exit(130));

console.log(
  Object.entries(options)
    .map(([name, value]) => `--${name} ${value}`)
    .join(" "),
);
await start();
const began = performance.now();
await Promise.all([sendAll(), killAll()]);
await Promise.race([Promise.all(deliveries), standstill()]);
const ended = performance.now();
const caughtUp = await watchReplica();
await inParallel([...newest], verify);
// Whatever was acknowledged is known when it comes again, and changes nothing.
await inParallel([...acknowledged], deliver);
await report();
await kill();
process.exit(losses.length + lagging.length > 0 ? 1 : 0);

function readOptions() {
  const defaults = { rate: 200, seconds: 60, customers: 500, kills: 10, seed: randomInt(2 ** 32) };
  const each = (told) => Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, told(name, value)]));
  try {
    const { values } = parseArgs({ options: each((_, value) => ({ type: "string", default: String(value) })) });
    return each((name) => {
      if (/^\d{1,10}$/.test(values[name])) return Number(values[name]);
      throw new Error(`--${name}: \`${values[name]}\` is no whole number`);
    });
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function planEvent(number) {
  return {
    number,
    customer: `cus_${Math.floor(random() * options.customers)}`,
    keys: [`f${number}`, ...FEATURES.filter(() => chance(0.4))],
    /** How long it is held back, in milliseconds: newer ones overtake it. */
    late: chance(0.05) ? random() * 3_000 : 0,
    /** Which of the acknowledged events comes once more beside it, as a part of how many there are. */
    duplicate: chance(0.05) ? random() : undefined,
    /** By what part its pauses are longer: not everything comes again at once. */
    jitter: random() * 0.5,
    acknowledged: false,
  };
}

/** How long the Worker is up before each kill, in milliseconds: at any moment alike, so some come right after a restart. */
function planKills() {
  const pauses = Array.from({ length: options.kills + 1 }, () => -Math.log(1 - random()));
  const all = pauses.reduce((sum, pause) => sum + pause);
  const up = Math.max(options.seconds * 500, options.seconds * 1_000 - options.kills * RESTART);
  return pauses.slice(1).map((pause) => (pause / all) * up);
}

/** Starts Node and workerd in a process group of their own, on what is stored. */
async function start() {
  const script = fileURLToPath(new URL("../tests/worker/kept.mjs", import.meta.url));
  // What workerd leaves behind when it is killed goes with the folder.
  const env = { ...process.env, TMPDIR: folder };
  child = spawn(process.execPath, [script, folder], { detached: true, env, stdio: ["ignore", "pipe", "pipe"] });
  // workerd remarks on every alarm that the kill came between.
  createInterface({ input: child.stderr }).on("line", (line) => line.includes("NOSENTRY SQLite alarm") || console.error(line));
  const url = await new Promise((resolve, reject) => {
    child.once("exit", () => {
      if (up) throw new Error("the Worker ended by itself");
      reject(new Error("the Worker did not start"));
    });
    createInterface({ input: child.stdout }).on("line", (line) => line.startsWith("http://") && resolve(line));
  });
  [service, up] = [new Service(undefined, new URL(url)), true];
}

/** Kills every process of the group at once. */
async function kill() {
  up = false;
  process.kill(-child.pid, "SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
}

async function killAll() {
  for (const pause of kills) {
    await sleep(pause);
    const killed = performance.now();
    await kill();
    await start();
    restarts.push(performance.now() - killed);
    const told = `kill ${restarts.length} at ${inSeconds(killed - began)}, back after ${inSeconds(restarts.at(-1))}`;
    console.log(`${told}: ${acknowledged.length} events acknowledged, ${count.again} deliveries sent again`);
    // After the last kill nothing is touched: the replica has to catch up by itself.
    if (restarts.length < kills.length) audit().catch(() => {});
  }
}

async function sendAll() {
  for (const event of events) {
    await sleep(Math.max(0, began + (event.number * 1_000) / options.rate - performance.now()));
    deliveries.push(sleep(event.late).then(() => deliver(event)));
    const earlier = acknowledged[Math.floor(event.duplicate * acknowledged.length)];
    if (earlier) deliveries.push(deliver(earlier));
  }
}

async function standstill() {
  for (let seen = -1; seen < acknowledged.length; await sleep(PATIENCE)) seen = acknowledged.length;
}

/** Delivers an event until there is a 200. */
async function deliver(event) {
  for (let tries = 0; !(await deliverOnce(event)); tries += 1) {
    count.again += 1;
    await sleep(Math.min(1_000 * 1.5 ** tries, 5_000) * (1 + event.jitter));
  }
}

/** One delivery; whether it was acknowledged. */
async function deliverOnce(event) {
  if (inFlight === IN_FLIGHT) await new Promise((resolve) => waiting.push(resolve));
  else inFlight += 1;
  const before = { repeated: event.acknowledged, number: -1, version: 0, ...newest.get(event.customer) };
  const [addressee, sent] = [service, performance.now()];
  event.body ??= JSON.stringify(summary(event.customer, event.keys, { id: `evt_${event.number}`, created: BEGINNING + event.number }));
  const answer = await addressee.send(event.body).catch((error) => ({ text: error.cause?.code ?? error.message }));
  if (waiting.length > 0) waiting.shift()();
  else inFlight -= 1;
  if (answer.status === 200) acknowledge(event, before, answer.json, performance.now() - sent);
  else if (up && addressee === service) failures.push(`${answer.status ?? "no answer"}: ${answer.text}`);
  return answer.status === 200;
}

/** Compares a receipt with what was known when its event was sent, and remembers it. */
function acknowledge(event, before, { outcome, version }, took) {
  const { number, customer } = event;
  const told = `${customer}: event ${number} is \`${outcome}\` at version ${version}`;
  if (before.repeated && outcome !== "duplicate") losses.push(`${told}, and had been acknowledged before`);
  if (outcome === "applied" && number < before.number) losses.push(`${told}, after event ${before.number} was acknowledged`);
  if (version < before.version) losses.push(`${told}, after version ${before.version} was told`);
  if (!event.acknowledged) {
    event.acknowledged = true;
    acknowledged.push(event);
    latencies.push(took);
    if (outcome === "duplicate") count.cut += 1;
  }
  const known = newest.get(customer) ?? { number, version };
  newest.set(customer, { number: Math.max(known.number, number), version: Math.max(known.version, version) });
}

/** Asks after a restart for the newest that was acknowledged until now. Another kill may cut it. */
async function audit() {
  const known = [...newest];
  for (let first = 0; first < known.length; first += 100) {
    const asked = known.slice(first, first + 100);
    const checks = asked.map(([customer, { number }]) => ({ customer, feature: `f${number}`, fresh: true }));
    const headers = { "content-type": "application/json" };
    const { json } = await service.request("/v1/check", { method: "POST", headers, body: JSON.stringify({ checks }) });
    for (const [index, [customer, { number, version }]] of asked.entries()) {
      const check = json.data[index];
      if (check.entitled === null) continue;
      count.audited += 1;
      // What was cut off may have been kept too, and is newer.
      const kept = check.as_of > BEGINNING + number || (check.entitled && check.as_of === BEGINNING + number);
      if (!kept || check.version < version) losses.push(`${customer}: event ${number} (version ${version}), then ${JSON.stringify(check)}`);
    }
  }
}

/** How long after the last acknowledgement the replica held every customer's newest event. */
async function watchReplica() {
  for (let left = [...newest]; ; await sleep(100)) {
    const behind = [];
    await inParallel(left, async ([customer, known]) => {
      const told = await ask(`/v1/check?customer=${customer}&feature=f${known.number}`);
      const holds = told.entitled && told.as_of === BEGINNING + known.number && told.version >= known.version;
      if (!holds || told.served_by !== "replica") behind.push([customer, known, told]);
    });
    left = behind;
    const lag = performance.now() - ended;
    if (left.length > 0 && lag < LAG) continue;
    for (const [customer, { number }, told] of left) lagging.push(`${customer}: event ${number}, in the replica ${JSON.stringify(told)}`);
    return left.length > 0 ? `but for ${left.length} customers after ${inSeconds(lag)}` : `after ${inSeconds(lag)}`;
  }
}

/** The ledger holds the set of the newest event and nothing else. */
async function verify([customer, { number, version }]) {
  const fresh = await ask(`/v1/check?customer=${customer}&feature=f${number}&fresh=true`);
  const list = await ask(`/v1/entitlements/active_entitlements?customer=${customer}&limit=100&fresh=true`);
  const held = list.data?.map((granted) => granted.lookup_key).sort();
  const holds = fresh.entitled && fresh.as_of === BEGINNING + number && fresh.version >= version;
  if (holds && String(held) === String(events[number].keys.toSorted())) return;
  losses.push(`${customer}: event ${number} (version ${version}), at the end ${JSON.stringify(fresh)}, ${held}`);
}

async function inParallel(items, visit) {
  const queue = items.values();
  const visitor = async () => {
    for (const item of queue) await visit(item);
  };
  await Promise.all(Array.from({ length: 20 }, visitor));
}

async function report() {
  const perSecond = acknowledged.length / ((ended - began) / 1_000);
  const rank = (values, part) => values.sort((a, b) => a - b)[Math.ceil(values.length * part) - 1]?.toFixed(0) ?? "–";
  for (const event of events) if (!event.acknowledged) losses.push(`event ${event.number} was never acknowledged`);
  const table = {
    seed: options.seed,
    "events sent": `${events.length}, ${deliveries.length - events.length} of them twice`,
    "events acknowledged": `${acknowledged.length} in ${inSeconds(ended - began)}, ${perSecond.toFixed(0)} a second`,
    "refused or cut, and sent again": `${count.again}, of them ${count.cut} had been kept`,
    "failed outside of kills": [failures.length, ...new Set(failures.slice(0, TOLD))].join("; "),
    kills: `${restarts.length}, back after a median of ${rank(restarts, 0.5)} ms, at most ${rank(restarts, 1)} ms`,
    "answered by a 200": `after a median of ${rank(latencies, 0.5)} ms, p99 ${rank(latencies, 0.99)} ms, ${IN_FLIGHT} at most at once`,
    "customers asked after restarts": count.audited,
    "replica caught up": caughtUp,
    "/healthz": (await service.request("/healthz", { key: undefined })).text.trim(),
  };
  for (const finding of [...losses.slice(0, TOLD), ...lagging.slice(0, TOLD)]) console.log(finding);
  for (const [name, value] of Object.entries(table)) console.log(`${name.padEnd(30)}  ${value}`);
  console.log(`${newest.size} customers checked, ${losses.length} lost`);
}
