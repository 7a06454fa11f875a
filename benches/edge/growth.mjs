// Measures how the cost of entgate grows with the entitlements of a customer, the known customers, and the subscribers of a customer.
// `make bench` writes benches/GROWTH.md with it.
//
//   node benches/edge/growth.mjs [entitlements] [customers] [subscribers]    default: all, and the report is written
//   GROWTH_ROUNDS=2 REQUESTS=200 EVENTS=20 CUSTOMERS=1000 …                  a short run
//
// CPU time of workerd, with the sizes interleaved. Not here: the comparison with other Workers (run.mjs).

import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ACTIVITY_DELAY, INDEX_REPORT_DELAY, REPLICA_WRITE_DELAY } from "./delays.mjs";
import { describeEnvironment } from "./environment.mjs";
import { cpuPerRequest, measureInterleaved, summarize } from "./interleave.mjs";
import { startKvWithRecords } from "./kv-records.mjs";
import { temporaryFolder } from "./shutdown.mjs";
import { openStreams } from "./sse-clients.mjs";
import { serve } from "./workerd.mjs";
import { baseline, entgate, projectPath } from "./workers.mjs";
import { AUTHORIZED, checkRequests, getRequests, listRequests, SIZES, webhookPerCustomer, webhookRequest } from "./workloads.mjs";

/** @typedef {import("./workerd.mjs").RunningWorker} RunningWorker */
/** @typedef {{ title: string, size: string, columns: string[], rows: string[][], notes: string[] }} Table */

const ROUNDS = Number(process.env.GROWTH_ROUNDS ?? 5);
const REQUESTS = Number(process.env.REQUESTS ?? 500);
const EVENTS = Number(process.env.EVENTS ?? 75);

/** Requests before the first measurement. V8 recompiles frequently executed functions after some thousand calls. */
const WARM_UP = Number(process.env.WARM_UP ?? 15_000);

/** Numbers of customers in the customer index. */
const CUSTOMERS = [10, 10_000, 1_000_000].filter((count) => count <= Number(process.env.CUSTOMERS ?? Infinity));

/** So many new customers that each shard has some. */
const FIRST_CUSTOMERS = 300;

/** Numbers of subscribers of one customer. The cost without subscribers is subtracted. */
const SUBSCRIBERS = [0, 1, 100, 1_000];

/** A sample is a single event, so more rounds are necessary. */
const SUBSCRIBER_ROUNDS = ROUNDS * 3;

const { baselineKv, entgateKv } = await startKvWithRecords();
const build = projectPath("build");
const SETTINGS = { ENTGATE_SOURCE: "stripe" };

/** @type {Table[]} */
const tables = [];

/**
 * Adds a table to the report and prints it.
 *
 * @param {Table} table
 */
function addTable(table) {
  const { title, size, columns, rows } = table;
  tables.push(table);
  console.log(title);
  console.table(rows.map((row) => Object.fromEntries([size, ...columns].map((name, index) => [name, row[index]]))));
}

/**
 * Returns the rows of a table. Each cell has the median, and its ratio to the first size.
 *
 * @param {number[]} sizes
 * @param {number[][][]} columns The samples of each column, by size.
 */
const toRows = (sizes, columns) =>
  sizes.map((size, index) => [
    size.toLocaleString("en"),
    ...columns.map((samples) => {
      const { median, ratio } = summarize(samples[index], samples[0]);
      return `${median.toFixed(1)} µs (${ratio.toFixed(2)})`;
    }),
  ]);

