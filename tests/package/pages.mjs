// Pages that a bundler made: served as files, and looked at in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { eventually, summary } from "../worker/support.mjs";
import { token } from "./support.mjs";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves a folder as any server of files does, with a content security policy if there is one. */
export async function files(folder, { policy } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://page");
    const file = join(folder, pathname === "/" ? "index.html" : pathname);
    try {
      const body = readFileSync(file);
      response.writeHead(200, { "content-type": TYPES[extname(file)], ...(policy && { "content-security-policy": policy }) }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A policy under which no wasm is compiled: https://www.w3.org/TR/CSP3/#directive-script-src */
export const STRICT = "script-src 'self'";

/**
 * Opens a page that finds in `given` what is given to it, and in which `prepare` has run before all else. What goes
 * wrong on it is in `complaints`, and how often wasm was put to work there in `instances()`.
 */
export async function visit(browser, url, { given = {}, prepare = [], waitUntil = "load" } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  await page.addInitScript((given) => {
    globalThis.given = given;
    globalThis.instances = 0;
    const { Instance } = WebAssembly;
    WebAssembly.Instance = class extends Instance {
      constructor(...given) {
        super(...given);
        globalThis.instances += 1;
      }
    };
  }, given);
  for (const first of prepare) await page.addInitScript(first);
  await page.goto(url, { waitUntil });
  return Object.assign(page, { complaints, instances: () => page.evaluate(() => globalThis.instances) });
}

/** Sees a page open with one feature, and hear of another one; says how often wasm was put to work in it. */
export async function open(service, browser, url, customer) {
  await service.send(summary(customer, ["sms"]));
  const page = await visit(browser, url, { given: { endpoint: service.url.origin, token: await token(service, customer) } });
  const says = (expected) => eventually(async () => assert.equal(await page.textContent("output"), expected, page.complaints.join("\n")));
  await says("ready sms");
  await service.send(summary(customer, ["sms", "sso"]));
  await says("ready sso sms");
  assert.deepEqual(page.complaints, []);
  const instances = await page.instances();
  await page.close();
  return instances;
}
