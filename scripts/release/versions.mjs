// Checks that everything names the same version, and that CHANGELOG.md describes it.
//
//   node scripts/release/versions.mjs [<version>]
//
// With a version, which is that of a release: it must be the version of everything, the first section of CHANGELOG.md must be
// `## <version> (<date>)`, and each package must name its repository, which npm's provenance requires. Without one, a section *Unreleased*
// is enough. Prints each problem with what to do.

import { readFileSync } from "node:fs";

const [wanted] = process.argv.slice(2);

/** @param {string} path */
const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

const PACKAGES = ["www/npm/package.json", "packages/worker/package.json", "packages/create-entgate/package.json"];

const template = JSON.parse(read("templates/deploy/package.json"));

/** Every place that has the version. @type {[place: string, version: string | undefined][]} */
const places = [
  ["Cargo.toml", /^version = "(.*)"$/m.exec(read("Cargo.toml"))?.[1]],
  ["Cargo.lock", /^name = "entgate"\nversion = "(.*)"$/m.exec(read("Cargo.lock"))?.[1]],
  ["www/console/openapi.json", JSON.parse(read("www/console/openapi.json")).info.version],
  ...PACKAGES.map((path) => /** @type {[string, string]} */ ([path, JSON.parse(read(path)).version])),
  ["templates/deploy/package.json: @entgate/worker", template.dependencies["@entgate/worker"]],
  ["templates/deploy/package.json: entgate", template.devDependencies.entgate],
];

const version = wanted ?? places[0][1];
const problems = places.filter(([, found]) => found !== version).map(([place, found]) => `${place} has ${found}, expected ${version}`);

const [, title = "", content = ""] = /^## (.*)\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(read("CHANGELOG.md")) ?? [];
const isReleased = title.startsWith(`${version} (`) && /\(\d{4}-\d\d-\d\d\)$/.test(title);
if (!isReleased && (wanted || title !== "Unreleased")) {
  problems.push(`CHANGELOG.md: the first section is \`${title}\`, expected \`${version} (${new Date().toISOString().slice(0, 10)})\``);
}
if (!/^- /m.test(content)) problems.push(`CHANGELOG.md: the section \`${title}\` has no entry`);

if (wanted) {
  for (const path of PACKAGES.filter((each) => !JSON.parse(read(each)).repository?.url)) {
    problems.push(`${path} has no \`repository\`: npm's provenance compares it with the repository of the workflow. Add its URL`);
  }
}

for (const problem of problems) console.error(problem);
if (problems.length) process.exit(1);
console.log(`release: everything has version ${version}; CHANGELOG.md: ${title}`);
