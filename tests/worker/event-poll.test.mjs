// The event poll: it finds events that no webhook brought, and needs no webhook at all.
//
// The poll runs every five seconds, the least interval. Stripe's list of events is in the fake Stripe; its rules, such as cursors and
// gaps, are tested natively in tests/it/coordinator.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { customerDeleted, eventually, serve, summary, unixNow } from "./support.mjs";

const POLL = { ENTGATE_EVENT_POLL: "5" };
const TYPES = ["entitlements.active_entitlement_summary.updated", "customer.deleted"];
/** Longer than two polls. */
const PATIENCE = 20_000;

/** A Worker with a fake Stripe whose events it polls. */
async function startFixture(t, { settings = {} } = {}) {
  const [stripe, log] = [await fakeStripe(), /** @type {string[]} */ ([])];
  const service = await serve({ settings: { ...stripe.settings, ...POLL, ...settings }, log });
  t.after(async () => {
    await service.stop();
    await stripe.stop();
    for (const line of log) assert.ok(!line.includes(stripe.key), line);
  });
  /** A change at Stripe whose webhook is lost. */
  const change = (customer, keys, options) => {
    stripe.setEntitlements(customer, keys);
    const event = summary(customer, keys, options);
    stripe.listEvent(event);
    return event;
  };
  const entitled = async (customer, feature) => (await service.check(customer, feature, { fresh: true })).json.entitled;
  const activity = async (customer) => (await service.request(`/v1/activity?customer=${customer}`)).json.data;
  return { stripe, service, log, change, entitled, activity };
}

const createFolder = (t) => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

