// What the Worker's wasm is made of, by twiggy, which has to be there (`cargo install twiggy`): written to benches/BLOAT.md.
//
//   node benches/bloat.mjs      after scripts/build.sh
//
// Before wasm-opt, which takes a tenth off and leaves no names.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Both cores: the profile that each is built with. */
const CORES = { hot: "hot", worker: "release" };

/** How many rows a table has. */
const ROWS = 14;

function run(command, ...values) {
  const { status, stdout, stderr, error } = spawnSync(command, values, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (error?.code === "ENOENT") throw new Error(`${command} is not there: cargo install ${command}`);
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
  return stdout;
}

/** The bytes by name: of functions and of data. */
function items(wasm) {
  const [, ...lines] = run("twiggy", "top", "-n", "1000000", "--format", "csv", wasm).trim().split("\n");
  return lines
    .map((line) => line.match(/^"?(.*?)"?,(\d+),[\d.]+,/))
    .filter((found) => found && !/subsection|^import |^export /.test(found[1]))
    .map(([, name, bytes]) => ({ name, bytes: Number(bytes) }));
}

/** What a name belongs to: a module of ours if one is in it, since a generic function is there for who uses it; else a crate. */
function owner(name) {
  const ours = name.match(/entgate(?:\[\w+\])?::(\w+)(?:::(\w+))?/);
  if (ours)
    return ["api", "catalog", "worker", "ledger", "store"].includes(ours[1]) && ours[2]
      ? `entgate::${ours[1]}::${ours[2]}`
      : `entgate::${ours[1]}`;
  if (/^data segment|^elem/.test(name)) return "texts and tables";
  return name.match(/^[<&(\[\s]*(?:impl |dyn |mut )?([a-z_0-9]+)(?=::|\[|$)/)?.[1] ?? "other";
}

function table(found) {
  const sums = new Map();
  for (const { name, bytes } of found) {
    const key = owner(name);
    const { sum, many } = sums.get(key) ?? { sum: 0, many: 0 };
    sums.set(key, { sum: sum + bytes, many: many + 1 });
  }
  const all = found.reduce((sum, { bytes }) => sum + bytes, 0);
  const rows = [...sums].sort(([, a], [, b]) => b.sum - a.sum).slice(0, ROWS);
  const row = ([key, { sum, many }]) => `| \`${key}\` | ${sum.toLocaleString("en")} | ${((100 * sum) / all).toFixed(1)} % | ${many} |`;
  return ["| whose | bytes | of all | items |", "|---|---|---|---|", ...rows.map(row)];
}

const folder = mkdtempSync(join(tmpdir(), "entgate-bloat-"));
const lines = [
  "# What the Worker's wasm is made of",
  "",
  "By `node benches/bloat.mjs`, which asks twiggy, before wasm-opt. A generic function counts where the first of our modules in its name is; async functions are in those of `js_sys` and",
  "`wasm_bindgen` that poll them.",
];
try {
  for (const [core, profile] of Object.entries(CORES)) {
    run(
      "wasm-bindgen",
      "--target",
      "web",
      "--no-typescript",
      "--out-dir",
      folder,
      "--out-name",
      core,
      root(`target/wasm32-unknown-unknown/${profile}/entgate.wasm`),
    );
    const built = readFileSync(root(`build/${core}.wasm`));
    const size = `${built.length.toLocaleString("en")} bytes, ${gzipSync(built, { level: 9 }).length.toLocaleString("en")} gzipped`;
    lines.push("", `## \`${core}.wasm\`: ${size}`, "", ...table(items(join(folder, `${core}_bg.wasm`))));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
writeFileSync(root("benches/BLOAT.md"), `${lines.join("\n")}\n`);
