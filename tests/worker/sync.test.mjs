// POST /v1/customers/{id}/sync: what Stripe says now, and as soon as a feature is there.

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

  /** How long something takes, in milliseconds, and what it comes to. */
  const timed = async (work) => {
    const began = Date.now();
    const { status, json } = await work;
    return { took: Date.now() - began, status, json };
  };
  const within = (limit, work) => {
    const late = new Promise((_, reject) => setTimeout(reject, limit, new Error(`no answer for ${limit} ms`)).unref());
    return Promise.race([work, late]);
  };
  const waits = (customer, wait) => timed(service.sync(customer, { feature: "sms", wait }));

  test("reads Stripe's list now and answers the set, of which no event told", async () => {
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

  test("answers a hundred entitlements at most, and says that there are more", async () => {
    for (const [count, shown, more] of [
      [100, 100, false],
      [101, 100, true],
    ]) {
      stripe.setEntitlements(
        `cus_${count}`,
        Array.from({ length: count }, (_, i) => `f${i}`),
      );
      const { json } = await service.sync(`cus_${count}`, { feature: `f${count - 1}` });
      assert.deepEqual([json.entitlements.data.length, json.entitlements.has_more, json.entitled], [shown, more, true]);
    }
  });

  test("does not take a read that was begun before it", async () => {
    stripe.setEntitlements("cus_new", []);
    const release = stripe.delayResponses("cus_new");
    const check = service.check("cus_new", "sms");
    await stripe.waitForCalls(1, "cus_new");
    stripe.setEntitlements("cus_new", ["sms"]);
    const sync = service.sync("cus_new", { feature: "sms" });
    // An answer of the same Worker: by then the sync waits.
    await service.health();
    release();
    assert.deepEqual((await check).json.entitled, false);
    assert.deepEqual((await sync).json.entitled, true);
    assert.equal(stripe.listCalls("cus_new").length, 2);
  });

  test("makes two reads at most for a hundred at once", async () => {
    stripe.setEntitlements("cus_crowd", ["sms"]);
    const release = stripe.delayResponses("cus_crowd");
    const syncs = Array.from({ length: 100 }, () => service.sync("cus_crowd", { feature: "sms" }));
    await stripe.waitForCalls(1, "cus_crowd");
    await service.health();
    release();
    for (const { status, json } of await Promise.all(syncs)) assert.deepEqual([status, json.entitled], [200, true]);
    assert.ok(stripe.listCalls("cus_crowd").length <= 2, `${stripe.listCalls("cus_crowd").length} reads`);
  });

  test("that waits answers at once if the feature is there", async () => {
    stripe.setEntitlements("cus_there", ["sms"]);
    const { took, json } = await waits("cus_there", 25);
    assert.deepEqual([json.entitled, json.served_by], [true, "source"]);
    assert.ok(took < 15_000, `${took} ms`);
  });

  test("that waits answers as soon as an event brings the feature", async () => {
    stripe.setEntitlements("cus_event", []);
    const sync = waits("cus_event", 10);
    await stripe.waitForCalls(1, "cus_event");
    // Once the read's answer is taken in, the sync waits for what changes.
    await eventually(async () => assert.equal((await service.check("cus_event", "sms", { fresh: true })).json.reason, "not_entitled"));
    assert.equal((await service.send(summary("cus_event", ["sms"], { created: unixNow() + 60 }))).json.outcome, "applied");
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.version, json.served_by], [200, true, 2, "ledger"]);
    assert.equal(stripe.listCalls("cus_event").length, 1, "before the next read");
  });

  test("that waits answers as soon as an event brings the feature, while Stripe does not answer", async () => {
    stripe.setEntitlements("cus_silent", []);
    const release = stripe.delayResponses("cus_silent");
    const sync = waits("cus_silent", 10);
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

  test("that waits answers as soon as Stripe has the feature, if no event comes", async () => {
    stripe.setEntitlements("cus_quiet", []);
    const sync = waits("cus_quiet", 20);
    await stripe.waitForCalls(1, "cus_quiet");
    stripe.setEntitlements("cus_quiet", ["sms"]);
    const { json } = await sync;
    assert.deepEqual([json.entitled, json.served_by], [true, "source"]);
    const reads = stripe.listCalls("cus_quiet").map(({ at }) => at);
    assert.equal(reads.length, 2);
    const pause = reads[1] - reads[0];
    assert.ok(pause >= 1_000 && pause < 7_000, `${pause} ms`);
  });

  test("that waits answers no when its time is up", async () => {
    stripe.setEntitlements("cus_never", ["sso"]);
    const { took, status, json } = await waits("cus_never", 1);
    assert.deepEqual([status, json.entitled, json.entitlements.data.length], [200, false, 1]);
    assert.ok(took >= 950 && took < 8_000, `${took} ms`);
    const reads = stripe.listCalls("cus_never").length;
    assert.ok(reads <= 2, `${reads} reads, of which one at the beginning and one at the end are enough`);
  });

  test("that waits answers when its time is up, while Stripe does not answer", async () => {
    stripe.setEntitlements("cus_late", ["sso"]);
    const release = stripe.delayResponses("cus_late");
    const sync = waits("cus_late", 1);
    try {
      assert.equal((await within(7_500, sync)).status, 503);
    } finally {
      release();
      await sync;
    }
  });

  test("that waits has what events brought if Stripe fails, and is a 503 if they brought nothing", async () => {
    stripe.failAlways({ status: 500, shouldRetry: "false" }, "cus_fails");
    const failed = await waits("cus_fails", 1);
    assert.deepEqual([failed.status, failed.json.error.type], [503, "api_error"]);
    const sync = waits("cus_fails", 20);
    await stripe.waitForCalls(2, "cus_fails");
    assert.equal((await service.send(summary("cus_fails", ["sms"]))).json.outcome, "applied");
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.served_by], [200, true, "ledger"]);
    stripe.setEntitlements("cus_fails", ["sms"]);
    stripe.failAlways(undefined, "cus_fails");
  });

  test("of a customer whom nobody knows is a 404, also after waiting", async () => {
    for (const more of [{}, { feature: "sms", wait: 1 }]) {
      const { status, json } = await service.sync("cus_nobody", more);
      assert.equal(status, 404);
      assert.deepEqual(json.error, {
        type: "invalid_request_error",
        code: "resource_missing",
        message: "No such customer: 'cus_nobody'",
        param: "id",
      });
    }
  });

  test("finds a customer who is made while it waits", async () => {
    const sync = waits("cus_born", 10);
    await stripe.waitForCalls(1, "cus_born");
    stripe.setEntitlements("cus_born", ["sms"]);
    const { status, json } = await sync;
    assert.deepEqual([status, json.entitled, json.version], [200, true, 1]);
  });

  test("refuses what it cannot do, and asks Stripe nothing for it", async () => {
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
    const got = await service.request("/v1/customers/cus_bad/sync");
    assert.deepEqual([got.status, got.headers.get("allow")], [405, "OPTIONS, POST"]);
    assert.equal(stripe.listCalls("cus_bad").length, 0);
  });

  test("takes its parameters from a form and from JSON too", async () => {
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

  test("of live mode has no key of test mode to read with, and says which setting is missing", async () => {
    const { status, json } = await service.request("/v1/customers/cus_live/sync", { method: "POST", key: "sk_live_entgate" });
    assert.equal(status, 400);
    assert.match(json.error.message, /no key of live mode for it: set STRIPE_API_KEY\.$/);
  });
});
