// The panel "Check access": each kind of result, the entitlement list, and that the key and the responses are handled safely.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { KEY, serve, summary } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";
import { checkAppearance, horizontalOverflow, openConsole } from "./support.mjs";

describe("the panel Check access", { timeout: 90_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  before(async () => {
    service = await serve();
    browser = await launchBrowser();
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
    assert.equal((await service.send(summary("cus_part", ["sms"], { hasMore: true }))).status, 200);
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  /**
   * Submits the form, waits for the result, and returns its state.
   *
   * @param {import("playwright-core").Page} page
   * @param {{ key?: string, customer: string, feature: string }} values
   */
  async function check(page, { key = KEY, customer, feature }) {
    await page.fill("#key", key);
    await page.fill("#customer", customer);
    await page.fill("#feature", feature);
    await page.click("#check");
    await page.waitForSelector("#check-result:not([data-state=idle], [data-state=loading])");
    return page.getAttribute("#check-result", "data-state");
  }

  test("a submitted form shows the result and the response", async () => {
    const { page, errors } = await openConsole(browser, service, "check");
    assert.equal(await check(page, { customer: "cus_ada", feature: "sms" }), "entitled");
    assert.equal(await page.textContent("#version"), "1");
    assert.equal(JSON.parse((await page.textContent("#response-body")) ?? "").entitled, true);
    assert.deepEqual(errors, []);
    await page.close();
  });

  test("each kind of answer has its own state", async () => {
    const { page } = await openConsole(browser, service, "check");
    for (const [customer, feature, state] of [
      ["cus_ada", "sso", "denied"],
      ["cus_unknown", "sms", "denied"],
      ["cus_part", "sso", "unknown"],
      ["cus_ada", "sms", "entitled"],
    ]) {
      assert.equal(await check(page, { customer, feature }), state, `${customer} ${feature}`);
    }
    assert.equal(await check(page, { key: "sk_test_wrong", customer: "cus_ada", feature: "sms" }), "error");
    assert.equal(await page.textContent("#mode"), "Invalid key");
    await page.close();
  });

  test("the list shows the customer's entitlements, and a listed feature can be checked", async () => {
    const { page } = await openConsole(browser, service, "check");
    await page.fill("#customer", "cus_ada");
    await page.click("#list");
    await page.waitForSelector("#entitlements[data-state=done]");
    assert.deepEqual((await page.locator("#entitlements-list button").allTextContents()).sort(), ["export", "sms"]);
    await page.click("#entitlements-list button:text-is('export')");
    await page.waitForSelector("#check-result[data-state=entitled]");
    assert.equal(await page.inputValue("#feature"), "export");
    await checkAppearance(page, "check");
    await page.close();
  });

  test("an invalid value is reported at its field", async () => {
    const { page } = await openConsole(browser, service, "check");
    assert.equal(await check(page, { customer: "", feature: "sms" }), "error");
    assert.equal(await page.getAttribute("#customer", "aria-invalid"), "true");
    assert.equal(await page.textContent("#customer-hint"), await page.textContent("#result-reason"));
    await page.close();
  });

  test("a link can set the customer and the feature", async () => {
    const { page } = await openConsole(browser, service, "check?customer=cus_bob&feature=sso");
    assert.deepEqual([await page.inputValue("#customer"), await page.inputValue("#feature")], ["cus_bob", "sso"]);
    assert.match((await page.textContent("#curl")) ?? "", /customer=cus_bob&feature=sso/);
    await page.close();
  });

  test("the key is in memory only: not in storage, in the page or in a URL", async () => {
    const { page } = await openConsole(browser, service, "check");
    /** @type {string[]} */
    const urls = [];
    page.on("request", (request) => urls.push(request.url()));
    await check(page, { customer: "cus_ada", feature: "sms" });
    const found = await page.evaluate(
      (key) =>
        [
          JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie,
          document.querySelector("main")?.textContent ?? "",
          location.href,
        ].some((text) => text.includes(key)),
      KEY,
    );
    assert.equal(found, false);
    assert.equal(
      urls.some((url) => url.includes(KEY)),
      false,
    );
    await page.close();
  });

  test("a response is rendered as text, never as markup", async () => {
    const { page } = await openConsole(browser, service, "check");
    const message = "<img src=x onerror=\"document.title='owned'\">";
    await page.route("**/v1/check?*", (route) =>
      route.fulfill({ status: 400, json: { error: { type: "invalid_request_error", message, param: "customer" } } }),
    );
    assert.equal(await check(page, { customer: "cus_ada", feature: "sms" }), "error");
    assert.equal(await page.textContent("#result-reason"), message);
    assert.equal(await page.locator("main img").count(), 0);
    await page.close();
  });

  test("a phone shows the result without horizontal scrolling", async () => {
    const { page } = await openConsole(browser, service, "check", { width: 360, height: 740 });
    await check(page, { customer: "cus_ada", feature: "sms" });
    assert.equal(await horizontalOverflow(page), 0);
    await page.close();
  });

  test("the page loads nothing from other origins and cannot be framed", async () => {
    const { headers } = await service.request("/", { key: undefined });
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  });

  test("with the catalog as the source, the overview lists no Stripe key", async () => {
    const catalogService = await serveCatalog();
    try {
      const { page } = await openConsole(browser, catalogService);
      await page.waitForSelector("#settings[data-state=ok]");
      const names = await page.locator("#settings-list > li > code").allTextContents();
      assert.deepEqual(names, ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS"]);
      assert.deepEqual(
        await page.locator("#settings [data-source]:visible").evaluateAll((hints) => hints.map((hint) => hint.getAttribute("data-source"))),
        ["catalog"],
      );
      assert.equal(await page.textContent("#source"), "Source: catalog");
      await page.close();
    } finally {
      await catalogService.stop();
    }
  });
});
