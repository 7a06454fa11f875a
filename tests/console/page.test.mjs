// The page at `/`, in headless Chromium: what a person sees, and what it must never do.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { browse } from "./browser.mjs";
import { catalog } from "./catalog.mjs";
import { KEY, serve, summary } from "./support.mjs";

const shots = fileURLToPath(new URL("../../target/screenshots/", import.meta.url));

describe("the page at /", { timeout: 90_000 }, () => {
  let service;
  let browser;
  before(async () => {
    service = await serve();
    browser = await browse();
    mkdirSync(shots, { recursive: true });
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
    assert.equal((await service.send(summary("cus_part", ["sms"], { hasMore: true }))).status, 200);
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  /** The page, open; what it complains of is collected. */
  async function open(viewport = { width: 1280, height: 900 }) {
    const page = await browser.newPage({ viewport });
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(service.url.href);
    await page.waitForSelector("#settings[data-state=ok]");
    return { page, complaints };
  }

  async function ask(page, { key = KEY, customer, feature }) {
    await page.fill("#key", key);
    await page.fill("#customer", customer);
    await page.fill("#feature", feature);
    await page.click("#check");
    await page.waitForFunction(() => !["idle", "loading"].includes(document.querySelector("#answer").dataset.state));
    return page.getAttribute("#answer", "data-state");
  }

  test("a visitor fills the form and sees the answer", async () => {
    const { page, complaints } = await open();
    assert.equal(await ask(page, { customer: "cus_ada", feature: "sms" }), "entitled");
    await page.screenshot({ path: `${shots}/entitled.png`, fullPage: true });
    assert.equal(await page.textContent("#version"), "1");
    assert.equal(JSON.parse(await page.textContent("#raw")).entitled, true);
    assert.deepEqual(complaints, []);
    await page.close();
  });

  test("each kind of answer is told apart", async () => {
    const { page } = await open();
    for (const [customer, feature, state] of [
      ["cus_ada", "sso", "denied"],
      ["cus_stranger", "sms", "denied"],
      ["cus_part", "sso", "unknown"],
      ["cus_ada", "sms", "entitled"],
    ]) {
      assert.equal(await ask(page, { customer, feature }), state, `${customer} ${feature}`);
    }
    assert.equal(await ask(page, { key: "sk_test_wrong", customer: "cus_ada", feature: "sms" }), "error");
    await page.close();
  });

  test("the list of what a customer holds is shown", async () => {
    const { page } = await open();
    await page.fill("#key", KEY);
    await page.fill("#customer", "cus_ada");
    await page.click("#list");
    await page.waitForSelector("#holdings[data-state=done]");
    const text = await page.textContent("#holdings-list");
    assert.match(text, /sms/);
    assert.match(text, /export/);
    await page.close();
  });

  test("the key stays in memory: neither stored nor in the page", async () => {
    const { page } = await open();
    await ask(page, { customer: "cus_ada", feature: "sms" });
    const found = await page.evaluate(
      (key) => [JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie, document.querySelector("#curl").textContent].some((text) => text.includes(key)),
      KEY,
    );
    assert.equal(found, false);
    await page.close();
  });

  test("a phone shows it without scrolling sideways", async () => {
    const { page } = await open({ width: 360, height: 740 });
    await ask(page, { customer: "cus_ada", feature: "sms" });
    await page.screenshot({ path: `${shots}/phone.png`, fullPage: true });
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
    const page = await browser.newPage();
    try {
      await page.goto(shop.url.href);
      await page.waitForSelector("#settings[data-state=ok]");
      const names = await page.locator("#settings-list code").allTextContents();
      assert.deepEqual(names, ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS"]);
      assert.deepEqual(await page.locator("#local > [data-source]:visible").evaluateAll((parts) => parts.map(({ dataset }) => dataset.source)), ["catalog"]);
      await page.screenshot({ path: `${shots}/catalog.png`, fullPage: true });
    } finally {
      await page.close();
      await shop.stop();
    }
  });
});
