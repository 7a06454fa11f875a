// What a request costs, in CPU time of workerd's process: ours beside others, in turns, in one run. `make bench` writes
// benches/RESULTS.md with it.
//
//   node benches/edge/run.mjs [beginning of a work …]     by default all, written down
//   BEFORE=folder node benches/edge/run.mjs …             another build of ours too, to see what a change does

import { build } from "esbuild";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { drive } from "./drive.mjs";
import { kv, serve } from "./workerd.mjs";
import { KEY, SECRET, SIZES, works } from "./works.mjs";

const ROUNDS = Number(process.env.ROUNDS ?? 9);
const REQUESTS = Number(process.env.REQUESTS ?? 1_500);
const STARTS = 7;

/** What a Worker is asked first. */
const FIRST = { path: "/v1/check?customer=cus_10&feature=feature-9", headers: { authorization: `Bearer ${KEY}` } };

// Whatever goes wrong, nothing is left running.
const ends = [];
process.on("exit", () => ends.forEach((end) => end()));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
const ending = (service) => (ends.push(() => service.stop()), service);

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const root = (path) => here(`../../${path}`);

const folder = mkdtempSync(join(tmpdir(), "entgate-bench-"));
ends.push(() => rmSync(folder, { recursive: true, force: true }));
await build({
  entryPoints: ["floor", "hono"].map((name) => here(`contenders/${name}.mjs`)),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["workerd", "worker", "browser"],
  outdir: folder,
  logLevel: "warning",
});

/** The sets that are asked about, in the form that JavaScript reads most easily, and in ours. */
const [rows, columns] = [ending(await kv()), ending(await kv())];
for (const size of SIZES) {
  const head = { version: 3, as_of: 1_706_111_369, coverage: "whole" };
  const data = Array.from({ length: size }, (_, at) => ({
    id: `ent_test_61QGU1MWyFMSP9YBZ41ClCIKljWvs${at}`,
    feature: `feat_test_61QGTuxAZuDgJsvqm41ClCIKlj${at}`,
    lookup_key: `feature-${at}`,
  }));
  const column = (name) => data.map((grant) => grant[name]);
  await rows.put(`test:cus_${size}`, JSON.stringify({ v: 1, ...head, data }));
  await columns.put(`test:cus_${size}`, JSON.stringify({ v: 2, ...head, keys: column("lookup_key"), features: column("feature"), ids: column("id") }));
}

const bindings = { ENTGATE_API_KEYS: KEY, STRIPE_WEBHOOK_SECRETS: SECRET, ENTGATE_MEMORY_TTL: "0" };
const script = (name) => ({ kv: rows.port, modules: [{ name: "main.js", path: join(folder, `${name}.js`) }], bindings });
const ours = (build, more = {}) => ({
  kv: columns.port,
  modules: ["index.js", ...readdirSync(build).filter((name) => name !== "index.js" && /\.(js|wasm)$/.test(name))].map((name) => ({ name, path: join(build, name) })),
  bindings: { ...bindings, ...more },
  objects: { CUSTOMERS: "Customer", ROSTER: "Roster", CATALOG: "Catalog", JOURNAL: "Journal" },
});
const workers = {
  floor: script("floor"),
  hono: script("hono"),
  entgate: ours(root("build")),
  ...(process.env.BEFORE && { before: ours(process.env.BEFORE) }),
};
const names = Object.keys(workers);
workers["entgate, remembering"] = ours(root("build"), { ENTGATE_MEMORY_TTL: "60" });

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const table = [];

/** Measures each way in turn, some rounds after two to warm up, and notes the medians. */
async function measure(work, unit, ways, once, rounds) {
  const taken = ways.map(() => []);
  for (let round = -2; round < rounds; round++) {
    // Each round begins with another one.
    for (let at = 0; at < ways.length; at++) {
      const turn = (at + round + 2) % ways.length;
      const took = await once(ways[turn]);
      if (round >= 0) taken[turn].push(took);
    }
  }
  ways.forEach(({ name }, way) => {
    const ratios = taken[way].map((each, round) => each / taken[0][round]);
    table.push({ work, who: name, [unit]: median(taken[way]).toFixed(1), "of the floor": median(ratios).toFixed(2) });
  });
}

const wanted = process.argv.slice(2);
const isWanted = (work) => !wanted.length || wanted.some((word) => work.startsWith(word));

const running = {};
for (const [name, worker] of Object.entries(workers)) running[name] = ending(await serve(worker, FIRST));
for (const [work, ways] of Object.entries(works(names))) {
  if (!isWanted(work)) continue;
  const once = async ({ name, next, status }) => {
    const requests = Array.from({ length: REQUESTS }, next);
    const { port, cpu } = running[name];
    const before = cpu();
    await drive(port, REQUESTS, () => requests.pop(), status);
    return (cpu() - before) / REQUESTS;
  };
  await measure(work, "µs", ways, once, ROUNDS);
}
for (const worker of Object.values(running)) worker.stop();

if (isWanted("start")) {
  // From nothing to the first answer, workerd itself included.
  const once = async ({ name }) => {
    const worker = ending(await serve(workers[name], FIRST));
    const took = worker.cpu() / 1_000;
    worker.stop();
    return took;
  };
  await measure("start", "ms", names.map((name) => ({ name })), once, STARTS);
}
console.table(table);

if (!wanted.length && !process.env.BEFORE) {
  const size = (path) => {
    const bytes = readFileSync(root(path));
    return `${bytes.length.toLocaleString("en")} | ${gzipSync(bytes, { level: 9 }).length.toLocaleString("en")}`;
  };
  const version = (name) => createRequire(import.meta.url)(`${root("node_modules")}/${name}/package.json`).version;
  const lines = [
    "# What a request costs",
    "",
    "CPU time of workerd's process, medians of interleaved rounds, by `make bench`. The floor is a Worker in JavaScript written for nothing but speed",
    "(`benches/edge/contenders`), which asks for no key and knows no error. KV is a process of its own. `start` is from nothing to the first answer, workerd's own start included.",
    "",
    `${ROUNDS} rounds of ${REQUESTS} requests; ${cpus().length} × ${cpus()[0].model}, Node ${process.version}, workerd ${version("workerd")}, Hono ${version("hono")}, stripe ${version("stripe")}.`,
    "",
    "| work | who | CPU | of the floor |",
    "|---|---|---|---|",
    ...table.map(({ work, who, µs, ms, "of the floor": ratio }) => `| ${work} | ${who} | ${µs ? `${µs} µs` : `${ms} ms`} | ${ratio} |`),
    "",
    "| file of the Worker | bytes | gzipped |",
    "|---|---|---|",
    ...["build/index_bg.wasm", "build/index.js"].map((path) => `| \`${path}\` | ${size(path)} |`),
    "",
  ];
  writeFileSync(root("benches/RESULTS.md"), lines.join("\n"));
}
process.exit();
