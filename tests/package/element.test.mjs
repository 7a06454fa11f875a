// `entgate/element` in plain HTML, in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { build } from "esbuild";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { openPage } from "./pages.mjs";
import { recordPaints, releaseAfterFirstPaint, serveDelayedScript } from "./paint-recorder.mjs";
import { createToken, root, serveEdge } from "./support.mjs";
import { install, run } from "./tarball.mjs";

/** The CSS rule in the package's README. */
const [RULE] = readFileSync(root("www/npm/README.md"), "utf8").match(/(?<=```css\n)[^`]*/) ?? [];

describe("the element", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let site;
  let proxy;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install(), launchBrowser()]);
    const entry = installed.write(
      "page.mjs",
      `import { createGate } from "entgate";
      import { define } from "entgate/element";
      import { createTestGate } from "entgate/testing";
      const openTestGate = (answers, options) => define((globalThis.gate = createTestGate(answers, options)));
      const openFallbackGate = (fallback) => define((globalThis.gate = createGate({ endpoint: "http://127.0.0.1:9", fallback })));
      Object.assign(globalThis, { openTestGate, openFallbackGate, changes: [] });
      for (const part of document.querySelectorAll("entitled-to")) part.addEventListener("change", ({ target }) => changes.push(target.feature + " " + target.entitled));
      document.addEventListener("change", () => changes.push("bubbled"));
      if (testOptions.token) define((globalThis.gate = createGate({ storage: null, livemode: false, ...testOptions })));`,
    );
    const bundle = await build({ entryPoints: [entry], bundle: true, minify: true, write: false });
    site = await serveDelayedScript(bundle.outputFiles[0].text);
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

  const part = (feature, attributes = "") =>
    `<entitled-to feature="${feature}" ${attributes}><a href="#${feature}" data-part="${feature}">open ${feature}</a><a href="#plans" slot="fallback" data-part="no-${feature}">buy ${feature}</a></entitled-to>`;

  /** Opens a page of these parts, waits for its first paint, and then sends its script. */
  async function paint(parts, testOptions) {
    site.setPage(`<style>${RULE}</style>`, `<p>a page</p>${parts}`);
    const page = await openPage(browser, site.url, { testOptions, scripts: [recordPaints], waitUntil: "commit" });
    await releaseAfterFirstPaint(page, site);
    return page;
  }
  const gateOptions = async (customer) => ({ endpoint: proxy?.url ?? service.url.origin, token: await createToken(service, customer) });
  const fetchSnapshot = async (customer) => (await service.request(`/v1/snapshot?fresh=true&customer=${customer}`)).json.snapshot;

  /** Opens a page of these parts with a test gate. */
  async function openWithTestGate(parts, answers) {
    site.setPage(`<style>${RULE}</style>`, parts);
    site.releaseScript();
    const page = await openPage(browser, site.url);
    await page.evaluate((answers) => globalThis.openTestGate(answers), answers);
    return page;
  }
  const visibleParts = (page) =>
    page.$$eval("[data-part]", (parts) =>
      parts
        .filter((part) => part.checkVisibility())
        .map((part) => part.dataset.part)
        .join(" "),
    );
  const paints = (page) => page.evaluate(() => globalThis.paints);
  const changes = (page) => page.evaluate(() => globalThis.changes);
  const attributes = (page) =>
    page.$$eval("entitled-to", (elements) =>
      elements.map((element) =>
        [element.feature, element.entitled, element.hasAttribute("entitled"), element.state, element.getAttribute("state")].join(" "),
      ),
    );

  test("nothing flickers if a server wrote the attributes, and a webhook shows a part", async () => {
    await service.send(summary("cus_paint", ["sms"]));
    const page = await paint(part("sms", 'entitled state="stale"') + part("sso", 'state="stale"'), await gateOptions("cus_paint"));
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true ready ready", "sso false false ready ready"]));
    assert.deepEqual([await paints(page), await changes(page)], [["sms no-sso"], []]);
    await service.send(summary("cus_paint", ["sms", "sso"]));
    await eventually(async () => assert.deepEqual(await paints(page), ["sms no-sso", "sms sso"]));
    assert.deepEqual([await changes(page), page.problems], [["sso true"], []]);
    await page.close();
  });

  test("the attributes of the server are kept during an outage, and replaced by the edge's answer after it", async () => {
    await service.send(summary("cus_late", ["sso"]));
    proxy = await flakyProxy(service);
    proxy.respond("/v1/snapshot", (response) => response.destroy());
    const page = await paint(part("sms", 'entitled state="stale"') + part("sso", 'state="stale"'), await gateOptions("cus_late"));
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true error error", "sso false false error error"]));
    proxy.forwardAll();
    await page.evaluate(() => globalThis.gate.refresh());
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms false false ready ready", "sso true true ready ready"]));
    assert.deepEqual(
      [await paints(page), await changes(page)],
      [
        ["sms no-sso", "no-sms sso"],
        ["sms false", "sso true"],
      ],
    );
    await page.close();
  });

  test("a page without the attributes shows nothing before its script, and then the answers of its snapshot", async () => {
    await service.send(summary("cus_plain", ["sms"]));
    const testOptions = { ...(await gateOptions("cus_plain")), snapshot: await fetchSnapshot("cus_plain") };
    const page = await paint(part("sms") + part("sso"), testOptions);
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true ready ready", "sso false false ready ready"]));
    assert.deepEqual([await paints(page), await changes(page), page.problems], [["sms no-sso"], ["sms true"], []]);
    await page.close();
  });

  test("without a snapshot neither branch is shown until a set is loaded", async () => {
    await service.send(summary("cus_first", ["sms"]));
    const page = await paint(part("sms") + part("sso"), await gateOptions("cus_first"));
    await eventually(async () => assert.deepEqual(await paints(page), ["sms no-sso"]));
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a pending element shows the part for that, and a fallback of the gate counts as known", async () => {
    const loading = '<p slot="loading" data-part="loading">one moment</p>';
    const page = await openWithTestGate(part("sms").replace("</entitled-to>", `${loading}</entitled-to>`), { sms: true });
    const pending = () => page.$eval("entitled-to", (element) => [element.pending, element.hasAttribute("pending"), element.entitled]);
    assert.deepEqual([await visibleParts(page), await pending()], ["sms", [false, false, true]]);
    await page.evaluate(() => globalThis.gate.become("loading"));
    assert.deepEqual([await visibleParts(page), await pending()], ["loading", [true, true, false]]);
    await page.evaluate(() => document.body.append(document.querySelector("entitled-to")?.cloneNode(true) ?? ""));
    assert.equal(await visibleParts(page), "loading loading");
    await page.evaluate(() => globalThis.openFallbackGate({ sms: false }));
    assert.deepEqual([await visibleParts(page), await pending()], ["no-sms no-sms", [false, false, false]]);
    await page.close();
  });

  test("properties that were set before the definition are taken over, and those of the class count from then on", async () => {
    site.setPage(`<style>${RULE}</style>`, part("sso"));
    const page = await openPage(browser, site.url, { waitUntil: "commit" });
    await page.waitForSelector("entitled-to", { state: "attached" });
    await page.evaluate(() => {
      const inPage = /** @type {any} */ (document.querySelector("entitled-to"));
      const created = /** @type {any} */ (document.createElement("entitled-to"));
      created.innerHTML = '<p data-part="created">here</p>';
      for (const element of [inPage, created]) Object.assign(element, { feature: "sms", entitled: false, state: "ready", pending: true });
      Object.assign(globalThis, { elements: [inPage, created] });
      document.body.append(created);
      // Connected only after the definition.
      const detached = /** @type {any} */ (document.createElement("entitled-to"));
      detached.feature = "sms";
      detached.innerHTML = '<p data-part="detached">here</p>';
      globalThis.elements.push(detached);
    });
    site.releaseScript();
    await page.waitForFunction(() => globalThis.openTestGate);
    await page.evaluate(() => globalThis.openTestGate({ sms: true }));
    await page.evaluate(() => document.body.append(globalThis.elements[2]));
    assert.equal(await visibleParts(page), "sso created detached");
    const read = () =>
      page.evaluate(() =>
        globalThis.elements.map(({ feature, entitled, pending, state }) => [feature, entitled, pending, state].join(" ")),
      );
    assert.deepEqual(await read(), ["sms true false ready", "sms true false ready", "sms true false ready"]);
    await page.evaluate(() => {
      for (const element of globalThis.elements) element.feature = "sso";
    });
    assert.deepEqual(await read(), ["sso false false ready", "sso false false ready", "sso false false ready"]);
    assert.deepEqual(await page.$$eval("entitled-to", (elements) => elements.map((element) => element.getAttribute("feature"))), [
      "sso",
      "sso",
      "sso",
    ]);
    await page.evaluate(() => {
      globalThis.elements[0].feature = null;
      globalThis.elements[1].setAttribute("feature", "sms");
    });
    assert.deepEqual((await read()).slice(0, 2), [" false false ready", "sms true false ready"]);
    await page.close();
  });

  test("a hidden part is not in the accessibility tree and not focusable", async () => {
    const page = await openWithTestGate(part("sms") + part("sso"), { sms: true });
    const links = async () => {
      const inTree = (await page.locator("body").ariaSnapshot()).match(/(?<=link ").*?(?=")/g) ?? [];
      const focused = [];
      for (const _ of inTree) {
        await page.keyboard.press("Tab");
        focused.push(await page.evaluate(() => document.activeElement?.textContent));
      }
      assert.deepEqual(inTree, focused);
      await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement).blur());
      return inTree;
    };
    assert.deepEqual(await links(), ["open sms", "buy sso"]);
    // A new page: otherwise Tab continues from the last focused link.
    await page.reload();
    await page.evaluate(() => globalThis.openTestGate({ sso: true }));
    assert.deepEqual(await links(), ["buy sms", "open sso"]);
    await page.close();
  });

  test("each change fires one event on the element", async () => {
    const page = await openWithTestGate(part("sms") + part("sms") + part("sso"), { sms: true });
    assert.deepEqual(await changes(page), ["sms true", "sms true"]);
    await page.evaluate(() => globalThis.gate.set({ export: true }));
    await page.evaluate(() => globalThis.gate.become("stale"));
    assert.deepEqual(await changes(page), ["sms true", "sms true"]);
    assert.deepEqual(await attributes(page), ["sms true true stale stale", "sms true true stale stale", "sso false false stale stale"]);
    await page.evaluate(() => globalThis.gate.become("error"));
    assert.deepEqual(await changes(page), ["sms true", "sms true", "sms false", "sms false"]);
    assert.equal(await visibleParts(page), "", "not known is not denied");
    await page.close();
  });

  test("the element is updated when its feature changes, and however it is created", async () => {
    const page = await openWithTestGate(part("sms"), { sms: true });
    await page.evaluate(() => {
      globalThis.first = document.querySelector("entitled-to");
    });
    const partsAfter = async (change) => {
      await page.evaluate(change);
      return visibleParts(page);
    };
    const setFeature = (feature) => partsAfter(`first.feature = "${feature}"`);
    assert.equal(await partsAfter(() => globalThis.first.setAttribute("feature", "sso")), "no-sms");
    assert.equal(await setFeature("sms"), "sms");
    assert.equal(await partsAfter(() => globalThis.first.removeAttribute("feature")), "no-sms");
    assert.equal(await setFeature("sms"), "sms");
    // A clone, an element that was disconnected during a change, one from a script, and one from the HTML parser.
    const cloneAndRemove = () => {
      document.body.append(globalThis.first.cloneNode(true));
      globalThis.first.remove();
      globalThis.gate.set({ sms: false });
    };
    assert.equal(await partsAfter(cloneAndRemove), "no-sms");
    assert.equal(await partsAfter(() => document.body.prepend(globalThis.first)), "no-sms no-sms");
    const createAndParse = () => {
      document.body.innerHTML = "";
      const created = /** @type {import("entgate/element").EntitledToElement} */ (document.createElement("entitled-to"));
      created.innerHTML = '<p data-part="created">here</p>';
      created.feature = "sso";
      document.body.append(created);
      document.body.insertAdjacentHTML("beforeend", '<entitled-to feature="sso" entitled><p data-part="parsed">here</p></entitled-to>');
    };
    assert.equal(await partsAfter(createAndParse), "");
    assert.equal(await partsAfter(() => globalThis.gate.set({ sso: true })), "created parsed");
    assert.deepEqual(page.problems, []);
    await page.close();
  });

  test("a second gate replaces the first, whose listeners are removed", async () => {
    const page = await openWithTestGate(part("sms"), { sms: true });
    const seen = [await visibleParts(page)];
    for (const change of [
      () => {
        globalThis.previous = globalThis.gate;
        globalThis.openTestGate({}, { state: "loading" });
      },
      () => globalThis.previous.set({ sms: true }),
      () => globalThis.gate.become("ready"),
      () => globalThis.gate.set({ sms: true }),
    ]) {
      await page.evaluate(change);
      seen.push(await visibleParts(page));
    }
    assert.deepEqual(seen, ["sms", "", "", "no-sms", "sms"]);
    await page.close();
  });

  test("on a server it can be imported, and does nothing", async () => {
    const script = 'define(createTestGate({ sms: true })); console.log("done");';
    const runNode = async (name, text) => (await run(process.execPath, [installed.write(name, text)], { cwd: installed.folder })).stdout;
    assert.equal(
      await runNode("node.mjs", `import { define } from "entgate/element"; import { createTestGate } from "entgate/testing"; ${script}`),
      "done\n",
    );
    assert.equal(
      await runNode(
        "node.cjs",
        `const { define } = require("entgate/element"); const { createTestGate } = require("entgate/testing"); ${script}`,
      ),
      "done\n",
    );
  });
});
