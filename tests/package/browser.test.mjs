// The package in a page, bundled by esbuild with no plugin and no option, in headless Chromium.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { build } from "esbuild";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { openPage, serveHttp } from "./pages.mjs";
import { createToken, serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("a page", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let site;
  let script;
  let policy = "";
  let proxy;
  let context;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install(), launchBrowser()]);
    const entry = installed.write(
      "page.mjs",
      `import { createGate } from "entgate";
      globalThis.states = [];
      globalThis.openGate = (options) => {
        globalThis.gate = createGate(options);
        states.push(gate.state);
        gate.on("state", (state) => states.push(state));
        // The answers at the first paint.
        return [gate.state, gate.has("sms")];
      };`,
    );
    const bundle = await build({ entryPoints: [entry], bundle: true, minify: true, write: false });
    script = bundle.outputFiles[0].text;
    site = await serveHttp((request, response) => {
      if (request.url === "/page.js") return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
      response.writeHead(200, { "content-type": "text/html", ...(policy && { "content-security-policy": policy }) });
      // Without a charset: the embedded wasm is an ASCII string.
      response.end('<!doctype html><title>page</title><script src="/page.js"></script>');
    });
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    installed?.remove();
    await service?.stop();
  });
  afterEach(async () => {
    await context?.close();
    context = undefined;
    await proxy?.stop();
    proxy = undefined;
    policy = "";
  });

  /** Opens a page in the browser profile of the test. */
  async function open() {
    context ??= await browser.newContext();
    proxy ??= await flakyProxy(service);
    return openPage(context, site.url);
  }
  const openGate = async (page, customer, options = {}) => {
    const all = { endpoint: proxy.url, token: await createToken(service, customer), ...options };
    return page.evaluate((options) => globalThis.openGate(options), all);
  };
  const readGate = (page) => page.evaluate(() => [globalThis.gate.state, globalThis.gate.list(), globalThis.gate.version]);
  const waitForGate = (page, expected) => eventually(async () => assert.deepEqual(await readGate(page), expected));
  const getRequests = (path) => proxy.requestsTo(path).filter(({ method }) => method === "GET");

  test("answers from wasm, and a webhook grants a feature", async () => {
    await service.send(summary("cus_page", ["sms"]));
    const page = await open();
    assert.deepEqual(await openGate(page, "cus_page"), ["loading", false]);
    await waitForGate(page, ["ready", ["sms"], 1]);
    await eventually(() => assert.equal(getRequests("/v1/stream").length, 1));
    await service.send(summary("cus_page", ["sms", "sso"]));
    await waitForGate(page, ["ready", ["sso", "sms"], 2]);
    // The core in JavaScript would give the same answers.
    assert.deepEqual([await page.wasmInstances(), page.problems], [1, []]);
    assert.ok(
      proxy.requests.every(({ url }) => !url.includes("eyJ")),
      "no token is in a URL",
    );
  });

  test("answers from the stored set on the second visit, and not after the storage was edited", async () => {
    await service.send(summary("cus_again", ["sms"]));
    await openGate(await open(), "cus_again");
    const page = await open();
    await eventually(async () => assert.equal(await page.evaluate(() => localStorage.length), 1));
    await page.reload();
    assert.deepEqual(await openGate(page, "cus_again", { keys: [service.signer] }), ["stale", true]);
    await eventually(async () => assert.deepEqual(await page.evaluate(() => globalThis.states), ["stale", "ready"]));
    await page.evaluate(() => {
      const [key] = Object.keys(localStorage);
      const [header, claims, signature] = localStorage[key].split(".");
      localStorage[key] = [header, btoa(atob(claims).replace('"sms"', '"sso"')).replace(/=/g, ""), signature].join(".");
    });
    await page.reload();
    assert.deepEqual(await openGate(page, "cus_again", { keys: [service.signer] }), ["loading", false]);
    await waitForGate(page, ["ready", ["sms"], 1]);
  });

  test("has the same answers if its policy forbids wasm", async () => {
    policy = "script-src 'self'; connect-src *";
    await service.send(summary("cus_strict", ["sms"]));
    const page = await open();
    const failure = await page.evaluate(() => {
      try {
        new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
      } catch (error) {
        return error.name;
      }
    });
    assert.equal(failure, "CompileError");
    await openGate(page, "cus_strict");
    await waitForGate(page, ["ready", ["sms"], 1]);
    assert.deepEqual(
      await page.evaluate(() => {
        const gate = globalThis.gate;
        return [gate.has("sms"), gate.has("sso"), gate.check("sso").reason];
      }),
      [true, false, "not_entitled"],
    );
    assert.deepEqual(page.problems, []);
  });

  test("shares one stream with its other tabs, and opens one if the leading tab is closed", async () => {
    const [one, two] = [await open(), await open()];
    await openGate(one, "cus_tabs");
    await waitForGate(one, ["ready", [], 0]);
    await eventually(() => assert.equal(getRequests("/v1/stream").length, 1));
    await openGate(two, "cus_tabs");
    await waitForGate(two, ["ready", [], 0]);
    await service.send(summary("cus_tabs", ["sms"]));
    await waitForGate(one, ["ready", ["sms"], 1]);
    await waitForGate(two, ["ready", ["sms"], 1]);
    assert.equal(getRequests("/v1/stream").length, 1);

    await one.close();
    await eventually(() => assert.equal(getRequests("/v1/stream").length, 2));
    assert.equal(getRequests("/v1/stream")[1].headers["last-event-id"], "1");
    await service.send(summary("cus_tabs", ["sso"]));
    await waitForGate(two, ["ready", ["sso"], 2]);
    await two.evaluate(() => globalThis.gate.close());
  });

  test("reads the set again when it comes online, and not on a focus shortly after a read", async () => {
    const page = await open();
    await openGate(page, "cus_online", { live: false });
    await waitForGate(page, ["ready", [], 0]);
    assert.equal(getRequests("/v1/snapshot").length, 1);
    await service.send(summary("cus_online", ["sms"]));
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await page.evaluate(() => {
      const { now } = Date;
      Date.now = () => now() + 11_000;
    });
    await context.setOffline(true);
    await page.evaluate(() => globalThis.gate.refresh());
    assert.deepEqual(await page.evaluate(() => [globalThis.gate.state, globalThis.gate.error.code]), ["stale", "unreachable"]);
    await context.setOffline(false);
    await waitForGate(page, ["ready", ["sms"], 1]);
    assert.equal(getRequests("/v1/snapshot").length, 2);
  });
});
