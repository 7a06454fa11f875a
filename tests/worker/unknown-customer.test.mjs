// A customer of whom nothing was heard: Stripe is asked, once, and until it tells there is no no.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, stripeClient, summary, unixNow } from "./support.mjs";

describe("a customer of whom nothing was heard", { concurrency: true, timeout: 30_000 }, () => {
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

  const told = async (customer, feature = "sms", more) => {
    const { status, json } = await service.check(customer, feature, more);
    return [status, json.entitled, json.reason, json.version, json.served_by];
  };
  const hundred = (customer) => Promise.all(Array.from({ length: 100 }, () => service.check(customer, "sms")));

  test("costs one list call when a hundred ask at once, who all hear what Stripe says", async () => {
    stripe.setEntitlements("cus_rush", ["sms"]);
    const release = stripe.delayResponses("cus_rush");
    const checks = hundred("cus_rush");
    await stripe.waitForCalls(1, "cus_rush");
    release();
    for (const { status, json } of await checks) {
      assert.deepEqual([status, json.entitled, json.reason, json.version], [200, true, "active_entitlement", 1]);
    }
    assert.equal(stripe.listCalls("cus_rush").length, 1);
  });

  test("is unknown if Stripe knows nobody, which a hundred hear of one list call, and later ones of none", async () => {
    for (const { status, json } of await hundred("cus_nobody")) {
      assert.deepEqual([status, json.entitled, json.reason, json.version], [200, false, "unknown_customer", 0]);
    }
    assert.deepEqual(await told("cus_nobody"), [200, false, "unknown_customer", 0, "ledger"]);
    assert.deepEqual(await told("cus_nobody", "sms", { fresh: true }), [200, false, "unknown_customer", 0, "ledger"]);
    assert.equal(stripe.listCalls("cus_nobody").length, 1);
  });

  test("is unknown under a name that no path can have in it", async () => {
    for (const name of [".", ".."]) {
      assert.deepEqual(await told(name), [200, false, "unknown_customer", 0, "source"], name);
      // Whoever asks writes it so that a URL has it: behind a query it is a name like any other.
      const { status, json } = await service.request(`/v1/entitlements/active_entitlements?customer=${name}`);
      assert.deepEqual([status, json.error.code, json.error.param], [400, "resource_missing", "customer"], name);
    }
  });

  test("is known as soon as an event comes, however short the time since Stripe knew nobody", async () => {
    assert.deepEqual(await told("cus_first"), [200, false, "unknown_customer", 0, "source"]);
    stripe.setEntitlements("cus_first", ["sms", "sso"]);
    assert.equal((await service.send(summary("cus_first", ["sms"], { hasMore: true }))).status, 200);
    assert.deepEqual((await told("cus_first")).slice(0, 3), [200, true, "active_entitlement"]);
    assert.deepEqual((await told("cus_first", "sso")).slice(0, 3), [200, true, "active_entitlement"]);
  });

  test("is known to a check that was waiting for Stripe when the event came", async () => {
    const release = stripe.delayResponses("cus_meanwhile");
    const check = told("cus_meanwhile");
    await stripe.waitForCalls(1, "cus_meanwhile");
    stripe.setEntitlements("cus_meanwhile", ["sms"]);
    assert.equal((await service.send(summary("cus_meanwhile", ["sms"], { created: unixNow() + 60 }))).status, 200);
    release();
    assert.deepEqual((await check).slice(0, 4), [200, true, "active_entitlement", 1]);
  });

  test("is kept once Stripe told what it holds", async () => {
    stripe.setEntitlements("cus_kept", ["sms"]);
    assert.deepEqual(await told("cus_kept"), [200, true, "active_entitlement", 1, "source"]);
    assert.deepEqual(await told("cus_kept", "sms", { fresh: true }), [200, true, "active_entitlement", 1, "ledger"]);
    await eventually(async () => assert.deepEqual(await told("cus_kept"), [200, true, "active_entitlement", 1, "replica"]));
    assert.deepEqual(await told("cus_kept", "sso"), [200, false, "not_entitled", 1, "replica"]);
    assert.equal(stripe.listCalls("cus_kept").length, 1);
  });

  test("is kept too if it holds nothing, and its first purchase is seen at once", async () => {
    stripe.setEntitlements("cus_empty", []);
    assert.deepEqual(await told("cus_empty"), [200, false, "not_entitled", 1, "source"]);
    assert.deepEqual(await told("cus_empty"), [200, false, "not_entitled", 1, "ledger"]);
    assert.equal(stripe.listCalls("cus_empty").length, 1);
    stripe.setEntitlements("cus_empty", ["sms"]);
    assert.equal((await service.send(summary("cus_empty", ["sms"], { created: unixNow() + 60 }))).json.outcome, "applied");
    assert.deepEqual((await told("cus_empty")).slice(0, 4), [200, true, "active_entitlement", 2]);
  });

  test("is listed as Stripe lists it, and is Stripe's own error if Stripe knows nobody", async () => {
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

  test("is a 503 while Stripe fails, never a no, and what Stripe says once it is back", async () => {
    stripe.failAlways({ status: 500 }, "cus_down");
    const answers = await hundred("cus_down");
    for (const { status, headers, json } of answers) {
      assert.deepEqual([status, headers.get("retry-after"), json.error.type, json.entitled], [503, "1", "api_error", undefined]);
      assert.match(json.error.message, /This is not a no\.$/);
    }
    assert.equal(stripe.listCalls("cus_down").length, 3, "one read, tried three times");
    const list = await service.request("/v1/entitlements/active_entitlements?customer=cus_down");
    assert.deepEqual([list.status, list.json.data], [503, undefined]);
    const body = JSON.stringify({ checks: ["cus_down", "cus_fine"].map((customer) => ({ customer, feature: "sms" })) });
    stripe.setEntitlements("cus_fine", ["sms"]);
    const batch = await service.request("/v1/check", { method: "POST", body, headers: { "content-type": "application/json" } });
    assert.deepEqual([batch.status, batch.json.data.map(({ entitled }) => entitled)], [200, [null, true]]);

    stripe.failAlways(undefined, "cus_down");
    stripe.setEntitlements("cus_down", ["sms"]);
    await eventually(async () => assert.deepEqual((await told("cus_down")).slice(0, 4), [200, true, "active_entitlement", 1]));
  });

  test("is a 503 after ten seconds if Stripe does not answer at all", async () => {
    stripe.failAlways("no_response", "cus_silent");
    const began = Date.now();
    const { status, headers } = await service.check("cus_silent", "sms");
    assert.deepEqual([status, headers.get("retry-after")], [503, "1"]);
    const took = Date.now() - began;
    assert.ok(took > 9_900 && took < 24_000, `${took} ms`);
  });

  test("of live mode is not looked for with a key of test mode", async () => {
    stripe.setEntitlements("cus_live", ["sms"]);
    const { json } = await service.request("/v1/check?customer=cus_live&feature=sms", { key: "sk_live_entgate" });
    assert.deepEqual([json.entitled, json.reason], [false, "unknown_customer"]);
    assert.equal(stripe.listCalls("cus_live").length, 0);
  });
});
