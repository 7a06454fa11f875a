// The console where Stripe is the source: what it shows of events and customers, and what it leaves to Stripe.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { eventually, seconds, serve, summary } from "../worker/support.mjs";
import { go, look, open } from "./support.mjs";

describe("the console with Stripe as the source", { timeout: 90_000 }, () => {
  let service;
  let browser;
  let page;
  before(async () => {
    service = await serve();
    browser = await browse();
    const granted = summary("cus_ada", ["sms", "export"]);
    for (const event of [granted, granted, summary("cus_ada", ["sso"], { created: seconds() - 60 }), summary("cus_bob", ["sms"])]) {
      assert.equal((await service.send(event)).status, 200);
    }
    ({ page } = await open(browser, service));
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("the overview tells what is set, what is missing, and how a first event is sent", async () => {
    await page.waitForSelector("#settings[data-state=ok]");
    const rows = await page
      .locator("#settings-list > li")
      .evaluateAll((lines) => lines.map((line) => [line.querySelector("code").textContent, line.querySelector(".badge").textContent]));
    assert.deepEqual(rows, [
      ["ENTGATE_API_KEYS", "set"],
      ["STRIPE_WEBHOOK_SECRETS", "set"],
      ["STRIPE_API_KEY", "missing"],
    ]);
    assert.match(await page.locator("#settings .command").first().textContent(), /npx wrangler secret put STRIPE_API_KEY/);
    assert.match(
      await page.locator("#settings [data-source=stripe]").textContent(),
      new RegExp(`send-event.mjs --port ${service.url.port} cus_ada sms export`),
    );
    await look(page, "overview-stripe");
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("each decision is in the activity", async () => {
    await go(page, "activity");
    await page.waitForSelector("#activity-table tbody tr");
    const rows = () =>
      page
        .locator("#activity-table tbody tr")
        .evaluateAll((lines) => lines.map((line) => [line.querySelector("td code").textContent, line.querySelector(".badge").textContent]));
    await eventually(async () =>
      assert.deepEqual(await rows(), [
        ["cus_bob", "applied"],
        ["cus_ada", "stale"],
        ["cus_ada", "duplicate"],
        ["cus_ada", "applied"],
      ]),
    );
    await page.locator(".opener").first().click();
    assert.match(await page.textContent("#activity-table .opened"), /Stripe’s dashboard/);
  });

  test("customers are those that something was heard of, and are found by their beginning", async () => {
    await go(page, "customers");
    const ids = () => page.locator("#panel-customers tbody th").allTextContents();
    await eventually(async () => assert.deepEqual(await ids(), ["cus_ada", "cus_bob"]));
    await look(page, "customers-stripe");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.fill("#customers-search", "cus_b");
    await page.click("button:text-is('Search')");
    await eventually(async () => assert.deepEqual(await ids(), ["cus_bob"]));
    await page.click("#panel-customers a:has-text('cus_bob')");
    await page.waitForSelector(".table[aria-label=Entitlements] code:text-is('sms')");
    assert.equal(await page.isVisible("h2:text-is('Subscriptions')"), false);
  });

  test("the matrix says that Stripe has it", async () => {
    await go(page, "matrix");
    await page.waitForSelector(".empty:has-text('This is for the catalog')");
    assert.equal(await page.isVisible(".adder"), false);
  });
});
