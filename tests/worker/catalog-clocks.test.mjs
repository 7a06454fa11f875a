// Test clocks of the catalog: they set the time of some customers and their subscriptions.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually, unixNow } from "./support.mjs";
import { DAY, FEBRUARY, JANUARY, MARCH, serveCatalog, TestCatalog, utc } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("a test clock", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  let plan;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
    plan = await catalog.createPlan(await catalog.createFeature("sms"));
  });
  after(() => service.stop());

  test("objects of its customers have its time, and other objects the real time", async () => {
    const { clock, customer } = await catalog.createClockCustomer();
    const began = unixNow();
    const subscription = await catalog.subscribe(customer, plan.price);
    const withoutClock = await sdk.customers.create();
    assert.deepEqual([customer.created, subscription.created, subscription.start_date], [JANUARY, JANUARY, JANUARY]);
    assert.ok(began <= withoutClock.created && withoutClock.created <= unixNow());
    await catalog.advanceClock(clock, FEBRUARY + 1);
    assert.equal((await catalog.subscribe(customer, plan.price)).created, FEBRUARY + 1);
  });

  test("while it is advancing, changes of its customers are rejected, and other requests work", async () => {
    const clock = await catalog.createClock();
    const customers = await Promise.all(Array.from({ length: 30 }, () => sdk.customers.create({ test_clock: clock.id })));
    const [first] = await Promise.all(customers.map((customer) => catalog.subscribe(customer, plan.price)));
    const target = JANUARY + 5 * 365 * DAY;
    const begun = await sdk.testHelpers.testClocks.advance(clock.id, { frozen_time: target });
    assert.deepEqual(
      [begun.status, begun.frozen_time, begun.status_details],
      ["advancing", JANUARY, { advancing: { target_frozen_time: target } }],
    );
    for (const [why, request] of /** @type {[string, () => Promise<unknown>][]} */ ([
      ["advance", () => sdk.testHelpers.testClocks.advance(clock.id, { frozen_time: target })],
      ["subscribe", () => catalog.subscribe(customers[0], plan.price)],
      ["cancel", () => sdk.subscriptions.cancel(first.id)],
    ])) {
      // A fast machine may finish advancing before the request; then the request may succeed.
      const rejection = await request().then(
        () => undefined,
        (error) => error,
      );
      if ((await sdk.testHelpers.testClocks.retrieve(clock.id)).status === "advancing")
        assert.deepEqual([rejection?.constructor, rejection?.statusCode], [Invalid, 400], why);
    }
    assert.match((await sdk.customers.create()).id, /^cus_/);
    const customer = customers[7];
    await eventually(async () => assert.equal((await sdk.testHelpers.testClocks.retrieve(clock.id)).status, "ready"));
    const { items } = (await sdk.subscriptions.list({ customer: customer.id })).data[0];
    // Five times 365 days are a day less than these five years, which have one leap day.
    assert.deepEqual([items.data[0].current_period_start, items.data[0].current_period_end], [utc(2031, 12, 15, 8), utc(2032, 1, 15, 8)]);
  });

  test("advancing it does not affect other clocks", async () => {
    const [one, two] = [await catalog.createClockCustomer(), await catalog.createClockCustomer()];
    const subscriptions = [await catalog.subscribe(one.customer, plan.price), await catalog.subscribe(two.customer, plan.price)];
    await Promise.all([catalog.advanceClock(one.clock, MARCH), catalog.advanceClock(two.clock, FEBRUARY)]);
    const starts = [];
    for (const { id } of subscriptions) starts.push((await sdk.subscriptions.retrieve(id)).items.data[0].current_period_start);
    assert.deepEqual(starts, [MARCH, FEBRUARY]);
  });

  test("deleting it deletes its customers and cancels their subscriptions", async () => {
    const { clock, customer } = await catalog.createClockCustomer();
    const subscription = await catalog.subscribe(customer, plan.price);
    assert.deepEqual(
      { ...(await sdk.testHelpers.testClocks.del(clock.id)) },
      { id: clock.id, object: "test_helpers.test_clock", deleted: true },
    );
    await assert.rejects(sdk.testHelpers.testClocks.retrieve(clock.id), { constructor: Invalid, statusCode: 404 });
    await eventually(async () => assert.equal((await sdk.customers.retrieve(customer.id)).deleted, true));
    assert.equal(await catalog.subscriptionStatus(subscription), "canceled");
    assert.deepEqual(await catalog.entitlementChanges(customer), [
      [[], ["sms"]],
      [["sms"], []],
    ]);
  });

  test("clocks are listed with their names, newest first", async () => {
    const created = await sdk.testHelpers.testClocks.create({ frozen_time: JANUARY, name: "Last" });
    const { data, url } = await sdk.testHelpers.testClocks.list({ limit: 1 });
    assert.deepEqual([data, url], [[{ ...created }], "/v1/test_helpers/test_clocks"]);
  });
});
