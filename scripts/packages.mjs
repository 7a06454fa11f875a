// The JavaScript part of scripts/packages.sh: collects the files of each npm package in target/packages, and packs them into dist/.
//
// | package          | from                                                                                   |
// |------------------|----------------------------------------------------------------------------------------|
// | `entgate`        | www/npm, as scripts/npm.sh built it                                                    |
// | `@entgate/worker`| packages/worker, both builds of the Worker, and www/console                            |
// | `create-entgate` | packages/create-entgate                                                                |
//
// Prints the size of each tarball. Not here: the builds.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readRequirements } from "./worker-requirements.mjs";

/** @param {string} path */
const root = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const MODULES = ["index.js", "worker.js", "fast_path.wasm", "worker.wasm"];
const LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"];

/**
 * Starts the folder of a package with what the repository has for it.
 *
 * @param {string} name
 */
function stage(name) {
  const folder = root(`target/packages/${name}`);
  rmSync(folder, { recursive: true, force: true });
  cpSync(root(`packages/${name}`), folder, { recursive: true });
  for (const license of LICENSES) cpSync(root(license), join(folder, license));
  return folder;
}

/**
 * @param {string} path
 * @param {object} value
 */
const writeJson = (path, value) => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);

const requirements = await readRequirements();
const { wrangler } = JSON.parse(readFileSync(root("package.json"), "utf8")).devDependencies;

const worker = stage("worker");
for (const [build, folder] of [
  ["build", "with-catalog"],
  ["target/packages/without-catalog", "without-catalog"],
]) {
  for (const name of MODULES) cpSync(root(`${build}/${name}`), join(worker, folder, name));
  // `wrangler types` names the main module by its path.
  writeFileSync(join(worker, folder, "index.d.ts"), 'export * from "../index.js";\nexport { default } from "../index.js";\n');
}
cpSync(root("www/console"), join(worker, "console"), { recursive: true });
writeJson(join(worker, "requirements.json"), requirements);

const create = stage("create-entgate");
writeJson(join(create, "requirements.json"), { ...requirements, wrangler });

rmSync(root("dist"), { recursive: true, force: true });
mkdirSync(root("dist"));
for (const folder of [root("www/npm"), worker, create]) {
  const output = execFileSync("npm", ["pack", "--json", "--pack-destination", root("dist")], { cwd: folder, encoding: "utf8" });
  const [{ filename, size, unpackedSize, entryCount }] = /** @type {any[]} */ (Object.values(JSON.parse(output)).flat());
  const kilobytes = (/** @type {number} */ bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  console.log(`packages: dist/${filename}: ${kilobytes(size)} (${kilobytes(unpackedSize)} in ${entryCount} files)`);
}
