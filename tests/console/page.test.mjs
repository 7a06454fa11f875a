// The console's page: navigation, server key, theme, and what it shows if a panel or the Worker fails.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { KEY, LIVE_KEY, READ_ONLY_KEY } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";
import { focusedId, openConsole, openPanel, waitForText } from "./support.mjs";

const PANELS = ["Overview", "Check access", "Customers", "Feature matrix", "Activity", "Playground", "Demo shop", "Shell"];

describe("the console's page", { timeout: 90_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serveCatalog>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    service = await serveCatalog();
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("a navigation link opens its panel, sets the title and focuses the heading", async () => {
    const { page, errors } = await openConsole(browser, service);
    for (const name of PANELS.toReversed()) {
      await page.click(`#panels a:has-text("${name}")`);
      await page.waitForFunction((title) => document.title === title, `${name} – entgate`);
      assert.equal(await page.textContent("#panels [aria-current=page]"), name);
      assert.equal(await page.evaluate(() => document.activeElement?.textContent), name);
      assert.deepEqual(await page.locator("main > section:visible h1").allTextContents(), [name]);
    }
    assert.deepEqual(errors, []);
    await page.close();
  });

  test("an unknown URL fragment opens the first panel", async () => {
    for (const fragment of ["nowhere", "%E0%A4%A", "constructor"]) {
      const page = await browser.newPage();
      await page.goto(new URL(`/#${fragment}`, service.url).href);
      await page.waitForFunction(() => document.title === "Overview – entgate");
      await page.close();
    }
  });

  test("a panel that fails to load shows an error and does not affect the others", async () => {
    const page = await browser.newPage();
    await page.route("**/panels/matrix.js", (route) => route.abort());
    await page.goto(new URL("/#matrix", service.url).href);
    await page.waitForSelector("#panel-matrix .notice");
    await openPanel(page, "check");
    await page.waitForSelector("#check-form");
    await page.close();
  });

  test("the mode follows the key, and a panel asks for a missing key", async () => {
    const { page } = await openConsole(browser, service, "customers");
    for (const [key, label] of [
      [LIVE_KEY, "Live mode"],
      ["", "No key"],
      ["pk_something", "Unknown key type"],
      [KEY, "Test mode"],
    ]) {
      await page.fill("#key", key);
      await page.press("#key", "Enter");
      await waitForText(page, "#mode", label === "Unknown key type" ? "Invalid key" : label);
      const prompts = await page.locator("#panel-customers :text('A server key is needed')").count();
      assert.equal(prompts, key ? 0 : 1, label);
    }
    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await page.click("text=Enter the key");
    assert.equal(await focusedId(page), "key");
    await page.close();
  });

  test("with a read-only key, the console shows only the panels that it opens", async () => {
    const { page, errors } = await openConsole(browser, service, "customers");
    await page.fill("#key", READ_ONLY_KEY);
    await page.press("#key", "Enter");
    await page.waitForSelector("#panel-overview:not([hidden])");
    await waitForText(page, "#mode", "Test mode, read-only");
    assert.deepEqual(await page.locator("#panels a:visible").allTextContents(), ["Overview", "Check access", "openapi.json", "healthz"]);
    assert.equal(await page.isVisible("h2:text-is('Events per minute')"), false);
    await page.click("#panels a:has-text('Check access')");
    await page.click("#check");
    await page.waitForSelector("#check-result[data-state]:not([data-state=idle])");
    await page.fill("#key", KEY);
    await page.press("#key", "Enter");
    await page.waitForSelector("#panels a:has-text('Customers'):visible");
    // Only the check of a customer that does not exist may have failed.
    assert.deepEqual(
      errors.filter((error) => !error.includes("404")),
      [],
    );
    await page.close();
  });

  test("a name that is not a setting is in the setup, with the setting that is near it", async (t) => {
    const misnamed = await serveCatalog({ settings: { STRIPE_WEBHOOK_SECRET: "hunter2" } });
    t.after(() => misnamed.stop());
    const { page } = await openConsole(browser, misnamed);
    const item = page.locator("#settings-list li:has(.badge:text-is('unknown'))");
    await item.waitFor();
    assert.match((await item.textContent()) ?? "", /STRIPE_WEBHOOK_SECRET.*did you mean STRIPE_WEBHOOK_SECRETS\?/);
    await page.close();
  });

  test("a request to another origin is not sent", async () => {
    const { page } = await openConsole(browser, service);
    const problems = await page.evaluate(async () => {
      // @ts-expect-error -- A path of the Worker's origin.
      const { createSession } = await import("/session.js");
      const session = createSession();
      session.setKey("sk_test_entgate");
      const paths = ["https://example.com/v1/check", "//example.com/v1/check", "/\\example.com/", "http://["];
      return Promise.all(paths.map(async (path) => (await session.request(path)).problem));
    });
    assert.deepEqual(problems, Array(4).fill("Requests are sent to this Worker only."));
    await page.close();
  });

  test("forms are encoded as Stripe's SDKs encode them", async () => {
    const { page } = await openConsole(browser, service);
    const encoded = await page.evaluate(async () => {
      // @ts-expect-error -- A path of the Worker's origin.
      const { encodeForm } = await import("/form.js");
      return decodeURIComponent(
        encodeForm({
          customer: "cus_ada",
          items: [{ price: "price_1", quantity: 2 }],
          metadata: { a: "b" },
          name: null,
          email: undefined,
          active: false,
        }),
      );
    });
    assert.equal(encoded, "customer=cus_ada&items[0][price]=price_1&items[0][quantity]=2&metadata[a]=b&name=&active=false");
    await page.close();
  });

  test("the theme is the system's until another one is chosen and stored", async () => {
    const context = await browser.newContext({ colorScheme: "dark" });
    const page = await context.newPage();
    const colorScheme = () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme);
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.goto(service.url.href);
    const darkBackground = await background();
    await page.click("#theme");
    assert.equal(await colorScheme(), "light");
    assert.notEqual(await background(), darkBackground);
    await page.reload();
    assert.equal(await colorScheme(), "light");
    await page.click("#theme");
    assert.equal(await background(), darkBackground);
    assert.equal(await page.evaluate(() => localStorage.length), 0);
    await context.close();
  });

  test("on a phone, a button opens the navigation and Escape closes it", async () => {
    const { page } = await openConsole(browser, service, "overview", { width: 390 });
    assert.equal(await page.isVisible("#panels a"), false);
    await page.click("#menu");
    assert.equal(await page.getAttribute("#menu", "aria-expanded"), "true");
    await page.keyboard.press("Escape");
    assert.equal(await page.isVisible("#panels a"), false);
    await page.click("#menu");
    await page.click("#panels a:has-text('Feature matrix')");
    await page.waitForSelector("#panel-matrix:not([hidden])");
    assert.equal(await page.isVisible("#panels a"), false);
    await page.close();
  });

  test("the skip link moves the focus to the content", async () => {
    const { page } = await openConsole(browser, service);
    await page.keyboard.press("Tab");
    assert.equal(await focusedId(page), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await focusedId(page), "main");
    assert.equal(await page.title(), "Overview – entgate");
    await page.close();
  });

  test("a Worker that does not respond is shown as unreachable", async () => {
    const page = await browser.newPage();
    await page.route("**/healthz", (route) => route.abort());
    await page.goto(service.url.href);
    await page.waitForSelector("#health-status[data-state=unreachable]");
    await page.waitForSelector("#panel-overview .notice:has-text('cannot be reached')");
    await page.close();
  });
});
