// The console's frame: navigation, key, theme, and what it does when something is missing or goes wrong.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { catalog } from "../worker/catalog.mjs";
import { KEY, LIVE_KEY } from "../worker/support.mjs";
import { go, open } from "./support.mjs";

const PANELS = ["Overview", "Ask", "Customers", "Matrix", "Activity", "Playground", "Shop", "Shell"];

describe("the console's frame", { timeout: 90_000 }, () => {
  let service;
  let browser;
  before(async () => {
    service = await catalog();
    browser = await browse();
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("each panel is a link away, is named in the title, and its heading has the focus", async () => {
    const { page, complaints } = await open(browser, service);
    for (const name of PANELS.toReversed()) {
      await page.click(`#panels a:has-text("${name}")`);
      await page.waitForFunction((title) => document.title === title, `${name} – entgate`);
      assert.equal(await page.textContent("#panels [aria-current=page]"), name);
      assert.equal(await page.evaluate(() => document.activeElement.textContent), name);
      assert.deepEqual(await page.locator("main > section:visible h1").allTextContents(), [name]);
    }
    assert.deepEqual(complaints, []);
    await page.close();
  });

  test("an address that names no panel leads to the first one", async () => {
    for (const place of ["nowhere", "%E0%A4%A", "constructor"]) {
      const page = await browser.newPage();
      await page.goto(new URL(`/#${place}`, service.url).href);
      await page.waitForFunction(() => document.title === "Overview – entgate");
      await page.close();
    }
  });

  test("a panel that cannot be loaded says so, and leaves the others alone", async () => {
    const page = await browser.newPage();
    await page.route("**/panels/matrix.js", (route) => route.abort());
    await page.goto(new URL("/#matrix", service.url).href);
    await page.waitForSelector("#panel-matrix .notice");
    await go(page, "check");
    await page.waitForSelector("#question");
    await page.close();
  });

  test("the key tells the mode, and is asked for where it is missing", async () => {
    const { page } = await open(browser, service, "customers");
    for (const [key, word] of [
      [LIVE_KEY, "Live mode"],
      ["", "No key"],
      ["pk_something", "Unknown kind"],
      [KEY, "Test mode"],
    ]) {
      await page.fill("#key", key);
      await page.press("#key", "Enter");
      await page.waitForFunction(
        (text) => document.querySelector("#mode").textContent === text,
        word === "Unknown kind" ? "Refused" : word,
      );
      const asked = await page.locator("#panel-customers :text('A server key is needed')").count();
      assert.equal(asked, key ? 0 : 1, word);
    }
    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await page.click("text=Enter the key");
    assert.equal(await page.evaluate(() => document.activeElement.id), "key");
    await page.close();
  });

  test("a key is sent to this Worker and to nobody else", async () => {
    const { page } = await open(browser, service);
    const said = await page.evaluate(async () => {
      const { createDesk } = await import("/session.js");
      const desk = createDesk();
      desk.take("sk_test_entgate");
      const paths = ["https://example.com/v1/check", "//example.com/v1/check", "/\\example.com/", "http://["];
      return Promise.all(paths.map(async (path) => (await desk.ask(path)).problem));
    });
    assert.deepEqual(said, Array(4).fill("Nobody but this Worker is asked."));
    await page.close();
  });

  test("forms are written as Stripe's SDKs write them", async () => {
    const { page } = await open(browser, service);
    const written = await page.evaluate(async () => {
      const { encode } = await import("/session.js");
      return decodeURIComponent(
        encode({
          customer: "cus_ada",
          items: [{ price: "price_1", quantity: 2 }],
          metadata: { a: "b" },
          name: null,
          email: undefined,
          active: false,
        }),
      );
    });
    assert.equal(written, "customer=cus_ada&items[0][price]=price_1&items[0][quantity]=2&metadata[a]=b&name=&active=false");
    await page.close();
  });

  test("the theme is the system's until one is chosen, which is kept", async () => {
    const context = await browser.newContext({ colorScheme: "dark" });
    const page = await context.newPage();
    const scheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    const dark = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.goto(service.url.href);
    const night = await dark();
    await page.click("#theme");
    assert.equal(await scheme(), "light");
    assert.notEqual(await dark(), night);
    await page.reload();
    assert.equal(await scheme(), "light");
    await page.click("#theme");
    assert.equal(await dark(), night);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
    await context.close();
  });

  test("a phone has the navigation behind a button, which Escape closes", async () => {
    const { page } = await open(browser, service, "overview", { width: 390 });
    assert.equal(await page.isVisible("#panels a"), false);
    await page.click("#menu");
    assert.equal(await page.getAttribute("#menu", "aria-expanded"), "true");
    await page.keyboard.press("Escape");
    assert.equal(await page.isVisible("#panels a"), false);
    await page.click("#menu");
    await page.click("#panels a:has-text('Matrix')");
    await page.waitForSelector("#panel-matrix:not([hidden])");
    assert.equal(await page.isVisible("#panels a"), false);
    await page.close();
  });

  test("the keyboard alone reaches the content", async () => {
    const { page } = await open(browser, service);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    assert.equal(await page.title(), "Overview – entgate");
    await page.close();
  });

  test("a Worker that does not answer is told of, not guessed about", async () => {
    const page = await browser.newPage();
    await page.route("**/healthz", (route) => route.abort());
    await page.goto(service.url.href);
    await page.waitForSelector("#standing[data-state=unreachable]");
    await page.waitForSelector("#panel-overview .notice:has-text('cannot be reached')");
    await page.close();
  });
});
