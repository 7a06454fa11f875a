// Pauses and resumes of subscriptions in the fake Stripe account, as Stripe documents them since 2026-09-30.endive.
//
// A pause ends the entitlements of a subscription, unless the end of its trial caused it. Each change returns the events that Stripe
// sends about it, in the order of Stripe's documentation. https://docs.stripe.com/billing/subscriptions/pause

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { summary, unixNow } from "./support.mjs";

/** @import { FakeAccount, Subscription } from "./fake-stripe-account.mjs" */

/** The reason of a pause that keeps the entitlements. Without a reason, as before 2026-09-30.endive, it is the same. */
export const TRIAL_ENDED = "trial_end_without_payment_method";

/** The reasons of the pauses that end the entitlements. */
export const ENDING_REASONS = ["pause_requested", "first_payment_failure", "final_payment_failure", "system"];

/**
 * Pauses the first subscription of a customer.
 *
 * @param {FakeAccount} account
 * @param {string} customer
 * @param {string | undefined} reason
 * @param {{ created?: number }} [options] When the events were created.
 */
export function pauseSubscription(account, customer, reason, options) {
  const paused = { subscription: { type: reason }, transitioned_at: unixNow(), type: "subscription" };
  return change(account, customer, "paused", { status: "paused", status_details: reason ? { paused } : undefined }, options);
}

/**
 * Resumes the first subscription of a customer.
 *
 * @param {FakeAccount} account
 * @param {string} customer
 * @param {{ created?: number }} [options]
 */
export function resumeSubscription(account, customer, options) {
  return change(account, customer, "resumed", { status: "active", status_details: undefined }, options);
}

/** @param {FakeAccount} account @param {string} customer */
const entitledKeys = (account, customer) => {
  const { subscriptions = [] } = account.customers.get(customer) ?? {};
  const products = subscriptions.filter(grants).flatMap(({ items }) => items.data.map(({ price }) => price.product));
  const features = products.flatMap((product) => account.products.get(product) ?? []).map(([, feature]) => feature);
  return [...new Set(features)].map((feature) => account.features.get(feature)?.lookup_key ?? assert.fail(feature));
};

/** Whether a subscription has entitlements. @param {Subscription} subscription */
const grants = ({ status, status_details: details }) =>
  status === "active" || (status === "paused" && (!details || details.paused.subscription.type === TRIAL_ENDED));

/**
 * @param {FakeAccount} account
 * @param {string} customer
 * @param {string} verb
 * @param {Partial<Subscription>} changes
 * @param {{ created?: number }} [options]
 */
function change(account, customer, verb, changes, { created = unixNow() } = {}) {
  const [subscription] = account.customers.get(customer)?.subscriptions ?? assert.fail(`no such customer: ${customer}`);
  const before = entitledKeys(account, customer);
  Object.assign(subscription, changes);
  const keys = entitledKeys(account, customer);
  account.setEntitlements(customer, keys);
  const object = structuredClone(subscription);
  const event = (/** @type {string} */ type) => ({
    ...summary(customer, [], { created, id: `evt_${randomUUID().replaceAll("-", "")}`, type: `customer.subscription.${type}` }),
    data: { object },
  });
  const isSame = JSON.stringify(before) === JSON.stringify(keys);
  return [event(verb), event("updated"), ...(isSame ? [] : [summary(customer, keys, { created })])];
}
