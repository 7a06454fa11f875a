// Pages of other origins in headless Chromium: what they can ask, what they can read, and what they cannot.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { launchBrowser } from "./browser.mjs";
import { KEY, serve, summary } from "./support.mjs";

const SECRET = "secret-of-32-characters-number-1";

/** An empty page of an origin of its own. */
async function site() {
  const server = createServer((_, response) =>
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>a page</title>"),
  );
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => new Promise((resolve) => server.close(resolve)) };
}

describe("a page of another origin", { timeout: 90_000 }, () => {
  let allowed;
  let other;
  let service;
  let browser;
  let token;
  before(async () => {
    [allowed, other] = await Promise.all([site(), site()]);
    service = await serve({
      settings: { ENTGATE_TOKEN_SECRETS: SECRET, ENTGATE_ALLOWED_ORIGINS: `https://app.example,${allowed.origin}` },
    });
    assert.equal((await service.send(summary("cus_ada", ["sms"]))).status, 200);
    assert.equal((await service.send(summary("cus_part", ["sms"], { hasMore: true }))).status, 200);
    token = async (customer) => {
      const body = new URLSearchParams({ customer });
      return (await service.request("/v1/tokens", { method: "POST", body })).json.token;
    };
    browser = await launchBrowser();
  });
  after(async () => {
    await browser.close();
    await Promise.all([service.stop(), allowed.stop(), other.stop()]);
  });

  /** Lets a page of an origin ask, and tells what its script can see: nothing, if the browser keeps it from it. */
  async function asks(origin, path, { key, method = "GET", body, headers = {}, credentials } = {}) {
    const page = await browser.newPage();
    try {
      await page.goto(origin);
      const authorization = key ? { authorization: `Bearer ${key}` } : {};
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
        [new URL(path, service.url).href, init],
      );
    } finally {
      await page.close();
    }
  }

  const KEPT = { failed: "TypeError" };

  test("that is allowed checks with its customer's token, and reads all of the answer", async () => {
    const key = await token("cus_ada");
    const check = await asks(allowed.origin, "/v1/check?feature=sms", { key });
    assert.deepEqual([check.status, JSON.parse(check.text).entitled], [200, true]);
    assert.match(check.headers["request-id"], /^req_/);

    const list = await asks(allowed.origin, "/v1/entitlements/active_entitlements", { key });
    assert.deepEqual([list.status, list.headers["entgate-version"], list.headers["entgate-served-by"]], [200, "1", "replica"]);
    assert.match(list.headers["entgate-as-of"], /^\d+$/);

    const body = JSON.stringify({ context: { targetingKey: "cus_ada" } });
    const json = { "content-type": "application/json" };
    const flags = await asks(allowed.origin, "/ofrep/v1/evaluate/flags", { key, method: "POST", headers: json, body });
    assert.equal(flags.status, 200, flags.text);
    assert.match(flags.headers.etag, /^"/);
    const same = await asks(allowed.origin, "/ofrep/v1/evaluate/flags", {
      key,
      method: "POST",
      headers: { ...json, "if-none-match": flags.headers.etag },
      body,
    });
    assert.deepEqual([same.status, same.text], [304, ""]);

    const asked = await asks(allowed.origin, "/v1/check?feature=sms", {
      headers: { "x-api-key": key, "if-none-match": '"1"', "last-event-id": "1", "content-type": "application/json" },
    });
    assert.equal(asked.status, 200);
  });

  test("that is allowed reads why it failed, and when to try again", async () => {
    const part = await asks(allowed.origin, "/v1/check?feature=sso", { key: await token("cus_part") });
    assert.deepEqual([part.status, part.headers["retry-after"], JSON.parse(part.text).error.code], [503, "1", "entitlements_incomplete"]);
    const none = await asks(allowed.origin, "/v1/check?feature=sms", { key: "eyJ.eyJ." });
    assert.deepEqual([none.status, JSON.parse(none.text).error.code], [401, "token_invalid"]);
    const other = await asks(allowed.origin, "/v1/check?feature=sms&customer=cus_part", { key: await token("cus_ada") });
    assert.deepEqual([other.status, JSON.parse(other.text).error.code], [403, "customer_mismatch"]);
  });

  test("that is not allowed sees nothing, whatever it shows", async () => {
    const key = await token("cus_ada");
    for (const path of ["/v1/check?feature=sms", "/v1/entitlements/active_entitlements", "/.well-known/jwks.json", "/healthz"]) {
      assert.deepEqual(await asks(other.origin, path, { key }), KEPT, path);
      assert.deepEqual(await asks(other.origin, path), KEPT, path);
    }
  });

  test("that is allowed sees nothing of what is the operator's, even with the operator's key", async () => {
    const body = new URLSearchParams({ customer: "cus_ada", feature: "sms" }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    for (const [method, path] of [
      ["POST", "/v1/tokens"],
      ["POST", "/v1/check"],
      ["POST", "/v1/customers/cus_ada/sync"],
      ["GET", "/v1/customer/cus_ada/entitlements"],
      ["GET", "/v1/products"],
    ]) {
      const asked = { key: KEY, method, headers, body: method === "POST" ? body : undefined };
      assert.deepEqual(await asks(allowed.origin, path, asked), KEPT, `${method} ${path}`);
    }
  });

  test("never asks with the browser's own credentials", async () => {
    const key = await token("cus_ada");
    assert.deepEqual(await asks(allowed.origin, "/v1/check?feature=sms", { key, credentials: "include" }), KEPT);
    const { headers } = await service.request("/v1/check?feature=sms", { key, headers: { origin: allowed.origin } });
    assert.equal(headers.get("access-control-allow-origin"), allowed.origin);
    assert.equal(headers.get("access-control-allow-credentials"), null);
    assert.equal(headers.get("vary"), "Origin");
  });

  test("may be any where any is allowed, and has no other rights there", async (t) => {
    const open = await serve({ settings: { ENTGATE_TOKEN_SECRETS: SECRET, ENTGATE_ALLOWED_ORIGINS: "*" } });
    const before = service;
    service = open;
    t.after(async () => {
      service = before;
      await open.stop();
    });
    const key = await token("cus_ada");
    assert.equal((await asks(other.origin, "/v1/check?feature=sms", { key })).status, 200);
    assert.deepEqual(await asks(other.origin, "/v1/check?feature=sms", { key, credentials: "include" }), KEPT);
    assert.deepEqual(await asks(other.origin, "/v1/products", { key: KEY }), KEPT);
  });
});