describe("the event poll", { concurrency: true, timeout: 120_000 }, () => {
  test("without a webhook secret, a deployment is configured and applies every event", async (t) => {
    const { stripe, service, change, entitled, activity } = await startFixture(t, { settings: { STRIPE_WEBHOOK_SECRETS: "" } });
    assert.equal((await service.health()).status, "ok");
    change("cus_ada", ["sms"]);
    await eventually(async () => assert.equal((await activity("cus_ada")).length > 0, true), PATIENCE);
    assert.equal(await entitled("cus_ada", "sms"), true);
    change("cus_ada", ["sso"], { created: unixNow() + 1 });
    await eventually(
      async () => assert.deepEqual([await entitled("cus_ada", "sms"), await entitled("cus_ada", "sso")], [false, true]),
      PATIENCE,
    );
    const [call] = stripe.eventCalls();
    assert.deepEqual(call.query.getAll("types[]"), TYPES);
    assert.equal(call.query.get("limit"), "100");
    assert.ok(Math.abs(Number(call.query.get("created[gte]")) - (unixNow() - 600)) < 60, `${call.query}`);
    const event = (await activity("cus_ada")).find(({ origin }) => origin === "poll");
    assert.deepEqual([event.outcome, event.event.startsWith("evt_")], ["applied", true]);
    const { poll, message } = await service.health();
    assert.deepEqual([poll.interval, poll.error, poll.gap, poll.pending, message], [5, null, null, 0, undefined]);
    assert.ok(poll.age < 60, poll.age);
  });

  test("an event that a webhook brought is a duplicate, and a lost one counts as found", async (t) => {
    const { stripe, service, change, entitled, activity, log } = await startFixture(t);
    const created = unixNow() - 300;
    const delivered = change("cus_bob", ["sms"], { created });
    assert.equal((await service.send(delivered)).json.outcome, "applied");
    change("cus_cy", ["sso"], { created });
    await eventually(async () => assert.equal((await service.health()).poll.found_by_poll_only, 1), PATIENCE);
    assert.equal(await entitled("cus_cy", "sso"), true);
    const outcomes = (await activity("cus_bob"))
      .filter(({ event }) => event === delivered.id)
      .map(({ outcome, origin }) => [outcome, origin]);
    assert.deepEqual(outcomes, [
      ["duplicate", "poll"],
      ["applied", "delivery"],
    ]);
    const { status, message } = await service.health();
    assert.deepEqual([status, message], ["ok", "1 events of the last day arrived by the poll only: check the webhook endpoint in Stripe."]);
    assert.ok(log.includes("1 events of test mode arrived by the poll only: check the webhook endpoint in Stripe"));
    assert.equal(
      stripe.eventCalls().every(({ headers }) => headers.authorization === `Bearer ${stripe.key}`),
      true,
    );
  });

  test("a deleted customer loses the entitlements, and an event that cannot be read causes a read", async (t) => {
    const { stripe, service, change, entitled, activity, log } = await startFixture(t);
    for (const customer of ["cus_gone", "cus_odd"]) {
      stripe.setEntitlements(customer, ["sms"]);
      assert.equal((await service.send(summary(customer, ["sms"]))).status, 200);
    }
    stripe.deleteCustomer("cus_gone");
    stripe.listEvent(customerDeleted("cus_gone", { created: unixNow() + 1 }));
    stripe.setEntitlements("cus_odd", ["sso"]);
    const odd = summary("cus_odd", []);
    odd.data.object.entitlements = /** @type {any} */ ("none");
    stripe.listEvent(odd);
    change("cus_next", ["sms"]);
    await eventually(async () => {
      assert.equal(await entitled("cus_gone", "sms"), false);
      assert.deepEqual([await entitled("cus_odd", "sms"), await entitled("cus_odd", "sso")], [false, true]);
      assert.equal((await service.replicaRecord("cus_next"))?.keys?.[0], "sms");
    }, PATIENCE);
    const failed = (await activity("cus_odd")).find(({ outcome }) => outcome === "failed");
    assert.deepEqual([failed.event, failed.origin], [odd.id, "poll"]);
    assert.ok(log.some((line) => line.startsWith(`test:cus_odd: failed to read the event ${odd.id}: `)));
  });

  test("250 events are applied in several alarms, each at most forty requests", async (t) => {
    const { stripe, service, entitled } = await startFixture(t, { settings: { STRIPE_WEBHOOK_SECRETS: "" } });
    for (let i = 0; i < 250; i += 1) {
      const customer = `cus_${i}`;
      stripe.setEntitlements(customer, ["sms"]);
      stripe.listEvent(summary(customer, ["sms"], { created: unixNow() - 250 + i }));
    }
    await eventually(async () => {
      await service.health();
      assert.equal(await entitled("cus_0", "sms"), true);
      const { json } = await service.request("/v1/sync_status?limit=100&prefix=cus_2");
      assert.equal(json.data.length, 61, "cus_2, cus_20 to cus_29, and cus_200 to cus_249");
    }, 60_000);
    const after = stripe.eventCalls().map(({ query }) => query.get("starting_after"));
    assert.equal(new Set(after).size, 3, "the first page, and two that follow it");
  });

  test("a missing permission degrades the mode, is named, and ends once it is granted", async (t) => {
    const { stripe, service, change, entitled, log } = await startFixture(t);
    stripe.failEvents({ status: 403, permission: "rak_event_read" });
    await eventually(async () => assert.equal((await service.health()).status, "degraded"), PATIENCE);
    const { poll, message } = await service.health();
    assert.deepEqual([poll.missing_permission, poll.error], ["Events: Read", "STRIPE_API_KEY lacks a permission: rak_event_read"]);
    assert.match(message, /give the restricted key the permission `Events: Read` \(rak_event_read\), or set ENTGATE_EVENT_POLL to 0\.$/);
    assert.ok(
      log.some((line) => line.endsWith("with status 403: it lacks the permission rak_event_read")),
      log.join("\n"),
    );
    change("cus_ada", ["sms"]);
    stripe.failEvents(undefined);
    await eventually(async () => assert.equal((await service.health()).status, "ok"), PATIENCE);
    assert.equal(await entitled("cus_ada", "sms"), true);
  });

  test("it continues where it was after a restart, and Stripe's failures lose nothing", async (t) => {
    const folder = createFolder(t);
    const stripe = await fakeStripe();
    t.after(() => stripe.stop());
    const settings = { ...stripe.settings, ...POLL, STRIPE_WEBHOOK_SECRETS: "" };
    let service = await serve({ settings, folder, log: [] });
    t.after(() => service.stop());
    await service.health();
    await eventually(async () => assert.ok((await service.health()).poll.age !== null), PATIENCE);
    await service.stop();

    stripe.setEntitlements("cus_ada", ["sms"]);
    stripe.listEvent(summary("cus_ada", ["sms"]));
    stripe.failEvents("oversized");
    service = await serve({ settings, folder, log: [] });
    await service.health();
    const calls = stripe.eventCalls().length;
    await eventually(() => assert.ok(stripe.eventCalls().length >= calls + 2), PATIENCE);
    const limits = stripe.eventCalls().map(({ query }) => query.get("limit"));
    assert.ok(limits.includes("50"), `${limits}`);
    stripe.failEvents(undefined);
    const isKnown = async () => (await service.request("/v1/activity?customer=cus_ada")).json.data.some(({ origin }) => origin === "poll");
    await eventually(async () => assert.equal(await isKnown(), true), PATIENCE);
    assert.equal((await service.check("cus_ada", "sms", { fresh: true })).json.entitled, true);
  });

  test("a thin event makes the poll due at once", async (t) => {
    const { stripe, service, entitled, activity } = await startFixture(t, { settings: { ENTGATE_EVENT_POLL: "3600" } });
    await service.health();
    await eventually(() => assert.equal(stripe.eventCalls().length, 1), PATIENCE);
    stripe.setEntitlements("cus_ada", ["sms"]);
    stripe.listEvent(summary("cus_ada", ["sms"]));
    const thin = {
      id: "evt_test_65thin",
      object: "v2.core.event",
      created: new Date().toISOString(),
      livemode: false,
      type: "v1.entitlements.active_entitlement_summary.entitlement_added",
    };
    const { status, json } = await service.send(thin);
    assert.deepEqual([status, json.outcome, json.event], [200, "deferred", thin.id]);
    await eventually(
      async () =>
        assert.equal(
          (await activity("cus_ada")).some(({ origin }) => origin === "poll"),
          true,
        ),
      PATIENCE,
    );
    assert.equal(stripe.eventCalls().length, 2);
    assert.equal(await entitled("cus_ada", "sms"), true);
  });

  test("each mode has a poll of its own, with its own key", async (t) => {
    // One origin serves both modes: the key decides.
    const { stripe, service, log } = await startFixture(t, { settings: { STRIPE_API_KEY: "sk_test_stripe,sk_live_stripe" } });
    await service.health();
    await eventually(async () => {
      const health = (await service.request("/healthz", { key: "sk_live_entgate" })).json;
      assert.deepEqual([health.status, health.poll?.error], ["degraded", "Stripe rejects STRIPE_API_KEY"]);
    }, PATIENCE);
    assert.equal((await service.health()).status, "ok");
    assert.deepEqual(new Set(stripe.eventCalls().map(({ headers }) => headers.authorization)).size, 2);
    assert.ok(log.length > 0);
  });
});

describe("where no poll runs", { timeout: 60_000 }, () => {
  test("a thin event is refused, and /healthz has no poll", async (t) => {
    const { stripe, service } = await startFixture(t, { settings: { ENTGATE_EVENT_POLL: "0" } });
    const thin = { id: "evt_1", object: "v2.core.event", type: "v1.entitlements.active_entitlement_summary.updated", livemode: false };
    const { status, json } = await service.send(thin);
    assert.equal(status, 400);
    assert.match(json.error.message, /in the snapshot payload style\.$/);
    assert.deepEqual([(await service.health()).status, (await service.health()).poll], ["ok", null]);
    assert.deepEqual(stripe.eventCalls(), []);
  });
});
