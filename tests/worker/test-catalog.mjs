// The words that tests of the catalog speak in: what is sold to whom, what time it is there, who hears of it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { eventually, KEY, SECRET, serve, stripe } from "./support.mjs";

export const SUMMARY = "entitlements.active_entitlement_summary.updated";

/** A moment on test clocks, which none of the months around it is too short for. */
export const JANUARY = at(2027, 1, 15, 8);
export const FEBRUARY = at(2027, 2, 15, 8);
export const MARCH = at(2027, 3, 15, 8);
export const HOUR = 3_600;
export const DAY = 24 * HOUR;

/** A moment in UTC, as Stripe writes it. */
export function at(year, month, day, hour = 0) {
  return Date.UTC(year, month - 1, day, hour) / 1000;
}

/** Stripe's test payment methods: one works, one never does. */
export const WORKS = "pm_card_visa";
export const FAILS = "pm_card_chargeCustomerFail";

/** The Worker with the catalog as its source. */
export function catalog({ settings, ...options } = {}) {
  return serve({ settings: { ENTGATE_SOURCE: "catalog", ...settings }, ...options });
}

/** One who sells, by way of Stripe's SDK. */
export class Shop {
  constructor(service, key = KEY) {
    this.service = service;
    this.sdk = stripe(service.url, key);
  }

  feature(lookup_key, name = lookup_key) {
    return this.sdk.entitlements.features.create({ lookup_key, name });
  }

  attach(product, feature) {
    return this.sdk.products.createFeature(product.id, { entitlement_feature: feature.id });
  }

  price(product, more = {}) {
    return this.sdk.prices.create({ product: product.id, currency: "usd", unit_amount: 1000, recurring: { interval: "month" }, ...more });
  }

  /** A product with these features, sold by the month. */
  async plan(...features) {
    const product = await this.sdk.products.create({ name: "A plan" });
    const attached = [];
    for (const feature of features) attached.push(await this.attach(product, feature));
    return { product, attached, price: await this.price(product) };
  }

  clock(frozen_time = JANUARY) {
    return this.sdk.testHelpers.testClocks.create({ frozen_time });
  }

  /** Lets time pass, and waits until all that was due is done. */
  async advance(clock, frozen_time) {
    await this.sdk.testHelpers.testClocks.advance(clock.id, { frozen_time });
    return eventually(async () => {
      const now = await this.sdk.testHelpers.testClocks.retrieve(clock.id);
      assert.deepEqual([now.status, now.frozen_time], ["ready", frozen_time]);
      return now;
    });
  }

  /** A customer on a clock of their own. */
  async customer(more = {}) {
    const clock = await this.clock();
    return { clock, customer: await this.sdk.customers.create({ test_clock: clock.id, ...more }) };
  }

  subscribe(customer, prices, more = {}) {
    const items = [prices].flat().map(({ id }) => ({ price: id }));
    return this.sdk.subscriptions.create({ customer: customer.id, items, ...more });
  }

  async status(subscription) {
    return (await this.sdk.subscriptions.retrieve(subscription.id)).status;
  }

  /** The keys that a customer has, sorted: Stripe documents no order. */
  async held(customer) {
    const list = this.sdk.entitlements.activeEntitlements.list({ customer: customer.id, limit: 100 });
    return keys(await list.autoPagingToArray({ limit: 1000 }));
  }

  /** What happened to a customer's set so far, the newest last: `[before, after]` each time. */
  async told(customer) {
    return (await this.summaries(customer)).map(change);
  }

  /** The summary events of a customer, the newest last. */
  async summaries(customer) {
    const events = await this.sdk.events.list({ type: SUMMARY, limit: 100 }).autoPagingToArray({ limit: 1000 });
    return events.filter(({ data }) => data.object.customer === customer.id).reverse();
  }

  /** Registers the Worker's own way in, so that checks follow the catalog. */
  registerItself() {
    const url = new URL("/webhooks/stripe", this.service.url).href;
    return this.sdk.webhookEndpoints.create({ url, enabled_events: ["*"], secret: SECRET });
  }

  /** Waits until a check answers what it should. */
  follows(customer, feature, entitled) {
    return eventually(async () => {
      const { status, json } = await this.service.check(customer.id, feature);
      assert.deepEqual([status, json.entitled], [200, entitled], `${feature}: ${JSON.stringify(json)}`);
    });
  }
}

/** The keys of a list's entitlements, sorted. */
export function keys(list) {
  return list.map(({ lookup_key }) => lookup_key).sort();
}

/** What a summary event says: `[before, after]`. */
export function change({ data }) {
  return [keys(data.previous_attributes.entitlements.data), keys(data.object.entitlements.data)];
}

/**
 * A receiver of webhooks on a free port of this machine. It notes what comes in `heard`, and answers
 * 200 but where `answers` has something else to say: one status a delivery, or `"hold"` for none at all.
 */
export async function receiver() {
  const heard = [];
  const answers = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    heard.push({
      path: request.url,
      method: request.method,
      headers: request.headers,
      body,
      event: JSON.parse(body),
      moment: performance.now(),
    });
    const answer = answers.shift() ?? 200;
    if (answer === "hold") return;
    // Where a redirect would lead, if it were followed.
    response.writeHead(answer, answer === 302 ? { location: "/elsewhere" } : {}).end();
  });
  const listen = (port) => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const close = () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  };
  await listen(0);
  const { port } = server.address();
  return {
    heard,
    answers,
    url: `http://127.0.0.1:${port}/hook`,
    /** The deliveries of an event. */
    of: (id) => heard.filter(({ event }) => event.id === id),
    /** Cuts off those to whom nothing was answered. */
    drop: () => server.closeAllConnections(),
    /** Refuses connections, until it opens again. */
    close,
    open: () => listen(port),
  };
}
