// Every command in the README and in the API documentation works when it is pasted into a shell.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv, promisify } from "node:util";
import { SECRET } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The shell examples of a page, each with the heading above it. Indented blocks are steps of a deployment. */
function examples(page) {
  let heading = "";
  const found = [];
  for (const [, title, block] of readFileSync(`${root}${page}`, "utf8").matchAll(/^#+ (.*)$|^```sh\n([\s\S]*?)^```$/gm)) {
    if (title) heading = title;
    else found.push({ heading, block });
  }
  return found;
}

const readme = examples("README.md");
const [setUp, ...routes] = examples("docs/api.md");

describe("the documentation", { timeout: 60_000 }, () => {
  let service;
  let output;
  before(async () => {
    // With the settings of `make dev`.
    service = await serveCatalog({ settings: parseEnv(readFileSync(`${root}.dev.vars.example`, "utf8")) });
    output = await paste(readmeExample("Try it"));
  });
  after(() => service.stop());

  const readmeExample = (section) => readme.find(({ heading }) => heading === section)?.block ?? "";

  /** Runs commands in a shell where curl fails for error statuses, and returns their output. */
  async function paste(commands) {
    const script = `set -euo pipefail
      # A stream is read for two seconds.
      curl() {
        if [ "$1" = -N ]; then command curl -sS -m 2 "$@" 2>/dev/null || [ $? = 28 ]; return; fi
        command curl -sS --fail-with-body -w '\\n' "$@"
      }
      ${commands.replaceAll("http://localhost:8787", service.url.origin)}`;
    const env = { ...process.env, PORT: service.url.port, STRIPE_WEBHOOK_SECRET: SECRET };
    const { stdout } = await promisify(execFile)("bash", ["-c", script], { cwd: root, env });
    return stdout;
  }

  const assertAdaIsEntitled = (line) => {
    const { customer, feature, entitled, reason } = JSON.parse(line);
    assert.deepEqual(
      { customer, feature, entitled, reason },
      { customer: "cus_ada", feature: "sms", entitled: true, reason: "active_entitlement" },
    );
  };

  test("the README begins with the two make commands, and has no other example that is not run here", () => {
    assert.deepEqual(
      readme.map(({ heading }) => heading),
      ["entgate", "Try it", "Ask it"],
    );
    assert.match(readme[0].block, /^make dev .*\nmake test .*\n$/);
  });

  test("the README's first commands create a plan and a subscription, and end with a granted check", () => {
    const lines = output.split("\n").filter(Boolean);
    const objects = ["entitlements.feature", "product", "product_feature", "customer", "subscription", "entitlement_check"];
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).object),
      objects,
    );
    assertAdaIsEntitled(lines.at(-1));
  });

  test("the README's first commands can be pasted again, and end with a granted check again", async () => {
    const repeated = await paste(readmeExample("Try it").replaceAll("{ curl ", "{ command curl "));
    assert.match(repeated, /"entitled":true/);
  });

  test("the README's check is granted", async () => {
    assertAdaIsEntitled((await paste(`${setUp.block}\n${readmeExample("Ask it")}`)).trim());
  });

  test("every route has an example, and each of them works when pasted", async () => {
    const headings = routes.map(({ heading }) => heading.match(/`(.*)`/)?.[1]);
    assert.deepEqual(headings, [
      "GET /v1/check",
      "POST /v1/check",
      "GET /v1/entitlements/active_entitlements",
      "GET /v1/entitlements/active_entitlements/{id}",
      "GET /v1/customer/{id}/entitlements",
      "POST /v1/customers/{id}/sync",
      "GET /v1/activity",
      "GET /v1/sync_status",
      "POST /v1/tokens",
      "GET /v1/snapshot",
      "GET /v1/stream",
      "GET /v1/authorize",
      "POST /ofrep/v1/evaluate/flags",
      "POST /webhooks/stripe",
      "GET /healthz",
      "GET /openapi.json",
    ]);
    for (const { heading, block } of routes) {
      const responses = await paste(`${setUp.block}\n${block}`);
      for (const line of responses.trim().split("\n")) {
        if (line.startsWith('{"')) assert.ok(!("error" in JSON.parse(line)), `${heading}: ${line}`);
      }
    }
  });
});
