// How soon a change is told, and what it costs to have many listen.
//
//   node benches/live.mjs [--changes 1000] [--streams 1000] [--customers 100] [--minutes 5]
//
// One Worker in workerd. First a client in Node listens to one customer by server-sent events while webhooks come in one
// after the other, and then an `EventSource` in headless Chromium does: told is the time from before a webhook is sent to when
// its change is read, and that of the webhook's answer.
// Then many streams are open at once for a while, over many customers, and after it each is told one change: a stream
// counts as dropped if it ended or was not told. Memory is that of the workerd process, from Linux's /proc.

import { readdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { browse } from "../tests/worker/browser.mjs";
import { Listener } from "../tests/worker/listeners.mjs";
import { eventually, seconds, serve, summary } from "../tests/worker/support.mjs";

const whole = (name, most, by) => ({ name, most, by });
const LIMITS = [whole("changes", 100_000, 1_000), whole("streams", 10_000, 1_000), whole("customers", 1_000, 100), whole("minutes", 60, 5)];
const { values } = parseArgs({ options: Object.fromEntries(LIMITS.map(({ name }) => [name, { type: "string" }])) });
const [changes, streams, customers, minutes] = LIMITS.map(({ name, most, by }) => {
  const number = Number(values[name] ?? by);
  if (!(number >= 0 && number <= most)) throw new Error(`--${name} is a number up to ${most}`);
  return number;
});
const AT_ONCE = 16;

/** The processes that came of this one. */
function descendants() {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      // The name may have anything in it: what counts comes after its end.
      parents.set(
        pid,
        readFileSync(`/proc/${pid}/stat`, "utf8")
          .replace(/^.*\) /s, "")
          .split(" ")[1],
      );
    } catch {
      // It ended meanwhile.
    }
  }
  const of = (parent) => [...parents].filter(([, its]) => its === parent).flatMap(([pid]) => [pid, ...of(pid)]);
  return of(String(process.pid));
}

const memory = () => {
  const rss = descendants().map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0));
  return rss.reduce((sum, kib) => sum + kib, 0) / 1024;
};

const quantile = (numbers, share) => numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))];
const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);

/** Does something with each number up to a count, some at once. */
async function each(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const log = [];
const service = await serve({ log, settings: { ENTGATE_TOKEN_SECRETS: "0123456789abcdef0123456789abcdef" } });
const CREATED = seconds() - 200_000;

async function hold(customer, number) {
  const { status } = await service.send(summary(customer, [`f${number}`], { created: CREATED + number }));
  if (status !== 200) throw new Error(`a webhook was answered ${status}`);
}

const tell = (what, times) =>
  row(`${what}, ${times.length} changes`, ...[0.5, 0.99].map((share) => `${quantile(times, share).toFixed(2)} ms`));

async function latency() {
  const listener = await Listener.open(service, "cus_latency");
  await listener.hears(1);
  const [told, answered] = [[], []];
  for (let number = 1; number <= changes; number += 1) {
    const began = performance.now();
    const heard = listener.heard(number).then(() => told.push(performance.now() - began));
    await hold("cus_latency", number);
    answered.push(performance.now() - began);
    await heard;
  }
  await listener.close();
  tell("webhook to a listener in Node", told);
  tell("webhook to its own answer", answered);
}

/** The same in a page. Its clock and ours are the machine's; how its moments come back is not counted. */
async function latencyInBrowser() {
  const { json } = await service.request("/v1/tokens", { method: "POST", body: "customer=cus_browser" });
  const browser = await browse();
  const page = await browser.newPage();
  const waiting = new Map();
  await page.exposeFunction("hear", (version, moment) => waiting.get(version)?.(moment));
  // Any page of that origin will do.
  await page.goto(new URL("/healthz", service.url).href);
  await page.evaluate((token) => {
    const source = new EventSource(`/v1/stream?token=${token}`);
    const hear = ({ lastEventId }) => window.hear(Number(lastEventId), performance.timeOrigin + performance.now());
    for (const event of ["version", "change"]) source.addEventListener(event, hear);
    return new Promise((resolve) => source.addEventListener("version", resolve, { once: true }));
  }, json.token);
  const told = [];
  for (let number = 1; number <= changes; number += 1) {
    const heard = new Promise((resolve) => waiting.set(number, resolve));
    const began = performance.timeOrigin + performance.now();
    await hold("cus_browser", number);
    told.push((await heard) - began);
    waiting.delete(number);
  }
  await browser.close();
  tell("webhook to a page in Chromium", told);
}

async function crowd() {
  const before = memory();
  const open = [];
  const opening = performance.now();
  await each(streams, async (number) => open.push(await Listener.open(service, `cus_${number % customers}`)));
  await eventually(() => {
    if (!open.every(({ events }) => events.length > 0)) throw new Error("some were told no version");
  });
  const opened = performance.now() - opening;
  await sleep(minutes * 60_000);
  const during = memory();
  const telling = performance.now();
  await each(Math.min(customers, streams), (number) => hold(`cus_${number}`, 1));
  await Promise.race([Promise.all(open.map((listener) => listener.heard(1))), sleep(30_000)]);
  const told = performance.now() - telling;
  const held = open.filter(({ ended, events }) => ended === undefined && events.at(-1).id === "1");
  const beats = Math.min(...open.map(({ heartbeats }) => heartbeats));
  await Promise.all(open.map((listener) => listener.close()));
  // Those that went away are found by their next heartbeats.
  await sleep(60_000);
  console.log();
  row(`${streams} streams of ${customers} customers for ${minutes} min`, "");
  console.log("|---|---|");
  row("dropped", open.length - held.length);
  row("heartbeats, of the stream with the fewest", beats);
  row("to open all", `${(opened / 1_000).toFixed(1)} s`);
  row("to tell each of a change", `${(told / 1_000).toFixed(1)} s`);
  row("memory before", `${before.toFixed(0)} MiB`);
  row("memory with them", `${during.toFixed(0)} MiB`);
  row("memory a minute after they closed", `${memory().toFixed(0)} MiB`);
  row("memory a stream", `${(((during - before) * 1024) / streams).toFixed(1)} KiB`);
}

console.log("| time | median | 99 of 100 |");
console.log("|---|---|---|");
if (changes > 0) {
  await latency();
  await latencyInBrowser();
}
if (streams > 0) await crowd();
await service.stop();
const errors = log.filter((line) => !line.includes("NOSENTRY"));
if (errors.length > 0) console.error(`${errors.length} lines were logged, first: ${errors[0]}`);
process.exit();
