// The tarball in Deno: checked against its types, and run.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { KEY, summary } from "../worker/support.mjs";
import { edge, root, token } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in Deno", { timeout: 60_000 }, () => {
  let service;
  let installed;
  before(async () => {
    [service, installed] = await Promise.all([edge(), install("deno")]);
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(async () => {
    installed?.remove();
    await service?.stop();
  });

  test("the gate answers from wasm, and hears of a change, with leave for no more than the edge", async () => {
    const deno = spawn(
      root("tests/package/node_modules/.bin/deno"),
      [
        "run",
        "--check",
        "--cached-only",
        `--allow-net=${service.url.host}`,
        "main.ts",
        service.url.origin,
        await token(service, "cus_ada"),
        KEY,
      ],
      {
        cwd: installed.folder,
        env: { ...process.env, DENO_DIR: join(installed.folder, ".deno"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" },
      },
    );
    const complaints = [];
    deno.stderr.on("data", (text) => complaints.push(`${text}`));
    const ended = new Promise((resolve) => deno.on("close", resolve));
    const said = [];
    for await (const line of createInterface({ input: deno.stdout })) {
      said.push(JSON.parse(line));
      if (said.length === 2) await service.send(summary("cus_ada", ["sms", "sso"]));
    }
    assert.equal(await ended, 0, complaints.join(""));
    assert.deepEqual(said, [
      { first: false, there: true, sso: "not_entitled", version: 1, state: "ready", instances: 1 },
      { customer: "cus_ada", entitlements: ["sms"], sso: false, testing: true },
      { sso: true },
    ]);
    assert.equal(complaints.join(""), "Check main.ts\n");
  });
});
