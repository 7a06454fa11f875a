// A customer's page with the built Worker: why each feature is held, overrides, the timeline and explanations.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, summary, unixNow } from "../worker/support.mjs";
import { createOverride, details, featureRow, overridesOf, postOverride, timeline, waitForFeatures } from "./customer-page.mjs";
import { startWithCatalog, startWorker } from "./fixture.mjs";
import { checkAppearance, openConsole, openPanel, waitForText } from "./support.mjs";

const DAY = 24 * 60 * 60;

/** @typedef {import("playwright-core").Page} Page */

describe("a customer's page with the catalog as the source", { timeout: 180_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWithCatalog>>} */
  let fixture;
  /** @type {Page} */
  let page;
  /** @type {string[]} */
  let errors;
  before(async () => {
    fixture = await startWithCatalog({ clock: true });
    const { catalog } = fixture;
    const features = [];
    for (const [key, name] of [
      ["sms", "Text messages"],
      ["export", "Export"],
      ["sso", "Single sign-on"],
    ])
      features.push(await catalog.createFeature(key, name));
    const product = await catalog.sdk.products.create({ id: "pro", name: "Pro" });
    for (const feature of features.slice(0, 2)) await catalog.attachFeature(product, feature);
    const price = await catalog.createPrice(product);
    for (const id of ["cus_ada", "cus_bob", "cus_eve", "cus_many"]) await catalog.createCustomer(id);
    await catalog.sdk.customers.update("cus_ada", { name: "Ada Lovelace", email: "ada@example.com" });
    await catalog.subscribe({ id: "cus_ada" }, price);
    await catalog.waitForCheck({ id: "cus_ada" }, "export", true);
    ({ page, errors } = await openConsole(fixture.browser, fixture.service, "customers?customer=cus_ada"));
  });
  after(() => fixture.stop());

  test("it names the customer and the plan, and says since when and why each feature is held", async () => {
    await waitForFeatures(page, { sms: "active entitlement", export: "active entitlement" });
    assert.deepEqual(await details(page, ["Name", "Email", "Plan", "Status"]), ["Ada Lovelace", "ada@example.com", "Pro", "active"]);
    const [event] = await fixture.catalog.summaryEvents({ id: "cus_ada" });
    const row = featureRow(page, "sms");
    assert.equal(await row.locator(".cause").textContent(), `event ${event.id}`);
    const since = Date.parse((await row.locator("time").getAttribute("datetime")) ?? "") / 1000;
    assert.ok(since >= event.created && since <= unixNow(), `${since}`);
    assert.deepEqual(await timeline(page), [[`Event ${event.id}`, ["+ export", "+ sms"]]]);
  });

  test("a wrong value is reported at its field, and no override is created", async () => {
    await page.click("summary:text-is('New override')");
    await page.click("button:text-is('Create override')");
    await page.waitForSelector("#override-feature[aria-invalid=true]");
    await page.fill("#override-feature", "sso");
    await page.click("button:text-is('Create override')");
    await page.waitForSelector("#override-reason[aria-invalid=true]");
    await page.fill("#override-reason", "A test");
    await page.fill("#override-amount", "0");
    await page.click("button:text-is('Create override')");
    await page.waitForSelector("#override-amount[aria-invalid=true]");
    await page.selectOption("#override-end", "at");
    await page.click("button:text-is('Create override')");
    await waitForText(page, "#override-expires-at-hint", "Choose a date and a time.");
    await page.fill("#override-expires-at", "2020-01-01T00:00:00");
    await page.click("button:text-is('Create override')");
    await page.waitForSelector("#override-expires-at[aria-invalid=true]");
    assert.deepEqual((await overridesOf(fixture.service, "cus_ada")).length, 0);
    await page.click("summary:text-is('New override')");
  });

  test("the suggested lookup keys are those of the customer and of the catalog", async () => {
    const values = await page
      .locator("#customer-features option")
      .evaluateAll((options) => options.map((option) => option.getAttribute("value")));
    assert.deepEqual(values.toSorted(), ["export", "sms", "sso"]);
    for (const id of ["override-feature", "explain-feature"]) assert.equal(await page.getAttribute(`#${id}`, "list"), "customer-features");
  });

  test("a denial removes a feature that the plan includes, and its deletion with a reason returns it", async () => {
    await createOverride(page, { feature: "export", effect: "deny", reason: "Abuse report 4711", end: "never" });
    await waitForFeatures(page, { sms: "active entitlement", export: "denied by override" });
    await page.click("button[aria-label='Explain export']");
    await waitForText(page, ".explanation-answer", "Not entitled cus_ada may not use export: an override denies it.");
    const effects = async () =>
      (await page.locator(".contributions li .badge").allTextContents()).filter((effect) => effect !== "no effect").sort();
    assert.deepEqual(await effects(), ["denies", "grants", "grants"]);
    assert.match((await page.textContent(".contributions")) ?? "", /Denies export without an end\. .* gave the reason “Abuse report 4711”/);

    const [{ id }] = await overridesOf(fixture.service, "cus_ada");
    await page.click(`button[aria-label='Delete: ${id}']`);
    await page.click("dialog button:text-is('Delete override')");
    await page.waitForSelector("#override-deletion-reason[aria-invalid=true]");
    await page.fill("#override-deletion-reason", "Report was wrong");
    await page.click("dialog button:text-is('Delete override')");
    await waitForFeatures(page, { sms: "active entitlement", export: "active entitlement" });
    await page.waitForSelector(".overrides :text-is('No current overrides, 1 ended.')");
    await page.check("#overrides-ended");
    await page.waitForSelector(".overrides tbody :text('Report was wrong')");
    const [deletion, creation] = await timeline(page);
    assert.match(deletion[0], new RegExp(`^Deletion of override ${id} by sk_test_`));
    assert.deepEqual(deletion[1], ["+ export"]);
    assert.match(creation[0], new RegExp(`^Creation of override ${id} by sk_test_`));
    assert.deepEqual(creation[1], ["− export"]);
    assert.match((await page.locator(".timeline > li").first().textContent()) ?? "", /Deleted because: “Report was wrong”/);
  });

  test("a check leads to its explanation", async () => {
    await openPanel(page, "check?customer=cus_ada&feature=sso");
    await page.click("#check");
    await page.click("text=Explain this answer");
    await waitForText(page, ".explanation-answer", /^Not entitled cus_ada may not use sso: /);
    assert.equal(await page.inputValue("#explain-feature"), "sso");
  });

  test("an override of a feature that nothing knows is created, with a warning", async () => {
    await createOverride(page, { feature: "smss", reason: "A typo", end: "never", actor: "ada@example.com" });
    await page.waitForSelector(".overrides .notice.warning:has-text('smss')");
    await waitForFeatures(page, { sms: "active entitlement", export: "active entitlement", smss: "override" });
    assert.match(
      (await featureRow(page, "smss").locator(".cause").textContent()) ?? "",
      /^creation of override ovr_\w{24} by ada@example\.com$/,
    );
  });

  test("the page is accessible and fits, with the form, an explanation and the dialog open", async () => {
    await page.click("button[aria-label='Explain smss']");
    await page.waitForSelector(".explanation-answer:has-text('smss')");
    await page.click("summary:text-is('New override')");
    await checkAppearance(page, "customer-overrides");
    await page.click("button[aria-label^='Delete: ']");
    await checkAppearance(page, "customer-override-dialog");
    await page.keyboard.press("Escape");
    assert.equal(await page.isVisible("dialog"), false);
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("an active override ends now, after a confirmation", async () => {
    await page.click("button[aria-label^='End now: ']");
    assert.equal(await page.isVisible("#override-deletion-reason"), false);
    await page.click("dialog button:text-is('End now')");
    await waitForFeatures(page, { sms: "active entitlement", export: "active entitlement" });
    await eventually(async () => assert.deepEqual((await timeline(page))[0][1], ["− smss"]));
  });

  test("a scheduled override starts by itself", async () => {
    await openPanel(page, "customers?customer=cus_bob");
    const start = unixNow() + 5;
    await createOverride(page, { feature: "sso", reason: "A trial", end: "never", start });
    await page.waitForSelector(".overrides tbody .badge:text-is('scheduled')");
    await waitForFeatures(page, { sso: "override" });
    await page.waitForSelector(".overrides tbody .badge:text-is('active')");
    const [started, created] = await timeline(page);
    assert.match(started[0], /^Start of override ovr_/);
    assert.deepEqual([started[1], created[1]], [["+ sso"], []]);
    assert.equal(Date.parse((await page.locator(".timeline time").first().getAttribute("datetime")) ?? "") / 1000, start);
  });

  test("a long timeline is read in pages", async () => {
    // The first read of the source has a version of its own.
    assert.equal((await fixture.service.request("/v1/customers/cus_many/sync", { method: "POST" })).status, 200);
    for (let number = 1; number <= 45; number += 1) {
      await postOverride(fixture.service, "cus_many", { feature: `feature-${number}`, effect: "grant", reason: "A test" });
    }
    await openPanel(page, "customers?customer=cus_many");
    const items = page.locator(".timeline > li");
    await eventually(async () => assert.equal(await items.count(), 20));
    await page.click("button:text-is('Show older')");
    await eventually(async () => assert.equal(await items.count(), 40));
    await page.click("button:text-is('Show older')");
    await eventually(async () => assert.equal(await items.count(), 46));
    assert.equal(await page.isVisible("button:text-is('Show older')"), false);
    const [first, second] = (await timeline(page)).toReversed();
    assert.deepEqual(first, ["Read of the source", []]);
    assert.deepEqual(second[1], ["+ feature-1"]);
  });

  test("a time in the future cannot be explained, and the reason is shown at its field", async () => {
    await page.fill("#explain-feature", "feature-1");
    await page.fill("#explain-at", "2099-01-01T00:00:00");
    await page.click(".explain-form button");
    await page.waitForSelector("#explain-at[aria-invalid=true]");
    await page.fill("#explain-at", "");
    await page.fill("#explain-feature", "");
    await page.click(".explain-form button");
    await waitForText(page, "#explain-feature-hint", "Enter a lookup key.");
  });

  test("a feature granted for two days is live in the shop, ends by itself, and the page tells the story", async () => {
    const shop = await openConsole(fixture.browser, fixture.service, "shop");
    await shop.page.click("#panel-shop .empty button");
    await shop.page.waitForSelector("#panel-shop .shop-customer .badge:text-is('Live')");
    const customer = (await shop.page.textContent("#panel-shop .shop-customer code")) ?? "";
    const unlocked = () =>
      shop.page
        .locator("#panel-shop .gated-section[data-entitled=true]")
        .evaluateAll((all) => all.map((each) => each.getAttribute("data-feature")));
    assert.deepEqual(await unlocked(), []);

    await openPanel(page, `customers?customer=${customer}`);
    const reason = "Goodwill for the outage of May 3";
    await createOverride(page, { feature: "export", reason, end: { amount: 2, unit: "days" } });
    await waitForFeatures(page, { export: "override" });
    await eventually(async () => assert.deepEqual(await unlocked(), ["export"]));
    const [{ id, starts_at, expires_at }] = await overridesOf(fixture.service, customer);
    assert.equal(expires_at - starts_at, 2 * DAY);

    await fixture.service.setClockOffset(2 * DAY);
    await waitForFeatures(page, {});
    await eventually(async () => assert.deepEqual(await unlocked(), []));
    await page.waitForSelector(".overrides :text-is('No current overrides, 1 ended.')");
    const [ended, created] = await timeline(page);
    assert.deepEqual(ended, [`End of override ${id}`, ["− export"]]);
    assert.match(created[0], new RegExp(`^Creation of override ${id} by sk_test_`));
    assert.deepEqual(created[1], ["+ export"]);
    const story = (await page.textContent(".timeline")) ?? "";
    assert.ok(story.includes(`Reason: “${reason}”`), story);
    const times = await page
      .locator(".timeline time")
      .evaluateAll((all) => all.map((each) => Date.parse(each.getAttribute("datetime") ?? "") / 1000));
    assert.deepEqual(times.slice(0, 2), [expires_at, starts_at]);

    await page.fill("#explain-feature", "export");
    await page.fill("#explain-at", new Date((expires_at - 1) * 1000).toISOString().slice(0, 19));
    await page.click(".explain-form button");
    await waitForText(page, ".explanation-answer", /^Entitled at .* The answer at that time: .* may use export: an override grants it\.$/);
    await page.fill("#explain-at", "");
    await page.click(".explain-form button");
    await waitForText(page, ".explanation-answer", /^Not entitled .* may not use export: it is not among/);
    assert.match((await page.textContent(".contributions")) ?? "", new RegExp(`Override ${id} has ended\\.`));
    // The stream refuses the customer token of two days before, and the shop gets another one.
    assert.deepEqual(
      shop.errors.filter((text) => !/status of 401/.test(text)),
      [],
    );
    await shop.page.close();
  });

  test("the tests before caused no unexpected error in the browser's console", () => {
    // The responses for wrong values.
    assert.deepEqual(
      errors.filter((text) => !/status of 400/.test(text)),
      [],
    );
  });
});

describe("a customer's page with Stripe as the source", { timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWorker>>} */
  let service;
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {Page} */
  let page;
  before(async () => {
    service = await startWorker({ ENTGATE_SOURCE: "stripe", ENTGATE_DEFAULT_FEATURES: "help-center" });
    browser = await launchBrowser();
    await service.send(summary("cus_ada", ["sms"]));
    ({ page } = await openConsole(browser, service, "customers?customer=cus_ada"));
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("it says why each feature is held, and links to the customer in Stripe's dashboard", async () => {
    await waitForFeatures(page, { sms: "active entitlement", "help-center": "default feature" });
    assert.equal(await page.getAttribute("a:text-is('Open in Stripe')", "href"), "https://dashboard.stripe.com/test/customers/cus_ada");
    assert.equal(await page.isVisible("h2:text-is('Subscriptions')"), false);
    await page.click("button[aria-label='Explain help-center']");
    await waitForText(
      page,
      ".explanation-answer",
      "Entitled cus_ada may use help-center: it is a default feature, which every customer has.",
    );
    await checkAppearance(page, "customer-stripe");
    await page.setViewportSize({ width: 1280, height: 900 });
  });

  test("an event that takes a feature away does not end an override that grants it", async () => {
    await createOverride(page, { feature: "sms", reason: "Migration", end: { amount: 1, unit: "weeks" } });
    await page.waitForSelector(".overrides tbody .badge:text-is('active')");
    await service.send(summary("cus_ada", []));
    await waitForFeatures(page, { sms: "override", "help-center": "default feature" });
  });

  test("a customer without any data gets a feature by an override", async () => {
    await openPanel(page, "customers?customer=cus_new");
    await page.waitForSelector(".overrides :text-is('No overrides.')");
    await createOverride(page, { feature: "sso", reason: "Beta", end: "never" });
    await waitForFeatures(page, { sso: "override", "help-center": "default feature" });
  });

  test("an override that ends on a date locks the section of the shop then, by the stream", async () => {
    const shop = await openConsole(browser, service, "shop?customer=cus_short");
    await shop.page.click('#panel-shop button:text-is("Open shop")');
    await shop.page.waitForSelector("#panel-shop .shop-customer .badge:text-is('Live')");
    await openPanel(page, "customers?customer=cus_short");
    await createOverride(page, { feature: "export", reason: "A demo", end: unixNow() + 12 });
    await shop.page.waitForSelector("#panel-shop .gated-section[data-feature=export][data-entitled=true]");
    await shop.page.waitForSelector("#panel-shop .gated-section[data-feature=export][data-entitled=false]", { timeout: 30_000 });
    await eventually(async () =>
      assert.deepEqual(
        (await timeline(page)).map(([, keys]) => keys),
        [["− export"], ["+ export"]],
      ),
    );
    assert.deepEqual(shop.errors, []);
    await shop.page.close();
  });
});
