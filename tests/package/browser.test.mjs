// The package in a page, bundled by esbuild with no plugin and no option, in headless Chromium.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { between, edge, token } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("a page", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let pages;
  let script;
  let policy = "";
  let proxy;
  let context;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install(), browse()]);
    const entry = installed.write(
      "page.mjs",
      `import { createGate } from "entgate";
      window.states = [];
      window.open_ = (options) => {
        window.gate = createGate(options);
        states.push(gate.state);
        gate.on("state", (state) => states.push(state));
        // What a first paint would show.
        return [gate.state, gate.has("sms")];
      };`,
    );
    const bundle = await build({ entryPoints: [entry], bundle: true, minify: true, write: false });
    script = bundle.outputFiles[0].text;
    pages = createServer((request, response) => {
      if (request.url === "/page.js") return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
      response.writeHead(200, { "content-type": "text/html", ...(policy && { "content-security-policy": policy }) });
      // No charset is said: the text of the wasm is ASCII.
      response.end('<!doctype html><title>page</title><script src="/page.js"></script>');
    });
    await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    await browser?.close();
    pages?.close();
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

  /** A page of one browser profile, and what went wrong on it. */
  async function visit() {
    context ??= await browser.newContext();
    proxy ??= await between(service);
    const page = await context.newPage();
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    await page.goto(`http://127.0.0.1:${pages.address().port}/`);
    return page;
  }
  const open = async (page, customer, options = {}) => {
    const given = { endpoint: proxy.url, token: await token(service, customer), ...options };
    return page.evaluate((given) => window.open_(given), given);
  };
  const seen = (page) => page.evaluate(() => [gate.state, gate.list(), gate.version]);
  const sees = (page, expected) => eventually(async () => assert.deepEqual(await seen(page), expected));

  test("answers from wasm, and a signed event opens a feature", async () => {
    await service.send(summary("cus_page", ["sms"]));
    const page = await visit();
    // No wasm, no gate: the twin would have answered as well.
    await page.evaluate(() => {
      const { Instance } = WebAssembly;
      window.instances = 0;
      WebAssembly.Instance = class extends Instance {
        constructor(...given) {
          super(...given);
          window.instances += 1;
        }
      };
    });
    assert.deepEqual(await open(page, "cus_page"), ["loading", false]);
    await sees(page, ["ready", ["sms"], 1]);
    await eventually(() => assert.equal(proxy.to("/v1/stream").filter(({ method }) => method === "GET").length, 1));
    await service.send(summary("cus_page", ["sms", "sso"]));
    await sees(page, ["ready", ["sso", "sms"], 2]);
    assert.deepEqual([await page.evaluate(() => window.instances), page.complaints], [1, []]);
    assert.ok(
      proxy.requests.every(({ url }) => !url.includes("eyJ")),
      "no token stands in a URL",
    );
  });

  test("knows at its second visit before anything is fetched, and not after storage was edited", async () => {
    await service.send(summary("cus_again", ["sms"]));
    await open(await visit(), "cus_again");
    const page = await visit();
    await eventually(async () => assert.equal(await page.evaluate(() => localStorage.length), 1));
    await page.reload();
    assert.deepEqual(await open(page, "cus_again", { keys: [service.signer] }), ["stale", true]);
    await eventually(async () => assert.deepEqual(await page.evaluate(() => states), ["stale", "ready"]));
    await page.evaluate(() => {
      const [key] = Object.keys(localStorage);
      const [header, claims, signature] = localStorage[key].split(".");
      localStorage[key] = [header, btoa(atob(claims).replace('"sms"', '"sso"')).replace(/=/g, ""), signature].join(".");
    });
    await page.reload();
    assert.deepEqual(await open(page, "cus_again", { keys: [service.signer] }), ["loading", false]);
    await sees(page, ["ready", ["sms"], 1]);
  });

  test("whose policy forbids wasm has the same answers", async () => {
    policy = "script-src 'self'; connect-src *";
    await service.send(summary("cus_strict", ["sms"]));
    const page = await visit();
    const refused = await page.evaluate(() => {
      try {
        new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
      } catch (error) {
        return error.name;
      }
    });
    assert.equal(refused, "CompileError");
    await open(page, "cus_strict");
    await sees(page, ["ready", ["sms"], 1]);
    assert.deepEqual(await page.evaluate(() => [gate.has("sms"), gate.has("sso"), gate.check("sso").reason]), [
      true,
      false,
      "not_entitled",
    ]);
    assert.deepEqual(page.complaints, []);
  });

  test("shares one connection with its other tabs, and takes over where that one is closed", async () => {
    const streams = () => proxy.to("/v1/stream").filter(({ method }) => method === "GET");
    const [one, two] = [await visit(), await visit()];
    await open(one, "cus_tabs");
    await sees(one, ["ready", [], 0]);
    await eventually(() => assert.equal(streams().length, 1));
    await open(two, "cus_tabs");
    await sees(two, ["ready", [], 0]);
    await service.send(summary("cus_tabs", ["sms"]));
    await sees(one, ["ready", ["sms"], 1]);
    await sees(two, ["ready", ["sms"], 1]);
    assert.equal(streams().length, 1);

    await one.close();
    await eventually(() => assert.equal(streams().length, 2));
    assert.equal(streams()[1].headers["last-event-id"], "1");
    await service.send(summary("cus_tabs", ["sso"]));
    await sees(two, ["ready", ["sso"], 2]);
    await two.evaluate(() => gate.close());
  });

  test("asks anew when it comes online, and not because of nothing", async () => {
    const page = await visit();
    await open(page, "cus_online", { live: false });
    await sees(page, ["ready", [], 0]);
    const asked = () => proxy.to("/v1/snapshot").filter(({ method }) => method === "GET").length;
    assert.equal(asked(), 1);
    await service.send(summary("cus_online", ["sms"]));
    await page.evaluate(() => window.dispatchEvent(new Event("focus")));
    await page.evaluate(
      () =>
        (Date.now = (
          (now) => () =>
            now() + 11_000
        )(Date.now)),
    );
    await context.setOffline(true);
    await page.evaluate(() => gate.refresh());
    assert.deepEqual(await page.evaluate(() => [gate.state, gate.error.code]), ["stale", "unreachable"]);
    await context.setOffline(false);
    await sees(page, ["ready", ["sms"], 1]);
    assert.equal(asked(), 2);
  });
});
