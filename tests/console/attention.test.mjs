// The customers that the overview names, and the same selections in the list of customers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, serve, summary } from "../worker/support.mjs";
import { postOverride, waitForFeatures } from "./customer-page.mjs";
import { checkAppearance, openConsole, openPanel } from "./support.mjs";

const DAY = 24 * 60 * 60;

test("the overview names the customers that need attention, and those with an override that ends soon", { timeout: 60_000 }, async () => {
  const service = await serve();
  const browser = await launchBrowser();
  try {
    for (const [customer, days] of /** @type {[string, number][]} */ ([
      ["cus_tomorrow", 1],
      ["cus_week", 6],
      ["cus_month", 30],
    ])) {
      await postOverride(service, customer, { feature: "sms", effect: "grant", reason: "A trial", expires_in: String(days * DAY) });
    }
    await service.send(summary("cus_fine", ["sms"]));
    const status = { confirmed_at: null, pending: 2, pending_since: Date.now() - 60_000, problem: "key_refused", next_override_end: null };
    await service.sendToCustomerIndex("test:cus_refused", { report: { status, features: [] } });
    await eventually(async () => {
      const { json } = await service.request("/v1/sync_status");
      assert.deepEqual(
        json.data.map(({ id }) => id),
        ["cus_fine", "cus_month", "cus_refused", "cus_tomorrow", "cus_week"],
      );
    });
    const { page, errors } = await openConsole(browser, service);
    const customers = (/** @type {string} */ title) => page.locator(`.card:has(h2:text-is('${title}')) .customer-list li`);
    await customers("Needs attention").first().waitFor();
    assert.deepEqual(await customers("Needs attention").locator("code").allTextContents(), ["cus_refused"]);
    assert.deepEqual(await customers("Needs attention").locator(".badge").allTextContents(), ["key rejected", "2 pending tasks"]);
    await customers("Overrides ending soon").first().waitFor();
    assert.deepEqual(await customers("Overrides ending soon").locator("code").allTextContents(), ["cus_tomorrow", "cus_week"]);
    await checkAppearance(page, "overview-customers");
    await page.setViewportSize({ width: 1280, height: 900 });

    await page.click(".card:has(h2:text-is('Overrides ending soon')) a:text-is('View all')");
    const ids = () => page.locator("#panel-customers tbody th").allTextContents();
    await eventually(async () => assert.deepEqual(await ids(), ["cus_tomorrow", "cus_week"]));
    await page.selectOption("#customers-show", "attention");
    await eventually(async () => assert.deepEqual(await ids(), ["cus_refused"]));
    await page.selectOption("#customers-show", "");
    await eventually(async () => assert.equal((await ids()).length, 5));
    await openPanel(page, "overview");
    await page.click(".customer-list a:has-text('cus_tomorrow')");
    await waitForFeatures(page, { sms: "override" });
    assert.deepEqual(errors, []);
  } finally {
    await browser.close();
    await service.stop();
  }
});
