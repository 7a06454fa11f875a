// `POST /v1/customers/{id}/sync`: reads Stripe's list now and, with `wait`, until the customer has a feature.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { entitlement, eventually, serve, summary, unixNow } from "./support.mjs";

describe("POST /v1/customers/{id}/sync", { concurrency: true, timeout: 30_000 }, () => {
  let stripe;
  let service;
  before(async () => {
    stripe = await fakeStripe();
    service = await serve({ settings: stripe.settings, log: [] });
  });
  after(async () => {
    await service.stop();
    await stripe.stop();
  });

  /** A sync that waits up to `wait` seconds for the feature `sms`: the response, and how long it took in milliseconds. */
  const syncAndWait = async (customer, wait) => {
    const began = Date.now();
    const { status, json } = await service.sync(customer, { feature: "sms", wait });
    return { took: Date.now() - began, status, json };
  };
  /**
   * Fails if a result takes longer.
   *
   * @template Result
   * @param {number} timeout In milliseconds.
   * @param {Promise<Result>} result
   * @returns {Promise<Result>}
   */
  const within = (timeout, result) => {
    const expired = new Promise((_, reject) => {
      setTimeout(() => reject(new Error(`no response for ${timeout} ms`)), timeout).unref();
    });
    return Promise.race([result, expired]);
  };

  test("a sync reads Stripe's list and returns the set, without any event", async () => {
    stripe.setEntitlements("cus_now", ["sms"]);
    const { status, json } = await service.sync("cus_now");
    assert.equal(status, 200);
    assert.ok(Math.abs(json.as_of - unixNow()) <= 2);
    const entitlements = {
      object: "list",
      data: [entitlement("cus_now", "sms")],
      has_more: false,
      url: "/v1/entitlements/active_entitlements",
    };
    assert.deepEqual(json, {
      object: "customer_sync",
      customer: "cus_now",
      version: 1,
      as_of: json.as_of,
      served_by: "source",
      entitlements,
    });

    stripe.setEntitlements("cus_now", ["sso"]);
    const again = await service.sync("cus_now", { feature: "sms" });
    assert.deepEqual([again.json.version, again.json.feature, again.json.entitled, again.json.served_by], [2, "sms", false, "source"]);
    assert.deepEqual(again.json.entitlements.data, [entitlement("cus_now", "sso")]);
    const { json: check } = await service.check("cus_now", "sso", { at_least: 2 });
    assert.deepEqual([check.entitled, check.version], [true, 2]);
    assert.equal(stripe.listCalls("cus_now").length, 2);
  });

  test("a sync returns at most a hundred entitlements, and has_more if there are more", async () => {
    for (const [count, returned, more] of /** @type {[number, number, boolean][]} */ ([
      [100, 100, false],
      [101, 100, true],
    ])) {
      stripe.setEntitlements(
        `cus_${count}`,
        Array.from({ length: count }, (_, i) => `f${i}`),
      );
      const { json } = await service.sync(`cus_${count}`, { feature: `f${count - 1}` });
      assert.deepEqual([json.entitlements.data.length, json.entitlements.has_more, json.entitled], [returned, more, true]);
    }
  });

  test("a sync does not use a read that began before it", async () => {
    stripe.setEntitlements("cus_new", []);
    const release = stripe.delayResponses("cus_new");
    const check = service.check("cus_new", "sms");
    await stripe.waitForCalls(1, "cus_new");
    stripe.setEntitlements("cus_new", ["sms"]);
    const sync = service.sync("cus_new", { feature: "sms" });
    // Once the same Worker has responded to this, the sync waits.
    await service.health();
    release();
    assert.deepEqual((await check).json.entitled, false);
    assert.deepEqual((await sync).json.entitled, true);
    assert.equal(stripe.listCalls("cus_new").length, 2);
  });

  test("a hundred syncs at once share at most two reads", async () => {
    stripe.setEntitlements("cus_hundred", ["sms"]);
    const release = stripe.delayResponses("cus_hundred");
    const syncs = Array.from({ length: 100 }, () => service.sync("cus_hundred", { feature: "sms" }));
    await stripe.waitForCalls(1, "cus_hundred");
    await service.health();
    release();
    for (const { status, json } of await Promise.all(syncs)) assert.deepEqual([status, json.entitled], [200, true]);
    assert.ok(stripe.listCalls("cus_hundred").length <= 2, `${stripe.listCalls("cus_hundred").length} reads`);
  });

  test("a waiting sync returns at once if the customer has the feature", async () => {
    stripe.setEntitlements("cus_entitled", ["sms"]);
    const { took, json } = await syncAndWait("cus_entitled", 25);
    assert.deepEqual([json.entitled, json.served_by], [true, "source"]);
    assert.ok(took < 15_000, `${took} ms`);
  });

  test("a waiting sync returns as soon as an event grants the feature", async () => {
    stripe.setEntitlements("cus_event", []);
    const sync = syncAndWait("cus_event", 10);
    await stripe.waitForCalls(1, "cus_event");
    // Once the result of the read is applied, the sync waits for a change.
    await eventually(async () => assert.equal((await service.check("cus_event", "sms", { fresh: true })).json.reason, "not_entitled"));
    assert.equal((await service.send(summary("cus_event", ["sms"], { created: unixNow() + 60 }))).json.outcome, "applied");
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.version, json.served_by], [200, true, 2, "ledger"]);
    assert.equal(stripe.listCalls("cus_event").length, 1, "before the next read");
  });

  test("a waiting sync returns as soon as an event grants the feature, even if Stripe does not respond", async () => {
    stripe.setEntitlements("cus_silent", []);
    const release = stripe.delayResponses("cus_silent");
    const sync = syncAndWait("cus_silent", 10);
    try {
      await stripe.waitForCalls(1, "cus_silent");
      assert.equal((await service.send(summary("cus_silent", ["sms"]))).json.outcome, "applied");
      const { status, json } = await within(8_000, sync);
      assert.deepEqual([status, json.entitled], [200, true]);
    } finally {
      release();
      await sync;
    }
  });

  test("a waiting sync returns as soon as Stripe's list has the feature, without an event", async () => {
    stripe.setEntitlements("cus_quiet", []);
    const sync = syncAndWait("cus_quiet", 20);
    await stripe.waitForCalls(1, "cus_quiet");
    stripe.setEntitlements("cus_quiet", ["sms"]);
    const { json } = await sync;
    assert.deepEqual([json.entitled, json.served_by], [true, "source"]);
    const reads = stripe.listCalls("cus_quiet").map(({ at }) => at);
    assert.equal(reads.length, 2);
    const pause = reads[1] - reads[0];
    assert.ok(pause >= 1_000 && pause < 7_000, `${pause} ms`);
  });

  test("a waiting sync returns a denial after the given time", async () => {
    stripe.setEntitlements("cus_never", ["sso"]);
    const { took, status, json } = await syncAndWait("cus_never", 3);
    assert.equal(status, 200, JSON.stringify(json));
    assert.deepEqual([json.entitled, json.entitlements.data.length], [false, 1]);
    assert.ok(took >= 2_950 && took < 10_000, `${took} ms`);
    const reads = stripe.listCalls("cus_never").length;
    assert.ok(reads <= 2, `${reads} reads, where one at the beginning and one at the end suffice`);
  });

  test("a waiting sync is a 503 after the given time, if Stripe does not respond", async () => {
    stripe.setEntitlements("cus_late", ["sso"]);
    const release = stripe.delayResponses("cus_late");
    const sync = syncAndWait("cus_late", 1);
    try {
      assert.equal((await within(7_500, sync)).status, 503);
    } finally {
      release();
      await sync;
    }
  });

  test("if Stripe fails, a waiting sync returns the set of an event, or a 503 without an event", async () => {
    stripe.failAlways({ status: 500, shouldRetry: "false" }, "cus_fails");
    const failed = await syncAndWait("cus_fails", 1);
    assert.deepEqual([failed.status, failed.json.error.type], [503, "api_error"]);
    const sync = syncAndWait("cus_fails", 20);
    await stripe.waitForCalls(2, "cus_fails");
    assert.equal((await service.send(summary("cus_fails", ["sms"]))).json.outcome, "applied");
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.served_by], [200, true, "ledger"]);
    stripe.setEntitlements("cus_fails", ["sms"]);
    stripe.failAlways(undefined, "cus_fails");
  });

  test("a sync of an unknown customer is a 404, also after waiting", async () => {
    for (const more of [{}, { feature: "sms", wait: 3 }]) {
      const { status, json } = await service.sync("cus_unknown", more);
      assert.equal(status, 404);
      assert.deepEqual(json.error, {
        type: "invalid_request_error",
        code: "resource_missing",
        message: "No such customer: 'cus_unknown'",
        param: "id",
      });
    }
  });

  test("a waiting sync finds a customer who is created meanwhile", async () => {
    const sync = syncAndWait("cus_created", 10);
    await stripe.waitForCalls(1, "cus_created");
    stripe.setEntitlements("cus_created", ["sms"]);
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.version], [200, true, 1]);
  });

  test("invalid parameters, keys and methods are errors, without a request to Stripe", async () => {
    for (const [query, param, code] of [
      ["feature=sms&wait=26", "wait", "parameter_invalid_integer"],
      ["feature=sms&wait=-1", "wait", "parameter_invalid_integer"],
      ["feature=sms&wait=soon", "wait", "parameter_invalid_integer"],
      ["feature=sms&wait=1.5", "wait", "parameter_invalid_integer"],
      ["wait=1", "wait", "parameter_invalid"],
      ["feature=", "feature", "parameter_invalid_empty"],
      ["features=sms", "features", "parameter_unknown"],
    ]) {
      const { status, json } = await service.request(`/v1/customers/cus_bad/sync?${query}`, { method: "POST" });
      assert.deepEqual([status, json.error.param, json.error.code], [400, param, code], query);
    }
    assert.equal((await service.request("/v1/customers/cus_bad/sync", { method: "POST", key: "sk_test_wrong" })).status, 401);
    const wrongMethod = await service.request("/v1/customers/cus_bad/sync");
    assert.deepEqual([wrongMethod.status, wrongMethod.headers.get("allow")], [405, "OPTIONS, POST"]);
    assert.equal(stripe.listCalls("cus_bad").length, 0);
  });

  test("parameters may be in a form or in JSON", async () => {
    stripe.setEntitlements("cus_form", ["sms"]);
    for (const [type, body] of [
      ["application/x-www-form-urlencoded", "feature=sms&wait=5"],
      ["application/json", '{"feature":"sms","wait":5}'],
    ]) {
      const { status, json } = await service.request("/v1/customers/cus_form/sync", {
        method: "POST",
        body,
        headers: { "content-type": type },
      });
      assert.deepEqual([status, json.feature, json.entitled], [200, "sms", true], type);
    }
  });

  test("a sync of a live customer without a live key for Stripe is an error that names the setting", async () => {
    const { status, json } = await service.request("/v1/customers/cus_live/sync", { method: "POST", key: "sk_live_entgate" });
    assert.equal(status, 400);
    assert.match(json.error.message, /no key of live mode for it: set STRIPE_API_KEY\.$/);
  });
});
