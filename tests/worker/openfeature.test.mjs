// OpenFeature's web SDK and React SDK over OFREP, in headless Chromium: a page of another origin that has no code of ours.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SignJWT } from "jose";
import { launchBrowser } from "./browser.mjs";
import { line, site } from "./openfeature/site.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

const TOKEN_SECRET = "a secret that signs customers' tokens here".replaceAll(" ", "-");

/** Seconds after its `exp` in which a token is still taken. */
const LEEWAY = 60;

describe("OpenFeature in a browser", { timeout: 120_000 }, () => {
  let service, shop, browser;
  before(async () => {
    shop = await site();
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: TOKEN_SECRET, ENTGATE_ALLOWED_ORIGINS: shop.origin } });
    browser = await launchBrowser();
    // So that there are features that a customer may lack. Who has them tells of them a moment later.
    await grant("cus_everything", ["sms", "sso", "export"]);
    await eventually(async () => assert.equal(await evaluated("cus_nothing", "export"), 200), 20_000);
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
    shop?.close();
  });

  async function grant(customer, keys, more) {
    const { status, text } = await service.send(summary(customer, keys, more));
    assert.equal(status, 200, text);
  }

  /** The status of one flag's evaluation. */
  async function evaluated(customer, key) {
    const body = JSON.stringify({ context: { targetingKey: customer } });
    const headers = { "content-type": "application/json" };
    return (await service.request(`/ofrep/v1/evaluate/flags/${key}`, { method: "POST", body, headers })).status;
  }

  /** The token that the shop's backend would ask for. */
  async function token(customer) {
    const body = JSON.stringify({ customer });
    const { status, json, text } = await service.request("/v1/tokens", {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    assert.equal(status, 200, text);
    return json.token;
  }

  /** A token that is taken for so many seconds more. */
  function brief(customer, left) {
    const now = unixNow();
    const claims = { sub: customer, aud: "entgate", iat: now - LEEWAY, exp: now - LEEWAY + left, jti: "brief", livemode: false };
    return new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(TOKEN_SECRET));
  }

  /** The page of a customer, over a way to entgate; what came of the provider's start. */
  async function visit(customer, { url = service.url, shown = customer, ...more } = {}) {
    const page = await browser.newPage();
    const asked = [];
    page.on("request", (request) => asked.push(request));
    await page.addInitScript((given) => (window.token = given), more.token ?? (await token(customer)));
    await page.goto(`${shop.origin}/?${new URLSearchParams({ baseUrl: url.origin, customer: shown })}`);
    await page.waitForFunction(() => "ready" in window);
    return { page, asked, ready: await page.evaluate(() => window.ready) };
  }

  const details = (page, key, fallback) => page.evaluate(([key, fallback]) => window.details(key, fallback), [key, fallback]);
  const shows = (page, feature, open) => page.waitForSelector(`#${feature}[data-open=${open}]`);
  const told = (page, event) => page.evaluate((event) => window.events.filter((each) => each.event === event), event);
  const streams = (asked) =>
    asked.filter((request) => new URL(request.url()).pathname === "/ofrep/v1/stream").map((request) => request.url());

  test("each known feature is true or false, and one that is not known is an error with the default", async () => {
    await grant("cus_ada", ["sms"]);
    const { page, ready } = await visit("cus_ada");
    assert.equal(ready, "ready");
    const sms = await details(page, "sms");
    assert.deepEqual([sms.value, sms.reason, sms.variant, sms.errorCode], [true, "TARGETING_MATCH", "entitled", undefined]);
    // Even where the application's default is open.
    const sso = await details(page, "sso", true);
    assert.deepEqual([sso.value, sso.reason, sso.variant, sso.errorCode], [false, "TARGETING_MATCH", "not_entitled", undefined]);
    const none = await details(page, "no-such-feature", true);
    assert.deepEqual([none.value, none.errorCode], [true, "FLAG_NOT_FOUND"]);
    await page.close();
  });

  test("a change that a webhook tells of is seen without asking, by the web SDK and by React", async () => {
    await grant("cus_live", ["sms"]);
    const { page, asked } = await visit("cus_live");
    await shows(page, "sms", true);
    await shows(page, "sso", false);
    await eventually(() => assert.equal(streams(asked).length, 1));
    await grant("cus_live", ["sso"], { created: unixNow() + 1 });
    await shows(page, "sso", true);
    await shows(page, "sms", false);
    assert.equal((await details(page, "sso")).value, true);
    const [change] = (await told(page, "PROVIDER_CONFIGURATION_CHANGED")).slice(-1);
    assert.deepEqual(change.flagsChanged.toSorted(), ["sms", "sso"]);
    // The same stream all the while: its URL is none that each answer changes.
    assert.equal(streams(asked).length, 1);
    await page.close();
  });

  test("a change of another customer is not even noticed", async () => {
    await grant("cus_quiet", ["sms"]);
    await grant("cus_loud", ["sms"]);
    const [quiet, loud] = [await visit("cus_quiet"), await visit("cus_loud")];
    await eventually(() =>
      assert.deepEqual(
        [quiet, loud].map(({ asked }) => streams(asked).length),
        [1, 1],
      ),
    );
    // The notice at the beginning of each stream has been followed up.
    const evaluations = ({ asked }) =>
      asked.filter((request) => request.url().includes("/evaluate/") && request.method() === "POST").length;
    await eventually(() => assert.deepEqual([quiet, loud].map(evaluations), [2, 2]));
    await grant("cus_loud", ["sso"], { created: unixNow() + 1 });
    await shows(loud.page, "sso", true);
    assert.equal(evaluations(quiet), 2);
    await shows(quiet.page, "sso", false);
    await Promise.all([quiet.page.close(), loud.page.close()]);
  });

  test("what changes while the line is cut is seen when it is back", async () => {
    await grant("cus_train", ["sms"]);
    const way = await line(service.url);
    try {
      const { page, asked } = await visit("cus_train", { url: way.url });
      await shows(page, "sms", true);
      await eventually(() => assert.equal(streams(asked).length, 1));
      way.cut();
      await eventually(async () => assert.ok((await told(page, "PROVIDER_STALE")).length > 0));
      await grant("cus_train", ["sso"], { created: unixNow() + 1 });
      // Nothing is taken away meanwhile.
      assert.equal((await details(page, "sms")).value, true);
      way.mend();
      await page.waitForSelector("#sso[data-open=true]", { timeout: 40_000 });
      await shows(page, "sms", false);
      await page.close();
    } finally {
      way.close();
    }
  });

  test("an expired token is an error until the application hands over another one", async () => {
    await grant("cus_token", ["sms"]);
    const { page, ready } = await visit("cus_token", { token: await brief("cus_token", 3) });
    assert.equal(ready, "ready");
    const refresh = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    const refused = page.waitForResponse((response) => response.status() === 401 && response.url().includes("/evaluate/"));
    await eventually(async () => {
      await refresh();
      const outcome = await Promise.race([refused.then(() => "refused"), new Promise((resolve) => setTimeout(resolve, 100, "taken"))]);
      assert.equal(outcome, "refused");
    }, 20_000);
    // The last answer stands.
    await shows(page, "sms", true);
    await page.evaluate((fresh) => (window.token = fresh), await token("cus_token"));
    await grant("cus_token", ["sso"], { created: unixNow() + 1 });
    await refresh();
    await shows(page, "sso", true);
    await page.close();
  });

  test("a token of one customer shows nothing of another", async () => {
    const { page, ready } = await visit("cus_ada", { shown: "cus_everything" });
    assert.match(ready, /^ProviderFatalError/);
    assert.equal((await details(page, "export")).value, false);
    await page.close();
  });

  test("the token of a stream opens nothing but streams", async () => {
    await grant("cus_url", ["sms"]);
    const { page, asked } = await visit("cus_url");
    const [url] = await eventually(() => {
      assert.equal(streams(asked).length, 1);
      return streams(asked);
    });
    const given = new URL(url).searchParams.get("token");
    const { status, json } = await service.request("/v1/check?feature=sms", { key: given });
    assert.deepEqual([status, json.error.code], [401, "token_invalid"]);
    await page.close();
  });
});
