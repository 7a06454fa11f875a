// `entgate/element` in plain HTML, in headless Chromium.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { visit } from "./pages.mjs";
import { painted, stage, watch } from "./paint-recorder.mjs";
import { between, edge, root, token } from "./support.mjs";
import { install, run } from "./tarball.mjs";

/** The rule of the package's README, as a page has it. */
const [RULE] = readFileSync(root("www/npm/README.md"), "utf8").match(/(?<=```css\n)[^`]*/);

describe("the element", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let site;
  let proxy;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install(), browse()]);
    const entry = installed.write(
      "page.mjs",
      `import { createGate } from "entgate";
      import { define } from "entgate/element";
      import { createTestGate } from "entgate/testing";
      Object.assign(globalThis, { define, createTestGate, changes: [] });
      for (const part of document.querySelectorAll("entitled-to")) part.addEventListener("change", ({ target }) => changes.push(target.feature + " " + target.entitled));
      document.addEventListener("change", () => changes.push("bubbled"));
      if (given.token) define((globalThis.gate = createGate({ storage: null, ...given })));`,
    );
    const bundle = await build({ entryPoints: [entry], bundle: true, minify: true, write: false });
    site = await stage(bundle.outputFiles[0].text);
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

  /** A page of these parts, painted, and its script on the way. */
  async function paint(parts, given) {
    site.set(`<style>${RULE}</style>`, `<p>a page</p>${parts}`);
    const page = await visit(browser, site.url, { given, prepare: [watch], waitUntil: "commit" });
    await painted(page, site);
    return page;
  }
  const given = async (customer) => ({ endpoint: proxy?.url ?? service.url.origin, token: await token(service, customer) });
  const snapshot = async (customer) => (await service.request(`/v1/snapshot?fresh=true&customer=${customer}`)).json.snapshot;

  /** A page of parts that a test's gate answers. */
  async function tested(parts, answers) {
    site.set(`<style>${RULE}</style>`, parts);
    site.release();
    const page = await visit(browser, site.url);
    await page.evaluate((answers) => define((globalThis.gate = createTestGate(answers))), answers);
    return page;
  }
  const shows = (page) =>
    page.$$eval("[data-part]", (parts) =>
      parts
        .filter((part) => part.checkVisibility())
        .map((part) => part.dataset.part)
        .join(" "),
    );
  const pictures = (page) => page.evaluate(() => globalThis.pictures);
  const changes = (page) => page.evaluate(() => globalThis.changes);
  const attributes = (page) =>
    page.$$eval("entitled-to", (all) =>
      all.map((one) => [one.feature, one.entitled, one.hasAttribute("entitled"), one.state, one.getAttribute("state")].join(" ")),
    );

  test("nothing flickers from the first paint on, where a server wrote what it knows, and a signed event opens a part", async () => {
    await service.send(summary("cus_paint", ["sms"]));
    const page = await paint(part("sms", 'entitled state="stale"') + part("sso", 'state="stale"'), await given("cus_paint"));
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true ready ready", "sso false false ready ready"]));
    assert.deepEqual([await pictures(page), await changes(page)], [["sms no-sso"], []]);
    await service.send(summary("cus_paint", ["sms", "sso"]));
    await eventually(async () => assert.deepEqual(await pictures(page), ["sms no-sso", "sms sso"]));
    assert.deepEqual([await changes(page), page.complaints], [["sso true"], []]);
    await page.close();
  });

  test("what the server wrote stands while the edge cannot be reached, and not against what it says then", async () => {
    await service.send(summary("cus_late", ["sso"]));
    proxy = await between(service);
    proxy.answer("/v1/snapshot", (response) => response.destroy());
    const page = await paint(part("sms", 'entitled state="stale"') + part("sso", 'state="stale"'), await given("cus_late"));
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true error error", "sso false false error error"]));
    proxy.restore();
    await page.evaluate(() => gate.refresh());
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms false false ready ready", "sso true true ready ready"]));
    assert.deepEqual(
      [await pictures(page), await changes(page)],
      [
        ["sms no-sso", "no-sms sso"],
        ["sms false", "sso true"],
      ],
    );
    await page.close();
  });

  test("a page that no server prepared shows nothing before its script, and then at once what its snapshot says", async () => {
    await service.send(summary("cus_plain", ["sms"]));
    const page = await paint(part("sms") + part("sso"), { ...(await given("cus_plain")), snapshot: await snapshot("cus_plain") });
    await eventually(async () => assert.deepEqual(await attributes(page), ["sms true true ready ready", "sso false false ready ready"]));
    assert.deepEqual([await pictures(page), await changes(page), page.complaints], [["sms no-sso"], ["sms true"], []]);
    await page.close();
  });

  test("without a snapshot it denies until it knows", async () => {
    await service.send(summary("cus_first", ["sms"]));
    const page = await paint(part("sms") + part("sso"), await given("cus_first"));
    await eventually(async () => assert.deepEqual(await pictures(page), ["no-sms no-sso", "sms no-sso"]));
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("what is hidden is hidden from readers and keys as well", async () => {
    const page = await tested(part("sms") + part("sso"), { sms: true });
    const links = async () => {
      const read = (await page.locator("body").ariaSnapshot()).match(/(?<=link ").*?(?=")/g);
      const reached = [];
      for (const _ of read) {
        await page.keyboard.press("Tab");
        reached.push(await page.evaluate(() => document.activeElement.textContent));
      }
      assert.deepEqual(read, reached);
      await page.evaluate(() => document.activeElement.blur());
      return read;
    };
    assert.deepEqual(await links(), ["open sms", "buy sso"]);
    // Afresh, for the next key goes on from where the last one was.
    await page.reload();
    await page.evaluate(() => define(createTestGate({ sso: true })));
    assert.deepEqual(await links(), ["buy sms", "open sso"]);
    await page.close();
  });

  test("each change is told once, to whoever listens to the element", async () => {
    const page = await tested(part("sms") + part("sms") + part("sso"), { sms: true });
    assert.deepEqual(await changes(page), ["sms true", "sms true"]);
    await page.evaluate(() => gate.set({ export: true }));
    await page.evaluate(() => gate.become("stale"));
    assert.deepEqual(await changes(page), ["sms true", "sms true"]);
    assert.deepEqual(await attributes(page), ["sms true true stale stale", "sms true true stale stale", "sso false false stale stale"]);
    await page.evaluate(() => gate.become("error"));
    assert.deepEqual(await changes(page), ["sms true", "sms true", "sms false", "sms false"]);
    assert.equal(await shows(page), "no-sms no-sms no-sso");
    await page.close();
  });

  test("it answers for another feature, and wherever it comes from", async () => {
    const page = await tested(part("sms"), { sms: true });
    const after = async (change) => {
      await page.evaluate(change);
      return shows(page);
    };
    assert.equal(await after(() => document.querySelector("entitled-to").setAttribute("feature", "sso")), "no-sms");
    assert.equal(await after(() => (document.querySelector("entitled-to").feature = "sms")), "sms");
    assert.equal(await after(() => document.querySelector("entitled-to").removeAttribute("feature")), "no-sms");
    assert.equal(await after(() => (document.querySelector("entitled-to").feature = "sms")), "sms");
    // A copy, a part that was away while things changed, one that a script makes and one that is parsed.
    const away = () => {
      globalThis.away = document.querySelector("entitled-to");
      document.body.append(away.cloneNode(true));
      away.remove();
      gate.set({ sms: false });
    };
    assert.equal(await after(away), "no-sms");
    assert.equal(await after(() => document.body.prepend(globalThis.away)), "no-sms no-sms");
    const made = () => {
      document.body.innerHTML = "";
      const made = document.createElement("entitled-to");
      made.innerHTML = '<p data-part="made">here</p>';
      made.feature = "sso";
      document.body.append(made);
      document.body.insertAdjacentHTML("beforeend", '<entitled-to feature="sso" entitled><p data-part="parsed">here</p></entitled-to>');
    };
    assert.equal(await after(made), "");
    assert.equal(await after(() => gate.set({ sso: true })), "made parsed");
    assert.deepEqual(page.complaints, []);
    await page.close();
  });

  test("another gate takes over, and nothing of the former one is left", async () => {
    const page = await tested(part("sms"), { sms: true });
    const seen = [await shows(page)];
    for (const change of [
      () => define((globalThis.other = createTestGate({}, { state: "loading" }))),
      () => gate.set({ sms: true }),
      () => other.become("ready"),
      () => other.set({ sms: true }),
    ]) {
      await page.evaluate(change);
      seen.push(await shows(page));
    }
    assert.deepEqual(seen, ["sms", "no-sms", "no-sms", "no-sms", "sms"]);
    await page.close();
  });

  test("on a server it is loaded and does nothing", async () => {
    const text = 'define(createTestGate({ sms: true })); console.log("done");';
    const node = async (name, text) => (await run(process.execPath, [installed.write(name, text)], { cwd: installed.folder })).stdout;
    assert.equal(
      await node("node.mjs", `import { define } from "entgate/element"; import { createTestGate } from "entgate/testing"; ${text}`),
      "done\n",
    );
    assert.equal(
      await node(
        "node.cjs",
        `const { define } = require("entgate/element"); const { createTestGate } = require("entgate/testing"); ${text}`,
      ),
      "done\n",
    );
  });
});
