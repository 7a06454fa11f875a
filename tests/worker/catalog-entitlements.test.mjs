// When a change of what is sold reaches those who bought it: entitlements are a snapshot of each period.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually } from "./support.mjs";
import { FEBRUARY, JANUARY, lookupKeys, MARCH, serveCatalog, TestCatalog, utc } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("a change of what is sold", { timeout: 180_000 }, () => {
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
    await catalog.registerOwnEndpoint();
  });
  beforeEach(async () => ({ clock, customer } = await catalog.createClockCustomer()));
  after(() => service.stop());

  /** Features that no other test knows, with keys that end in these letters. */
  async function features(...letters) {
    number += 1;
    const made = [];
    for (const letter of letters) made.push(await catalog.createFeature(`${number}${letter}`));
    return made;
  }
  /** What the customer has, by those letters. */
  const held = async () => (await catalog.entitlementKeys(customer)).map((key) => key.replace(`${number}`, ""));
  const told = async () =>
    (await catalog.entitlementChanges(customer)).map((change) =>
      change.map((list) => list.map((key) => key.replace(`${number}`, "")).join("")),
    );
  const apply = (product) => sdk.rawRequest("POST", `/v1/products/${product.id}/features/apply`);

  test("reaches subscribers at the start of their next period, whether a feature was attached or detached", async () => {
    const [a, b] = await features("a", "b");
    const { product, attached, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await catalog.attachFeature(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(await held(), ["a"]);
    await catalog.advanceClock(clock, FEBRUARY - 1);
    assert.deepEqual(await held(), ["a"]);
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await held(), ["b"]);
    assert.deepEqual(await told(), [
      ["", "a"],
      ["a", "b"],
    ]);
    const anew = await sdk.customers.create();
    await catalog.subscribe(anew, price);
    assert.deepEqual(await catalog.entitlementKeys(anew), [b.lookup_key]);
  });

  test("reaches subscribers at once where it is applied, and their next period changes nothing more", async () => {
    const [a, b] = await features("a", "b");
    const { product, attached, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await catalog.waitForCheck(customer, a.lookup_key, true);
    await catalog.attachFeature(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(
      { ...(await apply(product)) },
      { object: "product_feature_application", product: product.id, livemode: false, status: "applied" },
    );
    assert.deepEqual(await held(), ["b"]);
    await catalog.waitForCheck(customer, a.lookup_key, false);
    await catalog.waitForCheck(customer, b.lookup_key, true);
    await apply(product);
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await told(), [
      ["", "a"],
      ["a", "b"],
    ]);
    await assert.rejects(apply({ id: "prod_none" }), { constructor: Invalid, statusCode: 404, code: "resource_missing" });
  });

  test("reaches 100 subscriptions in one answer when it is applied, and more of them in the background", async () => {
    const [a] = await features("a");
    const { product, price } = await catalog.createPlan();
    const buyers = [];
    const buy = async (count) => {
      while (buyers.length < count) {
        const some = Array.from({ length: Math.min(10, count - buyers.length) }, () => sdk.customers.create());
        const made = await Promise.all(some);
        await Promise.all(made.map((one) => catalog.subscribe(one, price)));
        buyers.push(...made);
      }
    };
    await buy(100);
    const attached = await catalog.attachFeature(product, a);
    assert.equal((await apply(product)).status, "applied");
    for (const one of buyers) assert.deepEqual(await catalog.entitlementKeys(one), [a.lookup_key]);
    await buy(101);
    await sdk.products.deleteFeature(product.id, attached.id);
    assert.equal((await apply(product)).status, "applying");
    for (const one of buyers) await eventually(async () => assert.deepEqual(await catalog.entitlementKeys(one), []));
  });

  test("of a price is taken at once, and of a quantity changes nothing", async () => {
    const [a, b, c] = await features("a", "b", "c");
    const [low, high] = [await catalog.createPlan(a, b), await catalog.createPlan(a, c)];
    const { id, items } = await catalog.subscribe(customer, low.price);
    const [item] = items.data;
    await sdk.subscriptions.update(id, { items: [{ id: item.id, quantity: 5 }] });
    assert.deepEqual(await told(), [["", "ab"]]);
    assert.equal((await sdk.subscriptions.retrieve(id)).items.data[0].quantity, 5);
    await sdk.subscriptions.update(id, { items: [{ id: item.id, price: high.price.id }], proration_behavior: "none" });
    assert.deepEqual(await held(), ["a", "c"]);
    assert.deepEqual(await told(), [
      ["", "ab"],
      ["ab", "ac"],
    ]);
  });

  test("of the interval begins a new period", async () => {
    const { product, price } = await catalog.createPlan(...(await features("a")));
    const yearly = await catalog.createPrice(product, { recurring: { interval: "year" } });
    const { id, items } = await catalog.subscribe(customer, price);
    const moment = utc(2027, 1, 20, 8);
    await catalog.advanceClock(clock, moment);
    const {
      items: {
        data: [item],
      },
    } = await sdk.subscriptions.update(id, { items: [{ id: items.data[0].id, price: yearly.id }] });
    assert.deepEqual([item.id, item.current_period_start, item.current_period_end], [items.data[0].id, moment, utc(2028, 1, 20, 8)]);
    assert.deepEqual(await told(), [["", "a"]]);
  });

  test("of the items adds and takes away at once", async () => {
    const [a, b, c] = await features("a", "b", "c");
    const [one, two, three] = [await catalog.createPlan(a), await catalog.createPlan(a, b), await catalog.createPlan(c)];
    const { id, items } = await catalog.subscribe(customer, [one.price, two.price]);
    assert.deepEqual([items.data.length, await held()], [2, ["a", "b"]]);
    const more = await sdk.subscriptions.update(id, { items: [{ price: three.price.id }] });
    assert.deepEqual([more.items.data.length, await held()], [3, ["a", "b", "c"]]);
    const second = more.items.data.find(({ price }) => price.id === two.price.id);
    await sdk.subscriptions.update(id, { items: [{ id: second.id, deleted: true }] });
    assert.deepEqual(await held(), ["a", "c"]);
    assert.deepEqual(await told(), [
      ["", "ab"],
      ["ab", "abc"],
      ["abc", "ac"],
    ]);
    const left = (await sdk.subscriptions.retrieve(id)).items.data;
    await assert.rejects(sdk.subscriptions.update(id, { items: left.map((item) => ({ id: item.id, deleted: true })) }), {
      constructor: Invalid,
      statusCode: 400,
    });
    await assert.rejects(sdk.subscriptions.update(id, { items: [{ id: "si_none", quantity: 2 }] }), {
      constructor: Invalid,
      statusCode: 400,
      param: "items[0][id]",
    });
  });

  test("is one entitlement where two subscriptions share a feature, and it survives the end of one", async () => {
    const [a, b] = await features("a", "b");
    const [first, second] = [
      await catalog.subscribe(customer, (await catalog.createPlan(a)).price),
      await catalog.subscribe(customer, (await catalog.createPlan(a, b)).price),
    ];
    assert.deepEqual(await held(), ["a", "b"]);
    await sdk.subscriptions.cancel(first.id);
    assert.deepEqual(await held(), ["a", "b"]);
    await sdk.subscriptions.cancel(second.id);
    assert.deepEqual(await held(), []);
    assert.deepEqual(await told(), [
      ["", "a"],
      ["a", "ab"],
      ["ab", ""],
    ]);
  });

  test("to an archived feature takes it from nobody, and its key can be used anew beside it", async () => {
    const [a] = await features("a");
    const { product, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price);
    await sdk.entitlements.features.update(a.id, { active: false });
    await catalog.advanceClock(clock, FEBRUARY);
    assert.deepEqual(await held(), ["a"]);
    await catalog.waitForCheck(customer, a.lookup_key, true);
    const later = await sdk.customers.create();
    await catalog.subscribe(later, price);
    assert.deepEqual(await catalog.entitlementKeys(later), [a.lookup_key]);

    const again = await catalog.createFeature(a.lookup_key);
    await catalog.attachFeature(product, again);
    await catalog.advanceClock(clock, MARCH);
    const both = await sdk.entitlements.activeEntitlements.list({ customer: customer.id });
    assert.deepEqual(both.data.map(({ feature }) => feature).sort(), [a.id, again.id].sort());
    assert.deepEqual(lookupKeys(both.data), [a.lookup_key, a.lookup_key]);
    await catalog.waitForCheck(customer, a.lookup_key, true);
  });

  test("is taken when a trial ends, since a period begins then", async () => {
    const [a, b] = await features("a", "b");
    const { product, price } = await catalog.createPlan(a);
    await catalog.subscribe(customer, price, { trial_period_days: 7 });
    await catalog.attachFeature(product, b);
    assert.deepEqual(await held(), ["a"]);
    await catalog.advanceClock(clock, JANUARY + 7 * 86_400);
    assert.deepEqual(await held(), ["a", "b"]);
  });

  test("of nothing at all is told to nobody: a product without features, a customer's new name", async () => {
    const { price } = await catalog.createPlan();
    const { id } = await catalog.subscribe(customer, price);
    await sdk.customers.update(customer.id, { name: "Ada" });
    await catalog.advanceClock(clock, MARCH);
    await sdk.subscriptions.cancel(id);
    assert.deepEqual([await held(), await told()], [[], []]);
  });

  test("of many years at once is done period by period", async () => {
    const [a] = await features("a");
    const { price } = await catalog.createPlan(a);
    const subscriptions = [];
    for (let count = 0; count < 5; count += 1) subscriptions.push(await catalog.subscribe(customer, price));
    await catalog.advanceClock(clock, utc(2031, 1, 15, 8));
    for (const { id } of subscriptions) {
      const { status, items } = await sdk.subscriptions.retrieve(id);
      assert.deepEqual([status, items.data[0].current_period_start], ["active", utc(2031, 1, 15, 8)]);
    }
    assert.deepEqual(await told(), [["", "a"]]);
  });

  test("is followed by checks to its end, however many come at once", async () => {
    const [a] = await features("a");
    const { price } = await catalog.createPlan(a);
    const buyers = await Promise.all(Array.from({ length: 6 }, () => sdk.customers.create()));
    await Promise.all(
      buyers.map(async (buyer, index) => {
        const { id } = await catalog.subscribe(buyer, price);
        // All within a second or two: the order in which the events arrive is nobody's promise.
        for (let count = 0; count < 10 + index; count += 1) await sdk.subscriptions.update(id, { status: count % 2 ? "active" : "unpaid" });
      }),
    );
    for (const [index, buyer] of buyers.entries()) {
      const held = index % 2 === 0;
      assert.deepEqual(await catalog.entitlementKeys(buyer), held ? [a.lookup_key] : []);
      assert.equal((await catalog.entitlementChanges(buyer)).length, 11 + index);
      await catalog.waitForCheck(buyer, a.lookup_key, held);
    }
  });
});
