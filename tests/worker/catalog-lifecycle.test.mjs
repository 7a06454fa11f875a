// The eight statuses of a subscription, each reached over HTTP on a test clock, and what each of them grants.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { DAY, FAILING_CARD, FEBRUARY, HOUR, JANUARY, MARCH, serveCatalog, TestCatalog, utc, VALID_CARD } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;
const period = ({ items }) => items.data.map(({ current_period_start: start, current_period_end: end }) => [start, end]);

/** A service with one feature for sale, and a new customer for each test. */
function setUp(settings) {
  const fixture = {};
  before(async () => {
    fixture.service = await serveCatalog({ settings });
    fixture.catalog = new TestCatalog(fixture.service);
    fixture.sdk = fixture.catalog.sdk;
    await fixture.catalog.registerOwnEndpoint();
    fixture.plan = await fixture.catalog.createPlan(await fixture.catalog.createFeature("sms"));
  });
  beforeEach(async () => Object.assign(fixture, await fixture.catalog.createClockCustomer()));
  after(() => fixture.service.stop());

  /** Asserts a subscription's status, what its customer has, and what a check answers. */
  fixture.is = async (subscription, status, grants) => {
    assert.equal(await fixture.catalog.subscriptionStatus(subscription), status);
    assert.deepEqual(await fixture.catalog.entitlementKeys(fixture.customer), grants ? ["sms"] : [], status);
    await fixture.catalog.waitForCheck(fixture.customer, "sms", grants);
  };
  fixture.subscribe = (more) => fixture.catalog.subscribe(fixture.customer, fixture.plan.price, more);
  fixture.advance = (moment) => fixture.catalog.advanceClock(fixture.clock, moment);
  fixture.types = async (subscription) => {
    const events = await fixture.sdk.events.list({ type: "customer.subscription.*", limit: 100 }).autoPagingToArray({ limit: 1000 });
    return events
      .filter(({ data }) => data.object.id === subscription.id)
      .map(({ type }) => type.replace("customer.subscription.", ""))
      .reverse();
  };
  return fixture;
}

