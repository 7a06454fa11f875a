// What tests do on a customer's page of the console, and read from it; and the overrides of a customer by the API.

import assert from "node:assert/strict";

/** @typedef {import("playwright-core").Page} Page */

/**
 * Waits until the page shows exactly these features, each with its reason.
 *
 * @param {Page} page
 * @param {Record<string, string>} expected
 */
export function waitForFeatures(page, expected) {
  return page.waitForFunction((expected) => {
    const panel = document.querySelector("#panel-customers");
    const rows = [...(panel?.querySelectorAll(".table[aria-label=Features] tbody tr") ?? [])];
    const isEmpty = [...(panel?.querySelectorAll(".empty-title") ?? [])].some(({ textContent }) => textContent === "No features");
    if (!rows.length && !isEmpty) return false;
    const shown = rows.map((row) => [row.querySelector("th code")?.textContent, row.querySelector(".badge")?.textContent]);
    return JSON.stringify(shown.sort()) === JSON.stringify(Object.entries(expected).sort());
  }, expected);
}

/** The row of a feature. @param {Page} page @param {string} key */
export function featureRow(page, key) {
  return page.locator(`.table[aria-label=Features] tbody tr:has(th code:text-is("${key}"))`);
}

/** The details of these terms. @param {Page} page @param {string[]} terms */
export function details(page, terms) {
  return Promise.all(terms.map((term) => page.textContent(`.customer-detail dt:text-is("${term}") + dd`)));
}

/**
 * The entries of the timeline: the cause, and the sorted features that were added and removed.
 *
 * @param {Page} page
 * @returns {Promise<[cause: string, keys: string[]][]>}
 */
export function timeline(page) {
  return page
    .locator(".timeline > li")
    .evaluateAll((items) =>
      items.map((item) => [
        item.querySelector(".timeline-cause")?.textContent ?? "",
        [...item.querySelectorAll(".timeline-keys li")].map(({ textContent }) => textContent ?? "").sort(),
      ]),
    );
}

/**
 * Creates an override in the form, and waits until it was created.
 *
 * @param {Page} page
 * @param {object} override
 * @param {string} override.feature
 * @param {string} [override.effect]
 * @param {string} override.reason
 * @param {"never" | number | { amount: number, unit: string }} override.end  A number is a time.
 * @param {number} [override.start]
 * @param {string} [override.actor]
 */
export async function createOverride(page, { feature, effect = "grant", reason, end, start, actor = "" }) {
  const inputTime = (/** @type {number} */ seconds) => new Date(seconds * 1000).toISOString().slice(0, 19);
  if (!(await page.isVisible("#override-feature"))) await page.click("summary:text-is('New override')");
  await page.fill("#override-feature", feature);
  await page.selectOption("#override-effect", effect);
  await page.fill("#override-reason", reason);
  if (typeof end === "object") {
    await page.selectOption("#override-end", "in");
    await page.fill("#override-amount", String(end.amount));
    await page.selectOption("#override-unit", { label: end.unit });
  } else if (end === "never") await page.selectOption("#override-end", "never");
  else {
    await page.selectOption("#override-end", "at");
    await page.fill("#override-expires-at", inputTime(end));
  }
  if (start !== undefined) await page.fill("#override-starts-at", inputTime(start));
  await page.fill("#override-actor", actor);
  await page.click("button:text-is('Create override')");
  await page.waitForSelector(".override-new:not([open])");
  await page.waitForFunction(() =>
    /^ovr_\w{24} created: version \d+\.$/.test(document.querySelector(".overrides [role=status]")?.textContent ?? ""),
  );
}

/** @param {import("../worker/support.mjs").Service} service @param {string} customer @param {Record<string, string>} params */
export async function postOverride(service, customer, params) {
  const { status, text } = await service.request(`/v1/customers/${customer}/overrides`, {
    method: "POST",
    body: new URLSearchParams(params),
  });
  assert.equal(status, 200, text);
}

/** The overrides of a customer, newest first, with those that have ended. @param {import("../worker/support.mjs").Service} service @param {string} customer */
export async function overridesOf(service, customer) {
  const { json } = await service.request(`/v1/customers/${customer}/overrides?status=all`);
  return json.data;
}