async function entitlements() {
  const worker = await serve(entgate(build, entgateKv, SETTINGS));
  for (const requests of [checkRequests(10), listRequests(10)]) await cpuPerRequest(worker, requests(WARM_UP));
  /** @param {(size: number) => import("./workloads.mjs").RequestFactory} requestsFor */
  const measure = (requestsFor) =>
    measureInterleaved(SIZES.map(requestsFor), ROUNDS, (requests) => cpuPerRequest(worker, requests(REQUESTS)));
  const columns = [
    await measure((size) => checkRequests(size)),
    await measure((size) => listRequests(size)),
    await measure((size) => listRequests(size, 100)),
  ];
  worker.stop();
  addTable({
    title: "Entitlements of the customer",
    size: "entitlements",
    columns: ["check of the last one", "list, the default 10", "list, `limit=100`"],
    rows: toRows(SIZES, columns),
    notes: [
      "A check reads one KV value. It scans the lookup keys, which are at the start of the record, up to the requested one, and does not read the rest. The bytes that KV returns and the scanned keys grow.",
      "A list scans and validates the whole record for every page, so a page of ten grows with the set. Entitlements that are not on the page are not copied.",
      "With `limit=100` the response grows too, up to a hundred entitlements. Above that only the scan grows.",
    ],
  });
}

/**
 * Starts entgate with `count` customers in its customer index.
 *
 * @param {number} count
 */
async function serveWithCustomers(count) {
  const storage = temporaryFolder();
  const worker = { ...entgate(build, entgateKv, SETTINGS), storage };
  /**
   * @param {number} port
   * @param {string} query
   * @returns {Promise<{ data?: { id: string }[] }>}
   */
  const listSyncStatus = async (port, query) =>
    (await fetch(`http://127.0.0.1:${port}/v1/sync_status?${query}`, { headers: AUTHORIZED })).json();
  // entgate creates the tables of a shard with its first customer, another Worker fills them, then entgate must list the customers.
  const first = await serve(worker);
  await cpuPerRequest(first, webhookPerCustomer("first", FIRST_CUSTOMERS), 200, INDEX_REPORT_DELAY);
  await first.stop();
  const filler = await serve({ ...baseline("fill-index", baselineKv, { objects: { CUSTOMER_INDEX: "CustomerIndex" } }), storage });
  const filled = await (await fetch(`http://127.0.0.1:${filler.port}/?count=${count}`)).json();
  await filler.stop();
  const running = await serve(worker);
  const last = `cus_known${`${count - 1}`.padStart(7, "0")}`;
  const lastPage = await listSyncStatus(running.port, `prefix=${last}`);
  const nextPage = await listSyncStatus(running.port, `starting_after=${last}`);
  if (filled.count !== count || lastPage.data?.[0]?.id !== last || nextPage.data?.length !== 0) {
    throw new Error(`failed to fill the customer index with ${count} customers: ${JSON.stringify([filled, lastPage, nextPage])}`);
  }
  return running;
}

async function customers() {
  /** @type {RunningWorker[]} */
  const workers = [];
  for (const count of CUSTOMERS) workers.push(await serveWithCustomers(count));
  /**
   * Returns ids that are spread over those of the known customers. The step has no common divisor with a million.
   *
   * @param {number} round
   * @param {number} number
   */
  const customerId = (round, number) => `cus_known${`${(number * 618_033 + round * 7_919) % 1_000_000}`.padStart(7, "0")}_${round}`;
  /** @param {number} round */
  const events = (round) => Array.from({ length: EVENTS }, (_, number) => webhookRequest(customerId(round, number)));
  /**
   * @param {RunningWorker} worker
   * @param {number} round
   */
  const measureNew = (worker, round) => cpuPerRequest(worker, events(round), 200, INDEX_REPORT_DELAY);
  /**
   * @param {RunningWorker} worker
   * @param {number} round
   */
  const measureKnown = async (worker, round) => {
    await cpuPerRequest(worker, events(round), 200, REPLICA_WRITE_DELAY);
    return cpuPerRequest(worker, events(round), 200, ACTIVITY_DELAY);
  };
  /** @param {RunningWorker} worker */
  const measurePage = (worker) => cpuPerRequest(worker, getRequests("/v1/sync_status?limit=5&starting_after=cus_known0000004")(EVENTS));
  const columns = [
    await measureInterleaved(workers, ROUNDS, measureNew, 1),
    await measureInterleaved(workers, ROUNDS, measureKnown, 1),
    await measureInterleaved(workers, ROUNDS, measurePage),
  ];
  for (const worker of workers) worker.stop();
  addTable({
    title: "Known customers",
    size: "customers",
    columns: ["event of a new customer", "event of a known customer", "sync status of five"],
    rows: toRows(CUSTOMERS, columns),
    notes: [
      "An event goes to the customer's own object, whose tables contain this customer only. For a new customer it also creates the object's file and tables.",
      "Each event sends one message to one of 32 shards of the customer index. That of a new customer also inserts a row into a B-tree of ids, and into an index by the time of the last read. Both get one level deeper when the number of customers grows a hundredfold.",
      "The message of a known customer has a report only if there is a new feature, or if a pending task failed. A successful comparison with the source is reported at most once an hour.",
      "A page of the sync status asks all shards. Each starts at the cursor in its B-tree and reads as many rows as requested.",
    ],
  });
}

