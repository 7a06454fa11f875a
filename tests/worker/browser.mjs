// Headless Chromium.

import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts the headless shell that scripts/setup.sh found, or the complete Chromium. The shell has the same engine, but no windows, so a
 * page in it takes a third of the processor time.
 */
export function launchBrowser() {
  const { HEADLESS_SHELL, CHROME = "/usr/bin/chromium" } = process.env;
  return chromium.launch({ executablePath: HEADLESS_SHELL || CHROME, args: FLAGS });
}
