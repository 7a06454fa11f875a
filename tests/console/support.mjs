// Opens the console of a running Worker in headless Chromium, and checks the appearance and accessibility of its pages.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {import("playwright-core").Browser} Browser */

/** The folder of the screenshots, if `ENTGATE_SCREENSHOTS` asks for them: no test reads them. */
const SCREENSHOTS = process.env.ENTGATE_SCREENSHOTS && fileURLToPath(new URL("../../target/console/", import.meta.url));
if (SCREENSHOTS) mkdirSync(SCREENSHOTS, { recursive: true });

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The widths of a phone, a tablet and a desktop computer. */
const WIDTHS = [390, 820, 1280];
/** @type {("light" | "dark")[]} */
const THEMES = ["light", "dark"];

/**
 * Opens a panel in a new page. Returns the page and its errors, which are collected while it is open.
 *
 * @param {Browser} browser
 * @param {{ url: URL }} service
 * @param {string} [panel]  With optional parameters: `customers?customer=cus_ada`.
 * @param {{ width?: number, height?: number }} [viewport]
 * @returns {Promise<{ page: Page, errors: string[] }>}
 */
export async function openConsole(browser, service, panel = "overview", { width = 1280, height = 900 } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, locale: "en-US", timezoneId: "UTC" });
  page.setDefaultTimeout(10_000);
  /** @type {string[]} */
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(new URL(`/#${panel}`, service.url).href);
  await page.waitForSelector("#health-status:not([data-state=loading])");
  await panelIsVisible(page, panel);
  return { page, errors };
}

/**
 * Opens another panel by its URL fragment.
 *
 * @param {Page} page
 * @param {string} panel
 */
export async function openPanel(page, panel) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, panel);
  await panelIsVisible(page, panel);
}

/**
 * @param {Page} page
 * @param {string} panel
 */
function panelIsVisible(page, panel) {
  return page.waitForSelector(`#panel-${panel.split("?")[0]}:not([hidden])`);
}

/**
 * The id of the focused element.
 *
 * @param {Page} page
 */
export function focusedId(page) {
  return page.evaluate(() => document.activeElement?.id);
}

/**
 * Waits until the text of an element matches; a string has to be equal.
 *
 * @param {Page} page
 * @param {string} selector
 * @param {string | RegExp} expected
 */
export async function waitForText(page, selector, expected) {
  const pattern = expected instanceof RegExp ? expected.source : undefined;
  await page.waitForFunction(
    ([selector, text, pattern]) => {
      const content = document.querySelector(selector ?? "")?.textContent ?? "";
      return pattern === undefined ? content === text : new RegExp(pattern).test(content);
    },
    [selector, String(expected), pattern],
  );
}

/**
 * Checks a page in both themes and three widths: axe finds no violation, and nothing overflows.
 *
 * @param {Page} page
 * @param {string} name
 */
export async function checkAppearance(page, name) {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      assert.deepEqual(await axeViolations(page), [], `${name}, ${theme}, ${width}`);
      assert.equal(await horizontalOverflow(page), 0, `${name}, ${width}: overflow`);
      if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}-${width}-${theme}.png`, fullPage: true });
    }
  }
}

/**
 * How many pixels the page is wider than the window.
 *
 * @param {Page} page
 */
export function horizontalOverflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

/**
 * The violations that axe finds: the rule, and where it is violated.
 *
 * @param {Page} page
 */
async function axeViolations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => {
    const { axe } = /** @type {{ axe: typeof import("axe-core") }} */ (/** @type {unknown} */ (window));
    return axe.run(document, { resultTypes: ["violations"] });
  });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`));
}
