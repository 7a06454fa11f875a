// Measures the CPU time of workerd per request: entgate and the baselines, interleaved in one run. `make bench` writes
// benches/RESULTS.md with it.
//
//   node benches/edge/run.mjs [prefix of a workload …]             default: all workloads, and the report is written
//   COMPARE_BUILD=<folder> node benches/edge/run.mjs …             also measures another build of entgate
//   WARM_UP=100 ROUNDS=3 REQUESTS=300 EVENT_ROUNDS=1 EVENTS=50 …   a short run
//   TMPDIR=/dev/shm …                                              stores objects in memory, to exclude the file system
//
// Not here: the workloads (workloads.mjs, ledger-workloads.mjs), the baselines (baselines/), and how cost grows (growth.mjs).

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describeEnvironment, packageVersion } from "./environment.mjs";
import { cpuPerRequest, measureInterleaved, summarize } from "./interleave.mjs";
import { startKvWithRecords } from "./kv-records.mjs";
import { ALL_COMPONENTS, COMPONENTS_BY_WORKER, runLedgerWorkloads } from "./ledger-workloads.mjs";
import { serve } from "./workerd.mjs";
import { baseline, boundEntgate, buildFiles, entgate, projectPath } from "./workers.mjs";
import { AUTHORIZED, workloads } from "./workloads.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const REQUESTS = Number(process.env.REQUESTS ?? 1_000);
const STARTS = 7;

/**
 * Warm-up requests of some workloads, and warm-up events, before the first measurement. V8 recompiles frequently executed functions in
 * background threads.
 */
const WARM_UP = {
  requests: Number(process.env.WARM_UP ?? 15_000),
  workloads: ["check of 10", "check of 10, in another Worker", "check, in-memory cache", "list, 10 of 10", "webhook, other event type"],
};

/** The first request of a cold start. */
const FIRST_REQUEST = { path: "/v1/check?customer=cus_10&feature=feature-9", headers: AUTHORIZED };

const { baselineKv, entgateKv } = await startKvWithRecords();
const objects = { LEDGERS: "Ledger", CUSTOMER_INDEX: "CustomerIndex" };
/** @param {string} components */
const javaScriptLedger = (components) => baseline("ledger", baselineKv, { bindings: { COMPONENTS: components }, objects });
const build = projectPath("build");
/** @type {Record<string, import("./workerd.mjs").WorkerConfig>} */
const workers = {
  minimal: baseline("minimal", baselineKv),
  hono: baseline("hono", baselineKv),
  entgate: entgate(build, entgateKv),
  ...(process.env.COMPARE_BUILD && { "compared build": entgate(process.env.COMPARE_BUILD, entgateKv) }),
};
const names = Object.keys(workers);
const webhookReceivers = ["minimal", "hono", "JavaScript ledger", ...names.slice(2)];
workers["JavaScript ledger"] = javaScriptLedger(ALL_COMPONENTS);
const bound = ["entgate, by HTTP", "entgate, by its service binding", "no check"];
for (const name of bound) workers[name] = boundEntgate(build, entgateKv);
workers["entgate, cache on"] = entgate(build, entgateKv, { ENTGATE_MEMORY_TTL: "60" });
for (const [name, components] of Object.entries(COMPONENTS_BY_WORKER)) workers[name] = javaScriptLedger(components);

/** @type {{ workload: string, Worker: string, CPU: string, ratio: string }[]} */
const table = [];

/**
 * Adds the rows of a workload to the table and prints them.
 *
 * @param {string} workload
 * @param {string[]} workerNames
 * @param {number[][]} samples
 * @param {string} [unit]
 */
function record(workload, workerNames, samples, unit = "µs") {
  const rows = workerNames.map((name, index) => {
    const { median, ratio } = summarize(samples[index], samples[0]);
    return { workload, Worker: name, CPU: `${median.toFixed(1)} ${unit}`, ratio: ratio.toFixed(2) };
  });
  console.table(rows);
  table.push(...rows);
}

