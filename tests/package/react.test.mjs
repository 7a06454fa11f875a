// `entgate/react` in a page that a server rendered, and in others, in headless Chromium: bundled by esbuild, with React's own complaints.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { browse } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { visit } from "./pages.mjs";
import { painted, stage, watch } from "./paint-recorder.mjs";
import { between, edge, token } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in React", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let server;
  let site;
  let proxy;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install("react"), browse()]);
    const common = { absWorkingDir: installed.folder, bundle: true, jsx: "automatic", write: false };
    const [page] = (await build({ ...common, entryPoints: ["page.jsx"] })).outputFiles;
    await build({
      ...common,
      entryPoints: ["server.jsx"],
      platform: "node",
      format: "esm",
      packages: "external",
      outfile: "server.mjs",
      write: true,
    });
    server = await import(pathToFileURL(join(installed.folder, "server.mjs")));
    site = await stage(page.text);
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

  /** What the server knows of a customer who has these. */
  async function served(customer, keys) {
    await service.send(summary(customer, keys));
    const { snapshot } = (await service.request(`/v1/snapshot?customer=${customer}`)).json;
    return { snapshot, html: await server.render(snapshot) };
  }

  /** A page as the server sent it, painted, and its script on the way. */
  async function paint(html, given, prepare = []) {
    site.set("", `<div id="root">${html}</div>`);
    const page = await visit(browser, site.url, { given, prepare: [watch, ...prepare], waitUntil: "commit" });
    await painted(page, site);
    return page;
  }

  /** A page with nothing on it but what the test calls. */
  async function blank() {
    site.set("", '<div id="root"></div>');
    site.release();
    return visit(browser, site.url);
  }

  const pictures = (page) => page.evaluate(() => globalThis.pictures);
  const says = (page, expected) =>
    eventually(async () => assert.equal(await page.textContent("output"), expected, page.complaints.join("\n")));

  test("the server renders what the snapshot says, and denies where there is none", async () => {
    const { html } = await served("cus_html", ["sms"]);
    const parts = (html) => Array.from(html.matchAll(/data-part="([^"]*)"/g), ([, part]) => part);
    assert.deepEqual(parts(html), ["sms", "no-sso", "no-late"]);
    assert.match(html, /<output>true active_entitlement stale 1<\/output>/);
    for (const nothing of [undefined, "", "not.a.snapshot", "e30.bnVsbA.", "e30.e30."]) {
      const html = await server.render(nothing);
      assert.deepEqual(parts(html), ["no-sms", "no-sso", "no-late"], nothing);
    }
  });

  test("what is rendered without a provider says what is missing", () => {
    assert.throws(server.orphan, { code: "no_provider", message: "there is no `<GateProvider>` around this component" });
  });

  test("nothing flickers from the first paint on, and a signed event opens a part", async () => {
    const { snapshot, html } = await served("cus_paint", ["sms"]);
    const page = await paint(html, { endpoint: service.url.origin, token: await token(service, "cus_paint"), snapshot });
    await says(page, "true active_entitlement ready 1");
    const first = "sms no-sso no-late";
    assert.deepEqual(await pictures(page), [first]);
    await service.send(summary("cus_paint", ["sms", "sso"]));
    await says(page, "true active_entitlement ready 2");
    await eventually(async () => assert.deepEqual(await pictures(page), [first, "sms sso late"]));
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("nor does it where the gate was not given the snapshot, and takes its time", async () => {
    const { snapshot, html } = await served("cus_slow", ["sms"]);
    proxy = await between(service);
    let answer;
    // The browser asks first whether it may ask.
    proxy.answer("/v1/snapshot", (response) => response.writeHead(204, { "access-control-allow-headers": "authorization" }).end(), 1);
    proxy.answer("/v1/snapshot", (response) => (answer = response), 1);
    const page = await paint(html, { endpoint: proxy.url, token: await token(service, "cus_slow"), snapshot, bare: true });
    await eventually(() => assert.ok(answer));
    assert.equal(await page.textContent("output"), "true active_entitlement stale 1");
    answer.writeHead(200, { "content-type": "application/json" }).end((await service.request("/v1/snapshot?customer=cus_slow")).text);
    await says(page, "true active_entitlement ready 1");
    assert.deepEqual([await pictures(page), page.complaints], [["sms no-sso no-late"], []]);
    await page.close();
  });

  test("a part that is hydrated after a change begins as the server left it", async () => {
    const { snapshot, html } = await served("cus_late", ["sms"]);
    const late = () => (globalThis.late = new Promise((resolve) => (globalThis.arrive = resolve)));
    const page = await paint(html, { endpoint: service.url.origin, token: await token(service, "cus_late"), snapshot }, [late]);
    await says(page, "true active_entitlement ready 1");
    await service.send(summary("cus_late", ["sms", "sso"]));
    await says(page, "true active_entitlement ready 2");
    await page.evaluate(() => arrive());
    const expected = ["sms no-sso no-late", "sms sso no-late", "sms sso late"];
    await eventually(async () => assert.deepEqual(await pictures(page), expected));
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("a page from yesterday is hydrated as it is, and closes when its snapshot turns out to be over", async () => {
    const { snapshot, html } = await served("cus_old", ["sms"]);
    const tomorrow = () =>
      (Date.now = (
        (now) => () =>
          now() + 86_400_000
      )(Date.now));
    const page = await paint(html, { endpoint: "http://127.0.0.1:9", token: await token(service, "cus_old"), snapshot }, [tomorrow]);
    await says(page, "false not_known error 1");
    assert.deepEqual(await pictures(page), ["sms no-sso no-late", "no-sms no-sso no-late"]);
    assert.deepEqual(
      page.complaints.filter((text) => !text.includes("ERR_UNSAFE_PORT") && !text.includes("ERR_CONNECTION_REFUSED")),
      [],
    );
    await page.close();
  });

  test("a component is rendered again for what it reads of its own feature, and for nothing else", async () => {
    const page = await blank();
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
    assert.deepEqual(await page.evaluate(() => count()), [start, bought, other, stale, lost]);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("another gate takes over at once, and one that the provider made is closed with it", async () => {
    const page = await blank();
    const { seen, log } = await page.evaluate(() => swap());
    assert.deepEqual(seen, ["ada sms", "bob no-sms", "made sms", "made sms", "nobody no-sms"]);
    const life = (name) => [`${name} on change`, `${name} on state`, `${name} off change`, `${name} off state`];
    assert.deepEqual(log, [...life("ada"), ...life("bob"), ...life("made"), "made closed"]);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("no two components differ, though the gate changes while React renders them", async () => {
    const page = await blank();
    const { before, seen } = await page.evaluate(() => tear());
    assert.deepEqual([before, seen], [0, ["false"]]);
    assert.deepEqual(page.complaints, []);
    await page.close();
  });
});
