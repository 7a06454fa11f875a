// What a request costs, in CPU time of workerd's process: ours beside others, in turns, in one run. `make bench` writes
// benches/RESULTS.md with it.
//
//   node benches/edge/run.mjs [beginning of a work …]     by default all, written down
//   BEFORE=folder node benches/edge/run.mjs …             another build of ours too, to see what a change does
//   WARM_UP=100 ROUNDS=3 REQUESTS=300 EVENT_ROUNDS=1 EVENTS=50 …  shorter, to see that it works
//   TMPDIR=/dev/shm …                                     objects in memory, to see what the file system takes

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ALL, GROWING, ledgers } from "./ledger-workloads.mjs";
import { machine, version } from "./environment.mjs";
import { measure, spend, summed } from "./interleave.mjs";
import { sets } from "./kv-records.mjs";
import { serve } from "./workerd.mjs";
import { files, ours, root, script } from "./workers.mjs";
import { KEY, works } from "./workloads.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const REQUESTS = Number(process.env.REQUESTS ?? 1_000);
const STARTS = 7;

/** So many requests of each kind go before all others: V8 compiles what is run often anew, in threads of its own, and takes its time. */
const WARM_UP = {
  requests: Number(process.env.WARM_UP ?? 15_000),
  works: ["check of 10", "check, from memory", "list, 10 of 10", "webhook, of another type"],
};

/** What a Worker is asked first. */
const FIRST = { path: "/v1/check?customer=cus_10&feature=feature-9", headers: { authorization: `Bearer ${KEY}` } };

const { rows, columns } = await sets();
const objects = { CUSTOMERS: "Customer", ROSTER: "Roster", JOURNAL: "Journal" };
const ledger = (parts) => script("ledger", rows, { bindings: { DOES: parts }, objects });
const build = root("build");
const workers = {
  floor: script("minimal", rows),
  hono: script("hono", rows),
  entgate: ours(build, columns),
  ...(process.env.BEFORE && { before: ours(process.env.BEFORE, columns) }),
};
const names = Object.keys(workers);
const keepers = ["floor", "hono", "ledger in JavaScript", ...names.slice(2)];
workers["ledger in JavaScript"] = ledger(ALL);
workers["entgate, remembering"] = ours(build, columns, { ENTGATE_MEMORY_TTL: "60" });
for (const [name, parts] of Object.entries(GROWING)) workers[name] = ledger(parts);

const table = [];

/** Notes what each of these took in a work. */
function note(work, names, taken, unit = "µs") {
  const rows = names.map((who, at) => {
    const { took, ratio } = summed(taken[at], taken[0]);
    return { work, who, CPU: `${took.toFixed(1)} ${unit}`, "of the first": ratio.toFixed(2) };
  });
  console.table(rows);
  table.push(...rows);
}

const wanted = process.argv.slice(2);
const isWanted = (work) => !wanted.length || wanted.some((word) => work.startsWith(word));

const running = {};
for (const [name, worker] of Object.entries(workers)) running[name] = await serve(worker);
for (const [work, ways] of Object.entries(works(names))) {
  if (!WARM_UP.works.includes(work)) continue;
  for (const { name, requests, status } of ways) await spend(running[name], requests(WARM_UP.requests), status);
}
for (const [work, ways] of Object.entries(works(names))) {
  if (!isWanted(work)) continue;
  const once = ({ name, requests, status }) => spend(running[name], requests(REQUESTS), status);
  note(
    work,
    ways.map(({ name }) => name),
    await measure(ways, ROUNDS, once),
  );
}
// They begin alike, and each goes on from the one before.
if (isWanted("webhook")) await ledgers(running, keepers, note);
for (const worker of Object.values(running)) worker.stop();

if (isWanted("start")) {
  // From nothing to the first answer, workerd itself included.
  const once = async ({ name }) => {
    const worker = await serve(workers[name], FIRST);
    const took = worker.cpu() / 1_000;
    worker.stop();
    return took;
  };
  // The ledger has classes of objects too, which the platform makes ready.
  const starting = [...names, "ledger in JavaScript"];
  note(
    "start",
    starting,
    await measure(
      starting.map((name) => ({ name })),
      STARTS,
      once,
    ),
    "ms",
  );
}

if (!wanted.length && !process.env.BEFORE) {
  const size = (name) => {
    const bytes = readFileSync(join(build, name));
    return `${bytes.length.toLocaleString("en")} | ${gzipSync(bytes, { level: 9 }).length.toLocaleString("en")}`;
  };
  const lines = [
    "# What a request costs",
    "",
    "CPU time of workerd's process, medians of interleaved rounds, by `make bench`; a ratio is to the first of its work, and the median of the rounds' ratios. The floor is a Worker in",
    "JavaScript written for nothing but speed (`benches/edge/baselines`), which asks for no key and knows no error. KV is a process of its own. `start` is from nothing to the first",
    "answer, workerd's own start included. Floor and Hono put an event into KV and are done; the ledger in JavaScript does what ours does: it keeps the set and the event's id in an",
    "object's SQLite in one transaction, sets an alarm for the copy in KV and writes that, remembers the change, and tells journal and roster.",
    "",
    "An object is asleep when it has left memory, as it does after ten seconds without an event; the last works are about customers whose object is awake. Part by part, each ledger in",
    "JavaScript does a part more than the one before it: what a part costs is the difference.",
    "",
    `${machine()}, Hono ${version("hono")}, stripe ${version("stripe")}.`,
    "",
    "| work | who | CPU | of the first |",
    "|---|---|---|---|",
    ...table.map((row) => `| ${Object.values(row).join(" | ")} |`),
    "",
    "| file of the Worker | bytes | gzipped |",
    "|---|---|---|",
    ...files(build).map((name) => `| \`build/${name}\` | ${size(name)} |`),
    "",
  ];
  writeFileSync(root("benches/RESULTS.md"), lines.join("\n"));
}
process.exit();
