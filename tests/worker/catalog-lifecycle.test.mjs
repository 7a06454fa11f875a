// The eight statuses of a subscription, each reached over HTTP on a test clock, and what each of them grants.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { at, catalog, DAY, FAILS, FEBRUARY, HOUR, JANUARY, MARCH, Shop, WORKS } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;
const period = ({ items }) => items.data.map(({ current_period_start: start, current_period_end: end }) => [start, end]);

/** A service with one feature for sale, and a new customer for each test. */
function selling(settings) {
  const world = {};
  before(async () => {
    world.service = await catalog({ settings });
    world.shop = new Shop(world.service);
    world.sdk = world.shop.sdk;
    await world.shop.registerItself();
    world.plan = await world.shop.plan(await world.shop.feature("sms"));
  });
  beforeEach(async () => Object.assign(world, await world.shop.customer()));
  after(() => world.service.stop());

  /** Asserts a subscription's status, what its customer has, and what a check answers. */
  world.is = async (subscription, status, grants) => {
    assert.equal(await world.shop.status(subscription), status);
    assert.deepEqual(await world.shop.held(world.customer), grants ? ["sms"] : [], status);
    await world.shop.follows(world.customer, "sms", grants);
  };
  world.subscribe = (more) => world.shop.subscribe(world.customer, world.plan.price, more);
  world.advance = (moment) => world.shop.advance(world.clock, moment);
  world.types = async (subscription) => {
    const events = await world.sdk.events.list({ type: "customer.subscription.*", limit: 100 }).autoPagingToArray({ limit: 1000 });
    return events
      .filter(({ data }) => data.object.id === subscription.id)
      .map(({ type }) => type.replace("customer.subscription.", ""))
      .reverse();
  };
  return world;
}

