// The console's panels with the catalog as the source: what they show of it, and what they change in it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually } from "../worker/support.mjs";
import { serveCatalog, TestCatalog } from "../worker/test-catalog.mjs";
import { startWebhookReceiver } from "../worker/webhook-receiver.mjs";
import { checkAppearance, openConsole, openPanel, waitForText } from "./support.mjs";

const CUSTOMERS = 27; // Two more than a page has.

describe("the console with the catalog as the source", { timeout: 180_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serveCatalog>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {TestCatalog} */
  let testCatalog;
  /** @type {Awaited<ReturnType<typeof startWebhookReceiver>>} */
  let receiver;
  /** @type {import("playwright-core").Page} */
  let page;
  /** @type {string[]} */
  let errors;
  /** @type {Record<string, import("stripe").Stripe.Entitlements.Feature>} */
  const features = {};
  /** @type {Record<string, import("stripe").Stripe.Price>} */
  const prices = {};
  before(async () => {
    service = await serveCatalog();
    browser = await launchBrowser();
    testCatalog = new TestCatalog(service);
    receiver = await startWebhookReceiver();
    await testCatalog.sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["*"] });
    for (const [key, name] of [
      ["sms", "Text messages"],
      ["export", "Export"],
      ["sso", "Single sign-on"],
    ])
      features[key] = await testCatalog.createFeature(key, name);
    for (const [id, name, ...keys] of [
      ["starter", "Starter", "sms"],
      ["pro", "Pro", "sms", "export"],
    ]) {
      const product = await testCatalog.sdk.products.create({ id, name });
      for (const key of keys) await testCatalog.attachFeature(product, features[key]);
      prices[id] = await testCatalog.createPrice(product);
    }
    for (let number = 1; number <= CUSTOMERS; number += 1) {
      await createCustomer(`cus_${String(number).padStart(2, "0")}`, `Customer ${number}`, `c${number}@example.com`);
    }
    await createCustomer("cus_ada", "Ada", "ada@example.com");
    await testCatalog.subscribe({ id: "cus_ada" }, prices.pro);
    await testCatalog.waitForCheck({ id: "cus_ada" }, "export", true);
    ({ page, errors } = await openConsole(browser, service));
  });
  after(async () => {
    await browser.close();
    await service.stop();
    await receiver.close();
  });

  /**
   * Creates a customer with an id of its own: the catalog accepts `id` as Stripe's API does, the SDK's types omit it.
   *
   * @param {string} id
   * @param {string} name
   * @param {string} email
   */
  function createCustomer(id, name, email) {
    const params = { id, name, email };
    return testCatalog.sdk.customers.create(params);
  }

  /**
   * Creates a subscription, and waits until the edge answers for its feature.
   *
   * @param {string} customer
   * @param {string} product
   * @param {string} key
   */
  async function subscribe(customer, product, key) {
    await testCatalog.subscribe({ id: customer }, prices[product]);
    await testCatalog.waitForCheck({ id: customer }, key, true);
  }

  test("the overview charts the outcomes, and describes the chart in a sentence and a table", async () => {
    await openPanel(page, "overview");
    await page.click("text=Run 25 checks");
    await eventually(async () =>
      assert.match((await page.locator(".metric:has-text('Median check latency') .muted").textContent()) ?? "", /over 25 checks/),
    );
    await eventually(async () =>
      assert.match(
        (await page.locator(".card:has-text('Events per minute') svg[role=img]").getAttribute("aria-label")) ?? "",
        /^\d+ decisions? in the last 30 minutes: \d+ applied/,
      ),
    );
    const chart = page.locator(".card:has-text('Events per minute') details");
    await chart.locator("summary").click();
    await chart.locator("tbody tr").first().waitFor();
    assert.deepEqual((await chart.locator("thead th").allTextContents()).slice(0, 2), ["Time", "applied"]);
    assert.match(
      (await page.locator(".card:has-text('Request latency') svg[role=img]").getAttribute("aria-label")) ?? "",
      /^Last \d+ requests: p50 [\d.]+ ms/,
    );
    await checkAppearance(page, "overview");
  });

  test("customers are listed in pages, and found by the beginning of their id or by their email", async () => {
    await openPanel(page, "customers");
    const ids = () => page.locator("#panel-customers tbody th").allTextContents();
    await eventually(async () => assert.equal((await ids()).length, 25));
    assert.equal((await ids())[0], "cus_ada");
    await checkAppearance(page, "customers");
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.click("text=Next");
    await eventually(async () => assert.deepEqual(await ids(), ["cus_03", "cus_02", "cus_01"]));
    assert.equal(await page.isDisabled("text=Next"), true);
    await page.click("text=Previous");
    await eventually(async () => assert.equal((await ids())[0], "cus_ada"));

    for (const { text, expected } of [
      { text: "cus_a", expected: ["cus_ada"] },
      { text: "c7@example.com", expected: ["cus_07"] },
      { text: "cus_zoe", expected: [] },
    ]) {
      await page.fill("#customers-search", text);
      await page.press("#customers-search", "Enter");
      await eventually(async () => assert.deepEqual(await ids(), expected, text));
    }
    await page.click("text=Open cus_zoe");
    await page.waitForSelector(".notice:has-text(\"No such customer: 'cus_zoe'\")");
  });

  test("a customer's page shows entitlements, edge responses and activity, and a sync reads the source", async () => {
    await openPanel(page, "customers?customer=cus_ada");
    await page.waitForSelector("h2:has-text('Recent activity')");
    const rows = page.locator(".table[aria-label=Features] tbody");
    assert.deepEqual((await rows.locator("th code").allTextContents()).sort(), ["export", "sms"]);
    assert.deepEqual(await rows.locator(".badge").allTextContents(), ["active entitlement", "active entitlement"]);
    assert.equal(await page.locator(".customer-detail dt:text-is('Version') + dd").textContent(), "1");
    assert.equal(await page.locator(".table[aria-label=Subscriptions] .badge").textContent(), "active");
    await page.waitForSelector(".table[aria-label='Recent activity'] .badge:text-is('applied')");
    await page.click("text=Sync now");
    await page.waitForSelector("text=Synced: version 1, 2 entitlements.");
    await checkAppearance(page, "customer");
  });

  test("an open customer's page follows a change", async () => {
    await page.setViewportSize({ width: 1280, height: 900 });
    await openPanel(page, "customers?customer=cus_05");
    await page.waitForSelector(".empty:has-text('No features')");
    await page.waitForSelector(".customer-detail h2:text-is('Recent activity')");
    await subscribe("cus_05", "starter", "sms");
    await page.waitForSelector(".table[aria-label=Features] tbody th code:text-is('sms')");
  });

  test("a checkbox attaches and detaches a feature, and applying grants it to subscribers", async () => {
    await openPanel(page, "matrix");
    const checkbox = (/** @type {string} */ name) => page.locator(`input[aria-label="${name}"]`);
    await checkbox("sso in Pro").waitFor();
    await checkAppearance(page, "matrix");
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(
      await Promise.all(["sms in Starter", "export in Starter", "export in Pro", "sso in Pro"].map((name) => checkbox(name).isChecked())),
      [true, false, true, false],
    );
    const includedKeys = async () =>
      (await testCatalog.sdk.products.listFeatures("pro")).data.map(({ entitlement_feature: { lookup_key } }) => lookup_key).sort();

    await checkbox("sso in Pro").check();
    await waitForText(page, "#matrix-status", /^sso attached to Pro/);
    assert.deepEqual(await includedKeys(), ["export", "sms", "sso"]);
    assert.equal((await service.check("cus_ada", "sso")).json.entitled, false);
    await page.click("[aria-label='Apply now: Pro']");
    await waitForText(page, "#matrix-status", /^Every subscriber of Pro/);
    await testCatalog.waitForCheck({ id: "cus_ada" }, "sso", true);

    await checkbox("sso in Pro").uncheck();
    await waitForText(page, "#matrix-status", /^sso detached from Pro/);
    assert.deepEqual(await includedKeys(), ["export", "sms"]);
  });

  test("a checkbox that the catalog rejects is reset, and the reason is shown", async () => {
    await testCatalog.sdk.products.createFeature("starter", { entitlement_feature: features.sso.id });
    const checkbox = page.locator('input[aria-label="sso in Starter"]');
    await checkbox.click();
    await waitForText(page, "#matrix-status", /already/);
    assert.equal(await checkbox.isChecked(), false);
  });

  test("the arrow keys move between the checkboxes, of which one is a tab stop", async () => {
    await page.reload();
    await page.waitForSelector('input[aria-label="sso in Pro"]');
    const tabStops = page.locator("#panel-matrix input[type=checkbox][tabindex='0']");
    assert.equal(await tabStops.count(), 1);
    await tabStops.focus();
    const focusedLabel = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
    const visited = [await focusedLabel()];
    for (const key of ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"]) {
      await page.keyboard.press(key);
      visited.push(await focusedLabel());
    }
    assert.deepEqual(visited, ["sso in Pro", "sso in Starter", "export in Starter", "export in Pro", "sso in Pro", "sso in Pro"]);
    assert.equal(await tabStops.count(), 1);
  });

  test("a feature and a product can be added, and a duplicate key is reported at its field", async () => {
    await page.fill("#matrix-key", "sms");
    await page.click("text=Add feature");
    await page.waitForSelector("#matrix-key[aria-invalid=true]");
    await page.fill("#matrix-key", "audit-log");
    await page.fill("#matrix-feature-name", "Audit log");
    await page.click("text=Add feature");
    await page.waitForSelector("#panel-matrix tbody th code:text-is('audit-log')");
    assert.equal(await page.textContent("#matrix-status"), "Feature audit-log created.");
    await page.fill("#matrix-product-name", "Enterprise");
    await page.fill("#matrix-product-id", "enterprise");
    await page.click("button:text-is('Add product')");
    await page.waitForSelector("#panel-matrix thead .product:text-is('Enterprise')");
    await page.waitForSelector('input[aria-label="audit-log in Enterprise"]');
  });

  test("the matrix of a large catalog has pages of features and of products", async () => {
    for (let number = 5; number <= 51; number += 1) await testCatalog.createFeature(`more-${number}`);
    for (let number = 4; number <= 9; number += 1) await testCatalog.sdk.products.create({ id: `more-${number}`, name: `More ${number}` });
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

  test("a new activity entry appears without a reload, newest first", async () => {
    await openPanel(page, "activity");
    await page.waitForSelector("#activity-table tbody tr");
    await subscribe("cus_07", "starter", "sms");
    await page.waitForSelector("#activity-table tbody tr:has-text('cus_07') .badge:text-is('applied')");
    const timestamps = await page
      .locator("#activity-table time")
      .evaluateAll((times) => times.map((time) => time.getAttribute("datetime") ?? ""));
    assert.deepEqual(timestamps, timestamps.toSorted().reverse());
  });

  test("an entry expands to its event and its deliveries, which can be resent", async () => {
    const row = page.locator("#activity-table tbody tr:has-text('cus_07'):has-text('applied')");
    await row.locator(".expander").click();
    const details = page.locator("#activity-table .expanded-row");
    await details.locator("[aria-label=Event]").waitFor();
    const event = JSON.parse((await details.locator("[aria-label=Event]").textContent()) ?? "");
    assert.deepEqual([event.type, event.data.object.customer], ["entitlements.active_entitlement_summary.updated", "cus_07"]);
    assert.equal(await details.locator(".deliveries li .badge").first().textContent(), "succeeded");
    await checkAppearance(page, "activity");
    await page.setViewportSize({ width: 1280, height: 900 });
    await details.locator("button:text-is('Resend')").first().click();
    await eventually(() => assert.equal(receiver.deliveriesOf(event.id).length, 2));
    await row.locator(".expander").click();
  });

  test("activity is filtered by customer and by outcome, and can be paused", async () => {
    await page.selectOption("#activity-outcome", "applied");
    assert.deepEqual([...new Set(await page.locator("#activity-table tbody .badge").allTextContents())], ["applied"]);
    await page.selectOption("#activity-outcome", "drift");
    await page.waitForSelector(".empty:has-text('No matching entries')");
    await page.selectOption("#activity-outcome", "");
    await page.fill("#activity-customer", "cus_ada");
    await page.press("#activity-customer", "Tab");
    await eventually(async () =>
      assert.deepEqual([...new Set(await page.locator("#activity-table td[data-title=Customer]").allTextContents())], ["cus_ada"]),
    );
    await page.click("button.live");
    assert.equal(await page.textContent("#activity-status"), "Paused.");
    /** @type {string[]} */
    const requests = [];
    page.on("request", (request) => {
      if (request.url().includes("/v1/activity")) requests.push(request.url());
    });
    await openPanel(page, "check");
    await openPanel(page, "activity?customer=cus_05");
    await eventually(() => assert.ok(requests.length > 0));
    assert.match(requests[0], /customer=cus_05/);
  });

  test("the tests before caused no unexpected error in the browser's console", () => {
    const expected = /status of 40[04]/; // The responses for an unknown customer, a duplicate key and a duplicate attachment.
    assert.deepEqual(
      errors.filter((text) => !expected.test(text)),
      [],
    );
  });
});
