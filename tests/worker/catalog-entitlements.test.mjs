// When a change of products, prices or subscriptions reaches subscribers: entitlements are a snapshot per period.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually } from "./support.mjs";
import { FEBRUARY, JANUARY, lookupKeys, MARCH, serveCatalog, TestCatalog, utc } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("a change in the catalog", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  let clock;
  let customer;
  let number = 0;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
  });
  beforeEach(async () => {
    ({ clock, customer } = await catalog.createClockCustomer());
  });
  after(() => service.stop());

  /** Creates features whose keys are unique to a test and end in these letters. */
  async function createFeatures(...letters) {
    number += 1;
    const features = [];
    for (const letter of letters) features.push(await catalog.createFeature(`${number}${letter}`));
    return features;
  }
  /** The customer's entitlements, as these letters. */
  const currentFeatures = async () => (await catalog.entitlementKeys(customer)).map((key) => key.replace(`${number}`, ""));
  /** The changes of the customer's entitlements, as these letters. */
  const changes = async () =>
    (await catalog.entitlementChanges(customer)).map((change) =>
      change.map((list) => list.map((key) => key.replace(`${number}`, "")).join("")),
    );
  const apply = (product) => sdk.rawRequest("POST", `/v1/products/${product.id}/features/apply`);

  test("attaching or detaching a feature reaches subscribers at the start of their next period", async () => {
    const [a, b] = await createFeatures("a", "b");
    const { product, attached, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await catalog.attachFeature(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(await currentFeatures(), ["a"]);
    await catalog.advanceClock(clock, FEBRUARY - 1);
    assert.deepEqual(await currentFeatures(), ["a"]);
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await currentFeatures(), ["b"]);
    assert.deepEqual(await changes(), [
      ["", "a"],
      ["a", "b"],
    ]);
    const subscriber = await sdk.customers.create();
    await catalog.subscribe(subscriber, price);
    assert.deepEqual(await catalog.entitlementKeys(subscriber), [b.lookup_key]);
  });

  test("applying the features of a product reaches subscribers at once, and their next period changes nothing", async () => {
    const [a, b] = await createFeatures("a", "b");
    const { product, attached, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await catalog.waitForCheck(customer, a.lookup_key, true);
    await catalog.attachFeature(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(
      { ...(await apply(product)) },
      { object: "product_feature_application", product: product.id, livemode: false, status: "applied" },
    );
    assert.deepEqual(await currentFeatures(), ["b"]);
    await catalog.waitForCheck(customer, a.lookup_key, false);
    await catalog.waitForCheck(customer, b.lookup_key, true);
    await apply(product);
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await changes(), [
      ["", "a"],
      ["a", "b"],
    ]);
    await assert.rejects(apply({ id: "prod_none" }), { constructor: Invalid, statusCode: 404, code: "resource_missing" });
  });

  test("applying the features of a product covers 100 subscriptions in the request, and more in the background", async () => {
    const [a] = await createFeatures("a");
    const { product, price } = await catalog.createPlan();
    const subscribers = [];
    const subscribeUpTo = async (count) => {
      while (subscribers.length < count) {
        const batch = Array.from({ length: Math.min(10, count - subscribers.length) }, () => sdk.customers.create());
        const customers = await Promise.all(batch);
        await Promise.all(customers.map((one) => catalog.subscribe(one, price)));
        subscribers.push(...customers);
      }
    };
    await subscribeUpTo(100);
    const attached = await catalog.attachFeature(product, a);
    assert.equal((await apply(product)).status, "applied");
    for (const one of subscribers) assert.deepEqual(await catalog.entitlementKeys(one), [a.lookup_key]);
    await subscribeUpTo(101);
    await sdk.products.deleteFeature(product.id, attached.id);
    assert.equal((await apply(product)).status, "applying");
    for (const one of subscribers) await eventually(async () => assert.deepEqual(await catalog.entitlementKeys(one), []));
  });

  test("a new price takes effect at once, and a new quantity changes nothing", async () => {
    const [a, b, c] = await createFeatures("a", "b", "c");
    const [low, high] = [await catalog.createPlan(a, b), await catalog.createPlan(a, c)];
    const { id, items } = await catalog.subscribe(customer, low.price);
    const [item] = items.data;
    await sdk.subscriptions.update(id, { items: [{ id: item.id, quantity: 5 }] });
    assert.deepEqual(await changes(), [["", "ab"]]);
    assert.equal((await sdk.subscriptions.retrieve(id)).items.data[0].quantity, 5);
    await sdk.subscriptions.update(id, { items: [{ id: item.id, price: high.price.id }], proration_behavior: "none" });
    assert.deepEqual(await currentFeatures(), ["a", "c"]);
    assert.deepEqual(await changes(), [
      ["", "ab"],
      ["ab", "ac"],
    ]);
  });

  test("a new interval begins a new period", async () => {
    const { product, price } = await catalog.createPlan(...(await createFeatures("a")));
    const yearly = await catalog.createPrice(product, { recurring: { interval: "year" } });
    const { id, items } = await catalog.subscribe(customer, price);
    const now = utc(2027, 1, 20, 8);
    await catalog.advanceClock(clock, now);
    const {
      items: {
        data: [item],
      },
    } = await sdk.subscriptions.update(id, { items: [{ id: items.data[0].id, price: yearly.id }] });
    assert.deepEqual([item.id, item.current_period_start, item.current_period_end], [items.data[0].id, now, utc(2028, 1, 20, 8)]);
    assert.deepEqual(await changes(), [["", "a"]]);
  });

  test("adding or deleting an item takes effect at once", async () => {
    const [a, b, c] = await createFeatures("a", "b", "c");
    const [one, two, three] = [await catalog.createPlan(a), await catalog.createPlan(a, b), await catalog.createPlan(c)];
    const { id, items } = await catalog.subscribe(customer, [one.price, two.price]);
    assert.deepEqual([items.data.length, await currentFeatures()], [2, ["a", "b"]]);
    const more = await sdk.subscriptions.update(id, { items: [{ price: three.price.id }] });
    assert.deepEqual([more.items.data.length, await currentFeatures()], [3, ["a", "b", "c"]]);
    const second = more.items.data.find(({ price }) => price.id === two.price.id);
    await sdk.subscriptions.update(id, { items: [{ id: second.id, deleted: true }] });
    assert.deepEqual(await currentFeatures(), ["a", "c"]);
    assert.deepEqual(await changes(), [
      ["", "ab"],
      ["ab", "abc"],
      ["abc", "ac"],
    ]);
    const remaining = (await sdk.subscriptions.retrieve(id)).items.data;
    await assert.rejects(sdk.subscriptions.update(id, { items: remaining.map((item) => ({ id: item.id, deleted: true })) }), {
      constructor: Invalid,
      statusCode: 400,
    });
    await assert.rejects(sdk.subscriptions.update(id, { items: [{ id: "si_none", quantity: 2 }] }), {
      constructor: Invalid,
      statusCode: 400,
      param: "items[0][id]",
    });
  });

  test("two subscriptions with one feature grant one entitlement, which stays until both end", async () => {
    const [a, b] = await createFeatures("a", "b");
    const [first, second] = [
      await catalog.subscribe(customer, (await catalog.createPlan(a)).price),
      await catalog.subscribe(customer, (await catalog.createPlan(a, b)).price),
    ];
    assert.deepEqual(await currentFeatures(), ["a", "b"]);
    await sdk.subscriptions.cancel(first.id);
    assert.deepEqual(await currentFeatures(), ["a", "b"]);
    await sdk.subscriptions.cancel(second.id);
    assert.deepEqual(await currentFeatures(), []);
    assert.deepEqual(await changes(), [
      ["", "a"],
      ["a", "ab"],
      ["ab", ""],
    ]);
  });

  test("archiving a feature revokes nothing, and a new feature can have the same key", async () => {
    const [a] = await createFeatures("a");
    const { product, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await sdk.entitlements.features.update(a.id, { active: false });
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await currentFeatures(), ["a"]);
    await catalog.waitForCheck(customer, a.lookup_key, true);
    const newSubscriber = await sdk.customers.create();
    await catalog.subscribe(newSubscriber, price);
    assert.deepEqual(await catalog.entitlementKeys(newSubscriber), [a.lookup_key]);

    const successor = await catalog.createFeature(a.lookup_key);
    await catalog.attachFeature(product, successor);
    await catalog.advanceClock(clock, MARCH);
    const both = await sdk.entitlements.activeEntitlements.list({ customer: customer.id });
    assert.deepEqual(both.data.map(({ feature }) => feature).sort(), [a.id, successor.id].sort());
    assert.deepEqual(lookupKeys(both.data), [a.lookup_key, a.lookup_key]);
    await catalog.waitForCheck(customer, a.lookup_key, true);
  });

  test("the end of a trial begins a period and applies earlier changes", async () => {
    const [a, b] = await createFeatures("a", "b");
    const { product, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price, { trial_period_days: 7 });
    await catalog.attachFeature(product, b);
    assert.deepEqual(await currentFeatures(), ["a"]);
    await catalog.advanceClock(clock, JANUARY + 7 * 86_400);
    assert.deepEqual(await currentFeatures(), ["a", "b"]);
  });

  test("a change that does not affect the entitlements sends no event", async () => {
    const { price } = await catalog.createPlan();
    const { id } = await catalog.subscribe(customer, price);
    await sdk.customers.update(customer.id, { name: "Ada" });
    await catalog.advanceClock(clock, MARCH);
    await sdk.subscriptions.cancel(id);
    assert.deepEqual([await currentFeatures(), await changes()], [[], []]);
  });

  test("advancing a clock by years renews period by period", async () => {
    const [a] = await createFeatures("a");
    const { price } = await catalog.createPlan(a);
    const subscriptions = [];
    for (let count = 0; count < 5; count += 1) subscriptions.push(await catalog.subscribe(customer, price));
    await catalog.advanceClock(clock, utc(2031, 1, 15, 8));
    for (const { id } of subscriptions) {
      const { status, items } = await sdk.subscriptions.retrieve(id);
      assert.deepEqual([status, items.data[0].current_period_start], ["active", utc(2031, 1, 15, 8)]);
    }
    assert.deepEqual(await changes(), [["", "a"]]);
  });

  test("checks end with the last state after many changes at once", async () => {
    const [a] = await createFeatures("a");
    const { price } = await catalog.createPlan(a);
    const subscribers = await Promise.all(Array.from({ length: 6 }, () => sdk.customers.create()));
    await Promise.all(
      subscribers.map(async (subscriber, index) => {
        const { id } = await catalog.subscribe(subscriber, price);
        // All changes happen within a second or two. The order in which the events arrive is undefined.
        for (let count = 0; count < 10 + index; count += 1) await sdk.subscriptions.update(id, { status: count % 2 ? "active" : "unpaid" });
      }),
    );
    for (const [index, subscriber] of subscribers.entries()) {
      const entitled = index % 2 === 0;
      assert.deepEqual(await catalog.entitlementKeys(subscriber), entitled ? [a.lookup_key] : []);
      assert.equal((await catalog.entitlementChanges(subscriber)).length, 11 + index);
      await catalog.waitForCheck(subscriber, a.lookup_key, entitled);
    }
  });
});
