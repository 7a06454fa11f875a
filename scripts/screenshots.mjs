// Takes the pictures of the documentation: the console of a local Worker, in the light and the dark theme.
//
//   scripts/build.sh && node scripts/screenshots.mjs
//
// Starts the built Worker in workerd with the catalog as its source, creates a small shop with customers and checks, and writes
// docs/images/<panel>-<theme>.png. Needs the browser that scripts/setup.sh finds.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startWithCatalog } from "../tests/console/fixture.mjs";
import { openConsole, openPanel } from "../tests/console/support.mjs";

/** @import { Page } from "playwright-core" */
/** @import { TestCatalog } from "../tests/worker/test-catalog.mjs" */
/** @import { Service } from "../tests/worker/support.mjs" */

const FOLDER = fileURLToPath(new URL("../docs/images/", import.meta.url));
const VIEWPORT = { width: 1280, height: 800 };
/** @type {("light" | "dark")[]} */
const THEMES = ["light", "dark"];

/** @type {[lookupKey: string, name: string][]} */
const FEATURES = [
  ["sms", "Text messages"],
  ["export", "Export"],
  ["sso", "Single sign-on"],
  ["audit_log", "Audit log"],
];
/** @type {[id: string, name: string, amount: number, lookupKeys: string[]][]} */
const PRODUCTS = [
  ["starter", "Starter", 900, ["sms"]],
  ["pro", "Pro", 2900, ["sms", "export", "sso"]],
];
/** @type {[id: string, name: string, product: string | undefined][]} */
const CUSTOMERS = [
  ["cus_ada", "Ada Lovelace", "pro"],
  ["cus_alan", "Alan Turing", "starter"],
  ["cus_barbara", "Barbara Liskov", "pro"],
  ["cus_edsger", "Edsger Dijkstra", undefined],
  ["cus_grace", "Grace Hopper", "pro"],
  ["cus_ken", "Ken Thompson", "starter"],
];
const CHECKS = 120;

mkdirSync(FOLDER, { recursive: true });
const fixture = await startWithCatalog();
try {
  await createShop(fixture.catalog);
  await sendChecks(fixture.service);
  const { page } = await openConsole(fixture.browser, fixture.service, "overview", VIEWPORT);
  await page.click('#panel-overview button:text-is("Run 25 checks")');
  await page.waitForFunction(() => !document.querySelector("#panel-overview")?.textContent?.includes("No checks from this page"));
  await take(page, "overview", "#panel-overview");
  await openPanel(page, "customers?customer=cus_ada");
  await page.locator("#panel-customers td code, #panel-customers th code", { hasText: "sms" }).first().waitFor();
  await take(page, "customer", "#panel-customers");
  await openPanel(page, "activity");
  await page.locator("#panel-activity", { hasText: "cus_grace" }).waitFor();
  await take(page, "activity", "#panel-activity");
  await openPanel(page, "playground");
  await page.click("#panel-playground .empty button");
  await page.waitForSelector("#panel-playground .shop-customer .badge:text-is('Live')");
  for (const [title, count] of /** @type {[string, number][]} */ ([
    ["Subscribe to Starter", 1],
    ["Upgrade to Pro", 3],
  ])) {
    await page.click(`.plan-action button[aria-label="${title}"]:not([aria-disabled=true])`);
    await page.waitForSelector(`.plan-action:has(button[aria-label="${title}"]) .plan-action-result[data-tone="success"]`);
    await page
      .locator('#panel-playground .gated-section[data-entitled="true"]')
      .nth(count - 1)
      .waitFor();
  }
  await take(page, "playground", "#panel-playground");
} finally {
  await fixture.stop();
}

/** @param {TestCatalog} catalog */
async function createShop(catalog) {
  /** @type {Record<string, { id: string }>} */
  const features = {};
  for (const [key, name] of FEATURES) features[key] = await catalog.createFeature(key, name);
  /** @type {Record<string, { id: string }>} */
  const prices = {};
  for (const [id, name, unit_amount, keys] of PRODUCTS) {
    const product = await catalog.sdk.products.create({ id, name });
    for (const key of keys) await catalog.attachFeature(product, features[key]);
    prices[id] = await catalog.createPrice(product, { unit_amount });
  }
  for (const [id, name, product] of CUSTOMERS) {
    /** @type {import("stripe").Stripe.CustomerCreateParams & { id: string }} */
    const customer = { id, name, email: `${id.slice(4)}@example.com` };
    await catalog.sdk.customers.create(customer);
    if (product) await catalog.subscribe({ id }, prices[product]);
    if (product) await catalog.waitForCheck({ id }, "sms", true);
  }
}

/** Sends checks of all customers and features, so that there are decisions to show. @param {Service} service */
async function sendChecks(service) {
  for (let number = 0; number < CHECKS; number += 1) {
    const [customer] = CUSTOMERS[number % CUSTOMERS.length];
    const [feature] = FEATURES[number % FEATURES.length];
    await service.check(customer, feature);
  }
}

/**
 * Writes a picture of the page in each theme.
 *
 * @param {Page} page
 * @param {string} name
 * @param {string} panel
 */
async function take(page, name, panel) {
  await page.waitForSelector(`${panel} h1`);
  await page.waitForLoadState("networkidle");
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(() => {
      scrollTo(0, 0);
      /** @type {HTMLElement} */ (document.activeElement)?.blur();
    });
    await page.screenshot({ path: `${FOLDER}${name}-${colorScheme}.png` });
  }
}
