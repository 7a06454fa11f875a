/// <reference path="./openfeature/window.d.ts" />
// OpenFeature's web SDK and React SDK over OFREP in headless Chromium, on a page of another origin without code of entgate.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SignJWT } from "jose";
import { launchBrowser } from "./browser.mjs";
import { startFlakyProxy } from "./openfeature/flaky-proxy.mjs";
import { startSite } from "./openfeature/site.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

const TOKEN_SECRET = "a secret that signs customers' tokens here".replaceAll(" ", "-");

describe("OpenFeature in a browser", { timeout: 120_000 }, () => {
  let service;
  let site;
  let browser;
  before(async () => {
    site = await startSite();
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: TOKEN_SECRET, ENTGATE_ALLOWED_ORIGINS: site.origin } });
    browser = await launchBrowser();
    // Features that other customers lack. The ledger reports them to the customer index a second later.
    await grant("cus_everything", ["sms", "sso", "export"]);
    await eventually(async () => assert.equal(await evaluate("cus_nothing", "export"), 200), 20_000);
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
    site?.close();
  });

  async function grant(customer, keys, options = {}) {
    const { status, text } = await service.send(summary(customer, keys, options));
    assert.equal(status, 200, text);
  }

  /** The status of one flag's evaluation. */
  async function evaluate(customer, key) {
    const body = JSON.stringify({ context: { targetingKey: customer } });
    const headers = { "content-type": "application/json" };
    return (await service.request(`/ofrep/v1/evaluate/flags/${key}`, { method: "POST", body, headers })).status;
  }

  /** Creates a token, as the site's backend would. */
  async function createToken(customer) {
    const body = JSON.stringify({ customer });
    const { status, json, text } = await service.request("/v1/tokens", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    assert.equal(status, 200, text);
    return json.token;
  }

  /** A token that is accepted for this number of seconds. */
  function createShortToken(customer, seconds) {
    const now = unixNow();
    const claims = { sub: customer, aud: "entgate", iat: now, exp: now + seconds, jti: "brief", livemode: false };
    return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(TOKEN_SECRET));
  }

  /**
   * Opens the page for a customer. Returns the page, its requests, and the result of the provider's start.
   *
   * @param {string} customer
   * @param {{ url?: URL, targetingKey?: string, token?: string }} [options] The URL of entgate, the customer whose flags are evaluated, and the token.
   */
  async function openPage(customer, { url = service.url, targetingKey = customer, token } = {}) {
    const page = await browser.newPage();
    const requests = [];
    page.on("request", (request) => requests.push(request));
    token ??= await createToken(customer);
    await page.addInitScript((token) => {
      window.flagPage = { token, events: [] };
    }, token);
    await page.goto(`${site.origin}/?${new URLSearchParams({ baseUrl: `${url?.origin}`, customer: targetingKey })}`);
    await page.waitForFunction(() => window.flagPage.ready !== undefined);
    return { page, requests, ready: await page.evaluate(() => window.flagPage.ready) };
  }

  const details = (page, key, fallback) => page.evaluate(([key, fallback]) => window.flagPage.details?.(key, fallback), [key, fallback]);
  const waitForFlag = (page, feature, open) => page.waitForSelector(`#${feature}[data-open=${open}]`);
  const providerEvents = (page, name) => page.evaluate((name) => window.flagPage.events.filter(({ event }) => event === name), name);
  const streams = (requests) =>
    requests.filter((request) => new URL(request.url()).pathname === "/ofrep/v1/stream").map((request) => request.url());

  test("a known feature is true or false, and an unknown one is an error with the default", async () => {
    await grant("cus_ada", ["sms"]);
    const { page, ready } = await openPage("cus_ada");
    assert.equal(ready, "ready");
    const sms = await details(page, "sms");
    assert.deepEqual([sms.value, sms.reason, sms.variant, sms.errorCode], [true, "TARGETING_MATCH", "entitled", undefined]);
    // The default `true` is not used for a known feature.
    const sso = await details(page, "sso", true);
    assert.deepEqual([sso.value, sso.reason, sso.variant, sso.errorCode], [false, "TARGETING_MATCH", "not_entitled", undefined]);
    const none = await details(page, "no-such-feature", true);
    assert.deepEqual([none.value, none.errorCode], [true, "FLAG_NOT_FOUND"]);
    await page.close();
  });

  test("a change by a webhook updates the web SDK and React without a reload", async () => {
    await grant("cus_live", ["sms"]);
    const { page, requests } = await openPage("cus_live");
    await waitForFlag(page, "sms", true);
    await waitForFlag(page, "sso", false);
    await eventually(() => assert.equal(streams(requests).length, 1));
    await grant("cus_live", ["sso"], { created: unixNow() + 1 });
    await waitForFlag(page, "sso", true);
    await waitForFlag(page, "sms", false);
    assert.equal((await details(page, "sso")).value, true);
    const [change] = (await providerEvents(page, "PROVIDER_CONFIGURATION_CHANGED")).slice(-1);
    assert.deepEqual(change.flagsChanged.toSorted(), ["sms", "sso"]);
    // The stream stays open, since its URL does not change with each response.
    assert.equal(streams(requests).length, 1);
    await page.close();
  });

  test("a change of another customer sends no request", async () => {
    await grant("cus_quiet", ["sms"]);
    await grant("cus_loud", ["sms"]);
    const [quiet, loud] = [await openPage("cus_quiet"), await openPage("cus_loud")];
    await eventually(() =>
      assert.deepEqual(
        [quiet, loud].map(({ requests }) => streams(requests).length),
        [1, 1],
      ),
    );
    // The first message of each stream has caused a second evaluation.
    const evaluations = ({ requests }) =>
      requests.filter((request) => request.url().includes("/evaluate/") && request.method() === "POST").length;
    await eventually(() => assert.deepEqual([quiet, loud].map(evaluations), [2, 2]));
    await grant("cus_loud", ["sso"], { created: unixNow() + 1 });
    await waitForFlag(loud.page, "sso", true);
    assert.equal(evaluations(quiet), 2);
    await waitForFlag(quiet.page, "sso", false);
    await Promise.all([quiet.page.close(), loud.page.close()]);
  });

  test("a change during a lost connection is seen after the reconnection", async () => {
    await grant("cus_train", ["sms"]);
    const proxy = await startFlakyProxy(service.url);
    try {
      const { page, requests } = await openPage("cus_train", { url: proxy.url });
      await waitForFlag(page, "sms", true);
      await eventually(() => assert.equal(streams(requests).length, 1));
      proxy.disconnect();
      await eventually(async () => assert.ok((await providerEvents(page, "PROVIDER_STALE")).length > 0));
      await grant("cus_train", ["sso"], { created: unixNow() + 1 });
      // The last value stays meanwhile.
      assert.equal((await details(page, "sms")).value, true);
      proxy.reconnect();
      await page.waitForSelector("#sso[data-open=true]", { timeout: 40_000 });
      await waitForFlag(page, "sms", false);
      await page.close();
    } finally {
      proxy.close();
    }
  });

  test("an expired token is an error until the application sets another token", async () => {
    await grant("cus_token", ["sms"]);
    const { page, ready } = await openPage("cus_token", { token: await createShortToken("cus_token", 3) });
    assert.equal(ready, "ready");
    const refresh = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    const rejected = page.waitForResponse((response) => response.status() === 401 && response.url().includes("/evaluate/"));
    await eventually(async () => {
      await refresh();
      const outcome = await Promise.race([rejected.then(() => "rejected"), new Promise((resolve) => setTimeout(resolve, 100, "accepted"))]);
      assert.equal(outcome, "rejected");
    }, 20_000);
    // The last value stays.
    await waitForFlag(page, "sms", true);
    await page.evaluate(
      (token) => {
        window.flagPage.token = token;
      },
      await createToken("cus_token"),
    );
    await grant("cus_token", ["sso"], { created: unixNow() + 1 });
    await refresh();
    await waitForFlag(page, "sso", true);
    await page.close();
  });

  test("a customer's token evaluates no flag of another customer", async () => {
    const { page, ready } = await openPage("cus_ada", { targetingKey: "cus_everything" });
    assert.match(ready, /^ProviderFatalError/);
    assert.equal((await details(page, "export")).value, false);
    await page.close();
  });

  test("the token of a stream is valid for that stream only", async () => {
    await grant("cus_url", ["sms"]);
    const { page, requests } = await openPage("cus_url");
    const [url] = await eventually(() => {
      assert.equal(streams(requests).length, 1);
      return streams(requests);
    });
    const streamToken = new URL(url).searchParams.get("token");
    const { status, json } = await service.request("/v1/check?feature=sms", { key: streamToken });
    assert.deepEqual([status, json.error.code], [401, "token_invalid"]);
    const stream = await service.request(`/v1/stream?token=${streamToken}`);
    assert.deepEqual([stream.status, stream.json.error.code], [401, "token_invalid"]);
    await page.close();
  });
});
