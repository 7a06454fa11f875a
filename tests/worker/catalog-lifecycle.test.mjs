// The eight statuses of a subscription, each reached over HTTP on a test clock, and whether each grants entitlements.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import Stripe from "stripe";
import { DAY, FAILING_CARD, FEBRUARY, HOUR, JANUARY, MARCH, serveCatalog, TestCatalog, utc, VALID_CARD } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;
const periods = ({ items }) => items.data.map(({ current_period_start: start, current_period_end: end }) => [start, end]);

/** Starts a service with one plan, and creates a new customer for each test. */
function setUp(settings) {
  const fixture = {};
  before(async () => {
    fixture.service = await serveCatalog({ settings });
    fixture.catalog = new TestCatalog(fixture.service);
    fixture.sdk = fixture.catalog.sdk;
    fixture.plan = await fixture.catalog.createPlan(await fixture.catalog.createFeature("sms"));
  });
  beforeEach(async () => Object.assign(fixture, await fixture.catalog.createClockCustomer()));
  after(() => fixture.service.stop());

  /** Asserts the status of a subscription, and whether its customer has the feature in the catalog and in a check. */
  fixture.assertStatus = async (subscription, status, grants) => {
    assert.equal(await fixture.catalog.subscriptionStatus(subscription), status);
    assert.deepEqual(await fixture.catalog.entitlementKeys(fixture.customer), grants ? ["sms"] : [], status);
    await fixture.catalog.waitForCheck(fixture.customer, "sms", grants);
  };
  fixture.subscribe = (params) => fixture.catalog.subscribe(fixture.customer, fixture.plan.price, params);
  fixture.advance = (frozen_time) => fixture.catalog.advanceClock(fixture.clock, frozen_time);
  /** The types of a subscription's events, oldest first, without the common prefix. */
  fixture.eventTypes = async (subscription) => {
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

  test("it is active at once, grants, and renews in the second in which its month ends", async () => {
    const subscription = await fixture.subscribe();
    assert.deepEqual(periods(subscription), [[JANUARY, FEBRUARY]]);
    await fixture.assertStatus(subscription, "active", true);
    const currentPeriods = async () => periods(await fixture.sdk.subscriptions.retrieve(subscription.id));
    await fixture.advance(FEBRUARY - 1);
    assert.deepEqual(await currentPeriods(), [[JANUARY, FEBRUARY]]);
    await fixture.advance(FEBRUARY);
    assert.deepEqual(await currentPeriods(), [[FEBRUARY, MARCH]]);
    await fixture.advance(utc(2029, 1, 14));
    assert.deepEqual(await currentPeriods(), [[utc(2028, 12, 15, 8), utc(2029, 1, 15, 8)]]);
    await fixture.assertStatus(subscription, "active", true);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("if it began on the 31st, it renews on the last day of shorter months", async () => {
    await fixture.advance(utc(2027, 1, 31, 8));
    const { id } = await fixture.subscribe();
    for (const [now, start, end] of [
      [1, 1, 2],
      [2, 2, 3],
      [3, 3, 4],
      [4, 4, 5],
    ].map((months) => months.map((month) => utc(2027, month, { 2: 28, 4: 30 }[month] ?? 31, 8)))) {
      if (now > utc(2027, 1, 31, 8)) await fixture.advance(now);
      assert.deepEqual(periods(await fixture.sdk.subscriptions.retrieve(id)), [[start, end]]);
    }
  });

  test("it is trialing and grants until the second in which its trial ends, and then begins a period", async () => {
    const end = JANUARY + 14 * DAY;
    const subscription = await fixture.subscribe({ trial_period_days: 14 });
    assert.deepEqual([subscription.trial_start, subscription.trial_end, periods(subscription)], [JANUARY, end, [[JANUARY, end]]]);
    await fixture.assertStatus(subscription, "trialing", true);
    await fixture.advance(end - 1);
    await fixture.assertStatus(subscription, "trialing", true);
    await fixture.advance(end);
    await fixture.assertStatus(subscription, "active", true);
    assert.deepEqual(periods(await fixture.sdk.subscriptions.retrieve(subscription.id)), [[end, utc(2027, 2, 28, 8)]]);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("its trial ends early on request", async () => {
    const subscription = await fixture.subscribe({ trial_end: JANUARY + 3 * DAY });
    assert.equal(subscription.status, "trialing");
    await fixture.advance(JANUARY + DAY);
    const ended = await fixture.sdk.subscriptions.update(subscription.id, { trial_end: "now" });
    assert.deepEqual([ended.status, ended.trial_end, periods(ended)], ["active", JANUARY + DAY, [[JANUARY + DAY, utc(2027, 2, 16, 8)]]]);
  });

  test("it is incomplete and grants nothing after a failed first payment, and is active once that succeeds", async () => {
    const subscription = await fixture.subscribe({ default_payment_method: FAILING_CARD });
    await fixture.assertStatus(subscription, "incomplete", false);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), []);
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
    await fixture.assertStatus(subscription, "active", true);

    const waiting = await fixture.subscribe({ payment_behavior: "default_incomplete" });
    assert.equal(waiting.status, "incomplete");
    assert.equal((await fixture.sdk.subscriptions.update(waiting.id, { status: "active" })).status, "active");
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
  });

  test("it is incomplete_expired after 23 hours, finally", async () => {
    const subscription = await fixture.subscribe({ default_payment_method: FAILING_CARD });
    await fixture.advance(JANUARY + 23 * HOUR - 1);
    await fixture.assertStatus(subscription, "incomplete", false);
    await fixture.advance(JANUARY + 23 * HOUR);
    await fixture.assertStatus(subscription, "incomplete_expired", false);
    await assert.rejects(fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD }), Invalid);
    await assert.rejects(fixture.sdk.subscriptions.update(subscription.id, { status: "active" }), Invalid);
  });

  test("it is past_due and still grants after a failed renewal, and is canceled 14 days later", async () => {
    const subscription = await fixture.subscribe();
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: FAILING_CARD });
    await fixture.assertStatus(subscription, "active", true);
    await fixture.advance(FEBRUARY);
    await fixture.assertStatus(subscription, "past_due", true);
    await fixture.advance(FEBRUARY + 14 * DAY - 1);
    await fixture.assertStatus(subscription, "past_due", true);
    await fixture.advance(FEBRUARY + 14 * DAY);
    await fixture.assertStatus(subscription, "canceled", false);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [
      [[], ["sms"]],
      [["sms"], []],
    ]);
    const { ended_at, cancellation_details } = await fixture.sdk.subscriptions.retrieve(subscription.id);
    assert.deepEqual([ended_at, cancellation_details.reason], [FEBRUARY + 14 * DAY, "payment_failed"]);
  });

  test("if it is past_due, a valid payment method makes it active again", async () => {
    await fixture.sdk.customers.update(fixture.customer.id, { invoice_settings: { default_payment_method: VALID_CARD } });
    const subscription = await fixture.subscribe();
    await fixture.sdk.customers.update(fixture.customer.id, { invoice_settings: { default_payment_method: FAILING_CARD } });
    await fixture.advance(FEBRUARY);
    await fixture.assertStatus(subscription, "past_due", true);
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
    await fixture.assertStatus(subscription, "active", true);
    await fixture.advance(MARCH);
    await fixture.assertStatus(subscription, "active", true);
  });

  test("another billing system can report it as unpaid, which grants nothing, past_due or active", async () => {
    const subscription = await fixture.subscribe();
    const reportStatus = async (status, grants) => {
      await fixture.sdk.subscriptions.update(subscription.id, { status });
      await fixture.assertStatus(subscription, status, grants);
    };
    await reportStatus("past_due", true);
    await reportStatus("active", true);
    await reportStatus("unpaid", false);
    await reportStatus("active", true);
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
    await fixture.assertStatus(subscription, "active", true);
  });

  test("it is paused by a trial that ends without a payment method, still grants, and resumes with a new period", async () => {
    const end = JANUARY + 7 * DAY;
    const subscription = await fixture.subscribe({ trial_end: end, trial_settings: { end_behavior: { missing_payment_method: "pause" } } });
    await fixture.advance(end);
    await fixture.assertStatus(subscription, "paused", true);
    await fixture.advance(end + 60 * DAY);
    await fixture.assertStatus(subscription, "paused", true);
    const resumed = await fixture.sdk.subscriptions.resume(subscription.id, { billing_cycle_anchor: "now" });
    assert.deepEqual([resumed.status, periods(resumed)], ["active", [[end + 60 * DAY, utc(2027, 4, 23, 8)]]]);
    await fixture.assertStatus(subscription, "active", true);
    assert.deepEqual(await fixture.catalog.entitlementChanges(fixture.customer), [[[], ["sms"]]]);
    assert.deepEqual(
      (await fixture.eventTypes(subscription)).filter((type) => type === "paused" || type === "resumed"),
      ["paused", "resumed"],
    );
  });

  test("it is paused and resumed on request", async () => {
    const subscription = await fixture.subscribe();
    assert.equal((await fixture.sdk.subscriptions.pause(subscription.id)).status, "paused");
    await fixture.assertStatus(subscription, "paused", false);
    assert.equal((await fixture.sdk.subscriptions.resume(subscription.id)).status, "active");
    await fixture.assertStatus(subscription, "active", true);
    await assert.rejects(fixture.sdk.subscriptions.resume(subscription.id), { constructor: Invalid, statusCode: 400 });
    await fixture.sdk.subscriptions.update(subscription.id, { pause_collection: { behavior: "void" } });
    await fixture.assertStatus(subscription, "active", true);
  });

  test("with missing_payment_method cancel, the end of a trial cancels it without a payment method only", async () => {
    const trial = { trial_period_days: 1, trial_settings: { end_behavior: { missing_payment_method: "cancel" } } };
    const [withoutMethod, withMethod] = [
      await fixture.subscribe(trial),
      await fixture.subscribe({ ...trial, default_payment_method: VALID_CARD }),
    ];
    await fixture.advance(JANUARY + DAY);
    await fixture.assertStatus(withoutMethod, "canceled", true);
    await fixture.assertStatus(withMethod, "active", true);
  });

  test("it is past_due after a trial if the payment fails then, and a trial charges nothing before", async () => {
    const subscription = await fixture.subscribe({ trial_period_days: 1, default_payment_method: FAILING_CARD });
    await fixture.assertStatus(subscription, "trialing", true);
    await fixture.advance(JANUARY + DAY);
    await fixture.assertStatus(subscription, "past_due", true);
  });

  test("with trial_from_plan, it has the trial of its price", async () => {
    const price = await fixture.catalog.createPrice(fixture.plan.product, { recurring: { interval: "month", trial_period_days: 5 } });
    const { status, trial_end } = await fixture.catalog.subscribe(fixture.customer, price, { trial_from_plan: true });
    assert.deepEqual([status, trial_end], ["trialing", JANUARY + 5 * DAY]);
  });

  test("a DELETE cancels it at once, and revokes what no other subscription grants", async () => {
    const subscription = await fixture.subscribe();
    await fixture.assertStatus(subscription, "active", true);
    const canceled = await fixture.sdk.subscriptions.cancel(subscription.id);
    assert.deepEqual([canceled.status, canceled.canceled_at, canceled.ended_at], ["canceled", JANUARY, JANUARY]);
    assert.equal(canceled.cancellation_details.reason, "cancellation_requested");
    await fixture.assertStatus(subscription, "canceled", false);
    assert.deepEqual(await fixture.eventTypes(subscription), ["created", "deleted"]);
  });

  test("with cancel_at_period_end, it grants until then, and the cancellation can be undone", async () => {
    const [ending, staying] = [await fixture.subscribe(), await fixture.subscribe()];
    const scheduled = await fixture.sdk.subscriptions.update(ending.id, { cancel_at_period_end: true });
    assert.deepEqual([scheduled.status, scheduled.cancel_at_period_end, scheduled.cancel_at], ["active", true, FEBRUARY]);
    await fixture.sdk.subscriptions.update(staying.id, { cancel_at_period_end: true });
    const undone = await fixture.sdk.subscriptions.update(staying.id, { cancel_at_period_end: false });
    assert.deepEqual([undone.cancel_at_period_end, undone.cancel_at], [false, null]);
    await fixture.advance(FEBRUARY - 1);
    await fixture.assertStatus(ending, "active", true);
    await fixture.advance(FEBRUARY);
    await fixture.assertStatus(ending, "canceled", true);
    await fixture.assertStatus(staying, "active", true);
    await fixture.sdk.subscriptions.cancel(staying.id);
    await fixture.assertStatus(staying, "canceled", false);
  });

  test("with cancel_at, it is canceled at that time", async () => {
    const subscription = await fixture.subscribe({ cancel_at: JANUARY + 3 * DAY });
    await fixture.advance(JANUARY + 3 * DAY - 1);
    await fixture.assertStatus(subscription, "active", true);
    await fixture.advance(JANUARY + 3 * DAY);
    await fixture.assertStatus(subscription, "canceled", false);
  });

  test("deleting its customer cancels it", async () => {
    const subscription = await fixture.subscribe();
    await fixture.assertStatus(subscription, "active", true);
    await fixture.sdk.customers.del(fixture.customer.id);
    assert.equal(await fixture.catalog.subscriptionStatus(subscription), "canceled");
    await fixture.catalog.waitForCheck(fixture.customer, "sms", false);
  });
});

describe("the settings of statuses", { timeout: 180_000 }, () => {
  const settings = {
    ENTGATE_PAST_DUE_SUBSCRIPTIONS: "revoke",
    ENTGATE_PAUSED_SUBSCRIPTIONS: "revoke",
    ENTGATE_UNPAID_SUBSCRIPTIONS: "keep",
  };
  const fixture = setUp(settings);

  test("past_due and paused revoke, and unpaid grants", async () => {
    const subscription = await fixture.subscribe();
    const setStatus = (status) => fixture.sdk.subscriptions.update(subscription.id, { status });
    await fixture.assertStatus(subscription, "active", true);
    await setStatus("past_due");
    await fixture.assertStatus(subscription, "past_due", false);
    await setStatus("active");
    await fixture.assertStatus(subscription, "active", true);
    await setStatus("unpaid");
    await fixture.assertStatus(subscription, "unpaid", true);
    await setStatus("active");
    await fixture.sdk.subscriptions.pause(subscription.id);
    await fixture.assertStatus(subscription, "paused", false);
    await fixture.sdk.subscriptions.resume(subscription.id);
    await fixture.assertStatus(subscription, "active", true);
  });
});
