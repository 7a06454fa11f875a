// The panel "Demo shop": a purchase unlocks its sections over the stream, without a reload or another read.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { launchBrowser } from "../worker/browser.mjs";
import { KEY, summary } from "../worker/support.mjs";
import { startWithCatalog, startWorker } from "./fixture.mjs";
import { checkAppearance, openConsole, openPanel } from "./support.mjs";

const UNLOCKED = { free: [], starter: ["sms"], pro: ["export", "sms", "sso"] };
const CUSTOMER_ID = "#panel-shop .shop-customer code";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Browser} Browser */

describe("the demo shop", { timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWithCatalog>>} */
  let fixture;
  before(async () => {
    fixture = await startWithCatalog();
  });
  after(() => fixture.stop());

  /** @type {{ page: Page, errors: string[] } | undefined} */
  let opened;
  /** Opens the shop with a new customer. */
  async function openShop() {
    if (!opened) {
      opened = await openConsole(fixture.browser, fixture.service, "shop");
      await opened.page.click("#panel-shop .empty button");
    } else {
      const previous = await opened.page.textContent(CUSTOMER_ID);
      await opened.page.click('#panel-shop button:text-is("New customer")');
      await opened.page.waitForFunction(
        ([selector, previous]) => ![previous, undefined].includes(document.querySelector(selector ?? "")?.textContent),
        [CUSTOMER_ID, previous],
      );
    }
    await gateIsLive(opened.page);
    return { ...opened, customer: (await opened.page.textContent(CUSTOMER_ID)) ?? "" };
  }

  test("a purchase unlocks its sections over the stream, without a reload or a read", async (t) => {
    const { page, errors } = await openShop();
    await sectionsAreUnlocked(page, UNLOCKED.free);
    await page.evaluate(() => document.body.classList.add("same-document"));
    /** @type {string[]} */
    const requests = [];
    page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).pathname}`));
    // The stream is the only route that still reports entitlements.
    for (const path of ["**/v1/snapshot*", "**/v1/check*", "**/v1/entitlements/active_entitlements*"])
      await page.route(path, (route) => route.abort());

    await page.click('button:text-is("Buy Starter")');
    await sectionsAreUnlocked(page, UNLOCKED.starter);
    const delay = /\d+(\.\d)? m?s$/.exec((await page.textContent('[data-feature="sms"] .gated-delay')) ?? "");
    assert.ok(delay);
    t.diagnostic(`from the click to the unlocked section: ${delay[0]}`);

    assert.equal(await page.evaluate(() => document.body.classList.contains("same-document")), true);
    assert.deepEqual(
      requests.filter((request) => /snapshot|check|active_entitlements|stream/.test(request)),
      [],
    );
    assert.equal(requests[0], "POST /v1/subscriptions");
    assert.deepEqual(errors, []);
    await page.unrouteAll();
  });

  test("a change of the plan or its cancellation unlocks and locks sections", async () => {
    const { page, customer } = await openShop();
    for (const { label, keys } of [
      { label: "Buy Pro", keys: UNLOCKED.pro },
      { label: "Change to Starter", keys: UNLOCKED.starter },
      { label: "Change to Pro", keys: UNLOCKED.pro },
      { label: "Cancel", keys: UNLOCKED.free },
      { label: "Buy Starter", keys: UNLOCKED.starter },
    ]) {
      await page.click(`#panel-shop button:text-is("${label}"):not([aria-disabled=true])`);
      await sectionsAreUnlocked(page, keys);
      assert.deepEqual(await fixture.catalog.entitlementKeys({ id: customer }), keys, label);
    }
  });

  test("a purchase of another client unlocks its sections, and is announced to screen readers", async () => {
    const { catalog } = fixture;
    const { page, customer } = await openShop();
    const [price] = (await catalog.sdk.prices.list({ product: "shop_pro" })).data;
    await catalog.subscribe({ id: customer }, price);
    await sectionsAreUnlocked(page, UNLOCKED.pro);
    const announcement = await page.textContent("#panel-shop [role=status].visually-hidden");
    const names = /^Change from another client: (.*) unlocked\.$/.exec(announcement ?? "")?.[1];
    assert.deepEqual(names?.split(", ").sort(), ["Export", "Single sign-on", "Text messages"]);
  });

  test("a purchase by keyboard keeps the focus at the plan", async () => {
    const { page } = await openShop();
    await page.focus('button:text-is("Buy Pro")');
    await page.keyboard.press("Enter");
    await sectionsAreUnlocked(page, UNLOCKED.pro);
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Pro");
  });

  test("the playground has the same customer", async () => {
    const { page, customer } = await openShop();
    await openPanel(page, "playground");
    await page.waitForSelector("#panel-playground .customer-summary");
    assert.equal(await page.textContent("#panel-playground .customer-summary code"), customer);
    await openPanel(page, "shop");
  });

  test("neither key nor token is stored, and another key removes the customer", async () => {
    const { page } = await openShop();
    const stored = await page.evaluate(() =>
      [JSON.stringify({ ...localStorage, ...sessionStorage }), document.cookie, document.querySelector("#panel-shop")?.innerHTML].join(),
    );
    assert.equal(stored.includes(KEY), false);
    assert.equal(stored.includes("eyJ"), false);
    await page.fill("#key", "sk_test_wrong");
    await page.press("#key", "Enter");
    await page.waitForSelector("#panel-shop .notice.danger");
    assert.equal(await page.locator("#panel-shop .gated-section").count(), 0);
    await page.fill("#key", "");
    await page.press("#key", "Enter");
    await page.waitForSelector("#panel-shop .empty:has-text('A server key is needed')");
    await page.close();
  });

  test("the shop is accessible and fits in both themes and three widths, before and after a purchase", async () => {
    const { page } = await openConsole(fixture.browser, fixture.service, "shop");
    await page.waitForSelector("#panel-shop .empty");
    await checkAppearance(page, "shop-start");
    await page.click("#panel-shop .empty button");
    await gateIsLive(page);
    await page.click('button:text-is("Buy Pro")');
    await sectionsAreUnlocked(page, UNLOCKED.pro);
    await page.waitForSelector('.plan[data-current="true"][aria-label="Pro"]');
    await checkAppearance(page, "shop");
    await page.close();
  });
});

