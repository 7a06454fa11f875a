// The catalog's lists, read with Stripe's SDK: pages, cursors, filters and their encodings.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { serve } from "./support.mjs";
import { DAY, FAILING_CARD, FEBRUARY, HOUR, JANUARY, serveCatalog, TestCatalog } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;
const ids = (list) => list.map(({ id }) => id);
const numberedKeys = (count) => Array.from({ length: count }, (_, i) => `f${String(i).padStart(3, "0")}`);

describe("a list of the catalog", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  const features = [];
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
    for (const key of numberedKeys(101)) features.push(await catalog.createFeature(key));
  });
  after(() => service.stop());

  test("it has 10 items without a limit, and accepts limits from 1 to 100", async () => {
    const { list } = sdk.entitlements.features;
    const newest = ids(features).reverse();
    for (const [limit, count] of /** @type {[number | undefined, number][]} */ ([
      [undefined, 10],
      [1, 1],
      [100, 100],
    ])) {
      const page = await list.call(sdk.entitlements.features, limit && { limit });
      assert.deepEqual([ids(page.data), page.has_more], [newest.slice(0, count), true], `limit ${limit}`);
    }
    for (const [limit, message] of [
      [0, "This value must be greater than or equal to 1 (it currently is '0')."],
      [101, "This value must be less than or equal to 100 (it currently is '101')."],
      [-1, "This value must be greater than or equal to 1 (it currently is '-1')."],
      ["ten", "Invalid integer: ten"],
    ]) {
      for (const resource of [
        sdk.entitlements.features,
        sdk.customers,
        sdk.products,
        sdk.prices,
        sdk.subscriptions,
        sdk.events,
        sdk.webhookEndpoints,
        sdk.testHelpers.testClocks,
      ]) {
        await assert.rejects(resource.list({ limit }), {
          constructor: Invalid,
          statusCode: 400,
          code: "parameter_invalid_integer",
          param: "limit",
          message,
        });
      }
    }
  });

  test("the SDK pages forwards and backwards, with any page size", async () => {
    const newest = ids(features).reverse();
    const { features: resource } = sdk.entitlements;
    for (const limit of [7, 100]) assert.deepEqual(ids(await resource.list({ limit }).autoPagingToArray({ limit: 1000 })), newest);
    const back = await resource.list({ limit: 7, ending_before: newest[30] }).autoPagingToArray({ limit: 1000 });
    assert.deepEqual(ids(back), newest.slice(0, 30).reverse());
    const last = await resource.list({ limit: 1, starting_after: newest[99] });
    assert.deepEqual([ids(last.data), last.has_more], [[newest[100]], false]);
    const empty = await resource.list({ starting_after: newest[100] });
    assert.deepEqual([empty.data, empty.has_more], [[], false]);
    const first = await resource.list({ limit: 1, ending_before: newest[1] });
    assert.deepEqual([ids(first.data), first.has_more], [[newest[0]], false]);
    await assert.rejects(resource.list({ starting_after: newest[3], ending_before: newest[9] }), { constructor: Invalid, statusCode: 400 });
  });

  test("a customer's entitlements are paged like any list", async () => {
    const { price } = await catalog.createPlan(...features.slice(0, 25));
    const customer = await sdk.customers.create();
    await catalog.subscribe(customer, price);
    assert.deepEqual(await catalog.entitlementKeys(customer), numberedKeys(25));
    const list = (params) => sdk.entitlements.activeEntitlements.list({ customer: customer.id, ...params });
    const all = await list({ limit: 7 }).autoPagingToArray({ limit: 100 });
    assert.deepEqual([all.length, new Set(ids(all)).size], [25, 25]);
    const back = await list({ limit: 4, ending_before: all[20].id }).autoPagingToArray({ limit: 100 });
    assert.deepEqual(back, all.slice(0, 20).reverse());
    await assert.rejects(list({ starting_after: "ent_none" }), { statusCode: 400, code: "resource_missing", param: "starting_after" });
  });

  test("it expands properties, with brackets in any encoding", async () => {
    const { price } = await catalog.createPlan(features[0]);
    const customer = await sdk.customers.create();
    await catalog.subscribe(customer, price);
    const path = `/v1/entitlements/active_entitlements?customer=${customer.id}`;
    for (const name of ["expand[]", "expand[0]", "expand%5B%5D", "expand%5B0%5D"]) {
      const { json } = await service.request(`${path}&${name}=data.feature`);
      assert.deepEqual(json.data[0].feature, { ...features[0] }, name);
    }
    assert.deepEqual(
      (await sdk.entitlements.activeEntitlements.list({ customer: customer.id, expand: ["data.feature"] })).data[0].feature,
      { ...features[0] },
    );
    const { status, json } = await service.request(`${path}&expand[]=data.owner`);
    assert.deepEqual([status, json.error.type], [400, "invalid_request_error"]);
  });

  test("customers are filtered by email and time, and those on a test clock are listed only with that clock", async () => {
    const clock = await catalog.createClock();
    const email = "eve@example.com";
    const [withoutClock, onClock] = [await sdk.customers.create({ email }), await sdk.customers.create({ email, test_clock: clock.id })];
    const found = async (filter) => ids((await sdk.customers.list(filter)).data);
    assert.deepEqual(await found({ email }), [withoutClock.id]);
    assert.deepEqual(await found({ email: "Eve@example.com" }), []);
    assert.deepEqual(await found({ test_clock: clock.id }), [onClock.id]);
    assert.deepEqual(await found({ test_clock: clock.id, email: "bob@example.com" }), []);
    for (const [created, expected] of [
      [withoutClock.created, [withoutClock.id]],
      [{ gte: withoutClock.created }, [withoutClock.id]],
      [{ gt: withoutClock.created - 1 }, [withoutClock.id]],
      [{ gt: withoutClock.created }, []],
      [{ lte: withoutClock.created }, [withoutClock.id]],
      [{ lt: withoutClock.created + 1 }, [withoutClock.id]],
      [{ lt: withoutClock.created }, []],
      [withoutClock.created + 1, []],
    ]) {
      assert.deepEqual(await found({ email, created }), expected, JSON.stringify(created));
    }
    await sdk.customers.del(withoutClock.id);
    assert.deepEqual(await found({ email }), []);
    assert.deepEqual({ ...(await sdk.customers.retrieve(withoutClock.id)) }, { id: withoutClock.id, object: "customer", deleted: true });
  });

  test("products and prices are filtered by their attributes", async () => {
    const product = await sdk.products.create({
      name: "Lamp",
      default_price_data: { currency: "eur", unit_amount: 900, recurring: { interval: "year" } },
    });
    const inactive = await sdk.products.create({ id: "prod_inactive", name: "Inactive", active: false });
    assert.equal(inactive.id, "prod_inactive");
    const products = async (filter) => ids((await sdk.products.list({ limit: 100, ...filter })).data);
    assert.deepEqual(await products({ ids: [product.id, "prod_inactive"], active: true }), [product.id]);
    assert.deepEqual(await products({ active: false }), ["prod_inactive"]);

    const yearly = product.default_price;
    const monthly = await catalog.createPrice(product, { lookup_key: "lamp" });
    const oneTime = await catalog.createPrice(product, { recurring: undefined, lookup_key: "lamp_once" });
    await sdk.prices.update(oneTime.id, { active: false });
    const prices = async (filter) => ids((await sdk.prices.list({ product: product.id, ...filter })).data);
    for (const [filter, expected] of [
      [{}, [oneTime.id, monthly.id, yearly]],
      [{ active: true }, [monthly.id, yearly]],
      [{ active: false }, [oneTime.id]],
      [{ type: "one_time" }, [oneTime.id]],
      [{ type: "recurring" }, [monthly.id, yearly]],
      [{ recurring: { interval: "year" } }, [yearly]],
      [{ currency: "eur" }, [yearly]],
      [{ lookup_keys: ["lamp", "lamp_once"] }, [oneTime.id, monthly.id]],
    ]) {
      assert.deepEqual(await prices(filter), expected, JSON.stringify(filter));
    }
  });

  test("a transferred lookup key lists its new price", async () => {
    const product = await sdk.products.create({ name: "Chair" });
    const old = await catalog.createPrice(product, { lookup_key: "chair" });
    await assert.rejects(catalog.createPrice(product, { lookup_key: "chair" }), { constructor: Invalid, statusCode: 400 });
    const current = await catalog.createPrice(product, { lookup_key: "chair", transfer_lookup_key: true });
    assert.deepEqual(ids((await sdk.prices.list({ lookup_keys: ["chair"] })).data), [current.id]);
    assert.equal((await sdk.prices.retrieve(old.id)).lookup_key, null);
  });

  test("subscriptions are filtered by status, customer, price, test clock and period", async () => {
    const { price } = await catalog.createPlan();
    const { price: other } = await catalog.createPlan();
    const { clock, customer } = await catalog.createClockCustomer();
    const active = await catalog.subscribe(customer, price);
    const trialing = await catalog.subscribe(customer, other, { trial_period_days: 7 });
    const canceled = await catalog.subscribe(customer, price);
    await sdk.subscriptions.cancel(canceled.id);
    const incomplete = await catalog.subscribe(customer, price, { default_payment_method: FAILING_CARD });
    const found = async (filter) => ids((await sdk.subscriptions.list({ customer: customer.id, ...filter })).data);
    for (const [filter, expected] of [
      [{}, [incomplete, trialing, active]],
      [{ status: "all" }, [incomplete, canceled, trialing, active]],
      [{ status: "ended" }, [canceled]],
      [{ status: "active" }, [active]],
      [{ status: "canceled" }, [canceled]],
      [{ status: "incomplete" }, [incomplete]],
      [{ status: "past_due" }, []],
      [{ status: "trialing" }, [trialing]],
      [{ price: other.id }, [trialing]],
      [{ status: "all", price: price.id }, [incomplete, canceled, active]],
      [{ current_period_end: { lt: FEBRUARY } }, [trialing]],
      [{ current_period_end: JANUARY + 7 * DAY }, [trialing]],
      [{ current_period_start: { lte: JANUARY - 1 } }, []],
      [{ created: { gte: JANUARY }, test_clock: clock.id }, [incomplete, trialing, active]],
      [{ created: { gt: JANUARY }, test_clock: clock.id }, []],
    ]) {
      assert.deepEqual(await found(filter), ids(expected), JSON.stringify(filter));
    }
    await catalog.advanceClock(clock, JANUARY + 23 * HOUR);
    assert.deepEqual(await found({ status: "ended" }), ids([incomplete, canceled]));
    assert.deepEqual(await found({ status: "incomplete_expired" }), [incomplete.id]);
    const all = ids((await sdk.subscriptions.list({ limit: 100 })).data);
    assert.ok(!all.includes(active.id), "a subscription on a test clock is listed only with its customer or clock");
  });

  test("without the setting, a route of the catalog is a 404 that names the setting", async () => {
    const withoutCatalog = await serve();
    try {
      for (const path of ["/v1/entitlements/features", "/v1/customers", "/v1/products/prod_1/features", "/v1/events"]) {
        const { status, json } = await withoutCatalog.request(path);
        assert.deepEqual([status, json.error.type], [404, "invalid_request_error"], path);
        assert.match(json.error.message, /^Unrecognized request URL \(GET: .*ENTGATE_SOURCE/, path);
      }
    } finally {
      await withoutCatalog.stop();
    }
  });
});
