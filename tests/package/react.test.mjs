// `entgate/react` in headless Chromium, bundled by esbuild with React's development warnings: in a page that a server
// rendered, and in pages without one.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, mock, test } from "node:test";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, LIVE_KEY, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { openPage, waitForOutput } from "./pages.mjs";
import { recordPaints, releaseAfterFirstPaint, serveDelayedScript } from "./paint-recorder.mjs";
import { createToken, serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in React", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let server;
  let site;
  let proxy;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install("react"), launchBrowser()]);
    const common = { absWorkingDir: installed.folder, bundle: true, jsx: /** @type {const} */ ("automatic") };
    const { outputFiles } = await build({ ...common, entryPoints: ["page.jsx"], write: false });
    await build({
      ...common,
      entryPoints: ["server.jsx"],
      platform: "node",
      format: "esm",
      packages: "external",
      outfile: "server.mjs",
    });
    server = await import(pathToFileURL(join(installed.folder, "server.mjs")).href);
    site = await serveDelayedScript(outputFiles[0].text);
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    installed?.remove();
    await service?.stop();
  });

  afterEach(async () => {
    await proxy?.stop();
    proxy = undefined;
  });

  /** Renders the page of a customer with these features on the server. */
  async function renderFor(customer, keys) {
    await service.send(summary(customer, keys));
    const { snapshot } = (await service.request(`/v1/snapshot?customer=${customer}`)).json;
    return { snapshot, html: await server.render(snapshot) };
  }

  /** Opens a page with the server's HTML, waits for its first paint, and then sends its script. */
  async function paint(html, testOptions, scripts = []) {
    site.setPage("", `<div id="root">${html}</div>`);
    const page = await openPage(browser, site.url, { testOptions, scripts: [recordPaints, ...scripts], waitUntil: "commit" });
    await releaseAfterFirstPaint(page, site);
    return page;
  }

  /** Opens a page that shows nothing until the test calls one of its functions. */
  async function openBlank() {
    site.setPage("", '<div id="root"></div>');
    site.releaseScript();
    return openPage(browser, site.url);
  }

  const paints = (page) => page.evaluate(() => globalThis.paints);

  test("the server renders the answers of the snapshot, and neither branch without a snapshot of its mode", async () => {
    const { html } = await renderFor("cus_html", ["sms"]);
    const parts = (html) => Array.from(html.matchAll(/data-part="([^"]*)"/g), ([, part]) => part);
    assert.deepEqual(parts(html), ["sms", "no-sso", "no-late"]);
    assert.match(html, /<output>true active_entitlement stale 1<\/output>/);
    const warnings = [];
    mock.method(console, "warn", (text) => warnings.push(text));
    const key = LIVE_KEY;
    const { snapshot: live } = (await service.request("/v1/snapshot?customer=cus_html", { key })).json;
    for (const invalid of [undefined, "", "not.a.snapshot", "e30.bnVsbA.", "e30.e30.", live]) {
      const html = await server.render(invalid);
      assert.deepEqual(parts(html), ["loading-sms", "loading-sso", "loading-late"], invalid);
      assert.match(html, /<output>pending not_known loading 0<\/output>/);
    }
    mock.restoreAll();
    assert.ok(warnings.includes("entgate: ignored a snapshot that is not of test mode: see `livemode`"));
  });

  test("a component without a provider throws an error that names the provider", () => {
    const missing = { code: "no_provider", message: "there is no `<GateProvider>` around this component" };
    assert.throws(server.renderWithoutProvider, missing);
  });

  test("nothing flickers from the first paint on, and a webhook shows a part", async () => {
    const { snapshot, html } = await renderFor("cus_paint", ["sms"]);
    const page = await paint(html, { endpoint: service.url.origin, token: await createToken(service, "cus_paint"), snapshot });
    await waitForOutput(page, "true active_entitlement ready 1");
    const first = "sms no-sso no-late";
    assert.deepEqual(await paints(page), [first]);
    await service.send(summary("cus_paint", ["sms", "sso"]));
    await waitForOutput(page, "true active_entitlement ready 2");
    await eventually(async () => assert.deepEqual(await paints(page), [first, "sms sso late"]));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("nothing flickers although the gate has no snapshot and loads slowly", async () => {
    const { snapshot, html } = await renderFor("cus_slow", ["sms"]);
    proxy = await flakyProxy(service);
    /** @type {import("node:http").ServerResponse | undefined} */
    let pending;
    // The first request is the CORS preflight.
    proxy.respond("/v1/snapshot", (response) => response.writeHead(204, { "access-control-allow-headers": "authorization" }).end(), 1);
    proxy.respond(
      "/v1/snapshot",
      (response) => {
        pending = response;
      },
      1,
    );
    const testOptions = { endpoint: proxy.url, token: await createToken(service, "cus_slow"), snapshot, isBare: true };
    const page = await paint(html, testOptions);
    await eventually(() => assert.ok(pending));
    assert.equal(await page.textContent("output"), "true active_entitlement stale 1");
    const { text } = await service.request("/v1/snapshot?customer=cus_slow");
    pending?.writeHead(200, { "content-type": "application/json" }).end(text);
    await waitForOutput(page, "true active_entitlement ready 1");
    assert.deepEqual([await paints(page), page.problems], [["sms no-sso no-late"], []]);
    await page.close();
  });

  test("a part that is hydrated after a change is first rendered as on the server", async () => {
    const { snapshot, html } = await renderFor("cus_late", ["sms"]);
    const delayPart = () => {
      globalThis.late = new Promise((resolve) => {
        globalThis.loadLate = resolve;
      });
    };
    const testOptions = { endpoint: service.url.origin, token: await createToken(service, "cus_late"), snapshot };
    const page = await paint(html, testOptions, [delayPart]);
    await waitForOutput(page, "true active_entitlement ready 1");
    await service.send(summary("cus_late", ["sms", "sso"]));
    await waitForOutput(page, "true active_entitlement ready 2");
    await page.evaluate(() => globalThis.loadLate());
    const expected = ["sms no-sso no-late", "sms sso no-late", "sms sso late"];
    await eventually(async () => assert.deepEqual(await paints(page), expected));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a page with an expired snapshot is hydrated as it is, and is then pending", async () => {
    const { snapshot, html } = await renderFor("cus_old", ["sms"]);
    const setClockToTomorrow = () => {
      const { now } = Date;
      Date.now = () => now() + 86_400_000;
    };
    const testOptions = { endpoint: "http://127.0.0.1:9", token: await createToken(service, "cus_old"), snapshot };
    const page = await paint(html, testOptions, [setClockToTomorrow]);
    await waitForOutput(page, "pending not_known error 1");
    // The last part is hydrated later.
    const expected = ["sms no-sso no-late", "loading-sms loading-sso no-late", "loading-sms loading-sso loading-late"];
    await eventually(async () => assert.deepEqual(await paints(page), expected));
    assert.deepEqual(
      page.problems.filter((text) => !text.includes("ERR_UNSAFE_PORT") && !text.includes("ERR_CONNECTION_REFUSED")),
      [],
    );
    await page.close();
  });

  test("a component renders again only if a property that it reads changes", async () => {
    const page = await openBlank();
    const start = {
      sms: "1: true active_entitlement",
      sso: "1: false not_entitled",
      version: "1: 1",
      state: "1: false ready",
      none: "1: ",
    };
    const bought = { ...start, sso: "2: true active_entitlement", version: "2: 2", state: "2: true ready" };
    const other = { ...bought, version: "3: 3" };
    const stale = { ...other, state: "3: true stale" };
    const lost = { ...stale, sms: "2: false not_known", sso: "3: false not_known", version: "4: 0", state: "4: false loading" };
    assert.deepEqual(await page.evaluate(() => globalThis.countRenders()), [start, bought, other, stale, lost]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("another gate replaces the first at once, and a gate of the provider is closed with it", async () => {
    const page = await openBlank();
    const { seen, log } = await page.evaluate(() => globalThis.switchGates());
    assert.deepEqual(seen, ["ada sms", "bob no-sms", "created sms", "created sms", "none loading-sms"]);
    const lifeOf = (name) => [`${name} on change`, `${name} on state`, `${name} off change`, `${name} off state`];
    assert.deepEqual(log, [...lifeOf("ada"), ...lifeOf("bob"), ...lifeOf("created"), "created closed"]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a property that is read after the render has its current value", async () => {
    const page = await openBlank();
    const { click, effect, timer, renders } = await page.evaluate(() => globalThis.readLater());
    assert.deepEqual(
      [click, timer],
      [
        [false, true, false, true],
        [false, true, false, true],
      ],
    );
    // An effect with the object as its dependency runs once for each answer.
    assert.deepEqual([effect, renders], [[false, true, false, true], 4]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("all components show the same answer, although the gate changes while React renders them", async () => {
    const page = await openBlank();
    const { before, seen } = await page.evaluate(() => globalThis.changeDuringRender());
    assert.deepEqual([before, seen], [0, ["false"]]);
    assert.deepEqual(page.problems, []);
    await page.close();
  });
});
