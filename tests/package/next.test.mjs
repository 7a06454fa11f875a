// The tarball in Next, built and started: in a server component, a client component, a proxy and the edge runtime.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, KEY, summary } from "../worker/support.mjs";
import { openPage, waitForOutput } from "./pages.mjs";
import { root, serveEdge } from "./support.mjs";
import { install, run } from "./tarball.mjs";

const NEXT = root("tests/package/node_modules/next/dist/bin/next");

describe("in Next", { timeout: 180_000 }, () => {
  let service;
  let installed;
  let browser;
  let next;
  let url;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install("next"), launchBrowser()]);
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
    assert.ok(url, "Next has started");
    // A full pipe would block Next.
    next.stdout.resume();
  });
  after(async () => {
    await browser?.close();
    if (next?.exitCode === null) await new Promise((resolve) => next.on("close", resolve).kill());
    installed?.remove();
    await service?.stop();
  });

  const get = async (path, customer) => {
    const response = await fetch(new URL(path, url), customer ? { headers: { cookie: `customer=${customer}` } } : {});
    return { status: response.status, text: await response.text() };
  };

  /** Opens the page of a customer, and asserts that it follows a change. Returns the number of wasm instances that it created. */
  async function assertPageFollowsChanges(path, customer) {
    await service.send(summary(customer, ["sms"]));
    const context = await browser.newContext();
    await context.addCookies([{ name: "customer", value: customer, url }]);
    const page = await openPage(context, new URL(path, url).href);
    await waitForOutput(page, "ready sms");
    assert.equal(await page.textContent("#server"), "true false 1");
    await service.send(summary(customer, ["sms", "sso"]));
    await waitForOutput(page, "ready sso sms");
    assert.equal(await page.textContent("#part"), "log in with your own");
    assert.deepEqual(page.problems, []);
    const instances = await page.wasmInstances();
    await context.close();
    return instances;
  }

  test("a server component verifies the snapshot, and the server renders a client component from it", async () => {
    await service.send(summary("cus_html", ["sms"]));
    const { status, text } = await get("/", "cus_html");
    assert.equal(status, 200);
    assert.match(text, /<p id="server">true false 1<\/p><p id="part">not in your plan<\/p><output>stale sms<\/output>/);
    assert.ok(!text.includes(KEY), "the server key is not sent to the browser");
  });

  test("the client component is hydrated, answers from wasm and follows a change", async () => {
    assert.equal(await assertPageFollowsChanges("/", "cus_client"), 1);
  });

  test("the client component answers from JavaScript, if the policy forbids wasm", async () => {
    assert.equal(await assertPageFollowsChanges("/?policy=strict", "cus_strict"), 0);
  });

  test("the proxy denies a page until the customer buys it, and while the answer is not known", async () => {
    await service.send(summary("cus_buyer", ["sms"]));
    await service.send(summary("cus_part", ["sms"], { hasMore: true }));
    assert.deepEqual(await get("/export"), { status: 401, text: "log in" });
    assert.deepEqual(await get("/export", "cus_part"), { status: 503, text: "try again" });
    assert.deepEqual(await get("/export", "cus_buyer"), { status: 403, text: "not in your plan" });
    await service.send(summary("cus_buyer", ["sms", "export"]));
    await eventually(async () => {
      const { status, text } = await get("/export", "cus_buyer");
      assert.deepEqual([status, text.includes("<p>exported</p>")], [200, true]);
    });
  });

  test("the edge runtime verifies snapshots, and its gate answers from JavaScript", async () => {
    await service.send(summary("cus_edge", ["sms"]));
    const { snapshot } = (await service.request("/v1/snapshot?customer=cus_edge")).json;
    const verify = async (body) => (await fetch(new URL("/verify", url), { method: "POST", body })).json();
    assert.deepEqual(await verify(snapshot), { customer: "cus_edge", entitlements: ["sms"], sms: true, sso: "not_entitled" });
    const [header, claims] = snapshot.split(".");
    assert.deepEqual(await verify(`${header}.${claims}.`), { code: "snapshot_signature" });
  });
});
