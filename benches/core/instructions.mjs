// Counts the instructions of the core: callgrind runs the native build of the crate in this folder. The counts are the same in each run.
//
//   node benches/core/instructions.mjs                             counts all workloads, writes benches/INSTRUCTIONS.md
//   node benches/core/instructions.mjs [prefix of a workload …]    prints the instructions of these workloads by function
//
// The program prints one line per workload, `calls<tab>number of calls<tab>name`, and one per record size, `bytes<tab>size<tab>name`.
// Needs valgrind. Not here: the workloads (src/), and their time (criterion.rs).

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @typedef {{ name: string, calls: number, profile: string, instructions: number }} Workload */
/** @typedef {Record<string, number>} Measurements */

/** @param {string} path */
const projectPath = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Runs a command in the project's folder, with its toolchain. Returns its output.
 *
 * @param {string} command
 * @param {"inherit" | "ignore"} [stderr]
 */
const run = (command, stderr = "inherit") =>
  execFileSync("bash", ["-c", `. scripts/env.sh && ${command}`], {
    cwd: projectPath(""),
    encoding: "utf8",
    stdio: ["ignore", "pipe", stderr],
  }).trim();

if (spawnSync("valgrind", ["--version"]).error) {
  console.error("error: valgrind is not installed. Install it (Debian: apt-get install valgrind), then run this script again.");
  process.exit(1);
}

/** The function of the program whose instructions count. */
const MEASURED_FUNCTION = "entgate_bench::measured";
/** Names of the workloads that compare record formats: `format: <format>: <entitlements>: <operation>`. */
const FORMAT_WORKLOAD = /^format: (.+): (\d+): (.+)$/;

