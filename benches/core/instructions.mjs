// What the pure core costs, in instructions: callgrind counts those of the native build, which are the same in every run.
//
//   node benches/core/instructions.mjs                          all works, written down in benches/INSTRUCTIONS.md
//   node benches/core/instructions.mjs [beginning of a work …]  where the instructions of these go, by function

import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** What a command says, in the project's folder and with its toolchain. */
const says = (command, stderr = "inherit") =>
  execFileSync("bash", ["-c", `. scripts/env.sh && ${command}`], {
    cwd: root(""),
    encoding: "utf8",
    stdio: ["ignore", "pipe", stderr],
  }).trim();

if (spawnSync("valgrind", ["--version"]).error) {
  console.error(
    "error: instructions are counted by valgrind, which is not here. Install it (Debian: apt-get install valgrind), and run node benches/core/instructions.mjs",
  );
  process.exit(1);
}

const WORK = "entgate_bench::measured";
const folder = mkdtempSync(join(tmpdir(), "entgate-instructions-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

says("cargo build --release --quiet --manifest-path benches/core/Cargo.toml");
// Each work is a part of its own: counting begins anew with it, and what was counted is written down behind it.
const options = ["--tool=callgrind", `--callgrind-out-file=${folder}/part`, `--zero-before=${WORK}`, `--dump-after=${WORK}`];
const lines = says(`valgrind -q ${options.join(" ")} benches/core/target/release/entgate-bench`, "ignore").split("\n");
const told = (what) =>
  lines
    .map((line) => line.split("\t"))
    .filter(([kind]) => kind === what)
    .map(([, number, name]) => ({ name, number: Number(number) }));

const works = told("calls").map(({ name, number: calls }, at) => {
  const part = readFileSync(join(folder, `part.${at + 1}`), "utf8");
  return { name, calls, part, instructions: Number(part.match(/^summary: (\d+)$/m)[1]) / calls };
});
const bytes = new Map(told("bytes").map(({ name, number }) => [name, number]));

const english = (number) => Math.round(number).toLocaleString("en");

/**
 * What each function did itself, and with those that it called: https://valgrind.org/docs/manual/cl-format.html. What was inlined
 * into it is its own, and of functions whose code is the same one has the name of all.
 */
function functions({ part, calls }) {
  const names = new Map();
  const name = (id, given) => (given && names.set(id, given), names.get(id));
  const costs = new Map();
  const add = (fn, what, cost) => {
    const known = costs.get(fn) ?? { own: 0, all: 0 };
    costs.set(fn, { ...known, [what]: known[what] + cost / calls });
  };
  let [fn, called, isCall] = ["", "", false];
  for (const line of part.split("\n")) {
    const [, kind, id, given] = line.match(/^(c?fn)=(\(\d+\))(?: (.*))?$/) ?? [];
    const [, cost] = line.match(/^[*+\d-]\S* (\d+)$/) ?? [];
    if (kind === "fn") fn = name(id, given);
    else if (kind === "cfn") called = name(id, given);
    else if (line.startsWith("calls=")) isCall = true;
    else if (cost) {
      if (isCall) add(called, "all", Number(cost));
      else add(fn, "own", Number(cost));
      isCall = false;
    }
  }
  return [...costs].map(([fn, { own, all }]) => ({ fn, own, all: Math.max(own, all) })).sort((a, b) => b.own - a.own);
}

/** What stands around every work. */
const AROUND = /^main$|below main|libc_start_main|short_backtrace|entgate_bench::(main|measured|work)/;

const wanted = process.argv.slice(2);
if (wanted.length) {
  for (const work of works.filter(({ name }) => wanted.some((word) => name.startsWith(word)))) {
    const share = (cost) => `${english(cost).padStart(9)} ${((100 * cost) / work.instructions).toFixed(0).padStart(3)} %`;
    console.log(
      `\n${work.name}: ${english(work.instructions)} instructions\n       itself    with callees  (which counts a function that calls itself more than once)`,
    );
    for (const { fn, own, all } of functions(work).filter(({ fn, all }) => all > work.instructions / 50 && !AROUND.test(fn)))
      console.log(`${share(own)} ${share(all)}  ${fn}`);
  }
  process.exit();
}

const FORM = /^form: (.+): (\d+): (.+)$/;
const forms = new Map();
for (const { name, instructions } of works) {
  const [, form, size, what] = name.match(FORM) ?? [];
  if (form)
    forms.set(`${size}\t${form}`, {
      ...forms.get(`${size}\t${form}`),
      [what]: instructions,
      bytes: bytes.get(`form: ${form}: ${size}: bytes`),
    });
}
const of = (size, form) => forms.get(`${size}\t${form}`);
const sizes = [...new Set([...forms.keys()].map((key) => key.split("\t")[0]))];
const kinds = [...new Set([...forms.keys()].map((key) => key.split("\t")[1]))];
const ratio = (what, one, other) => `${(of(300, one)[what] / of(300, other)[what]).toFixed(1)}×`;
const percent = (what, one, other) => `${Math.round((100 * of(300, one)[what]) / of(300, other)[what])} %`;
const [ROWS, COLUMNS, LENGTHS, LIST, HASHES] = kinds;

const text = `# What the pure core costs, in instructions

Instructions a call of the native build (\`opt-level = 3\`), counted by callgrind, by \`make bench\`: a build has the same in every run, and another one up to
3 % more or less where much is allocated, since the heap differs. What is made is dropped within the call; what is set up once is not counted. WebAssembly has other instructions. \`cargo bench\` in \`benches/core\` times the same works,
\`node benches/core/instructions.mjs check\` tells in which functions the instructions of the works that begin so are. The event has 10 entitlements.

${says("rustc --version")}, ${says("valgrind --version")}. Valgrind has no SHA instructions, so that SHA-256 is in plain code here, as in WebAssembly.

| work | instructions |
|---|---|
${works
  .filter(({ name }) => !FORM.test(name))
  .map(({ name, instructions }) => `| ${name} | ${english(instructions)} |`)
  .join("\n")}

## The stored form

A set in the form in which it is stored (form 2), and in others that it could have. All that are JSON are searched by one scan, eight bytes at a time, that knows
their shape (the core's own is the \`glance\` above); a check looks for the last key of the set, and for one that is absent; a page is the first one, as the list
route answers it. \`benches/core/src/forms\` has them.

| entitlements | form | bytes | check, last | check, absent | page of 10 | page of 100 |
|---|---|---|---|---|---|---|
${sizes
  .flatMap((size) =>
    kinds.map((form) => {
      const { bytes, last, absent, "list 10": ten, "list 100": hundred } = of(size, form);
      return `| ${[size, form, ...[bytes, last, absent, ten, hundred].map(english)].join(" | ")} |`;
    }),
  )
  .join("\n")}

A check is what is asked most, and every byte of a record is moved for it. With the keys in front, a check of the last of 300 takes ${percent("last", COLUMNS, ROWS)} of what it takes in rows, in
${percent("bytes", COLUMNS, ROWS)} of the bytes. Stripe's list as it is answered would double the bytes of every check (${ratio("bytes", LIST, COLUMNS)} of form 2) and not make a page cheap: 10 of 300 cost ${ratio("list 10", LIST, LENGTHS)} of
what they cost from columns whose beginnings are known, since a page is not dear to write, but to find. The lengths of the columns, in ${of(300, LENGTHS).bytes - of(300, COLUMNS).bytes} bytes, do that. Hashes are found
in some ${english(Math.ceil(of(300, HASHES).last / 100) * 100)} instructions among any number of keys, in about the bytes of form 2 (${ratio("bytes", HASHES, COLUMNS)}), but are nothing that an operator can read: for sets of ten that buys
${english(of(10, COLUMNS).last - of(10, HASHES).last)} instructions a check, which is less than a microsecond.
`;
writeFileSync(root("benches/INSTRUCTIONS.md"), text);
console.log(text);
