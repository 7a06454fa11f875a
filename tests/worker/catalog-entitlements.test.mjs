// When a change of what is sold reaches those who bought it: entitlements are a snapshot of each period.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually } from "./support.mjs";
import { at, catalog, FEBRUARY, JANUARY, keys, MARCH, Shop } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("a change of what is sold", { timeout: 180_000 }, () => {
  let service;
  let shop;
  let sdk;
  let clock;
  let customer;
  let number = 0;
  before(async () => {
    service = await catalog();
    shop = new Shop(service);
    ({ sdk } = shop);
    await shop.registerItself();
  });
  beforeEach(async () => ({ clock, customer } = await shop.customer()));
  after(() => service.stop());

  /** Features that no other test knows, with keys that end in these letters. */
  async function features(...letters) {
    number += 1;
    const made = [];
    for (const letter of letters) made.push(await shop.feature(`${number}${letter}`));
    return made;
  }
  /** What the customer has, by those letters. */
  const held = async () => (await shop.held(customer)).map((key) => key.replace(`${number}`, ""));
  const told = async () =>
    (await shop.told(customer)).map((change) => change.map((list) => list.map((key) => key.replace(`${number}`, "")).join("")));
  const apply = (product) => sdk.rawRequest("POST", `/v1/products/${product.id}/features/apply`);

  test("reaches subscribers at the start of their next period, whether a feature was attached or detached", async () => {
    const [a, b] = await features("a", "b");
    const { product, attached, price } = await shop.plan(a);
    await shop.subscribe(customer, price);
    await shop.attach(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(await held(), ["a"]);
    await shop.advance(clock, FEBRUARY - 1);
    assert.deepEqual(await held(), ["a"]);
    await shop.advance(clock, FEBRUARY);
    assert.deepEqual(await held(), ["b"]);
    assert.deepEqual(await told(), [
      ["", "a"],
      ["a", "b"],
    ]);
    const anew = await sdk.customers.create();
    await shop.subscribe(anew, price);
    assert.deepEqual(await shop.held(anew), [b.lookup_key]);
  });

  test("reaches subscribers at once where it is applied, and their next period changes nothing more", async () => {
    const [a, b] = await features("a", "b");
    const { product, attached, price } = await shop.plan(a);
    await shop.subscribe(customer, price);
    await shop.follows(customer, a.lookup_key, true);
    await shop.attach(product, b);
    await sdk.products.deleteFeature(product.id, attached[0].id);
    assert.deepEqual(
      { ...(await apply(product)) },
      { object: "product_feature_application", product: product.id, livemode: false, status: "applied" },
    );
    assert.deepEqual(await held(), ["b"]);
    await shop.follows(customer, a.lookup_key, false);
    await shop.follows(customer, b.lookup_key, true);
    await apply(product);
    await shop.advance(clock, FEBRUARY);
    assert.deepEqual(await told(), [
      ["", "a"],
      ["a", "b"],
    ]);
    await assert.rejects(apply({ id: "prod_none" }), { constructor: Invalid, statusCode: 404, code: "resource_missing" });
  });

  test("reaches 100 subscriptions in one answer when it is applied, and more of them in the background", async () => {
    const [a] = await features("a");
    const { product, price } = await shop.plan();
    const buyers = [];
    const buy = async (count) => {
      while (buyers.length < count) {
        const some = Array.from({ length: Math.min(10, count - buyers.length) }, () => sdk.customers.create());
        const made = await Promise.all(some);
        await Promise.all(made.map((one) => shop.subscribe(one, price)));
        buyers.push(...made);
      }
    };
    await buy(100);
    const attached = await shop.attach(product, a);
    assert.equal((await apply(product)).status, "applied");
    for (const one of buyers) assert.deepEqual(await shop.held(one), [a.lookup_key]);
    await buy(101);
    await sdk.products.deleteFeature(product.id, attached.id);
    assert.equal((await apply(product)).status, "applying");
    for (const one of buyers) await eventually(async () => assert.deepEqual(await shop.held(one), []));
  });

  test("of a price is taken at once, and of a quantity changes nothing", async () => {
    const [a, b, c] = await features("a", "b", "c");
    const [low, high] = [await shop.plan(a, b), await shop.plan(a, c)];
    const { id, items } = await shop.subscribe(customer, low.price);
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
    const { product, price } = await shop.plan(...(await features("a")));
    const yearly = await shop.price(product, { recurring: { interval: "year" } });
    const { id, items } = await shop.subscribe(customer, price);
    const moment = at(2027, 1, 20, 8);
    await shop.advance(clock, moment);
    const {
      items: {
        data: [item],
      },
    } = await sdk.subscriptions.update(id, { items: [{ id: items.data[0].id, price: yearly.id }] });
    assert.deepEqual([item.id, item.current_period_start, item.current_period_end], [items.data[0].id, moment, at(2028, 1, 20, 8)]);
    assert.deepEqual(await told(), [["", "a"]]);
  });

  test("of the items adds and takes away at once", async () => {
    const [a, b, c] = await features("a", "b", "c");
    const [one, two, three] = [await shop.plan(a), await shop.plan(a, b), await shop.plan(c)];
    const { id, items } = await shop.subscribe(customer, [one.price, two.price]);
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
      await shop.subscribe(customer, (await shop.plan(a)).price),
      await shop.subscribe(customer, (await shop.plan(a, b)).price),
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
    const { product, price } = await shop.plan(a);
    await shop.subscribe(customer, price);
    await sdk.entitlements.features.update(a.id, { active: false });
    await shop.advance(clock, FEBRUARY);
    assert.deepEqual(await held(), ["a"]);
    await shop.follows(customer, a.lookup_key, true);
    const later = await sdk.customers.create();
    await shop.subscribe(later, price);
    assert.deepEqual(await shop.held(later), [a.lookup_key]);

    const again = await shop.feature(a.lookup_key);
    await shop.attach(product, again);
    await shop.advance(clock, MARCH);
    const both = await sdk.entitlements.activeEntitlements.list({ customer: customer.id });
    assert.deepEqual(both.data.map(({ feature }) => feature).sort(), [a.id, again.id].sort());
    assert.deepEqual(keys(both.data), [a.lookup_key, a.lookup_key]);
    await shop.follows(customer, a.lookup_key, true);
  });

  test("is taken when a trial ends, since a period begins then", async () => {
    const [a, b] = await features("a", "b");
    const { product, price } = await shop.plan(a);
    await shop.subscribe(customer, price, { trial_period_days: 7 });
    await shop.attach(product, b);
    assert.deepEqual(await held(), ["a"]);
    await shop.advance(clock, JANUARY + 7 * 86_400);
    assert.deepEqual(await held(), ["a", "b"]);
  });

  test("of nothing at all is told to nobody: a product without features, a customer's new name", async () => {
    const { price } = await shop.plan();
    const { id } = await shop.subscribe(customer, price);
    await sdk.customers.update(customer.id, { name: "Ada" });
    await shop.advance(clock, MARCH);
    await sdk.subscriptions.cancel(id);
    assert.deepEqual([await held(), await told()], [[], []]);
  });

  test("of many years at once is done period by period", async () => {
    const [a] = await features("a");
    const { price } = await shop.plan(a);
    const subscriptions = [];
    for (let count = 0; count < 5; count += 1) subscriptions.push(await shop.subscribe(customer, price));
    await shop.advance(clock, at(2031, 1, 15, 8));
    for (const { id } of subscriptions) {
      const { status, items } = await sdk.subscriptions.retrieve(id);
      assert.deepEqual([status, items.data[0].current_period_start], ["active", at(2031, 1, 15, 8)]);
    }
    assert.deepEqual(await told(), [["", "a"]]);
  });

  test("is followed by checks to its end, however many come at once", async () => {
    const [a] = await features("a");
    const { price } = await shop.plan(a);
    const buyers = await Promise.all(Array.from({ length: 6 }, () => sdk.customers.create()));
    await Promise.all(
      buyers.map(async (buyer, index) => {
        const { id } = await shop.subscribe(buyer, price);
        // All within a second or two: the order in which the events arrive is nobody's promise.
        for (let count = 0; count < 10 + index; count += 1) await sdk.subscriptions.update(id, { status: count % 2 ? "active" : "unpaid" });
      }),
    );
    for (const [index, buyer] of buyers.entries()) {
      const held = index % 2 === 0;
      assert.deepEqual(await shop.held(buyer), held ? [a.lookup_key] : []);
      assert.equal((await shop.told(buyer)).length, 11 + index);
      await shop.follows(buyer, a.lookup_key, held);
    }
  });
});
