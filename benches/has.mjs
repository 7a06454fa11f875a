// What a question costs in headless Chromium, in one run: `has()` of the gate, and of what else could be asked in its
// place. All of them hold the same fifty features, and ask nobody. Ratios, since machines differ: a JavaScript Set is 1.
//
//   scripts/npm.sh && node benches/has.mjs

import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { browse } from "../tests/worker/browser.mjs";

const entryPoints = [fileURLToPath(new URL("has.page.mjs", import.meta.url))];
const { outputFiles } = await build({ entryPoints, bundle: true, minify: true, write: false });

const browser = await browse();
const page = await browser.newPage();
// Whoever asks the network all the same is no peer here.
const asked = [];
await page.route("**/*", (route) => {
  const url = route.request().url();
  if (url === "http://page.invalid/") return route.fulfill({ contentType: "text/html", body: "<!doctype html><title>bench</title>" });
  asked.push(url);
  return route.abort();
});
await page.goto("http://page.invalid/");
await page.addScriptTag({ content: outputFiles[0].text });
const { medians, first } = await page.evaluate(() => bench());
await browser.close();
if (asked.length) throw new Error(`asked: ${asked}`);

const [[, set]] = medians;
console.table(
  Object.fromEntries(medians.map(([name, ns]) => [name, { "ns a question": +ns.toFixed(1), "times a Set": +(ns / set).toFixed(1) }])),
);
console.log(`the first question about a feature: ${first.toFixed(1)} µs`);
