// Writes the files of a project, and upgrades them without losing what a user changed.
//
// `.entgate.json` has a checksum of each file as it was written. From it follows what an upgrade does with a file:
//
// | the file                                    | upgrade                                                        |
// |---------------------------------------------|----------------------------------------------------------------|
// | does not exist                              | writes it                                                      |
// | is as it was written                        | replaces it                                                    |
// | was changed, and the new version is the same| keeps it                                                       |
// | was changed, and the new version differs    | keeps it, and writes the new version beside it: `NAME.new`     |
//
// `package.json` is different, because npm changes it too: an upgrade sets the versions of entgate's packages, and adds missing scripts.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderFiles } from "./files/index.js";

const MANIFEST = ".entgate.json";

/** What may be in the folder of a new project. */
const HARMLESS = new Set([".git", ".DS_Store"]);

/** A project that cannot be written. The message is meant for the user. */
export class ProjectError extends Error {}

/** @typedef {{ name: string, source: string, jurisdiction: string }} ProjectOptions */
/** @typedef {ProjectOptions & { version: string, files: Record<string, string> }} Manifest */
/**
 * What happens to a file.
 *
 * @typedef {object} Decision
 * @property {string} path
 * @property {string} outcome  For the user.
 * @property {boolean} [hasNew]  Whether the new version is written beside the file.
 * @property {{ path: string, text: string }} [write]
 */

/** @param {string} text */
const checksum = (text) => createHash("sha256").update(text).digest("hex");

/**
 * Reads the manifest of a folder. Undefined if the folder is new.
 *
 * @param {string} folder
 * @returns {Manifest | undefined}
 */
export function readManifest(folder) {
  const text = readIfPresent(join(folder, MANIFEST));
  if (text === undefined) {
    const others = existsSync(folder) ? readdirSync(folder).filter((name) => !HARMLESS.has(name)) : [];
    if (others.length === 0) return undefined;
    throw new ProjectError(`${folder} is not empty, and has no ${MANIFEST}: it was not written by create-entgate. Choose another folder.`);
  }
  const manifest = parseJson(text, MANIFEST);
  if (typeof manifest.files !== "object" || manifest.files === null)
    throw new ProjectError(`${MANIFEST} has no checksums in \`files\`. Restore it.`);
  return manifest;
}

/**
 * Writes or upgrades a project.
 *
 * @param {string} folder
 * @param {ProjectOptions} options
 * @returns {Decision[]}
 */
export function writeProject(folder, options) {
  const known = readManifest(folder)?.files ?? {};
  const { version, files } = renderFiles(options);
  // Decided for all files before the first one is written: a file that cannot be read stops everything.
  const decisions = Object.entries(files).map(([path, text]) => decide(folder, path, text, known[path]));
  const checksums = Object.fromEntries(Object.entries(files).map(([path, text]) => [path, checksum(text)]));
  mkdirSync(folder, { recursive: true });
  for (const { path, write } of decisions) {
    // .dev.vars has secrets.
    if (write) writeFileSync(join(folder, write.path), write.text, path === ".dev.vars" ? { mode: 0o600 } : {});
  }
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify({ version, ...options, files: checksums }, null, 2)}\n`);
  return decisions;
}

/**
 * @param {string} folder
 * @param {string} path
 * @param {string} text
 * @param {string | undefined} known  The checksum of the file as it was written.
 * @returns {Decision}
 */
function decide(folder, path, text, known) {
  const current = readIfPresent(join(folder, path));
  if (current === undefined) return { path, outcome: "written", write: { path, text } };
  if (current === text) return { path, outcome: "up to date" };
  if (path === "package.json") {
    const { merged, changes } = mergePackage(current, text);
    return changes.length
      ? { path, outcome: `updated: ${changes.join(", ")}`, write: { path, text: merged } }
      : { path, outcome: "up to date" };
  }
  if (known === checksum(current)) return { path, outcome: "updated", write: { path, text } };
  if (known === checksum(text)) return { path, outcome: "kept, with your changes" };
  const outcome = `kept, with your changes; the new version is ${path}.new`;
  return { path, outcome, hasNew: true, write: { path: `${path}.new`, text } };
}

/**
 * Sets the versions of the new `package.json` in the current one, and adds its scripts that are missing. A newer wrangler stays.
 *
 * @param {string} current
 * @param {string} text
 */
function mergePackage(current, text) {
  const [merged, wanted] = [parseJson(current, "package.json"), parseJson(text, "package.json")];
  const changes = [];
  for (const group of ["dependencies", "devDependencies"]) {
    for (const [name, version] of Object.entries(wanted[group] ?? {})) {
      const place = ["dependencies", "devDependencies"].find((each) => merged[each]?.[name] !== undefined) ?? group;
      const before = merged[place]?.[name];
      if (before === version || (before !== undefined && name === "wrangler" && isNewer(before, version))) continue;
      merged[place] = { ...merged[place], [name]: version };
      changes.push(before === undefined ? `${name} ${version}` : `${name} ${before} -> ${version}`);
    }
  }
  for (const [name, script] of Object.entries(wanted.scripts)) {
    if (merged.scripts?.[name] !== undefined) continue;
    merged.scripts = { ...merged.scripts, [name]: script };
    changes.push(`script ${name}`);
  }
  return { merged: `${JSON.stringify(merged, null, 2)}\n`, changes };
}

/**
 * Whether a version, or the first one of a range, is newer than another.
 *
 * @param {string} version
 * @param {string} other
 */
function isNewer(version, other) {
  const numbers = (/** @type {string} */ text) => (text.match(/\d+/g) ?? []).slice(0, 3).map(Number);
  const [a, b] = [numbers(version), numbers(other)];
  const at = a.findIndex((number, index) => number !== b[index]);
  return at >= 0 && a[at] > (b[at] ?? 0);
}

/** @param {string} path */
function readIfPresent(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw new ProjectError(`failed to read ${path}: ${error.code ?? error.message}`);
  }
}

/**
 * @param {string} text
 * @param {string} path
 */
function parseJson(text, path) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProjectError(`${path} is not JSON: ${error.message}. Correct it, then run the command again.`);
  }
}
