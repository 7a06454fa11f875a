// The package as users install it: packed, and installed into a folder of its own.

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./support.mjs";

export const run = promisify(execFile);

/** @typedef {Awaited<ReturnType<typeof install>>} Installation */

/**
 * Packs the output of `scripts/npm.sh`, and installs the tarball.
 *
 * @param {string} [project] A folder next to this file that is copied into the installation. It is then installed
 *   below this folder, where it finds the frameworks.
 */
export async function install(project) {
  const folder = mkdtempSync(project ? root("tests/package/run-") : join(tmpdir(), "entgate-"));
  if (project) cpSync(root(`tests/package/${project}`), folder, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root("www/npm") });
  /** @type {{ filename: string, files: { path: string }[] }[]} */
  const [packed] = Object.values(JSON.parse(stdout)).flat();
  const tarball = join(folder, packed.filename);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
  return {
    folder,
    tarball,
    files: packed.files.map(({ path }) => path),
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
