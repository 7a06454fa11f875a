// Measures how soon a subscriber receives a change, and the cost of many open streams.
//
//   node benches/live.mjs [--changes 1000] [--streams 1000] [--customers 100] [--minutes 5]
//
// Runs one Worker in workerd. First sends webhooks one after the other while a subscriber in Node listens, then while an `EventSource` in
// headless Chromium does. Reports the time from before the webhook until the change, and until the response to the webhook. Then keeps
// many streams open for some minutes and sends each one change: a stream that ended or missed it counts as dropped. Memory is that of the
// child processes, from Linux's /proc. Not here: CPU time (edge/growth.mjs).

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { launchBrowser } from "../tests/worker/browser.mjs";
import { SseClient } from "../tests/worker/stream-clients.mjs";
import { eventually, serve, summary, unixNow } from "../tests/worker/support.mjs";

const MAX_CONCURRENT = 16;
const FIRST_CREATED = unixNow() - 200_000;

const { changes, streams, customers, minutes } = readOptions();

function readOptions() {
  const { values } = parseArgs({
    options: {
      changes: { type: "string", default: "1000" },
      streams: { type: "string", default: "1000" },
      customers: { type: "string", default: "100" },
      minutes: { type: "string", default: "5" },
    },
  });
  /**
   * @param {keyof typeof values} name
   * @param {number} max
   */
  const parse = (name, max) => {
    const number = Number(values[name]);
    if (!(number >= 0 && number <= max)) throw new Error(`--${name} must be a number from 0 to ${max}`);
    return number;
  };
  return {
    changes: parse("changes", 100_000),
    streams: parse("streams", 10_000),
    customers: parse("customers", 1_000),
    minutes: parse("minutes", 60),
  };
}

/** Returns the ids of all descendants of this process. */
function listDescendants() {
  /** @type {Map<string, string>} */
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      // The process name is in parentheses and may contain any character: parse what follows it.
      const [, parent] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      parents.set(pid, parent);
    } catch {
      // The process has exited.
    }
  }
  /**
   * @param {string} parent
   * @returns {string[]}
   */
  const childrenOf = (parent) => [...parents].filter(([, other]) => other === parent).flatMap(([pid]) => [pid, ...childrenOf(pid)]);
  return childrenOf(String(process.pid));
}

/** Returns the resident memory of all descendants, in MiB. */
function readMemory() {
  const sizes = listDescendants().map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return sizes.reduce((sum, kib) => sum + kib, 0) / 1024;
}

/**
 * @param {number[]} numbers
 * @param {number} fraction
 */
const quantile = (numbers, fraction) =>
  numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * fraction))];

/** @param {(string | number)[]} cells */
const printRow = (...cells) => console.log(`| ${cells.join(" | ")} |`);

/**
 * @param {string} what
 * @param {number[]} times
 */
const printLatency = (what, times) =>
  printRow(`${what}, ${times.length} changes`, ...[0.5, 0.99].map((fraction) => `${quantile(times, fraction).toFixed(2)} ms`));

/**
 * Calls `work` with each number below `count`, with limited concurrency.
 *
 * @param {number} count
 * @param {(number: number) => Promise<unknown>} work
 */
async function forEachConcurrent(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, worker));
}

/** @type {string[]} */
const log = [];
const service = await serve({ log, settings: { ENTGATE_TOKEN_SECRETS: "0123456789abcdef0123456789abcdef" } });

/**
 * Sends the event that changes a customer's set to version `version`.
 *
 * @param {string} customer
 * @param {number} version
 */
async function sendChange(customer, version) {
  const { status } = await service.send(summary(customer, [`f${version}`], { created: FIRST_CREATED + version }));
  if (status !== 200) throw new Error(`the response to a webhook is ${status}`);
}

async function measureLatency() {
  const client = await SseClient.open(service, "cus_latency");
  await client.receive(1);
  /** @type {number[]} */
  const received = [];
  /** @type {number[]} */
  const acknowledged = [];
  for (let version = 1; version <= changes; version += 1) {
    const began = performance.now();
    const change = client.waitForVersion(version).then(() => received.push(performance.now() - began));
    await sendChange("cus_latency", version);
    acknowledged.push(performance.now() - began);
    await change;
  }
  await client.close();
  printLatency("webhook to a subscriber in Node", received);
  printLatency("webhook to its response", acknowledged);
}

