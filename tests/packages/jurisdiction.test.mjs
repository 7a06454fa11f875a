// `make deploy` with a jurisdiction: which deployments scripts/check-jurisdiction.mjs refuses.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { configuredJurisdiction, refusal } from "../../scripts/check-jurisdiction.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test("an option of the command overrides the variable of the configuration", () => {
  for (const [args, vars, expected] of /** @type {[string[], Record<string, unknown>, string | undefined][]} */ ([
    [[], {}, undefined],
    [[], { ENTGATE_JURISDICTION: "eu" }, "eu"],
    [[], { ENTGATE_JURISDICTION: "" }, undefined],
    [["--var", "ENTGATE_JURISDICTION:us"], { ENTGATE_JURISDICTION: "eu" }, "us"],
    [["--var=ENTGATE_JURISDICTION:us", "--dry-run"], {}, "us"],
    [["--var", "ENTGATE_JURISDICTION:"], { ENTGATE_JURISDICTION: "eu" }, undefined],
    [["--var", "ENTGATE_JURISDICTION:us", "--var", "ENTGATE_JURISDICTION:eu"], {}, "eu"],
    [["--var", "ENTGATE_MEMORY_TTL:0", "--name", "gate"], { ENTGATE_JURISDICTION: "eu" }, "eu"],
  ])) {
    assert.equal(configuredJurisdiction(args, vars), expected, args.join(" "));
  }
});

test("only a record of another jurisdiction refuses a deployment", () => {
  const advice = "Set it back, or deploy under another name with another KV namespace.";
  for (const [record, jurisdiction, expected] of /** @type {[string | undefined, string | undefined, string | undefined][]} */ ([
    [undefined, "eu", undefined],
    ['{"jurisdiction":"eu"}', "eu", undefined],
    ['{"jurisdiction":null}', undefined, undefined],
    ['{"jurisdiction":"eu"}', "us", `ENTGATE_JURISDICTION is \`us\`, and the objects of this deployment are in \`eu\`. ${advice}`],
    ['{"jurisdiction":"eu"}', undefined, `ENTGATE_JURISDICTION is not set, and the objects of this deployment are in \`eu\`. ${advice}`],
    ['{"jurisdiction":null}', "eu", `ENTGATE_JURISDICTION is \`eu\`, and the objects of this deployment are in no jurisdiction. ${advice}`],
    ["eu", "eu", "failed to parse the KV key entgate:deployment: eu"],
  ])) {
    assert.equal(refusal(record, jurisdiction), expected, record);
  }
});

describe("the check before a deployment", { timeout: 60_000 }, () => {
  /** @type {string} */
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    mkdirSync(join(folder, "bin"));
    symlinkSync(root("node_modules"), join(folder, "node_modules"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /**
   * Runs the check with this configuration, and a wrangler that writes this output and exits with this status.
   *
   * @param {string} config
   * @param {string} wrangler Lines of a shell script.
   * @param {string[]} args
   * @returns {Promise<{ status: number, stderr: string }>}
   */
  const check = (config, wrangler, ...args) => {
    writeFileSync(join(folder, "wrangler.toml"), `name = "gate"\nmain = "index.js"\n${config}`);
    writeFileSync(join(folder, "bin/wrangler"), `#!/bin/sh\n${wrangler}\n`);
    chmodSync(join(folder, "bin/wrangler"), 0o755);
    const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}` };
    return new Promise((resolve) => {
      execFile(process.execPath, [root("scripts/check-jurisdiction.mjs"), ...args], { cwd: folder, env }, (error, _, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, stderr }),
      );
    });
  };

  const namespace = '[[kv_namespaces]]\nbinding = "ENTITLEMENTS"\nid = "0123456789abcdef0123456789abcdef"\n';
  const inEu = `[vars]\nENTGATE_JURISDICTION = "eu"\n`;
  const stored = (/** @type {string} */ record) => `[ "$6" = 0123456789abcdef0123456789abcdef ] && echo '${record}'`;

  test("lets a new deployment pass, and one in the jurisdiction of its objects", async () => {
    const passed = { status: 0, stderr: "" };
    assert.deepEqual(await check('[[kv_namespaces]]\nbinding = "ENTITLEMENTS"\n', "exit 9"), passed);
    assert.deepEqual(await check(namespace + inEu, "echo 'Value not found'; exit 1"), passed);
    assert.deepEqual(await check(namespace + inEu, stored('{"jurisdiction":"eu"}')), passed);
  });

  test("refuses another jurisdiction, and a record that cannot be read", async () => {
    const other = await check(namespace + inEu, stored('{"jurisdiction":"eu"}'), "--var", "ENTGATE_JURISDICTION:us");
    assert.equal(other.status, 1);
    assert.match(other.stderr, /^error: ENTGATE_JURISDICTION is `us`, and the objects of this deployment are in `eu`\./);
    const failed = await check(namespace + inEu, "echo 'Authentication error [code: 10000]' >&2; exit 1");
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /failed to read the KV key entgate:deployment:\nAuthentication error \[code: 10000\]/);
  });
});
