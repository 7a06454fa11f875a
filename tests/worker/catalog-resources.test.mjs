// Subscription items, plans, the account and searches with Stripe's SDK.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid, StripePermissionError } = Stripe.errors;

describe("Stripe's SDK", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    sdk = catalog.sdk;
  });
  after(() => service.stop());

  test("it lists, creates, updates and deletes the items of a subscription, and the checks follow", async () => {
    const [basic, extra] = [
      await catalog.createPlan(await catalog.createFeature("sms")),
      await catalog.createPlan(await catalog.createFeature("sso")),
    ];
    const customer = await sdk.customers.create();
    const subscription = await catalog.subscribe(customer, basic.price);
    const list = async () => (await sdk.subscriptionItems.list({ subscription: subscription.id })).data.map(({ id }) => id);
    const [first] = subscription.items.data;
    assert.deepEqual(await list(), [first.id]);
    const created = await sdk.subscriptionItems.create({ subscription: subscription.id, price: extra.price.id, quantity: 2 });
    assert.deepEqual([created.object, created.quantity, created.subscription], ["subscription_item", 2, subscription.id]);
    assert.deepEqual(await list(), [first.id, created.id]);
    await catalog.waitForCheck(customer, "sso", true);
    const updated = await sdk.subscriptionItems.update(created.id, { quantity: 3, proration_behavior: "none", expand: ["price.product"] });
    assert.deepEqual([updated.quantity, updated.price.product.id], [3, extra.product.id]);
    assert.equal((await sdk.subscriptionItems.retrieve(created.id)).quantity, 3);
    const deleted = await sdk.subscriptionItems.del(created.id);
    assert.deepEqual({ ...deleted }, { id: created.id, object: "subscription_item", deleted: true });
    await catalog.waitForCheck(customer, "sso", false);
    assert.deepEqual(await catalog.entitlementKeys(customer), ["sms"]);
    await assert.rejects(sdk.subscriptionItems.retrieve(created.id), { constructor: Invalid, statusCode: 404, code: "resource_missing" });
    await assert.rejects(sdk.subscriptionItems.del(first.id), { constructor: Invalid, statusCode: 400 });
  });

  test("it retrieves plans and the account", async () => {
    const { product, price } = await catalog.createPlan();
    const plan = await sdk.plans.retrieve(price.id);
    assert.deepEqual([plan.object, plan.amount, plan.interval, plan.product], ["plan", 1000, "month", product.id]);
    assert.deepEqual(
      (await sdk.plans.list({ product: product.id })).data.map(({ id }) => id),
      [price.id],
    );
    const account = await sdk.accounts.retrieveCurrent();
    assert.deepEqual({ ...(await sdk.accounts.retrieve(account.id)) }, { ...account });
    await assert.rejects(sdk.accounts.retrieve("acct_other"), { constructor: StripePermissionError, code: "account_invalid" });
  });

  test("it searches, page after page", async () => {
    const query = "metadata['run']:'search' AND created>0";
    const ids = [];
    for (let number = 0; number < 5; number += 1) {
      ids.unshift((await sdk.customers.create({ email: `ada+${number}@example.com`, metadata: { run: "search" } })).id);
    }
    const first = await sdk.customers.search({ query, limit: 2 });
    assert.deepEqual([first.object, first.has_more, first.data.map(({ id }) => id)], ["search_result", true, ids.slice(0, 2)]);
    const second = await sdk.customers.search({ query, limit: 2, page: first.next_page });
    assert.deepEqual(
      second.data.map(({ id }) => id),
      ids.slice(2, 4),
    );
    const all = await sdk.customers.search({ query, limit: 2 }).autoPagingToArray({ limit: 100 });
    assert.deepEqual(
      all.map(({ id }) => id),
      ids,
    );
    const one = await sdk.customers.search({ query: 'email:"ada+3@example.com" AND -metadata["type"]:"organization"' });
    assert.deepEqual(
      one.data.map(({ email }) => email),
      ["ada+3@example.com"],
    );
    await assert.rejects(sdk.customers.search({ query: "email>'a'" }), { constructor: Invalid, param: "query" });
  });

  test("it learns what to do instead of a request that the catalog cannot serve", async () => {
    await assert.rejects(sdk.checkout.sessions.create({ mode: "subscription", success_url: "https://example.com" }), {
      constructor: Invalid,
      statusCode: 404,
      message:
        "Unrecognized request URL (POST: /v1/checkout/sessions). The catalog has no checkout. Create the subscription itself with POST /v1/subscriptions.",
    });
  });

  test("an archived product cannot be bought, and a default price cannot be archived", async () => {
    const customer = await sdk.customers.create();
    const { product, price } = await catalog.createPlan();
    await sdk.products.update(product.id, { default_price: price.id });
    await assert.rejects(sdk.prices.update(price.id, { active: false }), { constructor: Invalid, param: "active" });
    await sdk.products.update(product.id, { active: false });
    await assert.rejects(catalog.subscribe(customer, price), { constructor: Invalid, param: "items[0][price]" });
  });
});
