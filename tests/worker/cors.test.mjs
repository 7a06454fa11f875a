// CORS in headless Chromium: which requests a page of another origin can send, and which responses its script can read.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./browser.mjs";
import { listenOnFreePort } from "./free-port.mjs";
import { DEPLOYED, DEPLOYED_KEY, DEPLOYED_SECRET, serve, summary } from "./support.mjs";

// In development, every origin of this machine would be allowed.
const SETTINGS = { ...DEPLOYED, ENTGATE_TOKEN_SECRETS: "secret-of-32-characters-number-1" };

/** Starts a site with an empty page, on an origin of its own. */
async function startSite() {
  const server = createServer((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>a page</title>"),
  );
  const port = await listenOnFreePort(server);
  return { origin: `http://127.0.0.1:${port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

/**
 * @typedef {object} FetchOptions
 * @property {string} [key]
 * @property {string} [method]
 * @property {string} [body]
 * @property {Record<string, string>} [headers]
 * @property {RequestCredentials} [credentials]
 */

describe("a page of another origin", { timeout: 90_000 }, () => {
  let allowed;
  let other;
  let service;
  let browser;
  before(async () => {
    [allowed, other] = await Promise.all([startSite(), startSite()]);
    service = await serve({ settings: { ...SETTINGS, ENTGATE_ALLOWED_ORIGINS: `https://app.example,${allowed.origin}` } });
    for (const event of [summary("cus_ada", ["sms"]), summary("cus_partial", ["sms"], { hasMore: true })]) {
      assert.equal((await service.send(event, { secret: DEPLOYED_SECRET })).status, 200);
    }
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await Promise.all([service.stop(), allowed.stop(), other.stop()]);
  });

  async function createToken(customer) {
    const body = new URLSearchParams({ customer });
    return (await service.request("/v1/tokens", { method: "POST", body, key: DEPLOYED_KEY })).json.token;
  }

  /**
   * Calls `fetch` in a page of an origin, and returns what the script can read. If the browser blocks the response, that
   * is the name of the error.
   *
   * @param {string} origin
   * @param {string} path
   * @param {FetchOptions} [options]
   */
  async function fetchFrom(origin, path, { key, method = "GET", body, headers = {}, credentials } = {}) {
    const page = await browser.newPage();
    try {
      await page.goto(origin);
      /** @type {Record<string, string>} */
      const authorization = key ? { authorization: `Bearer ${key}` } : {};
      /** @type {RequestInit} */
      const init = { method, body, headers: { ...authorization, ...headers }, credentials };
      return await page.evaluate(
        async ([url, init]) => {
          try {
            const response = await fetch(url, init);
            return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
          } catch (error) {
            return { failed: error.name };
          }
        },
        /** @type {const} */ ([new URL(path, service.url).href, init]),
      );
    } finally {
      await page.close();
    }
  }

  const BLOCKED = { failed: "TypeError" };

  test("a page of an allowed origin uses its customer's token, and reads the status, headers and body", async () => {
    const key = await createToken("cus_ada");
    const check = await fetchFrom(allowed.origin, "/v1/check?feature=sms", { key });
    assert.deepEqual([check.status, JSON.parse(check.text).entitled], [200, true]);
    assert.match(check.headers["request-id"], /^req_/);

    const list = await fetchFrom(allowed.origin, "/v1/entitlements/active_entitlements", { key });
    assert.deepEqual([list.status, list.headers["entgate-version"], list.headers["entgate-served-by"]], [200, "1", "replica"]);
    assert.match(list.headers["entgate-as-of"], /^\d+$/);

    const body = JSON.stringify({ context: { targetingKey: "cus_ada" } });
    const json = { "content-type": "application/json" };
    const flags = await fetchFrom(allowed.origin, "/ofrep/v1/evaluate/flags", { key, method: "POST", headers: json, body });
    assert.equal(flags.status, 200, flags.text);
    assert.match(flags.headers.etag, /^"/);
    const same = await fetchFrom(allowed.origin, "/ofrep/v1/evaluate/flags", {
      key,
      method: "POST",
      headers: { ...json, "if-none-match": flags.headers.etag },
      body,
    });
    assert.deepEqual([same.status, same.text], [304, ""]);

    const withHeaders = await fetchFrom(allowed.origin, "/v1/check?feature=sms", {
      headers: { "x-api-key": key, "if-none-match": '"1"', "last-event-id": "1", "content-type": "application/json" },
    });
    assert.equal(withHeaders.status, 200);
  });

  test("a page of an allowed origin reads the reason of an error and when to retry", async () => {
    const partial = await fetchFrom(allowed.origin, "/v1/check?feature=sso", { key: await createToken("cus_partial") });
    assert.deepEqual(
      [partial.status, partial.headers["retry-after"], JSON.parse(partial.text).error.code],
      [503, "1", "entitlements_incomplete"],
    );
    const invalid = await fetchFrom(allowed.origin, "/v1/check?feature=sms", { key: "eyJ.eyJ." });
    assert.deepEqual([invalid.status, JSON.parse(invalid.text).error.code], [401, "token_invalid"]);
    const mismatch = await fetchFrom(allowed.origin, "/v1/check?feature=sms&customer=cus_partial", { key: await createToken("cus_ada") });
    assert.deepEqual([mismatch.status, JSON.parse(mismatch.text).error.code], [403, "customer_mismatch"]);
  });

  test("a page of another origin reads nothing, with or without a token", async () => {
    const key = await createToken("cus_ada");
    for (const path of ["/v1/check?feature=sms", "/v1/entitlements/active_entitlements", "/.well-known/jwks.json", "/healthz"]) {
      assert.deepEqual(await fetchFrom(other.origin, path, { key }), BLOCKED, path);
      assert.deepEqual(await fetchFrom(other.origin, path), BLOCKED, path);
    }
  });

  test("a page of an allowed origin cannot use the operator's routes, even with a server key", async () => {
    const body = new URLSearchParams({ customer: "cus_ada", feature: "sms" }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    for (const [method, path] of [
      ["POST", "/v1/tokens"],
      ["POST", "/v1/check"],
      ["POST", "/v1/customers/cus_ada/sync"],
      ["GET", "/v1/customer/cus_ada/entitlements"],
      ["GET", "/v1/products"],
    ]) {
      const options = { key: DEPLOYED_KEY, method, headers, body: method === "POST" ? body : undefined };
      assert.deepEqual(await fetchFrom(allowed.origin, path, options), BLOCKED, `${method} ${path}`);
    }
  });

  test("a page cannot send the browser's own credentials", async () => {
    const key = await createToken("cus_ada");
    assert.deepEqual(await fetchFrom(allowed.origin, "/v1/check?feature=sms", { key, credentials: "include" }), BLOCKED);
    const { headers } = await service.request("/v1/check?feature=sms", { key, headers: { origin: allowed.origin } });
    assert.equal(headers.get("access-control-allow-origin"), allowed.origin);
    assert.equal(headers.get("access-control-allow-credentials"), null);
    assert.equal(headers.get("vary"), "Origin");
  });

  test("with `*`, a page of any origin is allowed, with the same limits", async (t) => {
    const open = await serve({ settings: { ...SETTINGS, ENTGATE_ALLOWED_ORIGINS: "*" } });
    const before = service;
    service = open;
    t.after(async () => {
      service = before;
      await open.stop();
    });
    const key = await createToken("cus_ada");
    assert.equal((await fetchFrom(other.origin, "/v1/check?feature=sms", { key })).status, 200);
    assert.deepEqual(await fetchFrom(other.origin, "/v1/check?feature=sms", { key, credentials: "include" }), BLOCKED);
    assert.deepEqual(await fetchFrom(other.origin, "/v1/products", { key: DEPLOYED_KEY }), BLOCKED);
  });
});
