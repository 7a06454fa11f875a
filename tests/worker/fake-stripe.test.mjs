// The fake Stripe against Stripe's own SDK and OpenAPI document.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { assertMatches, ERROR_SCHEMA, responseSchema } from "./stripe-openapi.mjs";
import { entitlement, stripeClient } from "./support.mjs";

const LIST = "/v1/entitlements/active_entitlements";
const ADA = `${LIST}?customer=cus_ada`;

describe("the fake Stripe", { timeout: 30_000 }, () => {
  const keys = Array.from({ length: 250 }, (_, i) => `f${i}`);
  let stripe;
  before(async () => {
    stripe = await fakeStripe();
    stripe.deleteCustomer("cus_gone");
    stripe.setEntitlements("cus_ada", keys);
    stripe.setProductFeatures("prod_a", ["f0", "f1"]);
    stripe.setSubscriptions("cus_ada", [
      { status: "paused", products: ["prod_a"] },
      { status: "canceled", products: [] },
    ]);
  });
  after(() => stripe.stop());

  const get = (path, key = stripe.key) => fetch(new URL(path, stripe.url), { headers: { authorization: `Bearer ${key}` } });
  const json = async (path) => (await get(path)).json();
  const list = (customer, more) => stripeClient(stripe.url, stripe.key).entitlements.activeEntitlements.list({ customer, ...more });

  test("Stripe's SDK reads 250 entitlements in pages of 100, and pages backwards", async () => {
    const all = await list("cus_ada", { limit: 100 }).autoPagingToArray({ limit: 1000 });
    assert.deepEqual(
      all,
      keys.map((key) => entitlement("cus_ada", key)),
    );
    assert.deepEqual(
      stripe.calls.slice(-3).map(({ query }) => query.get("starting_after")),
      [null, all[99].id, all[199].id],
    );
    const back = await list("cus_ada", { limit: 7, ending_before: all[30].id }).autoPagingToArray({ limit: 1000 });
    assert.deepEqual(back, all.slice(0, 30).reverse());
  });

  test("each response matches Stripe's OpenAPI document", async () => {
    for (const query of ["", "&limit=100", "&expand%5B0%5D=data.feature"]) assertMatches(responseSchema(LIST), await json(ADA + query));
    assertMatches(responseSchema(`${LIST}/{id}`), await json(`${LIST}/ent_test_cus_ada_f0?expand[0]=feature`));
    assertMatches(responseSchema("/v1/entitlements/features"), await json("/v1/entitlements/features?lookup_key=f7"));
    assertMatches(responseSchema("/v1/entitlements/features/{id}"), await json("/v1/entitlements/features/feat_test_f0"));
    assertMatches(responseSchema("/v1/products/{product}/features"), await json("/v1/products/prod_a/features"));
    assert.equal((await json(`${ADA}&expand[]=data.feature`)).data[0].feature.name, "f0");
  });

  test("deleted customers are returned by id, ended subscriptions by status, and archived features on request", async () => {
    assert.deepEqual(await json("/v1/customers/cus_gone"), { id: "cus_gone", object: "customer", deleted: true });
    const { data } = await json("/v1/subscriptions?customer=cus_ada&status=all");
    assert.deepEqual([data.length, data[0].status, data[0].items.data[0].price.product], [2, "paused", "prod_a"]);
    stripe.updateFeature("old", { active: false });
    assert.deepEqual(
      (await json("/v1/entitlements/features?archived=true")).data.map(({ id }) => id),
      ["feat_test_old"],
    );
  });

  test("each error has Stripe's status and code, and the SDK throws its own class", async () => {
    for (const [path, status, code, key] of /** @type {[string, number, string?, string?][]} */ ([
      [`${LIST}?customer=cus_gone`, 400, "resource_missing"],
      [LIST, 400, "parameter_missing"],
      [`${ADA}&starting_after=ent_x`, 400, "resource_missing"],
      [`${ADA}&limit=101`, 400, "parameter_invalid_integer"],
      [`${ADA}&x=1`, 400, "parameter_unknown"],
      [`${LIST}/ent_x`, 404, "resource_missing"],
      ["/v1/customers/%zz", 404, "resource_missing"],
      ["/v1/nowhere", 404],
      [ADA, 401, undefined, "sk_test_bad"],
    ])) {
      const response = await get(path, key);
      const body = await response.json();
      assert.deepEqual([response.status, body.error.code], [status, code], path);
      assertMatches(ERROR_SCHEMA, body);
    }
    await assert.rejects(list("cus_x"), { constructor: Stripe.errors.StripeInvalidRequestError, message: "No such customer: 'cus_x'" });
  });

  test("each fault does what its name says, once and in order", async () => {
    stripe.failNext({ status: 429, retryAfter: 1 }, undefined, { status: 500, shouldRetry: "false" });
    stripe.failNext("truncated", "disconnect", "malformed", "wrong_type", "repeating_page", "repeating_page", "oversized");
    const limited = await get(ADA);
    assert.deepEqual([limited.status, limited.headers.get("retry-after"), (await limited.json()).error.code], [429, "1", "rate_limit"]);
    assert.equal((await get(ADA)).status, 200);
    assert.equal((await get(ADA)).headers.get("stripe-should-retry"), "false");
    await assert.rejects((await get(ADA)).text(), { message: "terminated" });
    await assert.rejects(get(ADA), { message: "fetch failed" });
    await assert.rejects(json(ADA), SyntaxError);
    assert.deepEqual(await json(ADA), { object: "list", data: {} });
    const [first, second] = [await json(ADA), await json(`${ADA}&starting_after=ent_test_cus_ada_f249`)];
    assert.deepEqual([first.has_more, second], [true, first]);
    assert.ok((await (await get(ADA)).text()).length > 32 * 1024 * 1024);
  });

  test("a delayed response has the state at the arrival of its request", async () => {
    stripe.setEntitlements("cus_bob", ["sms"]);
    stripe.calls.length = 0;
    const release = stripe.delayResponses();
    const read = json(`${LIST}?customer=cus_bob`);
    await stripe.waitForCalls(1);
    stripe.setEntitlements("cus_bob", []);
    release();
    assert.equal((await read).data.length, 1);
    assert.deepEqual((await json(`${LIST}?customer=cus_bob`)).data, []);
  });
});
