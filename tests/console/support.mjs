// The console in headless Chromium, in front of the built Worker.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const shots = fileURLToPath(new URL("../../target/console/", import.meta.url));
mkdirSync(shots, { recursive: true });

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The widths of a phone, a tablet and a desk. */
export const WIDTHS = [390, 820, 1280];
export const THEMES = ["light", "dark"];

/** A panel of a service's console, open; what the page complains of is collected. */
export async function open(browser, service, place = "overview", { width = 1280, height = 900, ...options } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, locale: "en-US", timezoneId: "UTC", ...options });
  page.setDefaultTimeout(10_000);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(new URL(`/#${place}`, service.url).href);
  await page.waitForSelector("#standing:not([data-state=loading])");
  await shown(page, place);
  return { page, complaints };
}

/** Goes to another panel by its address. */
export async function go(page, place) {
  await page.evaluate((hash) => {
    location.hash = hash;
  }, place);
  await shown(page, place);
}

function shown(page, place) {
  return page.waitForSelector(`#panel-${place.split("?")[0]}:not([hidden])`);
}

/** What axe finds wrong with the page as it is now: the rule, and where it is broken. */
export async function violations(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")} ${failureSummary}`),
  );
}

/** In both themes and three widths: a picture of the page, nothing that axe finds, nothing that sticks out. */
export async function look(page, name) {
  for (const theme of THEMES) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      assert.deepEqual(await violations(page), [], `${name}, ${theme}, ${width}`);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.equal(overflow, 0, `${name}, ${width}: sticks out`);
      await page.screenshot({ path: `${shots}/${name}-${width}-${theme}.png`, fullPage: true });
    }
  }
}
