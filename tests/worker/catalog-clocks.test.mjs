// A test clock: the time that some customers live by.

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

  test("dates what lives by it, and nothing else", async () => {
    const { clock, customer } = await catalog.createClockCustomer();
    const began = unixNow();
    const subscription = await catalog.subscribe(customer, plan.price);
    const here = await sdk.customers.create();
    assert.deepEqual([customer.created, subscription.created, subscription.start_date], [JANUARY, JANUARY, JANUARY]);
    assert.ok(began <= here.created && here.created <= unixNow());
    await catalog.advanceClock(clock, FEBRUARY + 1);
    assert.equal((await catalog.subscribe(customer, plan.price)).created, FEBRUARY + 1);
  });

  test("that is advancing lets nobody change what lives by it, and lets others work", async () => {
    const clock = await catalog.createClock();
    const buyers = await Promise.all(Array.from({ length: 30 }, () => sdk.customers.create({ test_clock: clock.id })));
    const [first] = await Promise.all(buyers.map((customer) => catalog.subscribe(customer, plan.price)));
    const target = JANUARY + 5 * 365 * DAY;
    const begun = await sdk.testHelpers.testClocks.advance(clock.id, { frozen_time: target });
    assert.deepEqual(
      [begun.status, begun.frozen_time, begun.status_details],
      ["advancing", JANUARY, { advancing: { target_frozen_time: target } }],
    );
    for (const [why, request] of [
      ["advance", () => sdk.testHelpers.testClocks.advance(clock.id, { frozen_time: target })],
      ["subscribe", () => catalog.subscribe(buyers[0], plan.price)],
      ["cancel", () => sdk.subscriptions.cancel(first.id)],
    ]) {
      // Whether this comes before all is done is up to the machine: only that is refused.
      const refused = await request().then(
        () => undefined,
        (error) => error,
      );
      if ((await sdk.testHelpers.testClocks.retrieve(clock.id)).status === "advancing")
        assert.deepEqual([refused?.constructor, refused?.statusCode], [Invalid, 400], why);
    }
    assert.match((await sdk.customers.create()).id, /^cus_/);
    const customer = buyers[7];
    await eventually(async () => assert.equal((await sdk.testHelpers.testClocks.retrieve(clock.id)).status, "ready"));
    const { items } = (await sdk.subscriptions.list({ customer: customer.id })).data[0];
    // Five times 365 days are a day less than five years with one leap day in them.
    assert.deepEqual([items.data[0].current_period_start, items.data[0].current_period_end], [utc(2031, 12, 15, 8), utc(2032, 1, 15, 8)]);
  });

  test("does not move others", async () => {
    const [one, two] = [await catalog.createClockCustomer(), await catalog.createClockCustomer()];
    const subscriptions = [await catalog.subscribe(one.customer, plan.price), await catalog.subscribe(two.customer, plan.price)];
    await Promise.all([catalog.advanceClock(one.clock, MARCH), catalog.advanceClock(two.clock, FEBRUARY)]);
    const starts = [];
    for (const { id } of subscriptions) starts.push((await sdk.subscriptions.retrieve(id)).items.data[0].current_period_start);
    assert.deepEqual(starts, [MARCH, FEBRUARY]);
  });

  test("takes its customers with it when it is deleted", async () => {
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

  test("is listed with its name, the newest first", async () => {
    const made = await sdk.testHelpers.testClocks.create({ frozen_time: JANUARY, name: "Last" });
    const { data, url } = await sdk.testHelpers.testClocks.list({ limit: 1 });
    assert.deepEqual([data, url], [[{ ...made }], "/v1/test_helpers/test_clocks"]);
  });
});