/** The same in a web page. Page and Node have the same clock. The transfer of a timestamp from the page does not count. */
async function measureLatencyInBrowser() {
  const { json } = await service.request("/v1/tokens", { method: "POST", body: "customer=cus_browser" });
  const browser = await launchBrowser();
  const page = await browser.newPage();
  /** @type {Map<number, (time: number) => void>} */
  const waiting = new Map();
  await page.exposeFunction("reportVersion", (/** @type {number} */ version, /** @type {number} */ time) => waiting.get(version)?.(time));
  // Any page of this origin can open the stream.
  await page.goto(new URL("/healthz", service.url).href);
  await page.evaluate((token) => {
    const source = new EventSource(`/v1/stream?token=${token}`);
    const { reportVersion } = /** @type {Window & { reportVersion?: (version: number, time: number) => void }} */ (window);
    /** @param {MessageEvent} event */
    const onEvent = ({ lastEventId }) => reportVersion?.(Number(lastEventId), performance.timeOrigin + performance.now());
    for (const type of ["version", "change"]) source.addEventListener(type, onEvent);
    return new Promise((resolve) => source.addEventListener("version", () => resolve(undefined), { once: true }));
  }, json.token);
  /** @type {number[]} */
  const received = [];
  for (let version = 1; version <= changes; version += 1) {
    /** @type {Promise<number>} */
    const change = new Promise((resolve) => waiting.set(version, resolve));
    const began = performance.timeOrigin + performance.now();
    await sendChange("cus_browser", version);
    received.push((await change) - began);
    waiting.delete(version);
  }
  await browser.close();
  printLatency("webhook to a page in Chromium", received);
}

async function measureManyStreams() {
  const memoryBefore = readMemory();
  /** @type {SseClient[]} */
  const clients = [];
  const openBegan = performance.now();
  await forEachConcurrent(streams, async (number) => clients.push(await SseClient.open(service, `cus_${number % customers}`)));
  await eventually(() => {
    if (!clients.every(({ events }) => events.length > 0)) throw new Error("some streams received no version");
  });
  const openTime = performance.now() - openBegan;
  await sleep(minutes * 60_000);
  const memoryDuring = readMemory();
  const broadcastBegan = performance.now();
  await forEachConcurrent(Math.min(customers, streams), (number) => sendChange(`cus_${number}`, 1));
  await Promise.race([Promise.all(clients.map((client) => client.waitForVersion(1))), sleep(30_000)]);
  const broadcastTime = performance.now() - broadcastBegan;
  const alive = clients.filter(({ ended, events }) => ended === undefined && events.at(-1)?.id === "1");
  const minHeartbeats = Math.min(...clients.map(({ heartbeats }) => heartbeats));
  await Promise.all(clients.map((client) => client.close()));
  // The Worker detects closed streams at their next heartbeats.
  await sleep(60_000);
  console.log();
  printRow(`${streams} streams of ${customers} customers for ${minutes} min`, "");
  console.log("|---|---|");
  printRow("dropped streams", clients.length - alive.length);
  printRow("minimum heartbeats of a stream", minHeartbeats);
  printRow("time to open all streams", `${(openTime / 1_000).toFixed(1)} s`);
  printRow("time to send each a change", `${(broadcastTime / 1_000).toFixed(1)} s`);
  printRow("memory before", `${memoryBefore.toFixed(0)} MiB`);
  printRow("memory with the streams", `${memoryDuring.toFixed(0)} MiB`);
  printRow("memory a minute after they closed", `${readMemory().toFixed(0)} MiB`);
  printRow("memory per stream", `${(((memoryDuring - memoryBefore) * 1024) / streams).toFixed(1)} KiB`);
}

console.log("| latency | median | p99 |");
console.log("|---|---|---|");
if (changes > 0) {
  await measureLatency();
  await measureLatencyInBrowser();
}
if (streams > 0) await measureManyStreams();
await service.stop();
const errors = log.filter((line) => !line.includes("NOSENTRY"));
if (errors.length > 0) console.error(`the Worker logged ${errors.length} lines, the first is: ${errors[0]}`);
process.exit();
