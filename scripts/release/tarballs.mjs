// Checks the tarballs in dist/: that each has what its package.json names, and nothing else. Writes dist/SHA256SUMS.
//
// Accepts what scripts/packages.sh and scripts/release/sbom.mjs wrote. Prints each problem. Not here: whether they work, which
// tests/docs/packages.test.mjs tests.

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const DIST = new URL("../../dist/", import.meta.url);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What each package has besides package.json, README.md and its licenses. @type {Record<string, RegExp>} */
const CONTENTS = {
  entgate: /^dist\/[\w./-]+\.(?:js|cjs|d\.ts|d\.cts|wasm)$|^dist\/LICENSE-yaml$/,
  "@entgate/worker": new RegExp(
    [
      String.raw`^(?:with|without)-catalog/(?:index\.js|index\.d\.ts|worker\.js|fast_path\.wasm|worker\.wasm)$`,
      String.raw`^console/(?:_headers|[\w./-]+\.(?:js|css|html|json|svg))$`,
      String.raw`^self-host/[\w-]+\.js$|^index\.d\.ts$|^requirements\.json$`,
    ].join("|"),
  ),
  "create-entgate": /^(?:index|project)\.js$|^files\/[\w-]+\.js$|^requirements\.json$/,
};

const COMMON = /^(?:package\.json|README\.md|LICENSE-APACHE|LICENSE-MIT)$/;

/** Values for development, and the folder of this build. They are allowed in the files that write `.dev.vars`. */
const FORBIDDEN = [ROOT, "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "token_test_entgate_not_for_production"];
const MAY_HAVE_DEVELOPMENT_VALUES = /^files\/dev-vars\.js$|\.wasm$|^console\//;

/** @type {string[]} */
const problems = [];

const names = readdirSync(DIST).filter((name) => name.endsWith(".tgz"));
for (const name of names) checkTarball(name);
if (names.length !== Object.keys(CONTENTS).length)
  problems.push(`dist has ${names.length} tarballs, expected ${Object.keys(CONTENTS).length}`);

for (const problem of problems) console.error(problem);
if (problems.length) process.exit(1);

const sums = readdirSync(DIST)
  .filter((name) => name !== "SHA256SUMS")
  .toSorted()
  .map(
    (name) =>
      `${createHash("sha256")
        .update(readFileSync(new URL(name, DIST)))
        .digest("hex")}  ${name}\n`,
  );
writeFileSync(new URL("SHA256SUMS", DIST), sums.join(""));
console.log(`release: ${names.length} tarballs have the expected contents; dist/SHA256SUMS:\n${sums.join("").trimEnd()}`);

/** @param {string} name */
function checkTarball(name) {
  const report = (/** @type {string} */ problem) => problems.push(`${name}: ${problem}`);
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    execFileSync("tar", ["-xzf", fileURLToPath(new URL(name, DIST)), "-C", folder]);
    const files = readdirSync(join(folder, "package"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(join(folder, "package"), join(entry.parentPath, entry.name)));
    const read = (/** @type {string} */ path) => readFileSync(join(folder, "package", path), "latin1");
    const content = JSON.parse(read("package.json"));
    const expected = CONTENTS[content.name];
    if (!expected) report(`the package ${content.name} is not known`);
    for (const path of files) {
      if (!COMMON.test(path) && !expected?.test(path)) report(`${path} should not be in it`);
      const text = read(path);
      const forbidden = FORBIDDEN.find((each) => text.includes(each));
      if (forbidden && !(MAY_HAVE_DEVELOPMENT_VALUES.test(path) && forbidden !== ROOT)) report(`${path} contains ${forbidden}`);
    }
    for (const path of ["README.md", "LICENSE-APACHE", "LICENSE-MIT", ...pathsIn(content)]) {
      if (!files.includes(path)) report(`${path} is missing`);
    }
    if (content.private || content.scripts) report("a published package is not private, and has no scripts");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The files that a package.json names.
 *
 * @param {any} content
 */
function pathsIn({ main, types, bin = {}, exports = {} }) {
  /** @type {string[]} */
  const paths = [main, types, ...Object.values(bin)].filter(Boolean);
  const collect = (/** @type {unknown} */ value) => {
    if (typeof value === "string") paths.push(value);
    else if (value && typeof value === "object") Object.values(value).forEach(collect);
  };
  collect(exports);
  return [...new Set(paths.map((path) => path.replace(/^\.\//, "")))];
}
