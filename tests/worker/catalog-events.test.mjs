// The catalog's events: which ones a change creates, and how the list filters and pages them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually, LIVE_KEY, stripeClient, unixNow } from "./support.mjs";
import { DAY, FEBRUARY, JANUARY, SUMMARY_EVENT, serveCatalog, TestCatalog, VALID_CARD } from "./test-catalog.mjs";
import { startWebhookReceiver } from "./webhook-receiver.mjs";

const { StripeInvalidRequestError: Invalid } = Stripe.errors;

describe("the list of events", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
  });
  after(() => service.stop());

  const list = async (filter) => (await sdk.events.list({ limit: 100, ...filter })).data;
  const types = (events) => events.map(({ type }) => type);
  /**
   * Runs an action. Returns its result and its events, oldest first.
   *
   * @template Result
   * @param {() => Promise<Result>} action
   * @returns {Promise<[Result, any[]]>}
   */
  async function recordEvents(action) {
    const [last] = await list({ limit: 1 });
    const result = await action();
    return [result, (await list(last && { ending_before: last.id })).reverse()];
  }

  test("each change of a customer, product or price has an event with the previous attributes", async () => {
    const [{ customer, product, price }, events] = await recordEvents(async () => {
      const customer = await sdk.customers.create({ name: "Ada", metadata: { a: "1" } });
      await sdk.customers.update(customer.id, { name: "Ada Lovelace", metadata: { b: "2" } });
      await sdk.customers.update(customer.id, { name: "Ada Lovelace" });
      const product = await sdk.products.create({ name: "Pro" });
      await sdk.products.update(product.id, { description: "All" });
      const price = await catalog.createPrice(product);
      await sdk.prices.update(price.id, { nickname: "Monthly" });
      await sdk.customers.del(customer.id);
      return { customer, product, price };
    });
    assert.deepEqual(
      events.map(({ type, data }) => [
        type,
        data.object.id,
        type === "product.updated" ? data.previous_attributes.description : data.previous_attributes,
      ]),
      [
        ["customer.created", customer.id, undefined],
        ["customer.updated", customer.id, { name: "Ada", metadata: { b: null } }],
        ["product.created", product.id, undefined],
        ["product.updated", product.id, null],
        ["price.created", price.id, undefined],
        ["price.updated", price.id, { nickname: null }],
        ["customer.deleted", customer.id, undefined],
      ],
    );
    assert.deepEqual(events[0].data.object, { ...customer });
  });

  test("changes of features have no events", async () => {
    const product = await sdk.products.create({ name: "x" });
    const [, events] = await recordEvents(async () => {
      const feature = await catalog.createFeature("sms");
      const { id } = await catalog.attachFeature(product, feature);
      await sdk.entitlements.features.update(feature.id, { name: "y" });
      await sdk.products.deleteFeature(product.id, id);
    });
    assert.deepEqual(events, []);
  });

  test("the events of a subscription on a test clock have the real time", async () => {
    const { price } = await catalog.createPlan(await catalog.createFeature("sso"));
    const began = unixNow();
    const [subscription, events] = await recordEvents(async () => {
      const { clock, customer } = await catalog.createClockCustomer();
      const subscription = await catalog.subscribe(customer, price, { default_payment_method: VALID_CARD });
      await catalog.advanceClock(clock, FEBRUARY);
      await sdk.subscriptions.pause(subscription.id);
      await sdk.subscriptions.resume(subscription.id);
      await sdk.subscriptions.cancel(subscription.id);
      await sdk.testHelpers.testClocks.del(clock.id);
      return subscription;
    });
    assert.equal(subscription.created, JANUARY);
    for (const { created } of events) assert.ok(began <= created && created <= unixNow(), `${created}`);
    const clocks = types(events).filter((type) => type.startsWith("test_helpers."));
    assert.deepEqual(
      clocks,
      ["created", "advancing", "ready", "deleted"].map((what) => `test_helpers.test_clock.${what}`),
    );
    const ofSubscription = events.filter(({ data }) => data.object.id === subscription.id);
    assert.deepEqual(
      types(ofSubscription),
      ["created", "updated", "paused", "updated", "resumed", "updated", "deleted"].map((what) => `customer.subscription.${what}`),
    );
    const [item] = ofSubscription[1].data.previous_attributes.items.data;
    assert.deepEqual([item.current_period_start, item.current_period_end], [JANUARY, FEBRUARY]);
    const { status, ended_at } = ofSubscription.at(-1).data.object;
    assert.deepEqual([status, ended_at], ["canceled", FEBRUARY]);
    assert.deepEqual(
      events.filter(({ type }) => type === SUMMARY_EVENT).map(({ data }) => data.object.entitlements.data.length),
      [1, 0, 1, 0],
    );
  });

  test("the end of a trial is announced three days before, and at once if it comes early", async () => {
    const { price } = await catalog.createPlan(await catalog.createFeature("crm"));
    const trial = { trial_period_days: 10, trial_settings: { end_behavior: { missing_payment_method: "pause" } } };
    const [[scheduled, ended], events] = await recordEvents(async () => {
      const { clock, customer } = await catalog.createClockCustomer();
      const ended = await catalog.subscribe(customer, price, trial);
      await sdk.subscriptions.update(ended.id, { trial_end: "now" });
      const scheduled = await catalog.subscribe(customer, price, trial);
      await catalog.advanceClock(clock, JANUARY + 7 * DAY);
      return [scheduled, ended];
    });
    const of = (subscription) => types(events.filter(({ data }) => data.object.id === subscription.id));
    assert.deepEqual(of(scheduled), ["customer.subscription.created", "customer.subscription.trial_will_end"]);
    assert.deepEqual(
      of(ended),
      ["created", "paused", "updated", "trial_will_end"].map((what) => `customer.subscription.${what}`),
    );
  });

  test("the list is filtered by a type, by a prefix of types, and by several types", async () => {
    const customer = await sdk.customers.create();
    await sdk.customers.update(customer.id, { name: "Bob" });
    const product = await sdk.products.create({ name: "Bob's" });
    const found = async (filter) => {
      const events = await list(filter);
      const ours = events.filter(({ data }) => data.object.id === customer.id || data.object.id === product.id);
      return types(ours);
    };
    for (const [filter, expected] of [
      [{ type: "customer.created" }, ["customer.created"]],
      [{ type: "customer.*" }, ["customer.updated", "customer.created"]],
      [{ type: "*" }, ["product.created", "customer.updated", "customer.created"]],
      [{ type: "customer.subscription.*" }, []],
      [{ types: ["product.created", "customer.created"] }, ["product.created", "customer.created"]],
      [{ types: ["price.created"] }, []],
    ]) {
      assert.deepEqual(await found(filter), expected, JSON.stringify(filter));
    }
    await assert.rejects(list({ type: "customer.*", types: ["customer.created"] }), { constructor: Invalid, statusCode: 400 });
    await assert.rejects(list({ types: Array.from({ length: 21 }, (_, i) => `customer.x${i}`) }), {
      constructor: Invalid,
      statusCode: 400,
    });
  });

  test("the list is filtered by the time of creation", async () => {
    const { id } = await sdk.customers.create();
    const event = (await list({ type: "customer.created" })).find(({ data }) => data.object.id === id);
    const found = async (created) => (await list({ type: "customer.created", created })).some((one) => one.id === event.id);
    const at = event.created;
    for (const [created, expected] of [
      [at, true],
      [at + 1, false],
      [at - 1, false],
      [{ gte: at }, true],
      [{ gte: at + 1 }, false],
      [{ gt: at - 1 }, true],
      [{ gt: at }, false],
      [{ lte: at }, true],
      [{ lte: at - 1 }, false],
      [{ lt: at + 1 }, true],
      [{ lt: at }, false],
      [{ gte: at, lte: at }, true],
    ]) {
      assert.equal(await found(created), expected, JSON.stringify(created));
    }
  });

  test("the list is filtered by whether all deliveries succeeded", async () => {
    const receiver = await startWebhookReceiver();
    receiver.responses.push("none");
    const { id: endpoint } = await sdk.webhookEndpoints.create({ url: receiver.url, enabled_events: ["customer.created"] });
    const { id } = await sdk.customers.create();
    const found = async (delivery_success) =>
      (await list({ type: "customer.created", delivery_success })).some(({ data }) => data.object.id === id);
    await eventually(() => assert.equal(receiver.deliveries.length, 1));
    assert.deepEqual([await found(true), await found(false)], [false, true]);
    receiver.disconnect();
    await eventually(async () => assert.deepEqual([await found(true), await found(false)], [true, false]));
    await sdk.webhookEndpoints.del(endpoint);
    await receiver.close();
  });

  test("the list is paged newest first, with any filter", async () => {
    for (let count = 0; count < 25; count += 1) await sdk.customers.create();
    await sdk.products.create({ name: "Last" });
    for (const filter of [
      {},
      { type: "customer.*" },
      { types: ["customer.created", "product.created"] },
      { type: "customer.created", created: { lte: unixNow() + 60 } },
    ]) {
      const complete = await list(filter);
      const all = await sdk.events.list({ limit: 7, ...filter }).autoPagingToArray({ limit: 1000 });
      assert.ok(all.length >= 25, JSON.stringify(filter));
      assert.deepEqual(
        all.map(({ id }) => id),
        complete.map(({ id }) => id),
        JSON.stringify(filter),
      );
      const back = await sdk.events.list({ limit: 7, ending_before: all[20].id, ...filter }).autoPagingToArray({ limit: 1000 });
      assert.deepEqual(
        back.map(({ id }) => id),
        all
          .slice(0, 20)
          .map(({ id }) => id)
          .reverse(),
      );
      const times = all.map(({ created }) => created);
      assert.deepEqual(
        times,
        [...times].sort((a, b) => b - a),
      );
    }
    assert.equal((await list({ limit: 1 }))[0].type, "product.created");
  });

  test("the list has the events of one mode, and an event is retrieved by its id", async () => {
    const [event] = await list({ limit: 1 });
    assert.deepEqual({ ...(await sdk.events.retrieve(event.id)) }, event);
    const live = stripeClient(service.url, LIVE_KEY);
    await assert.rejects(live.events.retrieve(event.id), {
      constructor: Invalid,
      statusCode: 404,
      message: `No such event: '${event.id}'`,
    });
    assert.deepEqual((await live.events.list()).data, []);
    await live.customers.create();
    assert.deepEqual(
      (await live.events.list()).data.map(({ livemode, type }) => [livemode, type]),
      [[true, "customer.created"]],
    );
  });
});
