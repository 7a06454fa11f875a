// The package as users install it: packed, and installed into a folder of its own.
//
// npm packs and installs each content of the package once: the result is kept in target/, under the hash of what goes into it.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./support.mjs";

export const run = promisify(execFile);

/** @typedef {Awaited<ReturnType<typeof install>>} Installation */

const PACKAGE = root("www/npm");
const INSTALLATIONS = root("target/npm/installed");

/**
 * Packs the output of `scripts/npm.sh`, and installs the tarball.
 *
 * @param {string} [project] A folder next to this file that is copied into the installation. It is then installed
 *   below this folder, where it finds the frameworks.
 */
export async function install(project) {
  const installation = join(INSTALLATIONS, contentHash());
  if (!existsSync(installation)) await createInstallation(installation);
  const folder = mkdtempSync(project ? root("tests/package/run-") : join(tmpdir(), "entgate-"));
  if (project) cpSync(root(`tests/package/${project}`), folder, { recursive: true });
  // The links to the package's commands are relative.
  cpSync(installation, folder, { recursive: true, verbatimSymlinks: true });
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  return {
    folder,
    tarball: join(folder, tarball),
    /** @type {string[]} */
    files: JSON.parse(readFileSync(join(folder, "files.json"), "utf8")),
    /**
     * @param {string} name
     * @param {string} contents
     */
    write(name, contents) {
      writeFileSync(join(folder, name), contents);
      return join(folder, name);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The hash of every file that may be in the tarball, and of what else decides the result. */
function contentHash() {
  const hash = createHash("sha256").update(`${process.version} ${readFileSync(root("tests/package/tarball.mjs"))}`);
  const names = readdirSync(PACKAGE, { encoding: "utf8", recursive: true }).filter((name) => !/^(src|cli)\b/.test(name));
  for (const name of names.sort()) {
    const path = join(PACKAGE, name);
    if (statSync(path).isFile()) hash.update(`\0${name}\0`).update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}

/** Packs and installs the package, and moves the result to its place. Another test file may do the same at the same time. @param {string} place */
async function createInstallation(place) {
  mkdirSync(INSTALLATIONS, { recursive: true });
  const folder = mkdtempSync(`${place}-`);
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: PACKAGE });
  /** @type {{ filename: string, files: { path: string }[] }[]} */
  const [packed] = Object.values(JSON.parse(stdout)).flat();
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${packed.filename}`], { cwd: folder });
  writeFileSync(join(folder, "files.json"), JSON.stringify(packed.files.map(({ path }) => path)));
  try {
    renameSync(folder, place);
  } catch (error) {
    if (!existsSync(place)) throw error;
    rmSync(folder, { recursive: true });
  }
}
