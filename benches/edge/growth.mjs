// How the cost of what ours does grows with what there is: entitlements in a set, customers in the roster, listeners of a customer.
// In CPU time of workerd's process, each size in turn. `make bench` writes benches/GROWTH.md with it.
//
//   node benches/edge/growth.mjs [entitlements] [customers] [streams]     by default all, written down
//   GROWTH_ROUNDS=2 REQUESTS=200 EVENTS=20 CUSTOMERS=1000 …               shorter, to see that it works

import { writeFileSync } from "node:fs";
import { folder } from "./shutdown.mjs";
import { listen } from "./sse-clients.mjs";
import { machine } from "./environment.mjs";
import { measure, sleep, spend, summed } from "./interleave.mjs";
import { sets } from "./kv-records.mjs";
import { serve } from "./workerd.mjs";
import { ours, root, script } from "./workers.mjs";
import { KEYED, SIZES, asks, check, event, list } from "./workloads.mjs";

const ROUNDS = Number(process.env.GROWTH_ROUNDS ?? 5);
const REQUESTS = Number(process.env.REQUESTS ?? 500);
const EVENTS = Number(process.env.EVENTS ?? 75);

/** So many requests go before, until V8 has compiled anew what is run often. */
const WARM_UP = Number(process.env.WARM_UP ?? 15_000);

/** Customers in the roster, up to so many. */
const CUSTOMERS = [10, 10_000, 1_000_000].filter((count) => count <= Number(process.env.CUSTOMERS ?? Infinity));

/** Listeners of one customer; what it takes to tell nobody is told apart. */
const STREAMS = [0, 1, 100, 1_000];

/** A change is one event, so that it takes more rounds. */
const CHANGES = ROUNDS * 3;

/** Until the roster was told, until KV takes the next copy, and until the journal was told, in milliseconds. */
const [REPORTED, NEXT_COPY, NOTED] = [1_600, 1_100, 200];

const { rows, columns } = await sets();
const build = root("build");
const STRIPE = { ENTGATE_SOURCE: "stripe" };

/** The rows of one table, a row a size, and after it why they are so. */
const tables = [];
const table = (title, size, columns, rows, why) => {
  tables.push({ title, size, columns, rows, why });
  console.log(title);
  console.table(rows.map((row) => Object.fromEntries([size, ...columns].map((name, at) => [name, row[at]]))));
};
const told = ({ took, ratio }) => `${took.toFixed(1)} µs (${ratio.toFixed(2)})`;

/** A column: what each size took, and that as a ratio of the first. */
const column = (taken) => taken.map((each) => told(summed(each, taken[0])));
const turned = (columns, sizes) => sizes.map((size, at) => [size.toLocaleString("en"), ...columns.map((each) => each[at])]);

async function entitlements() {
  const worker = await serve(ours(build, columns, STRIPE));
  for (const requests of [check(10), list(10)]) await spend(worker, requests(WARM_UP));
  const of = (requests) =>
    measure(
      SIZES.map((size) => requests(size)),
      ROUNDS,
      (requests) => spend(worker, requests(REQUESTS)),
    );
  const taken = [await of(check), await of((size) => list(size)), await of((size) => list(size, 100))];
  worker.stop();
  table(
    "Entitlements of the customer",
    "entitlements",
    ["check of the last one", "list, the default 10", "list, `limit=100`"],
    turned(taken.map(column), SIZES),
    [
      "A check reads the one value that KV has of the customer and looks through the lookup keys, which stand in front of it, up to the one asked about; it reads nothing behind them, so that what grows is the bytes that KV hands over and the keys passed by.",
      "A list goes over the whole record, whatever part of it is asked for, to see where each text begins and that all of it is as it was written: so a page of ten grows with the set. What is not on the page is not copied.",
      "With `limit=100` the answer grows too, up to a hundred entitlements; from there on only what is gone over does.",
    ],
  );
}

/** Ours, with so many customers in its roster. */
async function among(count) {
  const stored = folder();
  const worker = { ...ours(build, columns, STRIPE), stored };
  const roster = async (port, query) => (await fetch(`http://127.0.0.1:${port}/v1/roster?${query}`, { headers: KEYED })).json();
  // Ours makes its tables, another Worker fills them, and ours is asked whether it sees it so.
  const first = await serve(worker);
  await roster(first.port, "limit=1");
  await first.stop();
  const filler = await serve({ ...script("fill-index", rows, { objects: { ROSTER: "Roster" } }), stored });
  const filled = await (await fetch(`http://127.0.0.1:${filler.port}/?count=${count}`)).json();
  await filler.stop();
  const running = await serve(worker);
  const last = `cus_known${`${count - 1}`.padStart(7, "0")}`;
  const [at, beyond] = [await roster(running.port, `prefix=${last}`), await roster(running.port, `starting_after=${last}`)];
  if (filled.count !== count || at.data?.[0]?.id !== last || beyond.data?.length !== 0) {
    throw new Error(`the roster is not filled with ${count}: ${JSON.stringify([filled, at, beyond])}`);
  }
  return running;
}

