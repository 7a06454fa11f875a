// The stand-in for Stripe, held to Stripe's own SDK and OpenAPI document.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import Ajv from "ajv";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { entitlement, stripeClient } from "./support.mjs";

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL("../fixtures/entitlements.openapi.json", import.meta.url), "utf8")), "stripe");
const assertIs = (pointer, body) => assert.ok(ajv.validate({ $ref: `stripe#${pointer}` }, body), ajv.errorsText());
const answerOf = (path) => `/paths/${path.replaceAll("/", "~1")}/get/responses/200/content/application~1json/schema`;
const LIST = "/v1/entitlements/active_entitlements";
const ADA = `${LIST}?customer=cus_ada`;

describe("the stand-in for Stripe", { timeout: 30_000 }, () => {
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
  const listed = (customer, more) => stripeClient(stripe.url, stripe.key).entitlements.activeEntitlements.list({ customer, ...more });

  test("Stripe's SDK reads 250 entitlements in pages of 100, and backwards", async () => {
    const all = await listed("cus_ada", { limit: 100 }).autoPagingToArray({ limit: 1000 });
    assert.deepEqual(
      all,
      keys.map((key) => entitlement("cus_ada", key)),
    );
    assert.deepEqual(
      stripe.calls.slice(-3).map(({ query }) => query.get("starting_after")),
      [null, all[99].id, all[199].id],
    );
    const back = await listed("cus_ada", { limit: 7, ending_before: all[30].id }).autoPagingToArray({ limit: 1000 });
    assert.deepEqual(back, all.slice(0, 30).reverse());
  });

  test("answers are as Stripe's OpenAPI document describes them", async () => {
    for (const query of ["", "&limit=100", "&expand%5B0%5D=data.feature"]) assertIs(answerOf(LIST), await json(ADA + query));
    assertIs(answerOf(`${LIST}/{id}`), await json(`${LIST}/ent_test_cus_ada_f0?expand[0]=feature`));
    assertIs(answerOf("/v1/entitlements/features"), await json("/v1/entitlements/features?lookup_key=f7"));
    assertIs(answerOf("/v1/entitlements/features/{id}"), await json("/v1/entitlements/features/feat_test_f0"));
    assertIs(answerOf("/v1/products/{product}/features"), await json("/v1/products/prod_a/features"));
    assert.equal((await json(`${ADA}&expand[]=data.feature`)).data[0].feature.name, "f0");
  });

  test("what a customer has and had is told by id and by status", async () => {
    assert.deepEqual(await json("/v1/customers/cus_gone"), { id: "cus_gone", object: "customer", deleted: true });
    const { data } = await json("/v1/subscriptions?customer=cus_ada&status=all");
    assert.deepEqual([data.length, data[0].status, data[0].items.data[0].price.product], [2, "paused", "prod_a"]);
    stripe.updateFeature("old", { active: false });
    assert.deepEqual(
      (await json("/v1/entitlements/features?archived=true")).data.map(({ id }) => id),
      ["feat_test_old"],
    );
  });

  test("each error is Stripe's, and the SDK's own class", async () => {
    for (const [path, status, code, key] of [
      [`${LIST}?customer=cus_gone`, 400, "resource_missing"],
      [LIST, 400, "parameter_missing"],
      [`${ADA}&starting_after=ent_x`, 400, "resource_missing"],
      [`${ADA}&limit=101`, 400, "parameter_invalid_integer"],
      [`${ADA}&x=1`, 400, "parameter_unknown"],
      [`${LIST}/ent_x`, 404, "resource_missing"],
      ["/v1/customers/%zz", 404, "resource_missing"],
      ["/v1/nowhere", 404],
      [ADA, 401, undefined, "sk_test_bad"],
    ]) {
      const answer = await get(path, key);
      const body = await answer.json();
      assert.deepEqual([answer.status, body.error.code], [status, code], path);
      assertIs("/components/schemas/error", body);
    }
    await assert.rejects(listed("cus_x"), { constructor: Stripe.errors.StripeInvalidRequestError, message: "No such customer: 'cus_x'" });
  });

  test("a fault is what it is called, once each and in order", async () => {
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

  test("a held answer is of the moment when its request arrived", async () => {
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