describe("a subscription", { timeout: 180_000 }, () => {
  const world = selling();

  test("is active at once, grants, and renews by the month, from the second on that it is due", async () => {
    const subscription = await world.subscribe();
    assert.deepEqual(period(subscription), [[JANUARY, FEBRUARY]]);
    await world.is(subscription, "active", true);
    const now = async () => period(await world.sdk.subscriptions.retrieve(subscription.id));
    await world.advance(FEBRUARY - 1);
    assert.deepEqual(await now(), [[JANUARY, FEBRUARY]]);
    await world.advance(FEBRUARY);
    assert.deepEqual(await now(), [[FEBRUARY, MARCH]]);
    await world.advance(at(2029, 1, 14));
    assert.deepEqual(await now(), [[at(2028, 12, 15, 8), at(2029, 1, 15, 8)]]);
    await world.is(subscription, "active", true);
    assert.deepEqual(await world.shop.told(world.customer), [[[], ["sms"]]]);
  });

  test("that began on the 31st renews on the last day of shorter months", async () => {
    await world.advance(at(2027, 1, 31, 8));
    const { id } = await world.subscribe();
    for (const [moment, start, end] of [
      [1, 1, 2],
      [2, 2, 3],
      [3, 3, 4],
      [4, 4, 5],
    ].map((months) => months.map((month) => at(2027, month, { 2: 28, 4: 30 }[month] ?? 31, 8)))) {
      if (moment > at(2027, 1, 31, 8)) await world.advance(moment);
      assert.deepEqual(period(await world.sdk.subscriptions.retrieve(id)), [[start, end]]);
    }
  });

  test("is trialing until the second in which its trial ends, grants, and begins a period then", async () => {
    const end = JANUARY + 14 * DAY;
    const subscription = await world.subscribe({ trial_period_days: 14 });
    assert.deepEqual([subscription.trial_start, subscription.trial_end, period(subscription)], [JANUARY, end, [[JANUARY, end]]]);
    await world.is(subscription, "trialing", true);
    await world.advance(end - 1);
    await world.is(subscription, "trialing", true);
    await world.advance(end);
    await world.is(subscription, "active", true);
    assert.deepEqual(period(await world.sdk.subscriptions.retrieve(subscription.id)), [[end, at(2027, 2, 28, 8)]]);
    assert.deepEqual(await world.shop.told(world.customer), [[[], ["sms"]]]);
  });

  test("ends its trial when it is told to", async () => {
    const subscription = await world.subscribe({ trial_end: JANUARY + 3 * DAY });
    assert.equal(subscription.status, "trialing");
    await world.advance(JANUARY + DAY);
    const ended = await world.sdk.subscriptions.update(subscription.id, { trial_end: "now" });
    assert.deepEqual([ended.status, ended.trial_end, period(ended)], ["active", JANUARY + DAY, [[JANUARY + DAY, at(2027, 2, 16, 8)]]]);
  });

  test("is incomplete while its first payment fails, grants nothing, and is active once it is paid", async () => {
    const subscription = await world.subscribe({ default_payment_method: FAILS });
    await world.is(subscription, "incomplete", false);
    assert.deepEqual(await world.shop.told(world.customer), []);
    await world.sdk.subscriptions.update(subscription.id, { default_payment_method: WORKS });
    await world.is(subscription, "active", true);

    const waiting = await world.subscribe({ payment_behavior: "default_incomplete" });
    assert.equal(waiting.status, "incomplete");
    assert.equal((await world.sdk.subscriptions.update(waiting.id, { status: "active" })).status, "active");
    assert.deepEqual(await world.shop.told(world.customer), [[[], ["sms"]]]);
  });

  test("is incomplete_expired 23 hours later, and for good", async () => {
    const subscription = await world.subscribe({ default_payment_method: FAILS });
    await world.advance(JANUARY + 23 * HOUR - 1);
    await world.is(subscription, "incomplete", false);
    await world.advance(JANUARY + 23 * HOUR);
    await world.is(subscription, "incomplete_expired", false);
    await assert.rejects(world.sdk.subscriptions.update(subscription.id, { default_payment_method: WORKS }), Invalid);
    await assert.rejects(world.sdk.subscriptions.update(subscription.id, { status: "active" }), Invalid);
  });

  test("is past_due when a renewal is not paid, still grants, and is canceled 14 days later", async () => {
    const subscription = await world.subscribe();
    await world.sdk.subscriptions.update(subscription.id, { default_payment_method: FAILS });
    await world.is(subscription, "active", true);
    await world.advance(FEBRUARY);
    await world.is(subscription, "past_due", true);
    await world.advance(FEBRUARY + 14 * DAY - 1);
    await world.is(subscription, "past_due", true);
    await world.advance(FEBRUARY + 14 * DAY);
    await world.is(subscription, "canceled", false);
    assert.deepEqual(await world.shop.told(world.customer), [
      [[], ["sms"]],
      [["sms"], []],
    ]);
    const { ended_at, cancellation_details } = await world.sdk.subscriptions.retrieve(subscription.id);
    assert.deepEqual([ended_at, cancellation_details.reason], [FEBRUARY + 14 * DAY, "payment_failed"]);
  });

  test("that is past_due is active again with a payment method that works", async () => {
    await world.sdk.customers.update(world.customer.id, { invoice_settings: { default_payment_method: WORKS } });
    const subscription = await world.subscribe();
    await world.sdk.customers.update(world.customer.id, { invoice_settings: { default_payment_method: FAILS } });
    await world.advance(FEBRUARY);
    await world.is(subscription, "past_due", true);
    await world.sdk.subscriptions.update(subscription.id, { default_payment_method: WORKS });
    await world.is(subscription, "active", true);
    await world.advance(MARCH);
    await world.is(subscription, "active", true);
  });

  test("is unpaid when another billing system says so, and grants nothing until that says otherwise", async () => {
    const subscription = await world.subscribe();
    const becomes = async (status, grants) => {
      await world.sdk.subscriptions.update(subscription.id, { status });
      await world.is(subscription, status, grants);
    };
    await becomes("past_due", true);
    await becomes("active", true);
    await becomes("unpaid", false);
    await becomes("active", true);
    assert.deepEqual(await world.shop.told(world.customer), [
      [[], ["sms"]],
      [["sms"], []],
      [[], ["sms"]],
    ]);
    for (const status of ["trialing", "canceled", "incomplete", "paused", "asleep"]) {
      await assert.rejects(world.sdk.subscriptions.update(subscription.id, { status }), { constructor: Invalid, statusCode: 400 }, status);
    }
    await world.is(subscription, "active", true);
  });

  test("is paused by a trial that ends without a payment method, still grants, and is resumed with a new period", async () => {
    const end = JANUARY + 7 * DAY;
    const subscription = await world.subscribe({ trial_end: end, trial_settings: { end_behavior: { missing_payment_method: "pause" } } });
    await world.advance(end);
    await world.is(subscription, "paused", true);
    await world.advance(end + 60 * DAY);
    await world.is(subscription, "paused", true);
    const resumed = await world.sdk.subscriptions.resume(subscription.id, { billing_cycle_anchor: "now" });
    assert.deepEqual([resumed.status, period(resumed)], ["active", [[end + 60 * DAY, at(2027, 4, 23, 8)]]]);
    await world.is(subscription, "active", true);
    assert.deepEqual(await world.shop.told(world.customer), [[[], ["sms"]]]);
    assert.deepEqual(
      (await world.types(subscription)).filter((type) => type === "paused" || type === "resumed"),
      ["paused", "resumed"],
    );
  });

  test("is paused and resumed when it is told to", async () => {
    const subscription = await world.subscribe();
    assert.equal((await world.sdk.subscriptions.pause(subscription.id)).status, "paused");
    await world.is(subscription, "paused", true);
    assert.equal((await world.sdk.subscriptions.resume(subscription.id)).status, "active");
    await assert.rejects(world.sdk.subscriptions.resume(subscription.id), { constructor: Invalid, statusCode: 400 });
    await world.sdk.subscriptions.update(subscription.id, { pause_collection: { behavior: "void" } });
    await world.is(subscription, "active", true);
  });

  test("is canceled by a trial that ends without a payment method, if that is asked for, and not with one", async () => {
    const trial = { trial_period_days: 1, trial_settings: { end_behavior: { missing_payment_method: "cancel" } } };
    const [without, paying] = [await world.subscribe(trial), await world.subscribe({ ...trial, default_payment_method: WORKS })];
    await world.advance(JANUARY + DAY);
    await world.is(without, "canceled", true);
    await world.is(paying, "active", true);
  });

  test("is past_due after a trial whose end is not paid, and trials charge nothing before", async () => {
    const subscription = await world.subscribe({ trial_period_days: 1, default_payment_method: FAILS });
    await world.is(subscription, "trialing", true);
    await world.advance(JANUARY + DAY);
    await world.is(subscription, "past_due", true);
  });

  test("takes its trial from its price, if it is asked to", async () => {
    const price = await world.shop.price(world.plan.product, { recurring: { interval: "month", trial_period_days: 5 } });
    const { status, trial_end } = await world.shop.subscribe(world.customer, price, { trial_from_plan: true });
    assert.deepEqual([status, trial_end], ["trialing", JANUARY + 5 * DAY]);
  });

  test("is canceled at once by a DELETE, and takes away what no other grants", async () => {
    const subscription = await world.subscribe();
    await world.is(subscription, "active", true);
    const canceled = await world.sdk.subscriptions.cancel(subscription.id);
    assert.deepEqual([canceled.status, canceled.canceled_at, canceled.ended_at], ["canceled", JANUARY, JANUARY]);
    assert.equal(canceled.cancellation_details.reason, "cancellation_requested");
    await world.is(subscription, "canceled", false);
    assert.deepEqual(await world.types(subscription), ["created", "deleted"]);
  });

  test("that cancels at the period's end grants until then, and can be kept after all", async () => {
    const [ends, stays] = [await world.subscribe(), await world.subscribe()];
    const planned = await world.sdk.subscriptions.update(ends.id, { cancel_at_period_end: true });
    assert.deepEqual([planned.status, planned.cancel_at_period_end, planned.cancel_at], ["active", true, FEBRUARY]);
    await world.sdk.subscriptions.update(stays.id, { cancel_at_period_end: true });
    const kept = await world.sdk.subscriptions.update(stays.id, { cancel_at_period_end: false });
    assert.deepEqual([kept.cancel_at_period_end, kept.cancel_at], [false, null]);
    await world.advance(FEBRUARY - 1);
    await world.is(ends, "active", true);
    await world.advance(FEBRUARY);
    await world.is(ends, "canceled", true);
    await world.is(stays, "active", true);
    await world.sdk.subscriptions.cancel(stays.id);
    await world.is(stays, "canceled", false);
  });

  test("cancels at the moment that it was given", async () => {
    const subscription = await world.subscribe({ cancel_at: JANUARY + 3 * DAY });
    await world.advance(JANUARY + 3 * DAY - 1);
    await world.is(subscription, "active", true);
    await world.advance(JANUARY + 3 * DAY);
    await world.is(subscription, "canceled", false);
  });

  test("ends with its customer", async () => {
    const subscription = await world.subscribe();
    await world.is(subscription, "active", true);
    await world.sdk.customers.del(world.customer.id);
    assert.equal(await world.shop.status(subscription), "canceled");
    await world.shop.follows(world.customer, "sms", false);
  });
});

describe("by its settings", { timeout: 180_000 }, () => {
  const revoked = {
    ENTGATE_PAST_DUE_SUBSCRIPTIONS: "revoke",
    ENTGATE_PAUSED_SUBSCRIPTIONS: "revoke",
    ENTGATE_UNPAID_SUBSCRIPTIONS: "keep",
  };
  const world = selling(revoked);

  test("past_due and paused take away, and unpaid does not", async () => {
    const subscription = await world.subscribe();
    const told = (status) => world.sdk.subscriptions.update(subscription.id, { status });
    await world.is(subscription, "active", true);
    await told("past_due");
    await world.is(subscription, "past_due", false);
    await told("active");
    await world.is(subscription, "active", true);
    await told("unpaid");
    await world.is(subscription, "unpaid", true);
    await told("active");
    await world.sdk.subscriptions.pause(subscription.id);
    await world.is(subscription, "paused", false);
    await world.sdk.subscriptions.resume(subscription.id);
    await world.is(subscription, "active", true);
  });
});