const prefixes = process.argv.slice(2);
/** @param {string} workload */
const isSelected = (workload) => !prefixes.length || prefixes.some((prefix) => workload.startsWith(prefix));

/** @type {Record<string, import("./workerd.mjs").RunningWorker>} */
const running = {};
for (const [name, worker] of Object.entries(workers)) running[name] = await serve(worker);
for (const [workload, subjects] of Object.entries(workloads(names))) {
  if (!WARM_UP.workloads.includes(workload)) continue;
  for (const { name, requests, status } of subjects) await cpuPerRequest(running[name], requests(WARM_UP.requests), status);
}
for (const [workload, subjects] of Object.entries(workloads(names))) {
  if (!isSelected(workload)) continue;
  const subjectNames = subjects.map(({ name }) => name);
  const samples = await measureInterleaved(subjects, ROUNDS, ({ name, requests, status }) =>
    cpuPerRequest(running[name], requests(REQUESTS), status),
  );
  record(workload, subjectNames, samples);
}
// These workloads run together: each one continues with the state of the one before it.
if (isSelected("webhook")) await runLedgerWorkloads(running, webhookReceivers, record, WARM_UP.requests);
for (const worker of Object.values(running)) worker.stop();

if (isSelected("cold start")) {
  // The JavaScript ledger is included because it has Durable Object classes, which the platform has to prepare.
  const starting = [...names, "JavaScript ledger"];
  const samples = await measureInterleaved(starting, STARTS, async (name) => {
    const worker = await serve(workers[name], FIRST_REQUEST);
    const milliseconds = worker.cpuTime() / 1_000;
    worker.stop();
    return milliseconds;
  });
  record("cold start", starting, samples, "ms");
}

if (!prefixes.length && !process.env.COMPARE_BUILD) writeFileSync(projectPath("benches/RESULTS.md"), renderReport());
process.exit();

function renderReport() {
  /** @param {string} name */
  const sizes = (name) => {
    const bytes = readFileSync(join(build, name));
    return `${bytes.length.toLocaleString("en")} | ${gzipSync(bytes, { level: 9 }).length.toLocaleString("en")}`;
  };
  return [
    "# Cost of a request",
    "",
    "CPU time of the workerd process per request: medians of interleaved rounds, measured by `make bench`. `ratio` is the median of the ratios to the first Worker of the workload in",
    "the same round. `minimal` is a JavaScript Worker that does only the measured work (`benches/edge/baselines`): it authenticates no client and handles no errors. KV runs in a",
    "separate process. `cold start` is the CPU time from the start of workerd to the first response.",
    "",
    "`minimal` and `hono` write an event to KV and nothing else. `JavaScript ledger` does the work of entgate's ledger. It stores the set and the event id in one transaction of an",
    "object's SQLite. It sets an alarm for the replica write, writes the replica, and stores the change. It reports to the customer index.",
    "No wait is without a limit, and a change is logged.",
    `Each Worker handles ${WARM_UP.requests.toLocaleString("en")} events before the first measurement of one that is stored, so that V8 has optimized its code.`,
    "",
    "In `check of 10, in another Worker` a Worker of the same process checks before it responds: over a service binding that is HTTP, by a method of entgate's service binding, or",
    "not at all. The cost of the call is the difference to `no check`.",
    "",
    "An evicted object has left memory, as it does after ten seconds without an event. In `webhook, by component` each JavaScript ledger has one more component than the one before it:",
    "the cost of a component is the difference.",
    "",
    `${describeEnvironment()}, Hono ${packageVersion("hono")}, stripe ${packageVersion("stripe")}.`,
    "",
    "| workload | Worker | CPU | ratio |",
    "|---|---|---|---|",
    ...table.map((row) => `| ${Object.values(row).join(" | ")} |`),
    "",
    "| file of the Worker | bytes | gzipped |",
    "|---|---|---|",
    ...buildFiles(build).map((name) => `| \`build/${name}\` | ${sizes(name)} |`),
    "",
  ].join("\n");
}
