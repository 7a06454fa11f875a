// The tarball in Deno: type-checked, and run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { KEY, summary } from "../worker/support.mjs";
import { createToken, root, serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in Deno", { timeout: 60_000 }, () => {
  let service;
  let installed;
  before(async () => {
    [service, installed] = await Promise.all([serveEdge(), install("deno")]);
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(async () => {
    installed?.remove();
    await service?.stop();
  });

  test("the gate answers from wasm and receives a change, with permission for the edge's address only", async () => {
    const deno = spawn(
      root("tests/package/node_modules/.bin/deno"),
      [
        "run",
        "--check",
        "--cached-only",
        `--allow-net=${service.url.host}`,
        "main.ts",
        service.url.origin,
        await createToken(service, "cus_ada"),
        KEY,
      ],
      {
        cwd: installed.folder,
        env: { ...process.env, DENO_DIR: join(installed.folder, ".deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      },
    );
    const errors = [];
    deno.stderr.on("data", (text) => errors.push(`${text}`));
    const exitCode = new Promise((resolve) => deno.on("close", resolve));
    const results = [];
    for await (const line of createInterface({ input: deno.stdout })) {
      results.push(JSON.parse(line));
      if (results.length === 2) await service.send(summary("cus_ada", ["sms", "sso"]));
    }
    assert.equal(await exitCode, 0, errors.join(""));
    assert.deepEqual(results, [
      { first: false, granted: true, sso: "not_entitled", version: 1, state: "ready", wasmInstances: 1 },
      { customer: "cus_ada", entitlements: ["sms"], sso: false, testing: true },
      { sso: true },
    ]);
    assert.equal(errors.join(""), "Check main.ts\n");
  });
});
