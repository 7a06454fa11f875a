// Paused subscriptions at Stripe: only the end of a trial depends on `ENTGATE_PAUSED_SUBSCRIPTIONS`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { ENDING_REASONS, pauseSubscription, resumeSubscription, TRIAL_ENDED } from "./fake-stripe-pauses.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";

const ORDERS = {
  "as Stripe sends them": [0, 1, 2],
  reversed: [2, 1, 0],
  "the summary first": [2, 0, 1],
  "the update first": [1, 0, 2],
};

/** The events in this order. A change without a summary has two. @param {object[]} events @param {number[]} order */
const inOrder = (events, order) => order.filter((index) => index in events).map((index) => events[index]);

for (const rule of ["keep", "revoke"]) {
  describe(`with ENTGATE_PAUSED_SUBSCRIPTIONS=${rule}`, { timeout: 120_000 }, () => {
    let stripe;
    let service;
    before(async () => {
      stripe = await fakeStripe();
      service = await serve({ settings: { ...stripe.settings, ENTGATE_PAUSED_SUBSCRIPTIONS: rule } });
      stripe.setProductFeatures("prod_pro", ["sms", "sso"]);
      stripe.setProductFeatures("prod_basic", ["sso"]);
    });
    after(async () => {
      await service.stop();
      await stripe.stop();
    });

    /** Sends events, and returns the outcomes of those about the subscription and of the summaries, each once. */
    const sendAll = async (events) => {
      const outcomes = { subscription: new Set(), summary: new Set() };
      for (const event of events) {
        const { status, json } = await service.send(event);
        assert.equal(status, 200, JSON.stringify(json));
        outcomes[event.type.startsWith("entitlements.") ? "summary" : "subscription"].add(json.outcome);
      }
      return [[...outcomes.subscription], [...outcomes.summary]];
    };
    const assertAnswers = (customer, sms, why) =>
      eventually(async () => {
        for (const params of [{}, { fresh: true }]) {
          for (const [feature, isEntitled] of [
            ["sms", sms],
            ["sso", true],
          ]) {
            const { json } = await service.check(customer, feature, params);
            assert.equal(json.entitled, isEntitled, `${why} ${feature} ${JSON.stringify(params)}`);
          }
        }
      });

    const trialEnds = [TRIAL_ENDED, undefined];
    for (const reason of [...ENDING_REASONS, "a_reason_of_the_future", ...trialEnds]) {
      const isTrial = trialEnds.includes(reason);
      const keeps = isTrial && rule === "keep";
      const verb = keeps ? "keeps" : "ends";
      test(`a pause with the reason ${reason} ${verb} what no other subscription grants, in every order of its events`, async () => {
        const pauseAndResume = async ([why, order]) => {
          const customer = `cus_${reason}_${order.join("")}`;
          const created = unixNow() - 100;
          // Later than the read below, so that it makes no event stale.
          const afterReads = unixNow() + 100;
          stripe.setEntitlements(customer, ["sms", "sso"]);
          stripe.setSubscriptions(customer, [
            { status: "active", products: ["prod_pro"] },
            { status: "active", products: ["prod_basic"] },
          ]);
          await service.send(summary(customer, ["sms", "sso"], { created }));
          // The read that confirms this event must not find what the pause changes.
          await service.sync(customer);
          await assertAnswers(customer, true, "before");

          const pausing = pauseSubscription(stripe, customer, reason, { created: afterReads });
          assert.equal(pausing.length, isTrial ? 2 : 3);
          const [aboutSubscription, aboutSet] = await sendAll(inOrder(pausing, order));
          assert.deepEqual(aboutSubscription, [rule === "keep" ? "ignored" : "deferred"], why);
          assert.deepEqual(aboutSet, isTrial ? [] : [{ keep: "applied", revoke: "deferred" }[rule]], why);
          await assertAnswers(customer, keeps, `paused, ${why}`);

          await sendAll(inOrder(resumeSubscription(stripe, customer, { created: afterReads + 10 }), order));
          await assertAnswers(customer, true, `resumed, ${why}`);
        };
        await Promise.all(Object.entries(ORDERS).map(pauseAndResume));
      });
    }

    test("pause_collection changes nothing, whatever an event says about it", async () => {
      const customer = "cus_collection";
      stripe.setEntitlements(customer, ["sms", "sso"]);
      const collection = { pause_collection: { behavior: "void", resumes_at: null } };
      stripe.setSubscriptions(customer, [{ status: "active", products: ["prod_pro"], ...collection }]);
      await service.send(summary(customer, ["sms", "sso"]));
      const [, updated] = resumeSubscription(stripe, customer);
      await sendAll([updated]);
      await assertAnswers(customer, true, "collection is paused");
    });

    test("what an event says about a pause is not used: only a read decides", async () => {
      const customer = "cus_claimed";
      stripe.setEntitlements(customer, ["sms", "sso"]);
      stripe.setSubscriptions(customer, [{ status: "active", products: ["prod_pro"] }]);
      await service.send(summary(customer, ["sms", "sso"], { created: unixNow() - 10 }));
      const [paused, updated] = pauseSubscription(stripe, customer, TRIAL_ENDED);
      resumeSubscription(stripe, customer);
      const reads = stripe.listCalls(customer).length;
      await sendAll([paused, updated]);
      if (rule === "revoke") await eventually(() => assert.ok(stripe.listCalls(customer).length > reads));
      await assertAnswers(customer, true, "Stripe's list and its subscriptions grant it");
    });
  });
}
