// Compares the time of `has()` of the npm package with other feature-flag clients, in headless Chromium and one run.
//
//   scripts/npm.sh && node benches/has.mjs
//
// Every client has the same fifty features and sends no request. Prints the time per call, and its ratio to a JavaScript Set, since
// machines differ. Not here: the code that runs in the page (has.page.mjs).

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { launchBrowser } from "../tests/worker/browser.mjs";

const entryPoints = [fileURLToPath(new URL("has.page.mjs", import.meta.url))];
const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, write: false });

const browser = await launchBrowser();
const page = await browser.newPage();
// A client that sends a request is not comparable: the run fails below.
/** @type {string[]} */
const requests = [];
await page.route("**/*", (route) => {
  const url = route.request().url();
  if (url === "http://page.invalid/") return route.fulfill({ contentType: "text/html", body: "<!doctype html><title>bench</title>" });
  requests.push(url);
  return route.abort();
});
await page.goto("http://page.invalid/");
await page.addScriptTag({ content: outputFiles[0].text });
/** @type {{ medians: [string, number][], first: number }} */
const { medians, first } = await page.evaluate("bench()");
await browser.close();
if (requests.length) throw new Error(`a client sent requests: ${requests}`);

const [[, set]] = medians;
console.table(
  Object.fromEntries(medians.map(([name, ns]) => [name, { "ns per call": +ns.toFixed(1), "ratio to a Set": +(ns / set).toFixed(1) }])),
);
console.log(`first call for a feature: ${first.toFixed(1)} µs`);
