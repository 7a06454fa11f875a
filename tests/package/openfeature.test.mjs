// `entgate/openfeature` under OpenFeature's own web SDK and React SDK, in headless Chromium.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { browse } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { visit } from "./pages.mjs";
import { stage } from "./paint-recorder.mjs";
import { between, edge, root, token } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("OpenFeature's provider", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let site;
  let proxy;
  let page;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install(), browse()]);
    const entry = installed.write("page.mjs", readFileSync(root("tests/package/openfeature/page.mjs"), "utf8"));
    const bundle = await build({ entryPoints: [entry], bundle: true, write: false, nodePaths: [root("node_modules")] });
    site = await stage(bundle.outputFiles[0].text);
    site.set("", '<div id="root"></div>');
    site.release();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    installed?.remove();
    await service?.stop();
  });
  beforeEach(async () => {
    page = await visit(browser, site.url);
  });
  afterEach(async () => {
    await page?.close();
    await proxy?.stop();
    proxy = undefined;
  });

  const heard = [];
  const flag = (key, fallback) => page.evaluate(([key, fallback]) => flag(key, fallback), [key, fallback]);
  const told = () => page.evaluate(() => told());
  const status = () => page.evaluate(() => client.providerStatus);
  const tells = (expected) =>
    eventually(async () => {
      heard.push(...(await told()));
      assert.deepEqual(heard, expected);
    }).finally(() => heard.splice(0));

  test("a flag is what the gate says, and why", async () => {
    const set = await page.evaluate(() => set(new EntgateProvider((globalThis.gate = createTestGate({ sms: true })))));
    assert.equal(set, "READY");
    assert.deepEqual(await flag("sms"), [true, "TARGETING_MATCH", "entitled", "active_entitlement", 1]);
    // Even where the application's default is open.
    assert.deepEqual(await flag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
    await page.evaluate(() => gate.become("stale"));
    assert.deepEqual(await flag("sms"), [true, "STALE", "entitled", "active_entitlement", 1]);
    await page.evaluate(() => gate.become("loading"));
    assert.deepEqual(await flag("sms", true), [true, "PROVIDER_NOT_READY", "nothing is known of this customer yet"]);
  });

  test("what is no boolean is a mismatch, and what is in no list is not found", async () => {
    await page.evaluate(() => set(new EntgateProvider(createTestGate({ sms: true }), { features: ["sms", "sso"] })));
    const other = await page.evaluate(() => {
      const details = [
        client.getStringDetails("sms", "a"),
        client.getNumberDetails("sms", 1),
        client.getObjectDetails("sms", { a: 1 }),
        client.getStringDetails("smss", "a"),
      ];
      return details.map(({ value, errorCode, errorMessage }) => [value, errorCode, errorMessage]);
    });
    const mismatch = ["TYPE_MISMATCH", "`sms` is a feature, and boolean"];
    const missing = ["FLAG_NOT_FOUND", "no feature is called `smss`"];
    assert.deepEqual(other, [
      ["a", ...mismatch],
      [1, ...mismatch],
      [{ a: 1 }, ...mismatch],
      ["a", ...missing],
    ]);
    assert.deepEqual(await flag("smss", true), [true, ...missing]);
    assert.deepEqual(await flag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
  });

  test("it is ready when the gate is, and tells which flags have changed", async () => {
    const before = await page.evaluate(() => {
      globalThis.gate = createTestGate({ sms: true }, { state: "loading" });
      globalThis.ready = set(new EntgateProvider(gate));
      return [client.providerStatus, flag("sms", true)];
    });
    assert.deepEqual(before, ["NOT_READY", [true, "PROVIDER_NOT_READY", "provider has not yet initialized"]]);
    assert.deepEqual(await page.evaluate(() => (gate.become("ready"), ready)), "READY");
    await tells(["READY"]);
    await page.evaluate(() => gate.set({ sms: false, sso: true }));
    await tells(["CONFIGURATION_CHANGED sms,sso"]);
    await page.evaluate(() => gate.become("stale"));
    await tells(["STALE"]);
    assert.equal(await status(), "STALE");
    await page.evaluate(() => gate.become("error"));
    // All flags: nothing is known of any.
    await tells(["ERROR", "CONFIGURATION_CHANGED"]);
    assert.equal(await status(), "ERROR");
    await page.evaluate(() => gate.become("ready"));
    await tells(["READY", "CONFIGURATION_CHANGED"]);
    assert.deepEqual([await status(), await flag("sso")], ["READY", [true, "TARGETING_MATCH", "entitled", "active_entitlement", 2]]);
  });

  test("what is known and not certain is ready, and stale at once", async () => {
    assert.equal(await page.evaluate(() => set(new EntgateProvider(createTestGate({ sms: true }, { state: "stale" })))), "READY");
    await tells(["READY", "STALE"]);
    assert.deepEqual([await status(), await flag("sms")], ["STALE", [true, "STALE", "entitled", "active_entitlement", 1]]);
  });

  test("a signed event opens a part of OpenFeature's React, from the edge by the gate", async () => {
    await service.send(summary("cus_react", ["sms"]));
    const given = { endpoint: service.url.origin, token: await token(service, "cus_react"), storage: null };
    await page.evaluate((given) => (show(), set(new EntgateProvider(createGate(given)))), given);
    await page.waitForSelector("#sms:text-is('true')");
    assert.equal(await page.textContent("#sso"), "false");
    await service.send(summary("cus_react", ["sso"]));
    await page.waitForSelector("#sso:text-is('true')");
    assert.equal(await page.textContent("#sms"), "false");
    assert.deepEqual(page.complaints, []);
  });

  test("an edge that cannot be reached is an error, in which the gate's own fallback counts, until it is there", async () => {
    await service.send(summary("cus_outage", ["sms"]));
    proxy = await between(service);
    proxy.answer("/v1/snapshot", (response) => response.writeHead(500, { "access-control-allow-headers": "authorization" }).end());
    const given = { endpoint: proxy.url, token: await token(service, "cus_outage"), storage: null, live: false, fallback: { sso: true } };
    const outcome = await page.evaluate((given) => set(new EntgateProvider((globalThis.gate = createGate(given)))), given);
    assert.match(outcome, /^ERROR /);
    assert.deepEqual((await flag("sms", true)).slice(0, 2), [true, "PROVIDER_NOT_READY"]);
    assert.deepEqual(await flag("sso"), [true, "DEFAULT", "entitled", "fallback", 0]);
    await told();
    proxy.restore();
    await page.evaluate(() => gate.refresh());
    await eventually(async () => assert.equal(await status(), "READY"));
    assert.deepEqual(await told(), ["CONFIGURATION_CHANGED", "READY"]);
    assert.deepEqual(await flag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
  });

  test("another customer has another gate, and never the answers of the former one", async () => {
    const before = await page.evaluate(async () => {
      globalThis.made = [];
      const make = (customer, { plan }) => {
        const gate = createTestGate({ [customer]: true }, { state: "loading" });
        made.push({ customer, plan, gate, closed: false });
        const [own] = made.slice(-1);
        return {
          ...gate,
          get state() {
            return gate.state;
          },
          close: () => (own.closed = true),
        };
      };
      const outcome = await set(new EntgateProvider(make));
      return [outcome, flag("ada", true)];
    });
    assert.deepEqual(before, ["READY", [true, "TARGETING_KEY_MISSING", "`targetingKey` names the customer, and is not there"]]);
    const turn = (context) => page.evaluate((context) => void (globalThis.turned = OpenFeature.setContext(context)), context);
    const known = (at) => page.evaluate((at) => (made[at].gate.become("ready"), turned), at);
    await turn({ targetingKey: "ada", plan: "pro" });
    assert.deepEqual(
      [await status(), await flag("ada")],
      ["RECONCILING", [false, "PROVIDER_NOT_READY", "nothing is known of this customer yet"]],
    );
    await known(0);
    assert.deepEqual([await status(), await flag("ada")], ["READY", [true, "TARGETING_MATCH", "entitled", "active_entitlement", 1]]);
    await told();

    // Two in a row: whoever waits for the first waits for the second.
    await turn({ targetingKey: "bob" });
    await turn({ targetingKey: "eve" });
    assert.deepEqual(
      [await flag("ada"), await flag("bob")].map(([value, code]) => [value, code]),
      [
        [false, "PROVIDER_NOT_READY"],
        [false, "PROVIDER_NOT_READY"],
      ],
    );
    await known(2);
    assert.deepEqual([(await flag("eve"))[0], (await flag("bob"))[0], (await flag("ada"))[0]], [true, false, false]);
    assert.deepEqual(await told(), ["RECONCILING", "RECONCILING", "CONTEXT_CHANGED"]);

    // The same customer has the same gate, whatever else is said; nobody has none.
    await turn({ targetingKey: "eve", plan: "free" });
    assert.deepEqual([await page.evaluate(() => turned.then(() => made.length)), (await flag("eve"))[0]], [3, true]);
    await turn({});
    assert.equal((await flag("eve", false))[1], "TARGETING_KEY_MISSING");
    const all = await page.evaluate(() => turned.then(() => made.map(({ customer, plan, closed }) => [customer, plan, closed])));
    assert.deepEqual(all, [
      ["ada", "pro", true],
      ["bob", undefined, true],
      ["eve", undefined, true],
    ]);
  });

  test("a gate that is one customer's answers for no other", async () => {
    await page.evaluate(() => set(new EntgateProvider(createTestGate({ sms: true })), { targetingKey: "ada" }));
    assert.equal((await flag("sms"))[0], true);
    await page.evaluate(() => OpenFeature.setContext({ targetingKey: "bob" }));
    assert.deepEqual([await status(), await flag("sms")], ["ERROR", [false, "INVALID_CONTEXT", "the gate is another customer's"]]);
    await page.evaluate(() => OpenFeature.setContext({ targetingKey: "ada" }));
    assert.deepEqual([await status(), (await flag("sms"))[0]], ["READY", true]);
  });

  test("a provider that is replaced listens no more, and closes the gate that it made", async () => {
    const left = await page.evaluate(async () => {
      const [own, made] = [createTestGate({ sms: true }), createTestGate({ sms: true })];
      let closed = 0;
      for (const gate of [own, made]) gate.close = () => (closed += 1);
      await set(new EntgateProvider(own));
      await set(new EntgateProvider(() => made), { targetingKey: "ada" });
      const first = closed;
      await OpenFeature.clearProviders();
      told();
      for (const gate of [own, made]) gate.set({ sms: false });
      return [first, closed, told()];
    });
    assert.deepEqual(left, [0, 1, []]);
  });
});
