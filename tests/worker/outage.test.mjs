// Stripe fails: events are acknowledged, what is held stays, and what Stripe says counts once it is back.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

async function start() {
  const stripe = await fakeStripe();
  const log = [];
  return { stripe, log, service: await serve({ settings: stripe.settings, log }) };
}

async function stop({ stripe, service, log }) {
  await service.stop();
  await stripe.stop();
  for (const line of log) assert.ok(!line.includes(stripe.key), line);
}

/** The pauses between requests, in milliseconds. */
const pauses = (calls) => calls.slice(1).map(({ at }, i) => at - calls[i].at);

/** What /healthz says of the key and what is owed. */
async function health(service) {
  const { status, message, outbox } = await service.health();
  return [status, message, outbox.pending > 0, outbox.oldest !== null];
}

const HEALTHY = ["ok", undefined, false, false];
const REFUSED = "Stripe refuses STRIPE_API_KEY: set a key of this account that may read entitlements.";
const FOREIGN = "Stripe does not know a customer of whom it sent events: is STRIPE_API_KEY of the same account as the webhook?";

describe("Stripe fails", { concurrency: true, timeout: 60_000 }, () => {
  let beside;
  let stripe;
  let service;
  before(async () => {
    beside = await start();
    ({ stripe, service } = beside);
  });
  after(() => stop(beside));

  describe("a page of an event is acknowledged, takes nothing away, and is completed later", () => {
    for (const [why, fault] of [
      ["limits the rate", { status: 429 }],
      ["limits the rate and says for how long", { status: 429, retryAfter: 1 }],
      ["fails", { status: 500 }],
      ["fails and wants no retry", { status: 500, shouldRetry: "false" }],
      ["refuses the request and wants a retry", { status: 400, shouldRetry: "true" }],
      ["refuses the request", { status: 400 }],
      ["sends its caller elsewhere", { status: 302 }],
      ["cuts the answer off", "truncated"],
      ["refuses the connection", "disconnect"],
      ["answers with half of the JSON", "malformed"],
      ["answers with JSON of another shape", "wrong_type"],
      ["repeats one page for ever", "repeating_page"],
      ["does not end its answer", "oversized"],
    ]) {
      test(`when Stripe ${why}`, async () => {
        const customer = `cus_${why.replaceAll(" ", "_")}`;
        const told = async (feature) => {
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
          [await told("gone"), await told("f0")],
          [
            [200, true],
            [200, true],
          ],
        );
        assert.deepEqual(await told("f1"), [503, "entitlements_incomplete"]);

        stripe.failAlways(undefined, customer);
        await eventually(async () => assert.deepEqual(await told("f1"), [200, true]));
        assert.deepEqual(await told("gone"), [200, false]);
        const { json } = await service.check(customer, "f0", { fresh: true });
        assert.deepEqual([json.entitled, json.version], [true, 3]);
      });
    }

    test("and a sync completes it at once, however long the next try was put off", async () => {
      stripe.setEntitlements("cus_now", ["f0", "f1"]);
      stripe.failAlways({ status: 429, retryAfter: 3_600 }, "cus_now");
      assert.equal((await service.send(summary("cus_now", ["f0"], { hasMore: true }))).status, 200);
      await stripe.waitForCalls(1, "cus_now");
      const incomplete = await service.check("cus_now", "f1");
      assert.deepEqual([incomplete.status, incomplete.headers.get("retry-after")], [503, "1"]);
      const failed = await service.sync("cus_now");
      assert.deepEqual([failed.status, failed.headers.get("retry-after")], [503, "1"]);
      assert.match(failed.json.error.message, /This is not a no\.$/);
      const asked = stripe.listCalls("cus_now").length;
      assert.equal((await service.check("cus_now", "f1")).status, 503);
      assert.equal(stripe.listCalls("cus_now").length, asked, "Stripe is left alone by those who only check");
      stripe.failAlways(undefined, "cus_now");
      const { status, json } = await service.sync("cus_now");
      assert.deepEqual([status, json.version, json.entitlements.data.length], [200, 2, 2]);
      assert.deepEqual((await service.check("cus_now", "f1", { at_least: 2 })).json.entitled, true);
    });
  });

  describe("Stripe is asked again", () => {
    const begin = async (customer, fault) => {
      stripe.setEntitlements(customer, ["f0"]);
      stripe.failAlways(fault, customer);
      assert.equal((await service.send(summary(customer, ["f0"], { hasMore: true }))).status, 200);
    };

    test("three times with growing pauses, then after a longer one, and then every one is longer", async () => {
      await begin("cus_500", { status: 500 });
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
        // workerd's timers and our clock need not agree on a few milliseconds.
        assert.ok(pause >= least - 20, `${pause} ms, less than ${least}`);
      }
      stripe.failAlways(undefined, "cus_500");
    });

    test("no sooner than Retry-After says", async () => {
      await begin("cus_429", { status: 429, retryAfter: 2 });
      await stripe.waitForCalls(4, "cus_429");
      for (const pause of pauses(stripe.listCalls("cus_429"))) assert.ok(pause >= 1_980, `${pause} ms`);
      stripe.failAlways(undefined, "cus_429");
    });

    test("not within the same read where Stripe-Should-Retry says no", async () => {
      await begin("cus_no", { status: 500, shouldRetry: "false" });
      await stripe.waitForCalls(2, "cus_no");
      const [pause] = pauses(stripe.listCalls("cus_no"));
      assert.ok(pause >= 480, `${pause} ms, which is no pause of the outbox`);
      stripe.failAlways(undefined, "cus_no");
    });

    test("by one read at a time, however many events come in", async () => {
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

  // What is told of all customers needs a Worker for each test.
  describe("/healthz tells what only the operator can put right", () => {
    for (const status of [401, 403]) {
      test(`a key that is refused with ${status}, until it is accepted`, async (t) => {
        const beside = await start();
        t.after(() => stop(beside));
        const { stripe, service, log } = beside;
        assert.deepEqual(await health(service), HEALTHY);
        stripe.setEntitlements("cus_ada", ["f0", "f1"]);
        stripe.failAlways({ status });
        assert.equal((await service.send(summary("cus_ada", ["f0"], { hasMore: true }))).status, 200);
        await eventually(async () => assert.deepEqual(await health(service), ["degraded", REFUSED, true, true]));
        const line = `test:cus_ada: Stripe refuses STRIPE_API_KEY with status ${status}: set a key of this account that may read entitlements`;
        assert.ok(log.includes(line), log.join("\n"));
        assert.deepEqual((await service.check("cus_ada", "f0")).json.entitled, true);
        assert.equal((await service.sync("cus_ada")).status, 503);
        stripe.failAlways(undefined);
        await eventually(async () => assert.deepEqual(await health(service), HEALTHY));
        assert.deepEqual((await service.check("cus_ada", "f1", { at_least: 2 })).json.entitled, true);
      });
    }

    test("a customer whom Stripe does not know and sent events of, whose set stays", async (t) => {
      const beside = await start();
      t.after(() => stop(beside));
      const { stripe, service } = beside;
      assert.equal((await service.send(summary("cus_ada", ["f0"]))).status, 200);
      await eventually(async () => assert.deepEqual(await health(service), ["degraded", FOREIGN, true, true]));
      const { json } = await service.check("cus_ada", "f0", { fresh: true });
      assert.deepEqual([json.entitled, json.version], [true, 1]);
      stripe.setEntitlements("cus_ada", ["f0"]);
      await eventually(async () => assert.deepEqual(await health(service), HEALTHY));
    });

    test("a key that is refused when a stranger is asked about, until it is accepted", async (t) => {
      const beside = await start();
      t.after(() => stop(beside));
      const { stripe, service } = beside;
      stripe.failAlways({ status: 401 });
      assert.equal((await service.check("cus_ada", "f0")).status, 503);
      assert.deepEqual(await health(service), ["degraded", REFUSED, false, false]);
      stripe.failAlways(undefined);
      stripe.setEntitlements("cus_bob", []);
      assert.equal((await service.check("cus_bob", "f0")).json.served_by, "source");
      await eventually(async () => assert.deepEqual(await health(service), HEALTHY), 10_000);
    });
  });
});
