// The console with Stripe as the source: its setup, its activity, its customers, and the panels that require the catalog.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, serve, summary, unixNow } from "../worker/support.mjs";
import { checkAppearance, openConsole, openPanel } from "./support.mjs";

describe("the console with Stripe as the source", { timeout: 90_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {import("playwright-core").Page} */
  let page;
  before(async () => {
    service = await serve();
    browser = await launchBrowser();
    const granted = summary("cus_ada", ["sms", "export"]);
    for (const event of [granted, granted, summary("cus_ada", ["sso"], { created: unixNow() - 60 }), summary("cus_bob", ["sms"])]) {
      assert.equal((await service.send(event)).status, 200);
    }
    ({ page } = await openConsole(browser, service));
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("the overview shows the settings, what is missing, and the command that sends a first event", async () => {
    await page.waitForSelector("#settings[data-state=ok]");
    const rows = await page
      .locator("#settings-list > li")
      .evaluateAll((items) => items.map((item) => [item.querySelector("code")?.textContent, item.querySelector(".badge")?.textContent]));
    assert.deepEqual(rows, [
      ["ENTGATE_API_KEYS", "set"],
      ["STRIPE_WEBHOOK_SECRETS", "set"],
      ["STRIPE_API_KEY", "missing"],
      ["ENTGATE_UNKNOWN_CUSTOMERS", "set"],
    ]);
    assert.match((await page.locator("#settings .command").first().textContent()) ?? "", /npx wrangler secret put STRIPE_API_KEY/);
    assert.match(
      (await page.locator("#settings [data-source=stripe]").textContent()) ?? "",
      new RegExp(`send-event.mjs --port ${service.url.port} cus_ada sms export`),
    );
    await checkAppearance(page, "overview-stripe");
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("the activity shows the outcome of each event", async () => {
    await openPanel(page, "activity");
    await page.waitForSelector("#activity-table tbody tr");
    const rows = () =>
      page
        .locator("#activity-table tbody tr")
        .evaluateAll((elements) =>
          elements.map((row) => [row.querySelector("td code")?.textContent, row.querySelector(".badge")?.textContent]),
        );
    await eventually(async () =>
      assert.deepEqual(await rows(), [
        ["cus_bob", "applied"],
        ["cus_ada", "stale"],
        ["cus_ada", "duplicate"],
        ["cus_ada", "applied"],
      ]),
    );
    await page.locator(".expander").first().click();
    assert.match((await page.textContent("#activity-table .expanded-row")) ?? "", /Stripe’s dashboard/);
  });

  test("the customer list has the known customers, and the search matches the beginning of an id", async () => {
    await openPanel(page, "customers");
    const ids = () => page.locator("#panel-customers tbody th").allTextContents();
    await eventually(async () => assert.deepEqual(await ids(), ["cus_ada", "cus_bob"]));
    await checkAppearance(page, "customers-stripe");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.fill("#customers-search", "cus_b");
    await page.click("button:text-is('Search')");
    await eventually(async () => assert.deepEqual(await ids(), ["cus_bob"]));
    await page.click("#panel-customers a:has-text('cus_bob')");
    await page.waitForSelector(".table[aria-label=Features] code:text-is('sms')");
    assert.equal(await page.isVisible("h2:text-is('Subscriptions')"), false);
  });

  test("the feature matrix requires the catalog", async () => {
    await openPanel(page, "matrix");
    await page.waitForSelector(".empty:has-text('This panel requires the catalog')");
    assert.equal(await page.isVisible(".add-form"), false);
  });
});
