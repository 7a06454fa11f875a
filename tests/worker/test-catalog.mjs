// Fixtures for tests of the catalog: the Worker with the catalog as its source, and a client of its API.
//
// `TestCatalog` wraps Stripe's SDK with one method for each step that several tests share: create a plan,
// subscribe a customer, advance a test clock, read the resulting entitlements and events. Steps of one test
// use its `sdk` directly. Receiving webhooks is in webhook-receiver.mjs.

import assert from "node:assert/strict";
import { eventually, KEY, serve, stripeClient } from "./support.mjs";

/** @import Stripe from "stripe" */
/** @import { ServeOptions, Service } from "./support.mjs" */

export const SUMMARY_EVENT = "entitlements.active_entitlement_summary.updated";

/** Start dates for test clocks. All months around them have 28 days or more, so a monthly renewal keeps the day. */
export const JANUARY = utc(2027, 1, 15, 8);
export const FEBRUARY = utc(2027, 2, 15, 8);
export const MARCH = utc(2027, 3, 15, 8);
export const HOUR = 3_600;
export const DAY = 24 * HOUR;

/** Stripe's test payment methods: charges to the first succeed, charges to the second fail. */
export const VALID_CARD = "pm_card_visa";
export const FAILING_CARD = "pm_card_chargeCustomerFail";

/**
 * A date in UTC, in Unix seconds.
 *
 * @param {number} year
 * @param {number} month From 1.
 * @param {number} day
 * @param {number} [hour]
 */
export function utc(year, month, day, hour = 0) {
  return Date.UTC(year, month - 1, day, hour) / 1000;
}

/**
 * Starts the Worker with the catalog as its source.
 *
 * @param {ServeOptions} [options]
 */
export function serveCatalog({ settings, ...options } = {}) {
  return serve({ settings: { ENTGATE_SOURCE: "catalog", ...settings }, ...options });
}

/** The catalog of one mode, over Stripe's SDK. */
export class TestCatalog {
  /**
   * @param {Service} service
   * @param {string} [key] A server key; it decides the mode.
   */
  constructor(service, key = KEY) {
    this.service = service;
    this.sdk = stripeClient(service.url, key);
  }

  /** @param {string} lookup_key @param {string} [name] */
  createFeature(lookup_key, name = lookup_key) {
    return this.sdk.entitlements.features.create({ lookup_key, name });
  }

  /** @param {{ id: string }} product @param {{ id: string }} feature */
  attachFeature(product, feature) {
    return this.sdk.products.createFeature(product.id, { entitlement_feature: feature.id });
  }

  /** Creates a monthly price, unless `params` say otherwise. @param {{ id: string }} product @param {Partial<Stripe.PriceCreateParams>} [params] */
  createPrice(product, params = {}) {
    return this.sdk.prices.create({ product: product.id, currency: "usd", unit_amount: 1000, recurring: { interval: "month" }, ...params });
  }

  /** Creates a product with these features and a monthly price. @param {{ id: string }[]} features */
  async createPlan(...features) {
    const product = await this.sdk.products.create({ name: "A plan" });
    const attached = [];
    for (const feature of features) attached.push(await this.attachFeature(product, feature));
    return { product, attached, price: await this.createPrice(product) };
  }

  /** Creates a customer with this id, which entgate accepts and Stripe does not. @param {string} id */
  createCustomer(id) {
    /** @type {Stripe.CustomerCreateParams & { id: string }} */
    const params = { id };
    return this.sdk.customers.create(params);
  }

  createClock(frozen_time = JANUARY) {
    return this.sdk.testHelpers.testClocks.create({ frozen_time });
  }

  /** Advances a test clock, and waits until it is ready again. @param {{ id: string }} clock @param {number} frozen_time */
  async advanceClock(clock, frozen_time) {
    await this.sdk.testHelpers.testClocks.advance(clock.id, { frozen_time });
    return eventually(async () => {
      const now = await this.sdk.testHelpers.testClocks.retrieve(clock.id);
      assert.deepEqual([now.status, now.frozen_time], ["ready", frozen_time]);
      return now;
    });
  }

  /** Creates a customer on a new test clock. @param {Stripe.CustomerCreateParams} [params] */
  async createClockCustomer(params = {}) {
    const clock = await this.createClock();
    return { clock, customer: await this.sdk.customers.create({ test_clock: clock.id, ...params }) };
  }

  /**
   * @param {{ id: string }} customer
   * @param {{ id: string } | { id: string }[]} prices
   * @param {Partial<Stripe.SubscriptionCreateParams>} [params]
   */
  subscribe(customer, prices, params = {}) {
    const items = [prices].flat().map(({ id }) => ({ price: id }));
    return this.sdk.subscriptions.create({ customer: customer.id, items, ...params });
  }

  /** @param {{ id: string }} subscription */
  async subscriptionStatus(subscription) {
    return (await this.sdk.subscriptions.retrieve(subscription.id)).status;
  }

  /** The lookup keys of a customer's entitlements, sorted: Stripe documents no order. @param {{ id: string }} customer */
  async entitlementKeys(customer) {
    const list = this.sdk.entitlements.activeEntitlements.list({ customer: customer.id, limit: 100 });
    return lookupKeys(await list.autoPagingToArray({ limit: 1000 }));
  }

  /** Every change of a customer's set as `[before, after]`, oldest first. @param {{ id: string }} customer */
  async entitlementChanges(customer) {
    return (await this.summaryEvents(customer)).map(summaryChange);
  }

  /** The summary events of a customer, oldest first. @param {{ id: string }} customer */
  async summaryEvents(customer) {
    const events = await this.sdk.events.list({ type: SUMMARY_EVENT, limit: 100 }).autoPagingToArray({ limit: 1000 });
    return events
      .filter((event) => event.type === SUMMARY_EVENT)
      .filter(({ data }) => data.object.customer === customer.id)
      .reverse();
  }

  /**
   * Waits until a check returns the expected result.
   *
   * @param {{ id: string }} customer
   * @param {string} feature
   * @param {boolean} entitled
   */
  waitForCheck(customer, feature, entitled) {
    return eventually(async () => {
      const { status, json } = await this.service.check(customer.id, feature);
      assert.deepEqual([status, json.entitled], [200, entitled], `${feature}: ${JSON.stringify(json)}`);
    });
  }
}

/** The lookup keys of a list, sorted. @param {{ lookup_key: string }[]} list */
export function lookupKeys(list) {
  return list.map(({ lookup_key }) => lookup_key).sort();
}

/** The lookup keys before and after a summary event. @param {Stripe.EntitlementsActiveEntitlementSummaryUpdatedEvent} event */
export function summaryChange({ data }) {
  return [lookupKeys(data.previous_attributes?.entitlements?.data ?? []), lookupKeys(data.object.entitlements.data)];
}
