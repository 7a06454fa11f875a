// The package as its users have it: packed, and installed into a folder of its own.

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "./support.mjs";

export const run = promisify(execFile);

/**
 * Packs what scripts/npm.sh built, and installs the tarball. A project of this folder is copied beside it, to where
 * the frameworks are found that are installed here.
 */
export async function install(project) {
  const folder = mkdtempSync(project ? root("tests/package/run-") : join(tmpdir(), "entgate-"));
  if (project) cpSync(root(`tests/package/${project}`), folder, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root("www/npm") });
  const [packed] = Object.values(JSON.parse(stdout)).flat();
  const tarball = join(folder, packed.filename);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
  return {
    folder,
    tarball,
    files: packed.files.map(({ path }) => path),
    write(name, text) {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
