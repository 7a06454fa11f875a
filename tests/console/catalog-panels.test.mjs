// The console's panels over the built-in catalog: what they show of it, and what they change in it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { Shop, catalog } from "../worker/catalog.mjs";
import { eventually } from "../worker/support.mjs";
import { go, look, open } from "./support.mjs";

const CUSTOMERS = 27; // Two more than a page has.

describe("the console over the catalog", { timeout: 180_000 }, () => {
  let service;
  let browser;
  let shop;
  let page;
  let complaints;
  const features = {};
  const prices = {};
  before(async () => {
    service = await catalog();
    browser = await browse();
    shop = new Shop(service);
    await shop.registerItself();
    for (const [key, name] of [
      ["sms", "Text messages"],
      ["export", "Export"],
      ["sso", "Single sign-on"],
    ])
      features[key] = await shop.feature(key, name);
    for (const [id, name, ...keys] of [
      ["starter", "Starter", "sms"],
      ["pro", "Pro", "sms", "export"],
    ]) {
      const product = await shop.sdk.products.create({ id, name });
      for (const key of keys) await shop.attach(product, features[key]);
      prices[id] = await shop.price(product);
    }
    for (let number = 1; number <= CUSTOMERS; number += 1) {
      await shop.sdk.customers.create({
        id: `cus_${String(number).padStart(2, "0")}`,
        name: `Customer ${number}`,
        email: `c${number}@example.com`,
      });
    }
    await shop.sdk.customers.create({ id: "cus_ada", name: "Ada", email: "ada@example.com" });
    await shop.subscribe({ id: "cus_ada" }, prices.pro);
    await shop.follows({ id: "cus_ada" }, "export", true);
    ({ page, complaints } = await open(browser, service));
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  const status = (id) => page.textContent(id);

  /** Sells a product and waits until the edge knows. */
  async function sell(customer, product, key) {
    await shop.subscribe({ id: customer }, prices[product]);
    await shop.follows({ id: customer }, key, true);
  }

  test("the overview tells what was decided as a picture, a sentence and numbers", async () => {
    await go(page, "overview");
    await page.click("text=Ask 25 checks");
    await eventually(async () => assert.match(await page.locator(".figure:has-text('Checks, median') .soft").textContent(), /of 25 asked/));
    await eventually(async () =>
      assert.match(
        await page.locator(".card:has-text('Events, by minute') svg[role=img]").getAttribute("aria-label"),
        /^\d+ decisions? in the last 30 minutes: \d+ applied/,
      ),
    );
    const chart = page.locator(".card:has-text('Events, by minute') details");
    await chart.locator("summary").click();
    await chart.locator("tbody tr").first().waitFor();
    assert.deepEqual((await chart.locator("thead th").allTextContents()).slice(0, 2), ["When", "applied"]);
    assert.match(
      await page.locator(".card:has-text('Requests of this page') svg[role=img]").getAttribute("aria-label"),
      /^The last \d+ requests: half within [\d.]+ ms/,
    );
    await look(page, "overview");
  });

  test("customers are listed by the page, and found by their beginning or their address", async () => {
    await go(page, "customers");
    const ids = () => page.locator("#panel-customers tbody th").allTextContents();
    await eventually(async () => assert.equal((await ids()).length, 25));
    assert.equal((await ids())[0], "cus_ada");
    await look(page, "customers");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.click("text=Next");
    await eventually(async () => assert.deepEqual(await ids(), ["cus_03", "cus_02", "cus_01"]));
    assert.equal(await page.isDisabled("text=Next"), true);
    await page.click("text=Previous");
    await eventually(async () => assert.equal((await ids())[0], "cus_ada"));

    for (const [text, expected] of [
      ["cus_a", ["cus_ada"]],
      ["c7@example.com", ["cus_07"]],
      ["cus_zoe", []],
    ]) {
      await page.fill("#customers-search", text);
      await page.press("#customers-search", "Enter");
      await eventually(async () => assert.deepEqual(await ids(), expected, text));
    }
    await page.click("text=Open cus_zoe");
    await page.waitForSelector(".notice:has-text(\"No such customer: 'cus_zoe'\")");
  });

  test("a customer's page tells what they hold, what the edge answers, and what happened; a sync reads it anew", async () => {
    await go(page, "customers?customer=cus_ada");
    await page.waitForSelector("h2:has-text('Recent activity')");
    const held = page.locator(".table[aria-label=Entitlements] tbody");
    assert.deepEqual((await held.locator("th code").allTextContents()).sort(), ["export", "sms"]);
    assert.deepEqual(await held.locator(".badge").allTextContents(), ["entitled", "entitled"]);
    assert.equal(await page.locator(".holder dt:text-is('Version') + dd").textContent(), "1");
    assert.equal(await page.locator(".table[aria-label=Subscriptions] .badge").textContent(), "active");
    await page.waitForSelector(".table[aria-label='Recent activity'] .badge:text-is('applied')");
    await page.click("text=Sync now");
    await page.waitForSelector("text=Read anew: version 1, 2 entitlements.");
    await look(page, "customer");
  });

  test("a customer's page follows what happens while it is open", async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await go(page, "customers?customer=cus_05");
    await page.waitForSelector(".empty:has-text('Nothing is held')");
    await page.waitForSelector(".holder h2:text-is('Recent activity')");
    await sell("cus_05", "starter", "sms");
    await page.waitForSelector(".table[aria-label=Entitlements] tbody th code:text-is('sms')");
  });

  test("a tick attaches a feature, another takes it out again, and apply gives it to who has subscribed", async () => {
    await go(page, "matrix");
    const box = (name) => page.locator(`input[aria-label="${name}"]`);
    await box("sso in Pro").waitFor();
    await look(page, "matrix");
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(
      await Promise.all(["sms in Starter", "export in Starter", "export in Pro", "sso in Pro"].map((name) => box(name).isChecked())),
      [true, false, true, false],
    );
    const included = async () =>
      (await shop.sdk.products.listFeatures("pro")).data.map(({ entitlement_feature: { lookup_key } }) => lookup_key).sort();

    await box("sso in Pro").check();
    await page.waitForFunction(() => /^sso is in Pro/.test(document.querySelector("#matrix-status").textContent));
    assert.deepEqual(await included(), ["export", "sms", "sso"]);
    assert.equal((await service.check("cus_ada", "sso")).json.entitled, false);
    await page.click("[aria-label='Apply now: Pro']");
    await page.waitForFunction(() => /^Everybody who has Pro/.test(document.querySelector("#matrix-status").textContent));
    await shop.follows({ id: "cus_ada" }, "sso", true);

    await box("sso in Pro").uncheck();
    await page.waitForFunction(() => /^sso is out of Pro/.test(document.querySelector("#matrix-status").textContent));
    assert.deepEqual(await included(), ["export", "sms"]);
  });

  test("a tick that the catalog refuses is taken back, and why is told", async () => {
    await shop.sdk.products.createFeature("starter", { entitlement_feature: features.sso.id });
    const box = page.locator('input[aria-label="sso in Starter"]');
    await box.click();
    await page.waitForFunction(() => /already/.test(document.querySelector("#matrix-status").textContent));
    assert.equal(await box.isChecked(), false);
  });

  test("the arrow keys move between the boxes, of which one is a stop of the Tab key", async () => {
    await page.reload();
    await page.waitForSelector('input[aria-label="sso in Pro"]');
    const stops = page.locator("#panel-matrix input[type=checkbox][tabindex='0']");
    assert.equal(await stops.count(), 1);
    await stops.focus();
    const named = () => page.evaluate(() => document.activeElement.getAttribute("aria-label"));
    const seen = [await named()];
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"]) {
      await page.keyboard.press(key);
      seen.push(await named());
    }
    assert.deepEqual(seen, ["sso in Pro", "sso in Starter", "export in Starter", "export in Pro", "sso in Pro", "sso in Pro"]);
    assert.equal(await stops.count(), 1);
  });

  test("a feature and a product can be added, and a key that is taken is told beside its field", async () => {
    await page.fill("#matrix-key", "sms");
    await page.click("text=Add feature");
    await page.waitForSelector("#matrix-key[aria-invalid=true]");
    await page.fill("#matrix-key", "audit-log");
    await page.fill("#matrix-feature-name", "Audit log");
    await page.click("text=Add feature");
    await page.waitForSelector("#panel-matrix tbody th code:text-is('audit-log')");
    assert.equal(await status("#matrix-status"), "The feature audit-log is there.");
    await page.fill("#matrix-product-name", "Enterprise");
    await page.fill("#matrix-product-id", "enterprise");
    await page.click("button:text-is('Add product')");
    await page.waitForSelector("#panel-matrix thead .product:text-is('Enterprise')");
    await page.waitForSelector('input[aria-label="audit-log in Enterprise"]');
  });

  test("a large catalog is paged through, both ways", async () => {
    for (let number = 5; number <= 51; number += 1) await shop.feature(`more-${number}`);
    for (let number = 4; number <= 9; number += 1) await shop.sdk.products.create({ id: `more-${number}`, name: `More ${number}` });
    await page.reload();
    const size = () =>
      page
        .locator("#panel-matrix")
        .evaluate((panel) => [panel.querySelectorAll("tbody tr").length, panel.querySelectorAll("thead th").length - 1]);
    await eventually(async () => assert.deepEqual(await size(), [50, 8]));
    await page.click("text=Next features");
    await eventually(async () => assert.deepEqual(await size(), [1, 8]));
    await page.click("text=Next products");
    await eventually(async () => assert.deepEqual(await size(), [1, 1]));
    assert.equal(await page.isChecked('input[aria-label="sms in Starter"]'), true);
    await page.click("text=Previous features");
    await eventually(async () => assert.deepEqual(await size(), [50, 1]));
  });

  test("what happens appears within moments, without a reload", async () => {
    await go(page, "activity");
    await page.waitForSelector("#activity-table tbody tr");
    await sell("cus_07", "starter", "sms");
    await page.waitForSelector("#activity-table tbody tr:has-text('cus_07') .badge:text-is('applied')");
    const moments = await page.locator("#activity-table time").evaluateAll((times) => times.map(({ dateTime }) => dateTime));
    assert.deepEqual(moments, moments.toSorted().reverse());
  });

  test("an entry opens onto its event and what came of each delivery, which can be sent again", async () => {
    const line = page.locator("#activity-table tbody tr:has-text('cus_07'):has-text('applied')");
    await line.locator(".opener").click();
    const details = page.locator("#activity-table .opened");
    await details.locator("[aria-label='The event']").waitFor();
    const event = JSON.parse(await details.locator("[aria-label='The event']").textContent());
    assert.deepEqual([event.type, event.data.object.customer], ["entitlements.active_entitlement_summary.updated", "cus_07"]);
    assert.equal(await details.locator(".deliveries li .badge").first().textContent(), "succeeded");
    await look(page, "activity");
    await page.setViewportSize({ width: 1280, height: 900 });
    await details.locator("button:text-is('Send again')").first().click();
    await page.waitForSelector("#activity-table tbody tr:has-text('cus_07') .badge:text-is('duplicate')");
    await line.locator(".opener").click();
  });

  test("activity can be filtered by customer and by outcome, and stands still when told to", async () => {
    await page.selectOption("#activity-outcome", "duplicate");
    assert.deepEqual(await page.locator("#activity-table tbody .badge").allTextContents(), ["duplicate"]);
    await page.selectOption("#activity-outcome", "drift");
    await page.waitForSelector(".empty:has-text('Nothing like that')");
    await page.selectOption("#activity-outcome", "");
    await page.fill("#activity-customer", "cus_ada");
    await page.press("#activity-customer", "Tab");
    await eventually(async () =>
      assert.deepEqual([...new Set(await page.locator("#activity-table td[data-title=Customer]").allTextContents())], ["cus_ada"]),
    );
    await page.click("button.live");
    assert.equal(await status("#activity-status"), "Paused.");
    const asked = [];
    page.on("request", (request) => request.url().includes("/v1/activity") && asked.push(request.url()));
    await go(page, "check");
    await go(page, "activity?customer=cus_05");
    await eventually(() => assert.ok(asked.length > 0));
    assert.match(asked[0], /customer=cus_05/);
  });

  test("nothing went wrong on the way", () => {
    const expected = /status of 40[04]/; // What a customer whom nobody knows, a key that is taken and a second tick are answered.
    assert.deepEqual(
      complaints.filter((text) => !expected.test(text)),
      [],
    );
  });
});