async function subscribers() {
  const workers = [];
  for (const count of SUBSCRIBERS) {
    const worker = await serve(entgate(build, entgateKv, SETTINGS));
    // Nothing is streamed of an unknown customer. The customer's version is 1 afterwards.
    await cpuPerRequest(worker, [webhookRequest("cus_ada", { features: ["first"] })], 200, REPLICA_WRITE_DELAY);
    workers.push({ worker, count, allReceived: await openStreams(worker.port, "cus_ada", count) });
  }
  const samples = await measureInterleaved(workers, SUBSCRIBER_ROUNDS, async ({ worker, allReceived }, round) => {
    const before = worker.cpuTime();
    await cpuPerRequest(worker, [webhookRequest("cus_ada", { features: [`feature-${round}`] })]);
    await allReceived(round + 2);
    await sleep(ACTIVITY_DELAY);
    const microseconds = worker.cpuTime() - before;
    await sleep(REPLICA_WRITE_DELAY / 2);
    return microseconds;
  });
  for (const { worker } of workers) worker.stop();
  const [withoutSubscribers, ...withSubscribers] = samples.map((each) => summarize(each, each).median);
  const rows = withSubscribers.map((total, index) => {
    const { count } = workers[index + 1];
    const added = total - withoutSubscribers;
    return [
      count.toLocaleString("en"),
      `${(total / 1_000).toFixed(2)} ms`,
      `${(added / 1_000).toFixed(2)} ms`,
      `${(added / count).toFixed(0)} µs`,
    ];
  });
  addTable({
    title: "Subscribers of one customer",
    size: "subscribers",
    columns: ["event and broadcast", "more than without subscribers", "per subscriber"],
    rows,
    notes: [
      `Without subscribers the event takes ${(withoutSubscribers / 1_000).toFixed(2)} ms.`,
      "The customer's object reads its changes and encodes the message once. It sends the message to each WebSocket and stores the sent version on it. For each WebSocket the Worker decodes the message, encodes it for the client, and sends it. So the cost grows with the subscribers.",
      "The cost of the shared steps is divided among the subscribers: with more of them, the cost per subscriber is lower.",
    ],
  });
}

const selected = process.argv.slice(2);
for (const part of [entitlements, customers, subscribers]) {
  if (!selected.length || selected.includes(part.name)) await part();
}
if (!selected.length) writeFileSync(projectPath("benches/GROWTH.md"), renderReport());
process.exit();

function renderReport() {
  const sections = tables.flatMap(({ title, size, columns, rows, notes }) => [
    `## ${title}`,
    "",
    `| ${[size, ...columns].join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    ...notes.map((note) => `* ${note}`),
    "",
  ]);
  return [
    "# How cost grows",
    "",
    "CPU time of the workerd process for one request, or for one event with all its background work: medians of interleaved rounds, measured by `make bench`. In brackets is the ratio to the first row.",
    "The source is Stripe, without an API key, so entgate reads no lists. KV runs in a separate process.",
    "",
    `${describeEnvironment()}.`,
    "",
    ...sections,
  ].join("\n");
}