describe("a subscription", { timeout: 180_000 }, () => {
  const fixture = setUp();

  test("is active at once, grants, and renews by the month, from the second on that it is due", async () => {
    const subscription = await fixture.subscribe();
    assert.deepEqual(period(subscription), [[JANUARY, FEBRUARY]]);
    await fixture.is(subscription, "active", true);
    const now = async () => period(await fixture.sdk.subscriptions.retrieve(subscription.id));
    await fixture.advance(FEBRUARY - 1);
    assert.deepEqual(await now(), [[JANUARY, FEBRUARY]]);
    await fixture.advance(FEBRUARY);
    assert.deepEqual(await now(), [[FEBRUARY, MARCH]]);
    await fixture.advance(utc(2029, 1, 14));
    assert.deepEqual(await now(), [[utc(2028, 12, 15, 8), utc(2029, 1, 15, 8)]]);
    await fixture.is(subscription, "active", true);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("that began on the 31st renews on the last day of shorter months", async () => {
    await fixture.advance(utc(2027, 1, 31, 8));
    const { id } = await fixture.subscribe();
    for (const [moment, start, end] of [
      [1, 1, 2],
      [2, 2, 3],
      [3, 3, 4],
      [4, 4, 5],
    ].map((months) => months.map((month) => utc(2027, month, { 2: 28, 4: 30 }[month] ?? 31, 8)))) {
      if (moment > utc(2027, 1, 31, 8)) await fixture.advance(moment);
      assert.deepEqual(period(await fixture.sdk.subscriptions.retrieve(id)), [[start, end]]);
    }
  });

  test("is trialing until the second in which its trial ends, grants, and begins a period then", async () => {
    const end = JANUARY + 14 * DAY;
    const subscription = await fixture.subscribe({ trial_period_days: 14 });
    assert.deepEqual([subscription.trial_start, subscription.trial_end, period(subscription)], [JANUARY, end, [[JANUARY, end]]]);
    await fixture.is(subscription, "trialing", true);
    await fixture.advance(end - 1);
    await fixture.is(subscription, "trialing", true);
    await fixture.advance(end);
    await fixture.is(subscription, "active", true);
    assert.deepEqual(period(await fixture.sdk.subscriptions.retrieve(subscription.id)), [[end, utc(2027, 2, 28, 8)]]);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("ends its trial when it is told to", async () => {
    const subscription = await fixture.subscribe({ trial_end: JANUARY + 3 * DAY });
    assert.equal(subscription.status, "trialing");
    await fixture.advance(JANUARY + DAY);
    const ended = await fixture.sdk.subscriptions.update(subscription.id, { trial_end: "now" });
    assert.deepEqual([ended.status, ended.trial_end, period(ended)], ["active", JANUARY + DAY, [[JANUARY + DAY, utc(2027, 2, 16, 8)]]]);
  });

  test("is incomplete while its first payment fails, grants nothing, and is active once it is paid", async () => {
    const subscription = await fixture.subscribe({ default_payment_method: FAILING_CARD });
    await fixture.is(subscription, "incomplete", false);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), []);
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
    await fixture.is(subscription, "active", true);

    const waiting = await fixture.subscribe({ payment_behavior: "default_incomplete" });
    assert.equal(waiting.status, "incomplete");
    assert.equal((await fixture.sdk.subscriptions.update(waiting.id, { status: "active" })).status, "active");
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("is incomplete_expired 23 hours later, and for good", async () => {
    const subscription = await fixture.subscribe({ default_payment_method: FAILING_CARD });
    await fixture.advance(JANUARY + 23 * HOUR - 1);
    await fixture.is(subscription, "incomplete", false);
    await fixture.advance(JANUARY + 23 * HOUR);
    await fixture.is(subscription, "incomplete_expired", false);
    await assert.rejects(fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD }), Invalid);
    await assert.rejects(fixture.sdk.subscriptions.update(subscription.id, { status: "active" }), Invalid);
  });

  test("is past_due when a renewal is not paid, still grants, and is canceled 14 days later", async () => {
    const subscription = await fixture.subscribe();
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: FAILING_CARD });
    await fixture.is(subscription, "active", true);
    await fixture.advance(FEBRUARY);
    await fixture.is(subscription, "past_due", true);
    await fixture.advance(FEBRUARY + 14 * DAY - 1);
    await fixture.is(subscription, "past_due", true);
    await fixture.advance(FEBRUARY + 14 * DAY);
    await fixture.is(subscription, "canceled", false);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [
      [[], ["sms"]],
      [["sms"], []],
    ]);
    const { ended_at, cancellation_details } = await fixture.sdk.subscriptions.retrieve(subscription.id);
    assert.deepEqual([ended_at, cancellation_details.reason], [FEBRUARY + 14 * DAY, "payment_failed"]);
  });

  test("that is past_due is active again with a payment method that works", async () => {
    await fixture.sdk.customers.update(fixture.customer.id, { invoice_settings: { default_payment_method: VALID_CARD } });
    const subscription = await fixture.subscribe();
    await fixture.sdk.customers.update(fixture.customer.id, { invoice_settings: { default_payment_method: FAILING_CARD } });
    await fixture.advance(FEBRUARY);
    await fixture.is(subscription, "past_due", true);
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
    await fixture.is(subscription, "active", true);
    await fixture.advance(MARCH);
    await fixture.is(subscription, "active", true);
  });

  test("is unpaid when another billing system says so, and grants nothing until that says otherwise", async () => {
    const subscription = await fixture.subscribe();
    const becomes = async (status, grants) => {
      await fixture.sdk.subscriptions.update(subscription.id, { status });
      await fixture.is(subscription, status, grants);
    };
    await becomes("past_due", true);
    await becomes("active", true);
    await becomes("unpaid", false);
    await becomes("active", true);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [
      [[], ["sms"]],
      [["sms"], []],
      [[], ["sms"]],
    ]);
    for (const status of ["trialing", "canceled", "incomplete", "paused", "asleep"]) {
      await assert.rejects(
        fixture.sdk.subscriptions.update(subscription.id, { status }),
        { constructor: Invalid, statusCode: 400 },
        status,
      );
    }
    await fixture.is(subscription, "active", true);
  });

  test("is paused by a trial that ends without a payment method, still grants, and is resumed with a new period", async () => {
    const end = JANUARY + 7 * DAY;
    const subscription = await fixture.subscribe({ trial_end: end, trial_settings: { end_behavior: { missing_payment_method: "pause" } } });
    await fixture.advance(end);
    await fixture.is(subscription, "paused", true);
    await fixture.advance(end + 60 * DAY);
    await fixture.is(subscription, "paused", true);
    const resumed = await fixture.sdk.subscriptions.resume(subscription.id, { billing_cycle_anchor: "now" });
    assert.deepEqual([resumed.status, period(resumed)], ["active", [[end + 60 * DAY, utc(2027, 4, 23, 8)]]]);
    await fixture.is(subscription, "active", true);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
    assert.deepEqual(
      (await fixture.types(subscription)).filter((type) => type === "paused" || type === "resumed"),
      ["paused", "resumed"],
    );
  });

  test("is paused and resumed when it is told to", async () => {
    const subscription = await fixture.subscribe();
    assert.equal((await fixture.sdk.subscriptions.pause(subscription.id)).status, "paused");
    await fixture.is(subscription, "paused", true);
    assert.equal((await fixture.sdk.subscriptions.resume(subscription.id)).status, "active");
    await assert.rejects(fixture.sdk.subscriptions.resume(subscription.id), { constructor: Invalid, statusCode: 400 });
    await fixture.sdk.subscriptions.update(subscription.id, { pause_collection: { behavior: "void" } });
    await fixture.is(subscription, "active", true);
  });

  test("is canceled by a trial that ends without a payment method, if that is asked for, and not with one", async () => {
    const trial = { trial_period_days: 1, trial_settings: { end_behavior: { missing_payment_method: "cancel" } } };
    const [without, paying] = [await fixture.subscribe(trial), await fixture.subscribe({ ...trial, default_payment_method: VALID_CARD })];
    await fixture.advance(JANUARY + DAY);
    await fixture.is(without, "canceled", true);
    await fixture.is(paying, "active", true);
  });

  test("is past_due after a trial whose end is not paid, and trials charge nothing before", async () => {
    const subscription = await fixture.subscribe({ trial_period_days: 1, default_payment_method: FAILING_CARD });
    await fixture.is(subscription, "trialing", true);
    await fixture.advance(JANUARY + DAY);
    await fixture.is(subscription, "past_due", true);
  });

  test("takes its trial from its price, if it is asked to", async () => {
    const price = await fixture.catalog.createPrice(fixture.plan.product, { recurring: { interval: "month", trial_period_days: 5 } });
    const { status, trial_end } = await fixture.catalog.subscribe(fixture.customer, price, { trial_from_plan: true });
    assert.deepEqual([status, trial_end], ["trialing", JANUARY + 5 * DAY]);
  });

  test("is canceled at once by a DELETE, and takes away what no other grants", async () => {
    const subscription = await fixture.subscribe();
    await fixture.is(subscription, "active", true);
    const canceled = await fixture.sdk.subscriptions.cancel(subscription.id);
    assert.deepEqual([canceled.status, canceled.canceled_at, canceled.ended_at], ["canceled", JANUARY, JANUARY]);
    assert.equal(canceled.cancellation_details.reason, "cancellation_requested");
    await fixture.is(subscription, "canceled", false);
    assert.deepEqual(await fixture.types(subscription), ["created", "deleted"]);
  });

  test("that cancels at the period's end grants until then, and can be kept after all", async () => {
    const [ends, stays] = [await fixture.subscribe(), await fixture.subscribe()];
    const planned = await fixture.sdk.subscriptions.update(ends.id, { cancel_at_period_end: true });
    assert.deepEqual([planned.status, planned.cancel_at_period_end, planned.cancel_at], ["active", true, FEBRUARY]);
    await fixture.sdk.subscriptions.update(stays.id, { cancel_at_period_end: true });
    const kept = await fixture.sdk.subscriptions.update(stays.id, { cancel_at_period_end: false });
    assert.deepEqual([kept.cancel_at_period_end, kept.cancel_at], [false, null]);
    await fixture.advance(FEBRUARY - 1);
    await fixture.is(ends, "active", true);
    await fixture.advance(FEBRUARY);
    await fixture.is(ends, "canceled", true);
    await fixture.is(stays, "active", true);
    await fixture.sdk.subscriptions.cancel(stays.id);
    await fixture.is(stays, "canceled", false);
  });

  test("cancels at the moment that it was given", async () => {
    const subscription = await fixture.subscribe({ cancel_at: JANUARY + 3 * DAY });
    await fixture.advance(JANUARY + 3 * DAY - 1);
    await fixture.is(subscription, "active", true);
    await fixture.advance(JANUARY + 3 * DAY);
    await fixture.is(subscription, "canceled", false);
  });

  test("ends with its customer", async () => {
    const subscription = await fixture.subscribe();
    await fixture.is(subscription, "active", true);
    await fixture.sdk.customers.del(fixture.customer.id);
    assert.equal(await fixture.catalog.subscriptionStatus(subscription), "canceled");
    await fixture.catalog.waitForCheck(fixture.customer, "sms", false);
  });
});

describe("by its settings", { timeout: 180_000 }, () => {
  const revoked = {
    ENTGATE_PAST_DUE_SUBSCRIPTIONS: "revoke",
    ENTGATE_PAUSED_SUBSCRIPTIONS: "revoke",
    ENTGATE_UNPAID_SUBSCRIPTIONS: "keep",
  };
  const fixture = setUp(revoked);

  test("past_due and paused take away, and unpaid does not", async () => {
    const subscription = await fixture.subscribe();
    const told = (status) => fixture.sdk.subscriptions.update(subscription.id, { status });
    await fixture.is(subscription, "active", true);
    await told("past_due");
    await fixture.is(subscription, "past_due", false);
    await told("active");
    await fixture.is(subscription, "active", true);
    await told("unpaid");
    await fixture.is(subscription, "unpaid", true);
    await told("active");
    await fixture.sdk.subscriptions.pause(subscription.id);
    await fixture.is(subscription, "paused", false);
    await fixture.sdk.subscriptions.resume(subscription.id);
    await fixture.is(subscription, "active", true);
  });
});
