// Every command in the README and in the pages of docs/ works when it is pasted into bash and into zsh.
//
// The blocks of a page run in their order in one shell, against the built Worker with the settings of `make dev`. fake-command.mjs stands
// in for what would build, install, deploy or delete. Not here: what a shell would make of a block's text (scripts/check-docs.mjs), and
// examples in other languages (examples.test.mjs).

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv, promisify } from "node:util";
import { eventually, KEY, SECRET } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";

/** @typedef {Awaited<ReturnType<typeof serveCatalog>>} Service */

const root = fileURLToPath(new URL("../../", import.meta.url));
const SHELLS = ["bash", "zsh"];

/** Commands that a test cannot run. */
const FAKED = ["make", "npm", "npx"];

/** The shell examples of a page, each with the heading above it. @param {string} page */
function examplesOf(page) {
  let heading = "";
  /** @type {{ heading: string, block: string }[]} */
  const found = [];
  for (const [, title, block] of readFileSync(join(root, page), "utf8").matchAll(/^#+ (.*)$|^ *```sh\n([\s\S]*?)^ *```$/gm)) {
    if (title) heading = title;
    else found.push({ heading, block });
  }
  return found;
}

/** Pages whose commands create what other pages use. Each needs a Worker without data. */
const FIRST_PAGES = ["README.md", "docs/quickstart-local.md"];
const PAGES = [...globSync("docs/**/*.md", { cwd: root }), "CONTRIBUTING.md", "SECURITY.md"]
  .filter((page) => !FIRST_PAGES.includes(page) && examplesOf(page).length)
  .sort();

describe("the commands of the documentation", { timeout: 240_000 }, () => {
  /** @type {string} */
  let folder;
  /** @type {NodeJS.ProcessEnv} */
  let env;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const bin = join(folder, "bin");
    mkdirSync(bin);
    const write = (/** @type {string} */ name, /** @type {string} */ script) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    for (const name of FAKED) write(name, `exec "${process.execPath}" "${root}tests/docs/fake-command.mjs" ${name} "$@"`);
    const [curl] =
      process.env.PATH?.split(delimiter)
        .map((each) => join(each, "curl"))
        .filter(existsSync) ?? [];
    // An error status fails, a stream is read for two seconds, and Cloudflare's API is not called.
    write(
      "curl",
      `case "$*" in *https://api.cloudflare.com/*) exit ;; esac
      if [ "$1" = -N ]; then "${curl}" -sS -m 2 "$@" 2>/dev/null || [ $? = 28 ]; exit; fi
      exec "${curl}" -sS \${CURL_FAIL---fail-with-body} -w '\\n' "$@"`,
    );
    env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, STRIPE_WEBHOOK_SECRET: SECRET, ENTGATE_ROOT: root };
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** A Worker with the settings of `make dev`. */
  const start = () => serveCatalog({ settings: parseEnv(readFileSync(join(root, ".dev.vars.example"), "utf8")) });

  /**
   * Runs the blocks of a page, and returns their output.
   *
   * @param {string} shell
   * @param {Service} service
   * @param {string} page
   * @param {NodeJS.ProcessEnv} [more]
   */
  async function paste(shell, service, page, more = {}) {
    const cwd = mkdtempSync(join(folder, "page-"));
    symlinkSync(join(root, "scripts"), join(cwd, "scripts"));
    const text = readFileSync(join(root, page), "utf8");
    const [, plan] = /^```yaml\n(features:[\s\S]*?)^```$/m.exec(text) ?? [];
    if (plan) writeFileSync(join(cwd, "gate.yaml"), plan);
    const commands = examplesOf(page)
      .map(({ block }) => block)
      .join("\n")
      .replaceAll(/http:\/\/localhost:8787|https:\/\/(?:entgate\.example\.workers\.dev|api\.stripe\.com)/g, service.url.origin)
      .replaceAll("ENTGATE_KEY=sk_test_…", `ENTGATE_KEY=${KEY}`)
      .replaceAll("cus_…", "cus_ada")
      .replaceAll("feature=…", "feature=sms");
    const script = `set -euo pipefail\n${commands}`;
    const options = {
      cwd,
      env: { ...env, PORT: service.url.port, ENTGATE_KEY: KEY, ENTGATE_URL: service.url.origin, ENTGATE: service.url.origin, ...more },
    };
    const args = shell === "zsh" ? ["-f", "-c", script] : ["-c", script];
    const { stdout } = await promisify(execFile)(shell, args, options).catch((error) =>
      assert.fail(`${page} in ${shell}: ${error.stderr}\n${error.stdout.slice(-2_000)}`),
    );
    return stdout;
  }

  /** The JSON objects that an output has, one a line. @param {string} output @returns {any[]} */
  const objectsIn = (output) =>
    output
      .split("\n")
      .filter((line) => line.startsWith('{"'))
      .map((line) => JSON.parse(line));

  test("the README begins with the two make commands, and has at most 150 lines", () => {
    const [first] = examplesOf("README.md");
    assert.deepEqual([first.heading, first.block], ["entgate", "make dev\nmake test\n"]);
    assert.ok(readFileSync(join(root, "README.md"), "utf8").split("\n").length <= 151);
  });

  test("the quick start on its page has every command of the README", () => {
    const lines = (/** @type {string} */ page) => examplesOf(page).flatMap(({ block }) => block.trim().split("\n"));
    const longer = new Set(lines("docs/quickstart-local.md"));
    const missing = lines("README.md").filter((line) => !longer.has(line) && line !== "make test");
    assert.deepEqual(missing, []);
  });

  for (const shell of SHELLS) {
    describe(shell, () => {
      for (const page of FIRST_PAGES) {
        test(`${page} creates a plan and a subscription, and grants a check; pasted again it does so again`, async () => {
          const service = await start();
          try {
            const first = objectsIn(await paste(shell, service, page));
            const kinds = ["entitlements.feature", "product", "product_feature", "customer", "subscription", "entitlement_check"];
            assert.deepEqual(
              first.slice(0, kinds.length).map(({ object }) => object),
              kinds,
            );
            const { customer, feature, entitled, reason } = first[kinds.length - 1];
            assert.deepEqual([customer, feature, entitled, reason], ["cus_ada", "sms", true, "active_entitlement"]);
            const repeated = objectsIn(await paste(shell, service, page, { CURL_FAIL: "" }));
            assert.ok(
              repeated.some(({ entitled }) => entitled),
              JSON.stringify(repeated),
            );
          } finally {
            await service.stop();
          }
        });
      }

      describe("with the customer of the quick start", () => {
        /** @type {Service} */
        let service;
        before(async () => {
          service = await start();
          await paste(shell, service, "README.md");
          await eventually(async () => assert.equal((await service.check("cus_ada", "sms")).json.entitled, true));
        });
        after(() => service.stop());

        for (const page of PAGES) {
          test(page, async () => {
            for (const { error } of objectsIn(await paste(shell, service, page))) assert.equal(error, undefined, JSON.stringify(error));
          });
        }
      });
    });
  }

  test("wrangler accepts the environment of docs/deploy.md, with every binding of the Worker", async () => {
    const [, environment] = /^```toml\n(\[env\.[\s\S]*?)^```$/m.exec(readFileSync(join(root, "docs/deploy.md"), "utf8")) ?? [];
    const configuration = join(folder, "wrangler.toml");
    const absolute = readFileSync(join(root, "wrangler.toml"), "utf8")
      .replace('main = "build/index.js"', `main = "${root}build/index.js"`)
      .replace('directory = "www/console"', `directory = "${root}www/console"`)
      .replace(/^\[build\][\s\S]*?\n\n/m, "");
    writeFileSync(configuration, `${absolute}\n${environment}`);
    const args = ["deploy", "--dry-run", "--env", "staging", "--config", configuration];
    const { stdout, stderr } = await promisify(execFile)(join(root, "node_modules/.bin/wrangler"), args, {
      cwd: folder,
      env: { ...process.env, WRANGLER_SEND_METRICS: "false", HOME: folder },
    });
    assert.doesNotMatch(stdout + stderr, /WARNING/);
    const bindings = [...stdout.matchAll(/^env\.([A-Z_]+)/gm)].map(([, name]) => name);
    assert.deepEqual(bindings.sort(), ["CATALOG", "CUSTOMER_INDEX", "ENTGATE_SOURCE", "ENTITLEMENTS", "LEDGERS", "SOURCE_COORDINATOR"]);
  });

  test("every route of the edge has an example on a page about the API", () => {
    const document = JSON.parse(readFileSync(join(root, "www/console/openapi.json"), "utf8"));
    const pages = ["docs/api.md", "docs/overrides.md"].filter((page) => existsSync(join(root, page)));
    const commands = pages.flatMap((page) => examplesOf(page).map(({ block }) => block)).join("\n");
    /** Served from files, or only by a URL that another response has. */
    const without = ["GET /", "GET /ofrep/v1/stream"];
    const missing = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([, { tags }]) => tags[0] !== "catalog")
        .map(([method]) => `${method.toUpperCase()} ${path}`)
        .filter((route) => !without.includes(route))
        .filter(
          () =>
            !new RegExp(
              `\\$ENTGATE${path.replaceAll(/[.*+?^$()|[\]\\]/g, "\\$&").replaceAll(/\{\w+\}/g, '[^/\\s"?]+')}(?:["?]|$)`,
              "m",
            ).test(commands),
        ),
    );
    assert.deepEqual(missing, []);
  });
});
