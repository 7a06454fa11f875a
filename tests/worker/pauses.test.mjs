// Pauses and checkouts in the catalog: checks, lists, tokens, snapshots, OFREP and streams all answer alike.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeJwt } from "jose";
import { OfrepClient } from "./ofrep-client.mjs";
import { changeMessage, SseClient, versionMessage, WebSocketClient } from "./stream-clients.mjs";
import { eventually } from "./support.mjs";
import { DAY, FAILING_CARD, FEBRUARY, HOUR, JANUARY, serveCatalog, TestCatalog, VALID_CARD } from "./test-catalog.mjs";
import { tokenSettings } from "./token-fixtures.mjs";

/** Asks every surface whether a customer has the feature, and at which version. @returns {Promise<any[][]>} */
async function askAll(service, customer) {
  const ofrep = new OfrepClient(service);
  const key = await ofrep.createToken(customer);
  const check = ({ status, json }) => [status === 200 && json.entitled, json.version];
  // A list of the catalog has no version.
  const versionOf = (headers) => (headers.has("entgate-version") ? Number(headers.get("entgate-version")) : undefined);
  const list = ({ json, headers }) => [json.data.some(({ lookup_key }) => lookup_key === "sms"), versionOf(headers)];
  const authorize = ({ status, headers }) => {
    assert.ok([204, 403].includes(status), `${status}`);
    return [status === 204, versionOf(headers)];
  };
  const snapshot = ({ json }) => {
    const { entitlements, version } = decodeJwt(json.snapshot);
    return [entitlements.includes("sms"), version];
  };
  const flag = ({ value, metadata }) => [value, metadata.version];
  const bulk = ({ json }) => [json.flags.find((one) => one.key === "sms").value, json.metadata.version];
  const batch = { method: "POST", body: `checks[0][customer]=${customer}&checks[0][feature]=sms` };
  const form = { headers: { "content-type": "application/x-www-form-urlencoded" } };
  const get = (path, options) => service.request(path, options);
  const answers = {
    "a check": check(await service.check(customer, "sms")),
    "a fresh check": check(await service.check(customer, "sms", { fresh: true })),
    "a batch of checks": check({ status: 200, json: (await get("/v1/check", { ...batch, ...form })).json.data[0] }),
    "a list": list(await get(`/v1/entitlements/active_entitlements?customer=${customer}`)),
    "the list of a customer": list(await get(`/v1/customer/${customer}/entitlements`)),
    authorize: authorize(await get("/v1/authorize?feature=sms", { headers: { "entgate-customer": customer } })),
    "a snapshot": snapshot(await get(`/v1/snapshot?customer=${customer}`)),
    "a flag": flag((await ofrep.single(200, "sms", customer)).json),
    "all flags": bulk(await ofrep.bulk(200, customer)),
    "a check with a token": check(await get("/v1/check?feature=sms", { key })),
    "a list with a token": list(await get("/v1/entitlements/active_entitlements", { key })),
    "authorize with a token": authorize(await get("/v1/authorize?feature=sms", { key })),
    "a snapshot with a token": snapshot(await get("/v1/snapshot", { key })),
    "a flag with a token": flag((await ofrep.single(200, "sms", customer, { key })).json),
    "all flags with a token": bulk(await ofrep.bulk(200, customer, { key })),
  };
  const [sse, socket] = [await SseClient.open(service, customer, { key }), await WebSocketClient.open(service, customer, { key })];
  const [[first], [second]] = [await sse.receive(1), await socket.receive(1)];
  await Promise.all([sse.close(), socket.close()]);
  return [
    ...Object.entries(answers).map(([surface, [entitled, version]]) => [surface, entitled, version]),
    // A stream begins with the version alone.
    ["server-sent events", answers["a fresh check"][0], first.version],
    ["a WebSocket", answers["a fresh check"][0], second.version],
  ];
}

/** Starts a catalog with one plan, and creates a customer on a test clock for each test. */
async function setUp(t, settings = {}) {
  const service = await serveCatalog({ settings: { ...tokenSettings(), ...settings } });
  t.after(() => service.stop());
  const catalog = new TestCatalog(service);
  const plan = await catalog.createPlan(await catalog.createFeature("sms"));
  const { clock, customer } = await catalog.createClockCustomer();
  return {
    service,
    sdk: catalog.sdk,
    customer: customer.id,
    subscribe: (params) => catalog.subscribe(customer, plan.price, params),
    advance: (time) => catalog.advanceClock(clock, time),
    status: (subscription) => catalog.subscriptionStatus(subscription),
    /** Asserts that every surface has the same answer of the same version. */
    assertAll: (entitled, version, why) =>
      eventually(async () => {
        const answers = await askAll(service, customer.id);
        assert.equal(answers.length, 17);
        for (const [surface, answer, of = version] of answers) assert.deepEqual([answer, of], [entitled, version], `${why}: ${surface}`);
      }),
  };
}

/** Asserts that a listener heard these messages and, after a last change that ends the feature, no other one. */
async function assertHeard(listener, fixture, subscription, messages) {
  const { customer } = fixture;
  await fixture.sdk.subscriptions.cancel(subscription.id);
  const version = messages.at(-1).version + 1;
  await fixture.assertAll(false, version, "canceled");
  const last = changeMessage(customer, version, [], ["sms"]);
  assert.deepEqual(await listener.receive(messages.length + 1), [...messages, last]);
  assert.equal(listener.events.length, messages.length + 1);
  await listener.close();
}

