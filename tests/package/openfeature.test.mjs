// `entgate/openfeature` with OpenFeature's own web SDK and React SDK, in headless Chromium.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { build } from "esbuild";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { openPage } from "./pages.mjs";
import { serveDelayedScript } from "./paint-recorder.mjs";
import { createToken, root, serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

const NOT_LOADED = "the entitlements of this customer are not loaded yet";

describe("OpenFeature's provider", { timeout: 120_000 }, () => {
  let service;
  let installed;
  let browser;
  let site;
  let proxy;
  let page;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install(), launchBrowser()]);
    const entry = installed.write("page.mjs", readFileSync(root("tests/package/openfeature/page.mjs"), "utf8"));
    const bundle = await build({ entryPoints: [entry], bundle: true, write: false, nodePaths: [root("node_modules")] });
    site = await serveDelayedScript(bundle.outputFiles[0].text);
    site.setPage("", '<div id="root"></div>');
    site.releaseScript();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
    installed?.remove();
    await service?.stop();
  });
  beforeEach(async () => {
    page = await openPage(browser, site.url);
  });
  afterEach(async () => {
    await page?.close();
    await proxy?.stop();
    proxy = undefined;
  });

  const evaluateFlag = (key, fallback) => page.evaluate(([key, fallback]) => globalThis.api.evaluateFlag(key, fallback), [key, fallback]);
  const takeEvents = () => page.evaluate(() => globalThis.api.takeEvents());
  const status = () => page.evaluate(() => globalThis.api.client.providerStatus);
  const waitForEvents = async (expected) => {
    const events = [];
    await eventually(async () => {
      events.push(...(await takeEvents()));
      assert.deepEqual(events, expected);
    });
  };
  /**
   * Sets a provider of a test gate, which is the page's `gate`; returns the outcome.
   *
   * @param {Record<string, boolean>} answers
   * @param {{ state?: import("entgate").State }} [options]
   * @param {import("@openfeature/web-sdk").EvaluationContext} [context]
   * @param {import("entgate/openfeature").EntgateProviderOptions} [providerOptions]
   */
  const setTestProvider = (answers, options = {}, context, providerOptions = {}) =>
    page.evaluate(
      ([answers, options, context, providerOptions]) => {
        const { createTestGate, EntgateProvider, setProvider } = globalThis.api;
        globalThis.gate = createTestGate(answers, options);
        return setProvider(new EntgateProvider(globalThis.gate, providerOptions), context);
      },
      [answers, options, context, providerOptions],
    );

  test("a flag has the value and the reason of the gate's answer", async () => {
    assert.equal(await setTestProvider({ sms: true }), "READY");
    assert.deepEqual(await evaluateFlag("sms"), [true, "TARGETING_MATCH", "entitled", "active_entitlement", 1]);
    // The application's default is not used.
    assert.deepEqual(await evaluateFlag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
    await page.evaluate(() => globalThis.gate.become("stale"));
    assert.deepEqual(await evaluateFlag("sms"), [true, "STALE", "entitled", "active_entitlement", 1]);
    await page.evaluate(() => globalThis.gate.become("loading"));
    assert.deepEqual(await evaluateFlag("sms", true), [true, "PROVIDER_NOT_READY", NOT_LOADED]);
  });

  test("another type is a mismatch, and a flag that is not in the list is not found", async () => {
    await setTestProvider({ sms: true }, {}, undefined, { features: ["sms", "sso"] });
    const others = await page.evaluate(() => {
      const { client } = globalThis.api;
      const details = [
        client.getStringDetails("sms", "a"),
        client.getNumberDetails("sms", 1),
        client.getObjectDetails("sms", { a: 1 }),
        client.getStringDetails("smss", "a"),
      ];
      return details.map(({ value, errorCode, errorMessage }) => [value, errorCode, errorMessage]);
    });
    const mismatch = ["TYPE_MISMATCH", "`sms` is a feature: its value is a boolean"];
    const missing = ["FLAG_NOT_FOUND", "no feature has the key `smss`"];
    assert.deepEqual(others, [
      ["a", ...mismatch],
      [1, ...mismatch],
      [{ a: 1 }, ...mismatch],
      ["a", ...missing],
    ]);
    assert.deepEqual(await evaluateFlag("smss", true), [true, ...missing]);
    assert.deepEqual(await evaluateFlag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
  });

  test("the provider is ready when the gate is, and its events list the changed flags", async () => {
    const before = await page.evaluate(() => {
      const { client, createTestGate, EntgateProvider, evaluateFlag, setProvider } = globalThis.api;
      globalThis.gate = createTestGate({ sms: true }, { state: "loading" });
      globalThis.ready = setProvider(new EntgateProvider(globalThis.gate));
      return [client.providerStatus, evaluateFlag("sms", true)];
    });
    assert.deepEqual(before, ["NOT_READY", [true, "PROVIDER_NOT_READY", "provider has not yet initialized"]]);
    const outcome = await page.evaluate(() => {
      globalThis.gate.become("ready");
      return globalThis.ready;
    });
    assert.deepEqual(outcome, "READY");
    await waitForEvents(["READY"]);
    await page.evaluate(() => globalThis.gate.set({ sms: false, sso: true }));
    await waitForEvents(["CONFIGURATION_CHANGED sms,sso"]);
    await page.evaluate(() => globalThis.gate.become("stale"));
    await waitForEvents(["STALE"]);
    assert.equal(await status(), "STALE");
    await page.evaluate(() => globalThis.gate.become("error"));
    // Without a list: every flag can have changed.
    await waitForEvents(["ERROR", "CONFIGURATION_CHANGED"]);
    assert.equal(await status(), "ERROR");
    await page.evaluate(() => globalThis.gate.become("ready"));
    await waitForEvents(["READY", "CONFIGURATION_CHANGED"]);
    assert.deepEqual(
      [await status(), await evaluateFlag("sso")],
      ["READY", [true, "TARGETING_MATCH", "entitled", "active_entitlement", 2]],
    );
  });

  test("a gate that is stale from the start is ready, and then stale", async () => {
    assert.equal(await setTestProvider({ sms: true }, { state: "stale" }), "READY");
    await waitForEvents(["READY", "STALE"]);
    assert.deepEqual([await status(), await evaluateFlag("sms")], ["STALE", [true, "STALE", "entitled", "active_entitlement", 1]]);
  });

  test("a webhook shows a part of a page of OpenFeature's React SDK", async () => {
    await service.send(summary("cus_react", ["sms"]));
    const options = { endpoint: service.url.origin, token: await createToken(service, "cus_react"), storage: null };
    await page.evaluate((options) => {
      const { createGate, EntgateProvider, renderParts, setProvider } = globalThis.api;
      renderParts();
      return setProvider(new EntgateProvider(createGate(options)));
    }, options);
    await page.waitForSelector("#sms:text-is('true')");
    assert.equal(await page.textContent("#sso"), "false");
    await service.send(summary("cus_react", ["sso"]));
    await page.waitForSelector("#sso:text-is('true')");
    assert.equal(await page.textContent("#sms"), "false");
    assert.deepEqual(page.problems, []);
  });

  test("an outage is an error, during which the gate's fallback is used", async () => {
    await service.send(summary("cus_outage", ["sms"]));
    proxy = await flakyProxy(service);
    proxy.respond("/v1/snapshot", (response) => response.writeHead(500, { "access-control-allow-headers": "authorization" }).end());
    const token = await createToken(service, "cus_outage");
    const options = { endpoint: proxy.url, token, storage: null, live: false, fallback: { sso: true } };
    const outcome = await page.evaluate((options) => {
      const { createGate, EntgateProvider, setProvider } = globalThis.api;
      globalThis.gate = createGate(options);
      return setProvider(new EntgateProvider(globalThis.gate));
    }, options);
    assert.match(outcome, /^ERROR /);
    assert.deepEqual((await evaluateFlag("sms", true)).slice(0, 2), [true, "PROVIDER_NOT_READY"]);
    assert.deepEqual(await evaluateFlag("sso"), [true, "DEFAULT", "entitled", "fallback", 0]);
    await takeEvents();
    proxy.forwardAll();
    await page.evaluate(() => globalThis.gate.refresh());
    await eventually(async () => assert.equal(await status(), "READY"));
    assert.deepEqual(await takeEvents(), ["CONFIGURATION_CHANGED", "READY"]);
    assert.deepEqual(await evaluateFlag("sso", true), [false, "TARGETING_MATCH", "not_entitled", "not_entitled", 1]);
  });

  test("each customer has a gate of its own, and never the answers of the previous customer", async () => {
    const before = await page.evaluate(async () => {
      const { createTestGate, EntgateProvider, evaluateFlag, setProvider } = globalThis.api;
      globalThis.created = [];
      /** @type {import("entgate/openfeature").Make} */
      const create = (customer, { plan }) => {
        const gate = createTestGate({ [customer]: true }, { state: "loading" });
        const entry = { customer, plan, gate, closed: false };
        globalThis.created.push(entry);
        return {
          ...gate,
          get state() {
            return gate.state;
          },
          close() {
            entry.closed = true;
          },
        };
      };
      const outcome = await setProvider(new EntgateProvider(create));
      return [outcome, evaluateFlag("ada", true)];
    });
    assert.deepEqual(before, ["READY", [true, "TARGETING_KEY_MISSING", "`targetingKey` is missing: it has to be the customer id"]]);
    const setContext = (context) =>
      page.evaluate((context) => {
        globalThis.contextSet = globalThis.api.OpenFeature.setContext(context);
      }, context);
    const makeReady = (index) =>
      page.evaluate((index) => {
        globalThis.created[index].gate.become("ready");
        return globalThis.contextSet;
      }, index);
    await setContext({ targetingKey: "ada", plan: "pro" });
    assert.deepEqual([await status(), await evaluateFlag("ada")], ["RECONCILING", [false, "PROVIDER_NOT_READY", NOT_LOADED]]);
    await makeReady(0);
    assert.deepEqual(
      [await status(), await evaluateFlag("ada")],
      ["READY", [true, "TARGETING_MATCH", "entitled", "active_entitlement", 1]],
    );
    await takeEvents();

    // Two changes in a row: both calls of the SDK wait for the second gate.
    await setContext({ targetingKey: "bob" });
    await setContext({ targetingKey: "eve" });
    assert.deepEqual(
      [await evaluateFlag("ada"), await evaluateFlag("bob")].map(([value, code]) => [value, code]),
      [
        [false, "PROVIDER_NOT_READY"],
        [false, "PROVIDER_NOT_READY"],
      ],
    );
    await makeReady(2);
    assert.deepEqual(
      [(await evaluateFlag("eve"))[0], (await evaluateFlag("bob"))[0], (await evaluateFlag("ada"))[0]],
      [true, false, false],
    );
    assert.deepEqual(await takeEvents(), ["RECONCILING", "RECONCILING", "CONTEXT_CHANGED"]);

    // Other attributes of the same customer do not create a gate; a context without a customer has none.
    await setContext({ targetingKey: "eve", plan: "free" });
    const count = await page.evaluate(() => globalThis.contextSet.then(() => globalThis.created.length));
    assert.deepEqual([count, (await evaluateFlag("eve"))[0]], [3, true]);
    await setContext({});
    assert.equal((await evaluateFlag("eve", false))[1], "TARGETING_KEY_MISSING");
    const all = await page.evaluate(() =>
      globalThis.contextSet.then(() => globalThis.created.map(({ customer, plan, closed }) => [customer, plan, closed])),
    );
    assert.deepEqual(all, [
      ["ada", "pro", true],
      ["bob", undefined, true],
      ["eve", undefined, true],
    ]);
  });

  test("a gate of one customer does not answer for another", async () => {
    await setTestProvider({ sms: true }, {}, { targetingKey: "ada" });
    assert.equal((await evaluateFlag("sms"))[0], true);
    await page.evaluate(() => globalThis.api.OpenFeature.setContext({ targetingKey: "bob" }));
    assert.deepEqual(
      [await status(), await evaluateFlag("sms")],
      ["ERROR", [false, "INVALID_CONTEXT", "the gate belongs to another customer"]],
    );
    await page.evaluate(() => globalThis.api.OpenFeature.setContext({ targetingKey: "ada" }));
    assert.deepEqual([await status(), (await evaluateFlag("sms"))[0]], ["READY", true]);
  });

  test("a replaced provider removes its listeners, and closes the gate that it created", async () => {
    const counts = await page.evaluate(async () => {
      const { createTestGate, EntgateProvider, OpenFeature, setProvider, takeEvents } = globalThis.api;
      const [given, created] = [createTestGate({ sms: true }), createTestGate({ sms: true })];
      let closed = 0;
      for (const gate of [given, created]) {
        gate.close = () => {
          closed += 1;
        };
      }
      await setProvider(new EntgateProvider(given));
      await setProvider(new EntgateProvider(() => created), { targetingKey: "ada" });
      const closedByReplacement = closed;
      await OpenFeature.clearProviders();
      takeEvents();
      for (const gate of [given, created]) gate.set({ sms: false });
      return [closedByReplacement, closed, takeEvents()];
    });
    assert.deepEqual(counts, [0, 1, []]);
  });
});
