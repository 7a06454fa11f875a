// The console in headless Chromium, in front of the built Worker.

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const shots = fileURLToPath(new URL("../../target/console/", import.meta.url));
mkdirSync(shots, { recursive: true });

/** A panel of a service's console, open; what the page complains of is collected. */
export async function open(browser, service, place = "overview", { width = 1280, height = 900, ...options } = {}) {
  const page = await browser.newPage({ viewport: { width, height }, ...options });
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(new URL(`/#${place}`, service.url).href);
  await page.waitForSelector("#standing:not([data-state=loading])");
  await page.waitForSelector(`#panel-${place.split("?")[0]}:not([hidden])`);
  return { page, complaints };
}