describe("the demo shop with Stripe as the source", { timeout: 60_000 }, () => {
  /** @type {Awaited<ReturnType<typeof startWorker>>} */
  let service;
  /** @type {Browser} */
  let browser;
  before(async () => {
    service = await startWorker({ ENTGATE_SOURCE: "stripe" });
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await service.stop();
  });

  test("the sections of a named customer follow Stripe’s events", async () => {
    const { page, errors } = await openConsole(browser, service, "shop");
    await page.fill("#shop-customer", "cus_ada");
    await page.press("#shop-customer", "Enter");
    await gateIsLive(page);
    await sectionsAreUnlocked(page, []);
    assert.match(
      (await page.textContent("#panel-shop .command code")) ?? "",
      /^node scripts\/send-event\.mjs cus_ada sms export --port \d+$/,
    );
    await service.send(summary("cus_ada", ["sms", "tax"]));
    await sectionsAreUnlocked(page, ["sms"]);
    assert.match((await page.textContent(".shop-other-features")) ?? "", /tax/);
    await service.send(summary("cus_ada", ["export"]));
    await sectionsAreUnlocked(page, ["export"]);
    assert.deepEqual(errors, []);
    await checkAppearance(page, "shop-stripe");
    await page.close();
  });

  test("a customer id in the command to copy is quoted for the shell", async () => {
    const id = "cus_ada;$(id)'`id`#";
    const { page } = await openConsole(browser, service, `shop?${new URLSearchParams({ customer: id })}`);
    await page.click('#panel-shop button:text-is("Open shop")');
    const copied = page.locator("#panel-shop .command code");
    await page.waitForFunction(() => document.querySelector("#panel-shop .command code")?.textContent?.includes("cus_ada;"));
    const { stdout } = await promisify(execFile)("bash", ["-c", `node() { printf '%s\\n' "$@"; }; ${await copied.textContent()}`]);
    assert.deepEqual(stdout.split("\n").slice(0, 4), ["scripts/send-event.mjs", id, "sms", "export"]);
    await page.close();
  });

  test("the form requires a customer", async () => {
    const { page } = await openConsole(browser, service, "shop");
    await page.click('#panel-shop button:text-is("Open shop")');
    assert.equal(await page.getAttribute("#shop-customer", "aria-invalid"), "true");
    await page.close();
  });
});

test("a Worker without token secrets names the missing setting, and unlocks nothing", { timeout: 60_000 }, async () => {
  const service = await startWorker({ ENTGATE_SOURCE: "stripe", ENTGATE_TOKEN_SECRETS: "" });
  const browser = await launchBrowser();
  try {
    const { page } = await openConsole(browser, service, "shop");
    await page.fill("#shop-customer", "cus_ada");
    await page.press("#shop-customer", "Enter");
    await page.waitForSelector(".shop-error:has-text('ENTGATE_TOKEN_SECRETS is not set')");
    await sectionsAreUnlocked(page, []);
    assert.deepEqual(await page.locator(".gated-section .badge").allTextContents(), Array(4).fill("Unknown"));
    await page.close();
  } finally {
    await browser.close();
    await service.stop();
  }
});

/**
 * Waits until the gate's stream is connected.
 *
 * @param {Page} page
 */
function gateIsLive(page) {
  return page.waitForSelector(".panel:not([hidden]) .shop-customer .badge:text-is('Live')");
}

/**
 * Waits until exactly these sections are unlocked.
 *
 * @param {Page} page
 * @param {string[]} keys
 */
function sectionsAreUnlocked(page, keys) {
  return page.waitForFunction((expected) => {
    const sections = [...document.querySelectorAll('.panel:not([hidden]) .gated-section[data-entitled="true"]')];
    return (
      sections
        .map((section) => section.getAttribute("data-feature"))
        .sort()
        .join() === expected
    );
  }, keys.join());
}