async function customers() {
  const workers = [];
  for (const count of CUSTOMERS) workers.push(await among(count));
  // Their names stand anywhere among the others, as Stripe's do: in steps that share no divisor with a million.
  const name = (round, number) => `cus_known${`${(number * 618_033 + round * 7_919) % 1_000_000}`.padStart(7, "0")}_${round}`;
  const events = (round) => Array.from({ length: EVENTS }, (_, number) => event(name(round, number)));
  const fresh = (worker, round) => spend(worker, events(round), 200, REPORTED);
  const known = async (worker, round) => {
    await spend(worker, events(round), 200, NEXT_COPY);
    return spend(worker, events(round), 200, NOTED);
  };
  const page = (worker) => spend(worker, asks("/v1/roster?limit=5&starting_after=cus_known0000004")(EVENTS));
  const taken = [await measure(workers, ROUNDS, fresh, 1), await measure(workers, ROUNDS, known, 1), await measure(workers, ROUNDS, page)];
  for (const worker of workers) worker.stop();
  table(
    "Customers that are known",
    "customers",
    ["event of a new one", "event of a known one", "five of the roster"],
    turned(taken.map(column), CUSTOMERS),
    [
      "An event goes to its customer's own object, whose tables hold nothing of anybody else; that of a new customer makes the object's file and tables too.",
      "A second later a new customer's object tells the roster, once: an insert at its place in a tree of keys and in an index of who is to be confirmed when, both of which get deeper by a level with some hundred times as many customers.",
      "The event of a known customer is not told to the roster, unless it brings a feature that is new to the customer, or a debt was tried in vain; a confirmation by the source is, once an hour.",
      "A page of the roster begins at its key in that tree and reads as many rows as are asked for.",
    ],
  );
}

async function streams() {
  const crowds = [];
  for (const count of STREAMS) {
    const worker = await serve(ours(build, columns, STRIPE));
    crowds.push({ worker, count, heard: await listen(worker.port, "cus_ada", count) });
  }
  const once = async ({ worker, heard }, round) => {
    const before = worker.cpu();
    await spend(worker, [event("cus_ada", { features: [`feature-${round}`] })]);
    await heard(round + 1);
    await sleep(NOTED);
    const took = worker.cpu() - before;
    await sleep(NEXT_COPY / 2);
    return took;
  };
  const taken = await measure(crowds, CHANGES, once);
  for (const { worker } of crowds) worker.stop();
  const all = taken.map((each) => summed(each, each).took);
  const rows = crowds.slice(1).map(({ count }, at) => {
    const more = all[at + 1] - all[0];
    return [
      count.toLocaleString("en"),
      ...[all[at + 1] / 1_000, more / 1_000].map((ms) => `${ms.toFixed(2)} ms`),
      `${(more / count).toFixed(0)} µs`,
    ];
  });
  table("Listeners of one customer, told a change", "listeners", ["event and all told", "more than with nobody", "a listener"], rows, [
    `With nobody who listens the event takes ${(all[0] / 1_000).toFixed(2)} ms.`,
    "The customer's object reads its changes and writes the text once, and sends it to one WebSocket after the other, on each of which it notes the version told; behind each the Worker reads the text, writes the client's form of it and sends that: so the whole grows with the listeners.",
    "What is done once for all of them weighs less on each, the more there are.",
  ]);
}

const wanted = process.argv.slice(2);
for (const part of [entitlements, customers, streams]) {
  if (!wanted.length || wanted.includes(part.name)) await part();
}

if (!wanted.length) {
  const written = tables.flatMap(({ title, size, columns, rows, why }) => [
    `## ${title}`,
    "",
    `| ${[size, ...columns].join(" | ")} |`,
    `|---|${columns.map(() => "---|").join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    ...why.map((line) => `* ${line}`),
    "",
  ]);
  const lines = [
    "# How it grows",
    "",
    "CPU time of workerd's process for one request or event with all that comes of it, medians of interleaved rounds, and in brackets the ratio to the first row, by `make bench`.",
    "The source is Stripe, without a key: nothing is read there. KV is a process of its own.",
    "",
    `${machine()}.`,
    "",
    ...written,
  ];
  writeFileSync(root("benches/GROWTH.md"), lines.join("\n"));
}
process.exit();
