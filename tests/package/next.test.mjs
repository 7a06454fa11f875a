// The tarball in Next, built and started: a server component, a client component, a proxy and the edge runtime.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { eventually, KEY, summary } from "../worker/support.mjs";
import { visit } from "./pages.mjs";
import { edge, root } from "./support.mjs";
import { install, run } from "./tarball.mjs";

const NEXT = root("tests/package/node_modules/next/dist/bin/next");

describe("in Next", { timeout: 180_000 }, () => {
  let service;
  let installed;
  let browser;
  let next;
  let url;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install("next"), browse()]);
    const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1", ENTGATE_ENDPOINT: service.url.origin, ENTGATE_KEY: KEY };
    const project = { cwd: installed.folder, env };
    await run(process.execPath, [NEXT, "build"], project).catch(({ stdout, stderr }) => assert.fail(stdout + stderr));
    next = spawn(process.execPath, [NEXT, "start", "--hostname", "127.0.0.1", "--port", "0"], {
      ...project,
      stdio: ["ignore", "pipe", "inherit"],
    });
    for await (const line of createInterface({ input: next.stdout })) {
      [url] = line.match(/http:\S+/) ?? [];
      if (url) break;
    }
    assert.ok(url, "it was started");
    // What is not read would stop it at some time.
    next.stdout.resume();
  });
  after(async () => {
    await browser?.close();
    if (next?.exitCode === null) await new Promise((resolve) => next.on("close", resolve).kill());
    installed?.remove();
    await service?.stop();
  });

  const ask = async (path, customer) => {
    const response = await fetch(new URL(path, url), { headers: customer ? { cookie: `customer=${customer}` } : {} });
    return { status: response.status, text: await response.text() };
  };

  /** Sees the page of a customer become true and hear of a change; says how often wasm was put to work in it. */
  async function opens(path, customer) {
    await service.send(summary(customer, ["sms"]));
    const context = await browser.newContext();
    await context.addCookies([{ name: "customer", value: customer, url }]);
    const page = await visit(context, new URL(path, url).href);
    const says = (expected) => eventually(async () => assert.equal(await page.textContent("output"), expected, page.complaints.join("\n")));
    await says("ready sms");
    assert.equal(await page.textContent("#server"), "true false 1");
    await service.send(summary(customer, ["sms", "sso"]));
    await says("ready sso sms");
    assert.equal(await page.textContent("#part"), "log in with your own");
    assert.deepEqual(page.complaints, []);
    const instances = await page.instances();
    await context.close();
    return instances;
  }

  test("a server component verifies the snapshot, and a client component is rendered from it", async () => {
    await service.send(summary("cus_html", ["sms"]));
    const { status, text } = await ask("/", "cus_html");
    assert.equal(status, 200);
    assert.match(text, /<p id="server">true false 1<\/p><p id="part">not in your plan<\/p><output>stale sms<\/output>/);
    assert.ok(!text.includes(KEY), "the server key stays on the server");
  });

  test("the client component goes on from there in the browser, from wasm, and hears of a change", async () => {
    assert.equal(await opens("/", "cus_client"), 1);
  });

  test("it does so from the twin, where the policy forbids wasm", async () => {
    assert.equal(await opens("/?policy=strict", "cus_strict"), 0);
  });

  test("the proxy refuses a page that the customer has not bought, until it is bought, and what is not known", async () => {
    await service.send(summary("cus_buyer", ["sms"]));
    await service.send(summary("cus_part", ["sms"], { hasMore: true }));
    assert.deepEqual(await ask("/export"), { status: 401, text: "log in" });
    assert.deepEqual(await ask("/export", "cus_part"), { status: 503, text: "try again" });
    assert.deepEqual(await ask("/export", "cus_buyer"), { status: 403, text: "not in your plan" });
    await service.send(summary("cus_buyer", ["sms", "export"]));
    await eventually(async () => {
      const { status, text } = await ask("/export", "cus_buyer");
      assert.deepEqual([status, text.includes("<p>exported</p>")], [200, true]);
    });
  });

  test("in the edge runtime snapshots are verified, and the gate answers from the twin", async () => {
    await service.send(summary("cus_edge", ["sms"]));
    const { snapshot } = (await service.request("/v1/snapshot?customer=cus_edge")).json;
    const verify = async (body) => (await fetch(new URL("/verify", url), { method: "POST", body })).json();
    assert.deepEqual(await verify(snapshot), { customer: "cus_edge", entitlements: ["sms"], sms: true, sso: "not_entitled" });
    const [header, claims] = snapshot.split(".");
    assert.deepEqual(await verify(`${header}.${claims}.`), { code: "snapshot_signature" });
  });
});
