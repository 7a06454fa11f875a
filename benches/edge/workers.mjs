// Configurations of the measured Workers for `serve`: builds of entgate, and the baselines.
//
// Accepts a build folder or the name of a baseline, and the KV namespace with its records. Not here: the source of the baselines
// (baselines/), and their requests (workloads.mjs).

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { temporaryFolder } from "./shutdown.mjs";
import { KEY, SECRET } from "./workloads.mjs";

/** @typedef {import("./workerd.mjs").WorkerConfig} WorkerConfig */
/** @typedef {import("./workerd.mjs").Kv} Kv */

/**
 * Returns the absolute path of a file of the project.
 *
 * @param {string} path
 */
export const projectPath = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** @type {Record<string, string>} */
const bindings = { ENTGATE_API_KEYS: KEY, STRIPE_WEBHOOK_SECRETS: SECRET, ENTGATE_MEMORY_TTL: "0" };
const BASELINES = ["minimal", "hono", "ledger", "fill-index", "bound"];
const bundleFolder = temporaryFolder();

await build({
  entryPoints: BASELINES.map((name) => projectPath(`benches/edge/baselines/${name}.mjs`)),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*"],
  outdir: bundleFolder,
  logLevel: "warning",
});

/**
 * Returns a baseline in JavaScript.
 *
 * @param {string} name
 * @param {Kv} kv
 * @param {{ bindings?: Record<string, string>, objects?: Record<string, string> }} [options]
 * @returns {WorkerConfig}
 */
export const baseline = (name, kv, { bindings: more = {}, objects } = {}) => ({
  kv: kv.port,
  modules: [{ name: "main.js", path: join(bundleFolder, `${name}.js`) }],
  bindings: { ...bindings, ...more },
  objects,
});

/**
 * Returns the files of a build that the platform loads, the main module first.
 *
 * @param {string} folder
 */
export const buildFiles = (folder) =>
  readdirSync(folder)
    .filter((name) => /\.(js|wasm)$/.test(name))
    .sort((a, b) => Number(b === "index.js") - Number(a === "index.js") || a.localeCompare(b));

/**
 * Returns a build of entgate.
 *
 * @param {string} folder
 * @param {Kv} kv
 * @param {Record<string, string>} [settings]
 * @returns {WorkerConfig}
 */
export const entgate = (folder, kv, settings = {}) => ({
  kv: kv.port,
  modules: buildFiles(folder).map((name) => ({ name, path: join(folder, name) })),
  bindings: { ...bindings, ...settings },
  objects: {
    LEDGERS: "Ledger",
    CUSTOMER_INDEX: "CustomerIndex",
    SOURCE_COORDINATOR: "SourceCoordinator",
    CATALOG: "Catalog",
  },
});

/**
 * Returns a build of entgate behind a Worker that calls it over a service binding (baselines/bound.mjs).
 *
 * @param {string} folder
 * @param {Kv} kv
 * @returns {WorkerConfig}
 */
export const boundEntgate = (folder, kv) => ({ ...entgate(folder, kv), front: { name: "bound.js", path: join(bundleFolder, "bound.js") } });
