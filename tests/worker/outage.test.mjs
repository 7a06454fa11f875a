// Stripe fails: events are acknowledged, current entitlements stay, and Stripe's list is applied once Stripe works again.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

/** @import { Fault } from "./fake-stripe.mjs" */

async function startFixture() {
  const stripe = await fakeStripe();
  /** @type {string[]} */
  const log = [];
  return { stripe, log, service: await serve({ settings: stripe.settings, log }) };
}

async function stopFixture({ stripe, service, log }) {
  await service.stop();
  await stripe.stop();
  for (const line of log) assert.ok(!line.includes(stripe.key), line);
}

/** The pauses between requests, in milliseconds. */
const pauses = (calls) => calls.slice(1).map(({ at }, i) => at - calls[i].at);

/** What `/healthz` reports of the key and of pending tasks. */
async function health(service) {
  const { status, message, outbox } = await service.health();
  return [status, message, outbox.pending > 0, outbox.oldest !== null];
}

const HEALTHY = ["ok", undefined, false, false];
const KEY_REJECTED = "Stripe rejects STRIPE_API_KEY: set a key of this account that may read entitlements.";
const UNKNOWN_AT_STRIPE = "Stripe does not have a customer that its events name: is STRIPE_API_KEY of the same account as the webhook?";

describe("Stripe fails", { concurrency: true, timeout: 60_000 }, () => {
  let fixture;
  let stripe;
  let service;
  before(async () => {
    fixture = await startFixture();
    ({ stripe, service } = fixture);
  });
  after(() => stopFixture(fixture));

  describe("a truncated page is acknowledged, revokes nothing, and is completed later", () => {
    for (const [why, fault] of /** @type {[string, Fault][]} */ ([
      ["returns a 429", { status: 429 }],
      ["returns a 429 with Retry-After", { status: 429, retryAfter: 1 }],
      ["returns a 500", { status: 500 }],
      ["returns a 500 with Stripe-Should-Retry false", { status: 500, shouldRetry: "false" }],
      ["returns a 400 with Stripe-Should-Retry true", { status: 400, shouldRetry: "true" }],
      ["returns a 400", { status: 400 }],
      ["redirects", { status: 302 }],
      ["closes the connection in the middle of the body", "truncated"],
      ["closes the connection without a response", "disconnect"],
      ["returns half of the JSON", "malformed"],
      ["returns JSON of another type", "wrong_type"],
      ["returns the same page for ever", "repeating_page"],
      ["returns an oversized body", "oversized"],
    ])) {
      test(`if Stripe ${why}`, async () => {
        const customer = `cus_${why.replaceAll(/\W/g, "_")}`;
        const check = async (feature) => {
          const { status, json } = await service.check(customer, feature, { at_least: 2 });
          return [status, json.entitled ?? json.error.code];
        };
        stripe.setEntitlements(customer, ["f0", "f1"]);
        stripe.failAlways(fault, customer);
        const now = unixNow();
        for (const event of [
          summary(customer, ["gone"], { created: now }),
          summary(customer, ["f0"], { created: now + 1, hasMore: true }),
        ]) {
          const { status, json } = await service.send(event);
          assert.deepEqual([status, json.outcome], [200, "applied"]);
        }
        await stripe.waitForCalls(1, customer);
        assert.deepEqual(
          [await check("gone"), await check("f0")],
          [
            [200, true],
            [200, true],
          ],
        );
        assert.deepEqual(await check("f1"), [503, "entitlements_incomplete"]);

        stripe.failAlways(undefined, customer);
        await eventually(async () => assert.deepEqual(await check("f1"), [200, true]));
        // A replica of version 2 may still have what that version granted.
        const { json: gone } = await service.check(customer, "gone", { at_least: 3 });
        assert.deepEqual([gone.entitled, gone.version], [false, 3]);
        const { json } = await service.check(customer, "f0", { fresh: true });
        assert.deepEqual([json.entitled, json.version], [true, 3]);
      });
    }

    test("a sync completes it at once, even if the next attempt is postponed for an hour", async () => {
      stripe.setEntitlements("cus_now", ["f0", "f1"]);
      stripe.failAlways({ status: 429, retryAfter: 3_600 }, "cus_now");
      assert.equal((await service.send(summary("cus_now", ["f0"], { hasMore: true }))).status, 200);
      await stripe.waitForCalls(1, "cus_now");
      const incomplete = await service.check("cus_now", "f1");
      assert.deepEqual([incomplete.status, incomplete.headers.get("retry-after")], [503, "1"]);
      const failed = await service.sync("cus_now");
      assert.deepEqual([failed.status, failed.headers.get("retry-after")], [503, "1"]);
      assert.match(failed.json.error.message, /This is not a denial\.$/);
      const before = stripe.listCalls("cus_now").length;
      assert.equal((await service.check("cus_now", "f1")).status, 503);
      assert.equal(stripe.listCalls("cus_now").length, before, "a check sends no request while Stripe is in back-off");
      stripe.failAlways(undefined, "cus_now");
      const { status, json } = await service.sync("cus_now");
      assert.deepEqual([status, json.version, json.entitlements.data.length], [200, 2, 2]);
      assert.deepEqual((await service.check("cus_now", "f1", { at_least: 2 })).json.entitled, true);
    });
  });

  describe("a failed read is retried", () => {
    const startFailing = async (customer, fault) => {
      stripe.setEntitlements(customer, ["f0"]);
      stripe.failAlways(fault, customer);
      assert.equal((await service.send(summary(customer, ["f0"], { hasMore: true }))).status, 200);
    };

    test("a read has three attempts with growing pauses, and so has the next read after a back-off", async () => {
      await startFailing("cus_500", { status: 500 });
      await stripe.waitForCalls(7, "cus_500");
      const [first, second, third, fourth, fifth, sixth] = pauses(stripe.listCalls("cus_500"));
      for (const [pause, least] of [
        [first, 250],
        [second, 500],
        [third, 1_000],
        [fourth, 250],
        [fifth, 500],
        [sixth, 1_000],
      ]) {
        // The clocks of workerd and of this process can differ by a few milliseconds.
        assert.ok(pause >= least - 20, `${pause} ms, less than ${least}`);
      }
      stripe.failAlways(undefined, "cus_500");
    });

    test("an attempt is not earlier than Retry-After allows", async () => {
      await startFailing("cus_429", { status: 429, retryAfter: 2 });
      await stripe.waitForCalls(4, "cus_429");
      for (const pause of pauses(stripe.listCalls("cus_429"))) assert.ok(pause >= 1_980, `${pause} ms`);
      stripe.failAlways(undefined, "cus_429");
    });

    test("with Stripe-Should-Retry false, the same read has no second attempt", async () => {
      await startFailing("cus_no", { status: 500, shouldRetry: "false" });
      await stripe.waitForCalls(4, "cus_no");
      // Three back-offs of the outbox are 3.5 s or more. With second attempts, they would be one, and two short pauses.
      const calls = stripe.listCalls("cus_no");
      const took = calls[3].at - calls[0].at;
      assert.ok(took >= 2_700, `${took} ms, which is shorter than three back-offs of the outbox`);
      stripe.failAlways(undefined, "cus_no");
    });

    test("one read at a time serves any number of events", async () => {
      stripe.setEntitlements("cus_many", ["f0"]);
      const release = stripe.delayResponses("cus_many");
      const events = Array.from({ length: 30 }, (_, i) => summary("cus_many", ["f0"], { created: unixNow() + i, hasMore: true }));
      await Promise.all(events.map((event) => service.send(event)));
      await stripe.waitForCalls(1, "cus_many");
      assert.equal((await service.send(summary("cus_many", ["f0"], { created: unixNow() + 30, hasMore: true }))).status, 200);
      assert.equal(stripe.listCalls("cus_many").length, 1);
      release();
      await stripe.waitForCalls(2, "cus_many");
      await eventually(async () => assert.deepEqual((await service.check("cus_many", "f1", { fresh: true })).json.entitled, false));
      assert.equal(stripe.listCalls("cus_many").length, 2);
    });
  });

  // `/healthz` covers all customers, so each test has a Worker of its own.
  describe("/healthz reports what requires operator action", () => {
    for (const status of [401, 403]) {
      test(`it reports a key that Stripe rejects with ${status}, until Stripe accepts it`, async (t) => {
        const fixture = await startFixture();
        t.after(() => stopFixture(fixture));
        const { stripe, service, log } = fixture;
        assert.deepEqual(await health(service), HEALTHY);
        stripe.setEntitlements("cus_ada", ["f0", "f1"]);
        stripe.failAlways({ status });
        assert.equal((await service.send(summary("cus_ada", ["f0"], { hasMore: true }))).status, 200);
        await eventually(async () => assert.deepEqual(await health(service), ["degraded", KEY_REJECTED, true, true]));
        const line = `test:cus_ada: Stripe rejected STRIPE_API_KEY with status ${status}: set a key of this account that may read entitlements`;
        assert.ok(log.includes(line), log.join("\n"));
        assert.deepEqual((await service.check("cus_ada", "f0")).json.entitled, true);
        assert.equal((await service.sync("cus_ada")).status, 503);
        stripe.failAlways(undefined);
        await eventually(async () => assert.deepEqual(await health(service), HEALTHY));
        assert.deepEqual((await service.check("cus_ada", "f1", { at_least: 2 })).json.entitled, true);
      });
    }

    test("it reports a customer with events who is unknown at Stripe, and the set stays", async (t) => {
      const fixture = await startFixture();
      t.after(() => stopFixture(fixture));
      const { stripe, service } = fixture;
      assert.equal((await service.send(summary("cus_ada", ["f0"]))).status, 200);
      await eventually(async () => assert.deepEqual(await health(service), ["degraded", UNKNOWN_AT_STRIPE, true, true]));
      const { json } = await service.check("cus_ada", "f0", { fresh: true });
      assert.deepEqual([json.entitled, json.version], [true, 1]);
      stripe.setEntitlements("cus_ada", ["f0"]);
      await eventually(async () => assert.deepEqual(await health(service), HEALTHY));
    });

    test("it reports a key that Stripe rejects for an unknown customer, until Stripe accepts it", async (t) => {
      const fixture = await startFixture();
      t.after(() => stopFixture(fixture));
      const { stripe, service } = fixture;
      stripe.failAlways({ status: 401 });
      assert.equal((await service.check("cus_ada", "f0")).status, 503);
      assert.deepEqual(await health(service), ["degraded", KEY_REJECTED, false, false]);
      stripe.failAlways(undefined);
      stripe.setEntitlements("cus_bob", []);
      assert.equal((await service.check("cus_bob", "f0")).json.served_by, "source");
      await eventually(async () => assert.deepEqual(await health(service), HEALTHY), 10_000);
    });
  });
});
