// Reports what the wasm of the Worker consists of, by crate and module. Writes benches/BLOAT.md.
//
//   node benches/bloat.mjs      after scripts/build.sh
//
// Needs twiggy (`cargo install twiggy`). Analyzes the wasm before wasm-opt, which removes a tenth of it and all names. Not here: the size
// budgets (scripts/check.sh).

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** @typedef {{ name: string, bytes: number }} Item */

/** @param {string} path */
const projectPath = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The Cargo profile of each core. */
const PROFILES = { fast_path: "fast-path", worker: "release" };

/** Rows of a table. */
const MAX_ROWS = 14;

/**
 * Runs a command and returns its output.
 *
 * @param {string} command
 * @param {string[]} args
 */
function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error && "code" in error && error.code === "ENOENT") throw new Error(`${command} is not installed. Run: cargo install ${command}`);
  if (status !== 0) throw new Error(`${command} exited with ${status}: ${stderr}`);
  return stdout;
}

/**
 * Returns the functions and data of a wasm file.
 *
 * @param {string} wasm
 * @returns {Item[]}
 */
function listItems(wasm) {
  const [, ...lines] = run("twiggy", "top", "-n", "1000000", "--format", "csv", wasm).trim().split("\n");
  return lines.flatMap((line) => {
    const [, name, bytes] = line.match(/^"?(.*?)"?,(\d+),[\d.]+,/) ?? [];
    return name === undefined || /subsection|^import |^export /.test(name) ? [] : [{ name, bytes: Number(bytes) }];
  });
}

/** Modules whose submodules are listed separately. */
const SPLIT_MODULES = ["api", "catalog", "worker", "ledger", "store"];

/**
 * Returns the owner of an item: the first module of entgate in its name, otherwise the crate. So a generic function belongs to the module
 * that instantiates it.
 *
 * @param {string} name
 */
function findOwner(name) {
  const own = name.match(/entgate(?:\[\w+\])?::(\w+)(?:::(\w+))?/);
  if (own) return SPLIT_MODULES.includes(own[1]) && own[2] ? `entgate::${own[1]}::${own[2]}` : `entgate::${own[1]}`;
  if (/^data segment|^elem/.test(name)) return "strings and tables";
  return name.match(/^[<&([\s]*(?:impl |dyn |mut )?([a-z_0-9]+)(?=::|\[|$)/)?.[1] ?? "other";
}

/**
 * Returns the lines of a table of the largest owners.
 *
 * @param {Item[]} items
 */
function renderTable(items) {
  /** @type {Map<string, { sum: number, count: number }>} */
  const owners = new Map();
  for (const { name, bytes } of items) {
    const owner = findOwner(name);
    const { sum, count } = owners.get(owner) ?? { sum: 0, count: 0 };
    owners.set(owner, { sum: sum + bytes, count: count + 1 });
  }
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = [...owners].sort(([, a], [, b]) => b.sum - a.sum).slice(0, MAX_ROWS);
  return [
    "| module or crate | bytes | share | items |",
    "|---|---|---|---|",
    ...largest.map(
      ([owner, { sum, count }]) => `| \`${owner}\` | ${sum.toLocaleString("en")} | ${((100 * sum) / total).toFixed(1)} % | ${count} |`,
    ),
  ];
}

const folder = mkdtempSync(join(tmpdir(), "entgate-bloat-"));
const lines = [
  "# Composition of the Worker's wasm",
  "",
  "Measured by `node benches/bloat.mjs` with twiggy, before wasm-opt. A generic function counts for the first module of entgate in its name. An async function counts for the part of",
  "`js_sys` or `wasm_bindgen` that polls it.",
];
try {
  for (const [core, profile] of Object.entries(PROFILES)) {
    const compiled = projectPath(`target/wasm32-unknown-unknown/${profile}/entgate.wasm`);
    run("wasm-bindgen", "--target", "web", "--no-typescript", "--out-dir", folder, "--out-name", core, compiled);
    const built = readFileSync(projectPath(`build/${core}.wasm`));
    const size = `${built.length.toLocaleString("en")} bytes, ${gzipSync(built, { level: 9 }).length.toLocaleString("en")} gzipped`;
    lines.push("", `## \`${core}.wasm\`: ${size}`, "", ...renderTable(listItems(join(folder, `${core}_bg.wasm`))));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
writeFileSync(projectPath("benches/BLOAT.md"), `${lines.join("\n")}\n`);
