// The objects that mirrors of Stripe copy: each kind, archived and deleted ones too, and a subscription in each status.

import assert from "node:assert/strict";
import { FAILING_CARD, VALID_CARD } from "../worker/test-catalog.mjs";

/** @import Stripe from "stripe" */
/** @import { TestCatalog } from "../worker/test-catalog.mjs" */

/** The longest page that Stripe returns. */
export const MAX_PAGE = 100;

/**
 * Fills a catalog.
 *
 * @param {TestCatalog} catalog
 * @param {{ customers?: number }} [options] How many customers without a subscription there are.
 */
export async function createShop(catalog, { customers = 0 } = {}) {
  const { sdk } = catalog;
  const [sms, voice, legacy] = [
    await catalog.createFeature("sms"),
    await catalog.createFeature("voice"),
    await catalog.createFeature("legacy"),
  ];
  const basic = await sdk.products.create({ name: "Basic", description: "One feature", metadata: { rank: "1" } });
  const pro = await sdk.products.create({ name: "Pro", images: ["https://example.com/pro.png"], url: "https://example.com/pro" });
  const retired = await sdk.products.create({ name: "Retired" });
  await catalog.attachFeature(basic, sms);
  await catalog.attachFeature(pro, sms);
  await catalog.attachFeature(pro, voice);
  await catalog.attachFeature(retired, legacy);

  const monthly = await catalog.createPrice(basic, { nickname: "Basic, monthly", metadata: { interval: "monthly" } });
  const proMonthly = await catalog.createPrice(pro, { unit_amount: 2500, lookup_key: "pro_monthly" });
  const yearly = await catalog.createPrice(pro, { unit_amount: 25_000, recurring: { interval: "year" } });
  const once = await sdk.prices.create({ product: pro.id, currency: "eur", unit_amount: 500 });
  const old = await catalog.createPrice(retired);
  await sdk.products.update(pro.id, { default_price: proMonthly.id });

  const address = { line1: "6 Main Street", country: "DE" };
  const ada = await sdk.customers.create({ name: "Ada", email: "ada@example.com", address, metadata: { team: "a" } });
  const bob = await sdk.customers.create({ name: "Bob", invoice_settings: { default_payment_method: VALID_CARD } });
  const gone = await sdk.customers.create({ name: "Gone" });
  for (let count = 0; count < customers; count += 1) await sdk.customers.create({ name: `Customer ${count}` });

  const paid = { default_payment_method: VALID_CARD };
  const paused = await catalog.subscribe(ada, proMonthly, paid);
  await sdk.subscriptions.pause(paused.id, { type: "subscription" });
  const canceled = await catalog.subscribe(ada, old, paid);
  await sdk.subscriptions.cancel(canceled.id);
  const pastDue = await catalog.subscribe(bob, monthly);
  /** @type {Stripe.SubscriptionUpdateParams & { status: string }} */
  const report = { status: "past_due" };
  await sdk.subscriptions.update(pastDue.id, report);
  const subscriptions = {
    active: await catalog.subscribe(ada, [monthly, yearly], { ...paid, metadata: { seats: "2" } }),
    trialing: await catalog.subscribe(bob, proMonthly, { trial_period_days: 14 }),
    past_due: pastDue,
    incomplete: await catalog.subscribe(bob, monthly, { default_payment_method: FAILING_CARD, payment_behavior: "allow_incomplete" }),
    paused,
    canceled,
  };
  await catalog.subscribe(gone, monthly, paid);
  await sdk.customers.del(gone.id);
  await sdk.products.update(retired.id, { active: false });
  await sdk.entitlements.features.update(legacy.id, { active: false });

  for (const [status, { id }] of Object.entries(subscriptions)) assert.equal(await catalog.subscriptionStatus({ id }), status);
  return {
    features: { sms, voice },
    products: { basic, pro, retired },
    prices: { monthly, proMonthly, yearly, once },
    customers: { ada, bob, gone },
    subscriptions,
  };
}

/**
 * What a catalog has, by the kind of object, each list whole, as this SDK sees it.
 *
 * @param {Stripe} sdk
 */
export async function readCatalog(sdk) {
  /** @param {{ autoPagingToArray(options: { limit: number }): Promise<any[]> }} list @returns {Promise<any[]>} */
  const all = (list) => list.autoPagingToArray({ limit: 10_000 });
  const limit = MAX_PAGE;
  const [customers, subscriptions] = [
    await all(sdk.customers.list({ limit })),
    await all(sdk.subscriptions.list({ limit, status: "all" })),
  ];
  const entitlements = [];
  for (const { id: customer } of customers) {
    const list = await all(sdk.entitlements.activeEntitlements.list({ customer, limit }));
    entitlements.push(...list.map((entitlement) => ({ ...entitlement, customer })));
  }
  return {
    products: await all(sdk.products.list({ limit })),
    prices: await all(sdk.prices.list({ limit })),
    plans: await all(sdk.plans.list({ limit })),
    customers,
    subscriptions,
    subscription_items: subscriptions.flatMap(({ items }) => items.data),
    features: await all(sdk.entitlements.features.list({ limit })),
    active_entitlements: entitlements,
  };
}