test("every surface answers alike through each pause and resume, and a listener hears exactly the changes", {
  timeout: 180_000,
}, async (t) => {
  const fixture = await setUp(t);
  const { sdk, customer } = fixture;
  const trial = { trial_period_days: 7, trial_settings: { end_behavior: { missing_payment_method: "pause" } } };
  const subscription = await fixture.subscribe(trial);
  await fixture.assertAll(true, 1, "trialing");
  const listener = await SseClient.open(fixture.service, customer);
  await listener.receive(1);

  await fixture.advance(JANUARY + 7 * DAY);
  assert.equal(await fixture.status(subscription), "paused");
  await fixture.assertAll(true, 1, "paused by the end of the trial");
  await sdk.subscriptions.resume(subscription.id);
  await fixture.assertAll(true, 1, "resumed after the trial");

  const bill_for = { unused_time_from: { type: "item_current_period_start" }, outstanding_usage_through: { type: "none" } };
  const paused = await sdk.subscriptions.pause(subscription.id, { type: "subscription", bill_for, invoicing_behavior: "invoice" });
  assert.equal(paused.status_details?.paused.subscription.type, "pause_requested");
  await fixture.assertAll(false, 2, "paused by a request");
  await sdk.subscriptions.update(subscription.id, { default_payment_method: FAILING_CARD });
  const waiting = await sdk.subscriptions.resume(subscription.id, { payment_behavior: "resume_on_payment_success" });
  assert.equal(waiting.status, "paused");
  await fixture.assertAll(false, 2, "the resume waits for its payment");
  await sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
  assert.equal(await fixture.status(subscription), "active");
  await fixture.assertAll(true, 3, "the payment of the resume succeeded");

  await sdk.subscriptions.pause(subscription.id);
  await fixture.assertAll(false, 4, "paused again");
  await sdk.subscriptions.update(subscription.id, { default_payment_method: FAILING_CARD });
  assert.equal((await sdk.subscriptions.resume(subscription.id, { billing_cycle_anchor: { type: "unchanged" } })).status, "past_due");
  await fixture.assertAll(true, 5, "resumed, and the payment failed");

  await sdk.subscriptions.update(subscription.id, { pause_collection: { behavior: "void" } });
  await fixture.assertAll(true, 5, "the collection is paused");
  await assertHeard(listener, fixture, subscription, [
    versionMessage(customer, 1),
    changeMessage(customer, 2, [], ["sms"]),
    changeMessage(customer, 3, ["sms"]),
    changeMessage(customer, 4, [], ["sms"]),
    changeMessage(customer, 5, ["sms"]),
  ]);
});

for (const [failure, at, statusBefore] of /** @type {const} */ ([
  ["first", FEBRUARY, "active"],
  ["final", FEBRUARY + 14 * DAY, "past_due"],
])) {
  test(`with ENTGATE_PAUSE_ON_PAYMENT_FAILURE=${failure}, this failed payment of a renewal ends the access everywhere`, {
    timeout: 120_000,
  }, async (t) => {
    const fixture = await setUp(t, { ENTGATE_PAUSE_ON_PAYMENT_FAILURE: failure });
    const subscription = await fixture.subscribe();
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: FAILING_CARD });
    await fixture.assertAll(true, 1, "subscribed");
    const listener = await SseClient.open(fixture.service, fixture.customer);
    await listener.receive(1);
    await fixture.advance(at - 1);
    assert.equal(await fixture.status(subscription), statusBefore);
    await fixture.assertAll(true, 1, "before the failure");
    await fixture.advance(at);
    const { status, status_details } = await fixture.sdk.subscriptions.retrieve(subscription.id);
    assert.deepEqual([status, status_details?.paused.subscription.type], ["paused", `${failure}_payment_failure`]);
    await fixture.assertAll(false, 2, "paused");
    await fixture.sdk.subscriptions.update(subscription.id, { default_payment_method: VALID_CARD });
    await fixture.sdk.subscriptions.resume(subscription.id, { payment_behavior: "resume_on_payment_success" });
    await fixture.assertAll(true, 3, "resumed");
    await assertHeard(listener, fixture, subscription, [
      versionMessage(fixture.customer, 1),
      changeMessage(fixture.customer, 2, [], ["sms"]),
      changeMessage(fixture.customer, 3, ["sms"]),
    ]);
  });
}

test("of two checkouts one expires after the other was paid, and the customer keeps the features everywhere", {
  timeout: 120_000,
}, async (t) => {
  const fixture = await setUp(t);
  const checkout = () => fixture.subscribe({ payment_behavior: "default_incomplete" });
  const [expiring, paid] = [await checkout(), await checkout()];
  const listener = await SseClient.open(fixture.service, fixture.customer);
  await listener.receive(1);
  await fixture.sdk.subscriptions.update(paid.id, { default_payment_method: VALID_CARD });
  await fixture.assertAll(true, 1, "one is paid");
  await fixture.advance(JANUARY + 23 * HOUR - 1);
  assert.equal(await fixture.status(expiring), "incomplete");
  await fixture.advance(JANUARY + 23 * HOUR);
  assert.equal(await fixture.status(expiring), "incomplete_expired");
  await fixture.assertAll(true, 1, "the other one is expired");
  await assertHeard(listener, fixture, paid, [versionMessage(fixture.customer, 0), changeMessage(fixture.customer, 1, ["sms"])]);
});
