// The Workers that are measured, as `serve` takes them.

import { build } from "esbuild";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folder } from "./shutdown.mjs";
import { KEY, SECRET } from "./workloads.mjs";

export const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const bindings = { ENTGATE_API_KEYS: KEY, STRIPE_WEBHOOK_SECRETS: SECRET, ENTGATE_MEMORY_TTL: "0" };
const CONTENDERS = ["minimal", "hono", "ledger", "fill-index"];
const bundled = folder();

await build({
  entryPoints: CONTENDERS.map((name) => root(`benches/edge/baselines/${name}.mjs`)),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*"],
  outdir: bundled,
  logLevel: "warning",
});

/** A contender in JavaScript. */
export const script = (name, kv, { bindings: more = {}, objects } = {}) => ({
  kv: kv.port,
  modules: [{ name: "main.js", path: join(bundled, `${name}.js`) }],
  bindings: { ...bindings, ...more },
  objects,
});

/** The files of a build that the platform loads, the Worker's main one first. */
export const files = (build) =>
  readdirSync(build)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort((a, b) => (b === "index.js") - (a === "index.js") || a.localeCompare(b));

/** A build of ours. */
export const ours = (build, kv, more = {}) => ({
  kv: kv.port,
  modules: files(build).map((name) => ({ name, path: join(build, name) })),
  bindings: { ...bindings, ...more },
  objects: { CUSTOMERS: "Customer", ROSTER: "Roster", CATALOG: "Catalog", JOURNAL: "Journal" },
});
