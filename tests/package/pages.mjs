// Pages that a bundler built: serves them, and opens them in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { eventually, summary } from "../worker/support.mjs";
import { createToken } from "./support.mjs";

/** @type {Record<string, string>} */
const CONTENT_TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** A content security policy that forbids wasm: https://www.w3.org/TR/CSP3/#directive-script-src */
export const NO_WASM_POLICY = "script-src 'self'";

/**
 * Starts a server on a free port.
 *
 * @param {import("node:http").RequestListener} listener
 */
export async function serveHttp(listener) {
  const server = createServer(listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * Serves the files of a folder, with a content security policy if one is given.
 *
 * @param {string} folder
 * @param {{ policy?: string }} [options]
 */
export function serveFiles(folder, { policy } = {}) {
  return serveHttp((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    const file = join(folder, pathname === "/" ? "index.html" : pathname);
    try {
      const body = readFileSync(file);
      response
        .writeHead(200, { "content-type": CONTENT_TYPES[extname(file)], ...(policy && { "content-security-policy": policy }) })
        .end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
}

/**
 * Opens a page. `testOptions` is a global of the page, and `scripts` run before all others. The result has the errors
 * and warnings of the page in `problems`, and the number of wasm instances that it created in `wasmInstances()`.
 *
 * @param {import("playwright-core").Browser | import("playwright-core").BrowserContext} browser
 * @param {string} url
 * @param {{ testOptions?: object, scripts?: (() => unknown)[], waitUntil?: "load" | "commit" }} [options]
 */
export async function openPage(browser, url, { testOptions = {}, scripts = [], waitUntil = "load" } = {}) {
  const page = await browser.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && problems.push(message.text()));
  await page.addInitScript((testOptions) => {
    globalThis.testOptions = testOptions;
    globalThis.wasmInstances = 0;
    const { Instance } = WebAssembly;
    WebAssembly.Instance = class extends Instance {
      /** @param {ConstructorParameters<typeof Instance>} args */
      constructor(...args) {
        super(...args);
        globalThis.wasmInstances += 1;
      }
    };
  }, testOptions);
  for (const script of scripts) await page.addInitScript(script);
  await page.goto(url, { waitUntil });
  return Object.assign(page, {
    problems,
    /** @returns {Promise<number>} */
    wasmInstances: () => page.evaluate(() => globalThis.wasmInstances),
  });
}

/** @typedef {Awaited<ReturnType<typeof openPage>>} Page */

/**
 * Waits until an assertion about a page passes; a failure lists the page's problems.
 *
 * @param {Page} page
 * @param {string} expected The text of its `<output>`.
 */
export const waitForOutput = (page, expected) =>
  eventually(async () => assert.equal(await page.textContent("output"), expected, page.problems.join("\n")));

/**
 * Opens a page of a customer, and asserts that it shows the customer's feature and then a second one after a webhook.
 * Returns the number of wasm instances that the page created.
 *
 * @param {import("./support.mjs").Edge} service
 * @param {import("playwright-core").Browser} browser
 * @param {string} url
 * @param {string} customer
 */
export async function assertPageFollowsChanges(service, browser, url, customer) {
  await service.send(summary(customer, ["sms"]));
  const testOptions = { endpoint: service.url.origin, token: await createToken(service, customer) };
  const page = await openPage(browser, url, { testOptions });
  await waitForOutput(page, "ready sms");
  await service.send(summary(customer, ["sms", "sso"]));
  await waitForOutput(page, "ready sso sms");
  assert.deepEqual(page.problems, []);
  const instances = await page.wasmInstances();
  await page.close();
  return instances;
}
