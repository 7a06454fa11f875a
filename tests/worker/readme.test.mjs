// Every command of the README's examples works when it is pasted into a shell.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv, promisify } from "node:util";
import { SECRET } from "./support.mjs";
import { serveCatalog } from "./test-catalog.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");

/** The shell examples of a section, each with the heading above it. */
function examples(section) {
  const text = readme.split(/^## /m).find((part) => part.startsWith(section)) ?? "";
  let heading = section;
  const found = [];
  for (const [, title, block] of text.matchAll(/^### (.*)$|^```sh\n([\s\S]*?)^```$/gm)) {
    if (title) heading = title;
    else found.push({ heading, block });
  }
  return found;
}

describe("the README", { timeout: 60_000 }, () => {
  let service;
  let output;
  before(async () => {
    // With the settings of `make dev`.
    service = await serveCatalog({ settings: parseEnv(readFileSync(`${root}.dev.vars.example`, "utf8")) });
    const [{ block }] = examples("Try it");
    output = await paste(block);
  });
  after(() => service.stop());

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

  test("its first commands create a plan and a subscription, and end with a granted check", () => {
    const responses = output
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    const objects = ["entitlements.feature", "product", "product_feature", "customer", "subscription", "entitlement_check"];
    assert.deepEqual(
      responses.map(({ object }) => object),
      objects,
    );
    const { customer, feature, entitled, reason } = responses.at(-1);
    assert.deepEqual(
      { customer, feature, entitled, reason },
      { customer: "cus_ada", feature: "sms", entitled: true, reason: "active_entitlement" },
    );
  });

  test("its first commands can be pasted again, and end with a granted check again", async () => {
    const [{ block }] = examples("Try it");
    const repeated = await paste(block.replaceAll("{ curl ", "{ command curl "));
    assert.match(repeated, /"entitled":true/);
  });

  test("every route has an example, and each of them works when pasted", async () => {
    const [setUp, ...blocks] = examples("Ask it");
    const headings = blocks.map(({ heading }) => heading.match(/`(.*)`/)[1]);
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
    for (const { heading, block } of blocks) {
      const responses = await paste(`${setUp.block}\n${block}`);
      for (const line of responses.trim().split("\n")) {
        if (line.startsWith('{"')) assert.ok(!("error" in JSON.parse(line)), `${heading}: ${line}`);
      }
    }
  });
});
