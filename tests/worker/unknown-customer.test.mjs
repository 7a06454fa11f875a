// A customer without a ledger: the list is read at Stripe once, and until Stripe responds no check is denied.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, stripeClient, summary, unixNow } from "./support.mjs";

describe("a customer without a ledger", { concurrency: true, timeout: 30_000 }, () => {
  let stripe;
  let service;
  before(async () => {
    stripe = await fakeStripe();
    // A feature that no test has created yet would be unknown.
    stripe.setProductFeatures("prod_pro", ["sms", "sso"]);
    service = await serve({ settings: stripe.settings, log: [] });
  });
  after(async () => {
    await service.stop();
    await stripe.stop();
  });

  const check = async (customer, feature = "sms", more = {}) => {
    const { status, json } = await service.check(customer, feature, more);
    return [status, json.entitled, json.reason, json.version, json.served_by];
  };
  const checkHundredTimes = (customer) => Promise.all(Array.from({ length: 100 }, () => service.check(customer, "sms")));

  test("a hundred checks at once share one list call, and all get its result", async () => {
    stripe.setEntitlements("cus_rush", ["sms"]);
    const release = stripe.delayResponses("cus_rush");
    const checks = checkHundredTimes("cus_rush");
    await stripe.waitForCalls(1, "cus_rush");
    release();
    for (const { status, json } of await checks) {
      assert.deepEqual([status, json.entitled, json.reason, json.version], [200, true, "active_entitlement", 1]);
    }
    assert.equal(stripe.listCalls("cus_rush").length, 1);
  });

  test("a hundred checks of a customer who is unknown at Stripe share one list call, and later checks send none", async () => {
    for (const { status, json } of await checkHundredTimes("cus_unknown")) {
      assert.deepEqual([status, json.entitled, json.reason, json.version], [200, false, "unknown_customer", 0]);
    }
    assert.deepEqual(await check("cus_unknown"), [200, false, "unknown_customer", 0, "ledger"]);
    assert.deepEqual(await check("cus_unknown", "sms", { fresh: true }), [200, false, "unknown_customer", 0, "ledger"]);
    assert.equal(stripe.listCalls("cus_unknown").length, 1);
  });

  test("an id that cannot be a path segment is unknown", async () => {
    for (const id of [".", ".."]) {
      assert.deepEqual(await check(id), [200, false, "unknown_customer", 0, "source"], id);
      // In a query, it is an id like any other.
      const { status, json } = await service.request(`/v1/entitlements/active_entitlements?customer=${id}`);
      assert.deepEqual([status, json.error.code, json.error.param], [400, "resource_missing", "customer"], id);
    }
  });

  test("a customer is known as soon as an event arrives, even right after a read that did not find the customer", async () => {
    assert.deepEqual(await check("cus_first"), [200, false, "unknown_customer", 0, "source"]);
    stripe.setEntitlements("cus_first", ["sms", "sso"]);
    assert.equal((await service.send(summary("cus_first", ["sms"], { hasMore: true }))).status, 200);
    assert.deepEqual((await check("cus_first")).slice(0, 3), [200, true, "active_entitlement"]);
    assert.deepEqual((await check("cus_first", "sso")).slice(0, 3), [200, true, "active_entitlement"]);
  });

  test("a check that waits for Stripe uses an event that arrives meanwhile", async () => {
    const release = stripe.delayResponses("cus_meanwhile");
    const waiting = check("cus_meanwhile");
    await stripe.waitForCalls(1, "cus_meanwhile");
    stripe.setEntitlements("cus_meanwhile", ["sms"]);
    assert.equal((await service.send(summary("cus_meanwhile", ["sms"], { created: unixNow() + 60 }))).status, 200);
    release();
    assert.deepEqual((await waiting).slice(0, 4), [200, true, "active_entitlement", 1]);
  });

  test("a set that was read at Stripe is stored, and written to the replica", async () => {
    stripe.setEntitlements("cus_stored", ["sms"]);
    assert.deepEqual(await check("cus_stored"), [200, true, "active_entitlement", 1, "source"]);
    assert.deepEqual(await check("cus_stored", "sms", { fresh: true }), [200, true, "active_entitlement", 1, "ledger"]);
    await eventually(async () => assert.deepEqual(await check("cus_stored"), [200, true, "active_entitlement", 1, "replica"]));
    assert.deepEqual(await check("cus_stored", "sso"), [200, false, "not_entitled", 1, "replica"]);
    assert.equal(stripe.listCalls("cus_stored").length, 1);
  });

  test("an empty set that was read at Stripe is stored too, and the first event is applied at once", async () => {
    stripe.setEntitlements("cus_empty", []);
    assert.deepEqual(await check("cus_empty"), [200, false, "not_entitled", 1, "source"]);
    assert.deepEqual(await check("cus_empty"), [200, false, "not_entitled", 1, "ledger"]);
    assert.equal(stripe.listCalls("cus_empty").length, 1);
    stripe.setEntitlements("cus_empty", ["sms"]);
    assert.equal((await service.send(summary("cus_empty", ["sms"], { created: unixNow() + 60 }))).json.outcome, "applied");
    assert.deepEqual((await check("cus_empty")).slice(0, 4), [200, true, "active_entitlement", 2]);
  });

  test("the list is read at Stripe, and an unknown customer is Stripe's own error", async () => {
    const keys = Array.from({ length: 130 }, (_, i) => `f${i}`);
    stripe.setEntitlements("cus_list", keys);
    const list = (customer) => stripeClient(service.url).entitlements.activeEntitlements.list({ customer, limit: 50 });
    const all = await list("cus_list").autoPagingToArray({ limit: 1_000 });
    assert.deepEqual(
      all.map(({ lookup_key }) => lookup_key),
      keys,
    );
    await assert.rejects(list("cus_no_list"), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
      assert.deepEqual(
        [error.statusCode, error.code, error.param, error.message],
        [400, "resource_missing", "customer", "No such customer: 'cus_no_list'"],
      );
      return true;
    });
  });

  test("a check is a 503 while Stripe fails, never a denial, and gets Stripe's list once Stripe works again", async () => {
    stripe.failAlways({ status: 500 }, "cus_down");
    const responses = await checkHundredTimes("cus_down");
    for (const { status, headers, json } of responses) {
      assert.deepEqual([status, headers.get("retry-after"), json.error.type, json.entitled], [503, "1", "api_error", undefined]);
      assert.match(json.error.message, /This is not a denial\.$/);
    }
    assert.equal(stripe.listCalls("cus_down").length, 3, "one read of three attempts");
    const list = await service.request("/v1/entitlements/active_entitlements?customer=cus_down");
    assert.deepEqual([list.status, list.json.data], [503, undefined]);
    const body = JSON.stringify({ checks: ["cus_down", "cus_fine"].map((customer) => ({ customer, feature: "sms" })) });
    stripe.setEntitlements("cus_fine", ["sms"]);
    const batch = await service.request("/v1/check", { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.deepEqual([batch.status, batch.json.data.map(({ entitled }) => entitled)], [200, [null, true]]);

    stripe.failAlways(undefined, "cus_down");
    stripe.setEntitlements("cus_down", ["sms"]);
    await eventually(async () => assert.deepEqual((await check("cus_down")).slice(0, 4), [200, true, "active_entitlement", 1]));
  });

  test("a check is a 503 after ten seconds if Stripe does not respond", async () => {
    stripe.failAlways("no_response", "cus_silent");
    const began = Date.now();
    const { status, headers } = await service.check("cus_silent", "sms");
    assert.deepEqual([status, headers.get("retry-after")], [503, "1"]);
    const took = Date.now() - began;
    assert.ok(took > 9_900 && took < 24_000, `${took} ms`);
  });

  test("a live customer is not read with a test key for Stripe", async () => {
    stripe.setEntitlements("cus_live", ["sms"]);
    const { json } = await service.request("/v1/check?customer=cus_live&feature=sms", { key: "sk_live_entgate" });
    assert.deepEqual([json.entitled, json.reason], [false, "unknown_customer"]);
    assert.equal(stripe.listCalls("cus_live").length, 0);
  });
});
