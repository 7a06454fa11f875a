// The page at `/`, in headless Chromium: the question it asks, what a person sees of the answer, and what it must never do.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { catalog } from "../worker/catalog.mjs";
import { KEY, serve, summary } from "../worker/support.mjs";
import { look, open } from "./support.mjs";

describe("the page at /", { timeout: 90_000 }, () => {
  let service;
  let browser;
  before(async () => {
    service = await serve();
    browser = await browse();
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
    assert.equal((await service.send(summary("cus_part", ["sms"], { hasMore: true }))).status, 200);
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  async function ask(page, { key = KEY, customer, feature }) {
    await page.fill("#key", key);
    await page.fill("#customer", customer);
    await page.fill("#feature", feature);
    await page.click("#check");
    await page.waitForFunction(() => !["idle", "loading"].includes(document.querySelector("#answer").dataset.state));
    return page.getAttribute("#answer", "data-state");
  }

  test("a visitor fills the form and sees the answer", async () => {
    const { page, complaints } = await open(browser, service, "check");
    assert.equal(await ask(page, { customer: "cus_ada", feature: "sms" }), "entitled");
    assert.equal(await page.textContent("#version"), "1");
    assert.equal(JSON.parse(await page.textContent("#raw")).entitled, true);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  test("each kind of answer is told apart", async () => {
    const { page } = await open(browser, service, "check");
    for (const [customer, feature, state] of [
      ["cus_ada", "sso", "denied"],
      ["cus_stranger", "sms", "denied"],
      ["cus_part", "sso", "unknown"],
      ["cus_ada", "sms", "entitled"],
    ]) {
      assert.equal(await ask(page, { customer, feature }), state, `${customer} ${feature}`);
    }
    assert.equal(await ask(page, { key: "sk_test_wrong", customer: "cus_ada", feature: "sms" }), "error");
    assert.equal(await page.textContent("#mode"), "Refused");
    await page.close();
  });

  test("the list of what a customer holds is shown, and one of it can be asked about", async () => {
    const { page } = await open(browser, service, "check");
    await page.fill("#customer", "cus_ada");
    await page.click("#list");
    await page.waitForSelector("#holdings[data-state=done]");
    assert.deepEqual((await page.locator("#holdings-list button").allTextContents()).sort(), ["export", "sms"]);
    await page.click("#holdings-list button:text-is('export')");
    await page.waitForSelector("#answer[data-state=entitled]");
    assert.equal(await page.inputValue("#feature"), "export");
    await look(page, "ask");
    await page.close();
  });

  test("a mistake is told beside the field it is about", async () => {
    const { page } = await open(browser, service, "check");
    assert.equal(await ask(page, { customer: "", feature: "sms" }), "error");
    assert.equal(await page.getAttribute("#customer", "aria-invalid"), "true");
    assert.equal(await page.textContent("#customer-hint"), await page.textContent("#verdict-why"));
    await page.close();
  });

  test("a link can name the customer and the feature", async () => {
    const { page } = await open(browser, service, "check?customer=cus_bob&feature=sso");
    assert.deepEqual([await page.inputValue("#customer"), await page.inputValue("#feature")], ["cus_bob", "sso"]);
    assert.match(await page.textContent("#curl"), /customer=cus_bob&feature=sso/);
    await page.close();
  });

  test("the key stays in memory: neither stored nor in the page, nor in an address", async () => {
    const { page } = await open(browser, service, "check");
    const addresses = [];
    page.on("request", (request) => addresses.push(request.url()));
    await ask(page, { customer: "cus_ada", feature: "sms" });
    const found = await page.evaluate(
      (key) =>
        [
          JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie,
          document.querySelector("main").textContent,
          location.href,
        ].some((text) => text.includes(key)),
      KEY,
    );
    assert.equal(found, false);
    assert.equal(
      addresses.some((address) => address.includes(KEY)),
      false,
    );
    await page.close();
  });

  test("what a server says is shown as text, never as markup", async () => {
    const { page } = await open(browser, service, "check");
    const said = "<img src=x onerror=\"document.title='owned'\">";
    await page.route("**/v1/check?*", (route) =>
      route.fulfill({ status: 400, json: { error: { type: "invalid_request_error", message: said, param: "customer" } } }),
    );
    assert.equal(await ask(page, { customer: "cus_ada", feature: "sms" }), "error");
    assert.equal(await page.textContent("#verdict-why"), said);
    assert.equal(await page.locator("main img").count(), 0);
    await page.close();
  });

  test("a phone shows it without scrolling sideways", async () => {
    const { page } = await open(browser, service, "check", { width: 360, height: 740 });
    await ask(page, { customer: "cus_ada", feature: "sms" });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(overflow, 0);
    await page.close();
  });

  test("the page may load nothing from elsewhere and stand in no frame", async () => {
    const { headers } = await service.request("/", { key: undefined });
    const policy = headers.get("content-security-policy");
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  });

  test("where the catalog is the source it speaks of that, and of no key for Stripe", async () => {
    const shop = await catalog();
    try {
      const { page } = await open(browser, shop);
      await page.waitForSelector("#settings[data-state=ok]");
      const names = await page.locator("#settings-list > li > code").allTextContents();
      assert.deepEqual(names, ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS"]);
      assert.deepEqual(
        await page.locator("#settings [data-source]:visible").evaluateAll((parts) => parts.map(({ dataset }) => dataset.source)),
        ["catalog"],
      );
      assert.equal(await page.textContent("#source"), "catalog is the source");
      await page.close();
    } finally {
      await shop.stop();
    }
  });
});