const folder = mkdtempSync(join(tmpdir(), "entgate-instructions-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

run("cargo build --release --quiet --manifest-path benches/core/Cargo.toml");
// Callgrind resets its counters when the function starts and writes a profile when it returns: one profile per workload.
const callgrindOptions = [
  "--tool=callgrind",
  `--callgrind-out-file=${folder}/profile`,
  `--zero-before=${MEASURED_FUNCTION}`,
  `--dump-after=${MEASURED_FUNCTION}`,
];
const output = run(`valgrind -q ${callgrindOptions.join(" ")} benches/core/target/release/entgate-bench`, "ignore");
/**
 * Returns the lines of a kind: `calls` or `bytes`.
 *
 * @param {string} kind
 */
const outputLines = (kind) =>
  output
    .split("\n")
    .map((line) => line.split("\t"))
    .filter(([first]) => first === kind)
    .map(([, number, name]) => ({ name, number: Number(number) }));

/** @type {Workload[]} */
const workloads = outputLines("calls").map(({ name, number: calls }, index) => {
  const profile = readFileSync(join(folder, `profile.${index + 1}`), "utf8");
  const total = profile.match(/^summary: (\d+)$/m)?.[1];
  if (!total) throw new Error(`the profile of \`${name}\` has no summary`);
  return { name, calls, profile, instructions: Number(total) / calls };
});

const prefixes = process.argv.slice(2);
if (prefixes.length) {
  for (const workload of workloads.filter(({ name }) => prefixes.some((prefix) => name.startsWith(prefix)))) printFunctions(workload);
} else {
  const report = renderReport();
  writeFileSync(projectPath("benches/INSTRUCTIONS.md"), report);
  console.log(report);
}

/** @param {number} number */
function format(number) {
  return Math.round(number).toLocaleString("en");
}

/**
 * Returns the instructions of each function per call, without and with its callees. Inlined code counts for the function that contains
 * it. Functions with identical code have the name of one of them. Format: https://valgrind.org/docs/manual/cl-format.html.
 *
 * @param {Workload} workload
 */
function functionCosts({ profile, calls }) {
  /** @type {Map<string, string>} */
  const names = new Map();
  /**
   * Returns the name of an id. The profile contains the name only where the id first occurs.
   *
   * @param {string} id
   * @param {string | undefined} name
   */
  const resolve = (id, name) => {
    if (name) names.set(id, name);
    return names.get(id) ?? id;
  };
  /** @type {Map<string, { self: number, inclusive: number }>} */
  const costs = new Map();
  /**
   * @param {string} name
   * @param {"self" | "inclusive"} kind
   * @param {number} cost
   */
  const add = (name, kind, cost) => {
    const known = costs.get(name) ?? { self: 0, inclusive: 0 };
    costs.set(name, { ...known, [kind]: known[kind] + cost / calls });
  };
  let [caller, callee, isCall] = ["", "", false];
  for (const line of profile.split("\n")) {
    const [, kind, id, name] = line.match(/^(c?fn)=(\(\d+\))(?: (.*))?$/) ?? [];
    const [, cost] = line.match(/^[*+\d-]\S* (\d+)$/) ?? [];
    if (kind === "fn") caller = resolve(id, name);
    else if (kind === "cfn") callee = resolve(id, name);
    else if (line.startsWith("calls=")) isCall = true;
    else if (cost) {
      if (isCall) add(callee, "inclusive", Number(cost));
      else add(caller, "self", Number(cost));
      isCall = false;
    }
  }
  return [...costs]
    .map(([name, { self, inclusive }]) => ({ name, self, inclusive: Math.max(self, inclusive) }))
    .sort((a, b) => b.self - a.self);
}

/**
 * Prints the functions of a workload that have at least 2 % of its instructions.
 *
 * @param {Workload} workload
 */
function printFunctions(workload) {
  const { name, instructions } = workload;
  /** Functions of the program around every workload. */
  const harness = /^main$|below main|libc_start_main|short_backtrace|entgate_bench::(main|measured|work)/;
  /** @param {number} cost */
  const share = (cost) => `${format(cost).padStart(9)} ${((100 * cost) / instructions).toFixed(0).padStart(3)} %`;
  console.log(
    `\n${name}: ${format(instructions)} instructions\n         self    with callees  (a recursive function counts more than once)`,
  );
  for (const { name: fn, self, inclusive } of functionCosts(workload)) {
    if (inclusive > instructions / 50 && !harness.test(fn)) console.log(`${share(self)} ${share(inclusive)}  ${fn}`);
  }
}

/** Returns the measurements of each record format: by number of entitlements, then by format. */
function formatMeasurements() {
  const bytes = new Map(outputLines("bytes").map(({ name, number }) => [name, number]));
  /** @type {Map<string, Map<string, Measurements>>} */
  const bySize = new Map();
  for (const { name, instructions } of workloads) {
    const [, recordFormat, size, operation] = name.match(FORMAT_WORKLOAD) ?? [];
    if (!recordFormat) continue;
    const byFormat = bySize.get(size) ?? new Map();
    bySize.set(size, byFormat);
    const measurements = byFormat.get(recordFormat) ?? { bytes: bytes.get(`format: ${recordFormat}: ${size}: bytes`) };
    byFormat.set(recordFormat, { ...measurements, [operation]: instructions });
  }
  return bySize;
}

function renderReport() {
  const bySize = formatMeasurements();
  const formatRows = [...bySize].flatMap(([size, byFormat]) =>
    [...byFormat].map(([name, { bytes, last, absent, "list 10": list10, "list 100": list100 }]) => {
      const cells = [bytes, last, absent, list10, list100].map(format);
      return `| ${[size, name, ...cells].join(" | ")} |`;
    }),
  );
  // The order of the formats in the program.
  const [rows, columns, lengths, list, hashes] = [...(bySize.get("300")?.values() ?? [])];
  const [, columnsOf10, , , hashesOf10] = [...(bySize.get("10")?.values() ?? [])];
  /**
   * @param {string} what
   * @param {Measurements} one
   * @param {Measurements} other
   */
  const ratio = (what, one, other) => `${(one[what] / other[what]).toFixed(1)}×`;
  /**
   * @param {string} what
   * @param {Measurements} one
   * @param {Measurements} other
   */
  const percent = (what, one, other) => `${Math.round((100 * one[what]) / other[what])} %`;

  return `# Instructions of the core

Instructions per call of the native build (\`opt-level = 3\`), counted by callgrind in \`make bench\`. The counts of one build are the same in every run. Another build may differ by up
to 3 % where it allocates much, since its heap differs. A call includes dropping its result, but not one-time setup. WebAssembly has other instructions. \`cargo bench\` in \`benches/core\`
measures the time of the same workloads. \`node benches/core/instructions.mjs check\` prints the instructions by function, for the workloads with this prefix. The event has 10 entitlements.

${run("rustc --version")}, ${run("valgrind --version")}. Valgrind has no SHA instructions, so SHA-256 runs in portable code, as in WebAssembly.

| workload | instructions |
|---|---|
${workloads
  .filter(({ name }) => !FORMAT_WORKLOAD.test(name))
  .map(({ name, instructions }) => `| ${name} | ${format(instructions)} |`)
  .join("\n")}

## Record formats

The stored format of a set (\`columns\`), and alternatives. The JSON formats are searched with one scan that reads eight bytes at a time and knows the format; the core's own scan is
\`lookup_feature\` above. A check looks up the last key of the set, or a key that is absent. A page is the first one, in the list route's JSON. The code is in \`benches/core/src\`.

| entitlements | format | bytes | check, last | check, absent | page of 10 | page of 100 |
|---|---|---|---|---|---|---|
${formatRows.join("\n")}

Checks are the most frequent requests, and each check transfers every byte of a record. With the keys at the start, a record has ${percent("bytes", columns, rows)} of the bytes of \`rows\`. A check of the last
of 300 takes ${percent("last", columns, rows)} of the instructions.

A record with Stripe's list as it is returned would double the bytes of each check (${ratio("bytes", list, columns)} of \`columns\`). It would not make a page cheap. Finding the page is expensive, not writing it:
10 of 300 take ${ratio("list 10", list, lengths)} of the instructions of \`columns, lengths first\`, which stores where its columns start, in ${lengths.bytes - columns.bytes} bytes.

Hashes are found in about ${format(Math.ceil(hashes.last / 100) * 100)} instructions among any number of keys, in about the bytes of \`columns\` (${ratio("bytes", hashes, columns)}). But an operator cannot read them. For sets of ten they save
${format(columnsOf10.last - hashesOf10.last)} instructions per check, which is less than a microsecond.
`;
}
