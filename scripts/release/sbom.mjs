// Writes dist/entgate.cdx.json: the software bill of materials of the packages, in CycloneDX 1.6.
//
// Lists what is compiled into the Worker and the npm package: the crates that Cargo resolves for wasm, without those of tests, and the
// bundled npm packages. Names, versions, licenses and checksums are those of Cargo.lock and package-lock.json. It has no time and no
// random id, so that two builds of one commit have the same one.
//
// Specification: https://cyclonedx.org/docs/1.6/json/

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";

/** npm packages whose code is in a bundle. */
const BUNDLED = ["yaml"];

const OUTPUT = new URL("../../dist/entgate.cdx.json", import.meta.url);

/** @param {string} path */
const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

const metadata = JSON.parse(
  execFileSync(
    "cargo",
    [
      "metadata",
      "--locked",
      "--format-version",
      "1",
      "--filter-platform",
      "wasm32-unknown-unknown",
      "--features",
      "fast-path,worker,browser",
    ],
    { encoding: "utf8", maxBuffer: 64e6 },
  ),
);

/** The SHA-256 of each crate, by name and version. */
const checksums = new Map(
  [...read("Cargo.lock").matchAll(/^name = "(.*)"\nversion = "(.*)"\nsource = .*\nchecksum = "(.*)"$/gm)].map(([, name, version, sum]) => [
    `${name} ${version}`,
    sum,
  ]),
);

/** @type {Map<string, { deps: { pkg: string, dep_kinds: { kind: string | null }[] }[] }>} */
const nodes = new Map(metadata.resolve.nodes.map((/** @type {{ id: string }} */ node) => [node.id, node]));
/** @type {Map<string, any>} */
const packages = new Map(metadata.packages.map((/** @type {{ id: string }} */ each) => [each.id, each]));

/** What a crate needs at run time. `null` is the kind of an ordinary dependency. @param {string} id */
const dependenciesOf = (id) =>
  (nodes.get(id)?.deps ?? []).filter(({ dep_kinds }) => dep_kinds.some(({ kind }) => kind === null)).map(({ pkg }) => pkg);

/** @type {Set<string>} */
const reached = new Set();
const waiting = [metadata.resolve.root];
for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
  if (reached.has(id)) continue;
  reached.add(id);
  // What a macro needs runs in the compiler.
  if (!isMacro(id)) waiting.push(...dependenciesOf(id));
}

/** @param {string} id */
function isMacro(id) {
  return packages.get(id).targets.some((/** @type {{ kind: string[] }} */ { kind }) => kind.includes("proc-macro"));
}

/** @param {string} id */
const crateUrl = (id) => `pkg:cargo/${packages.get(id).name}@${packages.get(id).version}`;

const root = metadata.resolve.root;
const crates = [...reached]
  .filter((id) => id !== root)
  .toSorted((a, b) => (crateUrl(a) < crateUrl(b) ? -1 : 1))
  .map((id) => {
    const { name, version, license } = packages.get(id);
    const checksum = checksums.get(`${name} ${version}`);
    return {
      type: "library",
      "bom-ref": crateUrl(id),
      name,
      version,
      // A macro is a part of the build, not of its result.
      scope: isMacro(id) ? "excluded" : "required",
      ...(license && { licenses: [{ expression: license.replaceAll("/", " OR ") }] }),
      ...(checksum && { hashes: [{ alg: "SHA-256", content: checksum }] }),
      purl: crateUrl(id),
    };
  });

const lock = JSON.parse(read("package-lock.json")).packages;
const bundled = BUNDLED.map((name) => {
  const { version, license, integrity } = lock[`node_modules/${name}`];
  const purl = `pkg:npm/${name}@${version}`;
  const content = Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex");
  return {
    type: "library",
    "bom-ref": purl,
    name,
    version,
    scope: "required",
    licenses: [{ expression: license }],
    hashes: [{ alg: "SHA-512", content }],
    purl,
  };
});

const { name, version, license } = packages.get(root);
const component = {
  type: "application",
  "bom-ref": crateUrl(root),
  name,
  version,
  licenses: [{ expression: license }],
  purl: crateUrl(root),
};
const dependencies = [...reached].toSorted().map((id) => ({
  ref: crateUrl(id),
  dependsOn: [...(isMacro(id) ? [] : dependenciesOf(id).map(crateUrl)), ...(id === root ? bundled.map(({ purl }) => purl) : [])].toSorted(),
}));

mkdirSync(new URL(".", OUTPUT), { recursive: true });
const bom = {
  bomFormat: "CycloneDX",
  specVersion: "1.6",
  version: 1,
  metadata: { component },
  components: [...crates, ...bundled],
  dependencies,
};
writeFileSync(OUTPUT, `${JSON.stringify(bom, null, 2)}\n`);
console.log(
  `release: dist/entgate.cdx.json lists ${crates.length} crates and ${bundled.length} npm package${bundled.length === 1 ? "" : "s"}`,
);
