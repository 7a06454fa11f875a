// State of the fake Stripe account: customers, subscriptions, products and features, as a test sets them.
//
// A test names a feature by its lookup key; the feature is created on first use. The ids derive from these
// names, so a test can predict them. Billing is not simulated: a test sets the entitlements of each
// customer directly, or pauses and resumes a subscription with fake-stripe-pauses.mjs. The HTTP API over this state
// is in fake-stripe-routes.mjs.

import { entitlement } from "./support.mjs";

/** @typedef {ReturnType<typeof entitlement>} Entitlement */

/**
 * @typedef {object} Feature
 * @property {string} id
 * @property {string} object
 * @property {boolean} active
 * @property {boolean} livemode
 * @property {string} lookup_key
 * @property {Record<string, string>} metadata
 * @property {string} name
 */

/**
 * @typedef {object} Subscription
 * @property {string} id
 * @property {string} status
 * @property {{ paused: { subscription: { type: string | undefined } } }} [status_details]
 * @property {{ data: { price: { product: string } }[] }} items
 */

/** @typedef {{ id: string, created: number, type: string, [member: string]: unknown }} StripeEvent */

/**
 * @typedef {object} Customer
 * @property {string} id
 * @property {boolean} deleted
 * @property {Entitlement[]} entitlements
 * @property {Subscription[]} subscriptions
 */

export class FakeAccount {
  /** @type {Map<string, Customer>} */
  customers = new Map();
  /** By product id: the id of the product feature, and the id of its feature. @type {Map<string, [string, string][]>} */
  products = new Map();
  /** @type {Map<string, Feature>} */
  features = new Map();
  /** Stripe's list of events, newest first. @type {StripeEvent[]} */
  events = [];

  /** @param {string} key The secret key of the account; it decides the mode. */
  constructor(key) {
    this.key = key;
    this.livemode = key.includes("_live_");
  }

  /**
   * Sets the entitlements of a customer, by lookup key. An empty list is a customer without entitlements.
   *
   * @param {string} customer
   * @param {string[]} keys
   */
  setEntitlements(customer, keys) {
    const entitlements = Array.from(new Set(keys), (key) => {
      const { id, lookup_key } = this.#findOrCreateFeature(key);
      return { ...entitlement(customer, key, this.livemode), feature: id, lookup_key };
    });
    Object.assign(this.#findOrCreateCustomer(customer), { deleted: false, entitlements });
  }

  /**
   * Lists an event from now on. Stripe lists by time, and events of one second in any order.
   *
   * @param {StripeEvent} event
   */
  listEvent(event) {
    // A new array: an index of the list belongs to the array.
    this.events = [event, ...this.events].sort((one, other) => other.created - one.created);
    return event;
  }

  /**
   * Deletes a customer. Stripe still returns a deleted customer by id.
   *
   * @param {string} customer
   */
  deleteCustomer(customer) {
    this.customers.set(customer, { id: customer, deleted: true, entitlements: [], subscriptions: [] });
  }

  /**
   * Sets the subscriptions of a customer: a status, product ids, and any other field that the test needs.
   *
   * @param {string} customer
   * @param {{ status: string, products: string[], id?: string, status_details?: Subscription["status_details"] }[]} subscriptions
   */
  setSubscriptions(customer, subscriptions) {
    this.#findOrCreateCustomer(customer).subscriptions = subscriptions.map(({ products, ...fields }, number) => {
      const id = fields.id ?? `sub_${customer}_${number}`;
      for (const product of products) if (!this.products.has(product)) this.products.set(product, []);
      const data = products.map((product) => ({
        id: `si_${customer}_${number}_${product}`,
        object: "subscription_item",
        price: { id: `price_${product}`, object: "price", active: true, livemode: this.livemode, product },
        quantity: 1,
        subscription: id,
      }));
      const items = { object: "list", data, has_more: false, url: `/v1/subscription_items?subscription=${id}` };
      return { id, object: "subscription", customer, items, livemode: this.livemode, metadata: {}, ...fields };
    });
  }

  /**
   * Sets the features of a product, by lookup key.
   *
   * @param {string} product
   * @param {string[]} keys
   */
  setProductFeatures(product, keys) {
    this.products.set(
      product,
      keys.map((key) => [`prodft_${product}_${key}`, this.#findOrCreateFeature(key).id]),
    );
  }

  /**
   * Updates a feature, or creates it. Changing `lookup_key` has no effect on existing entitlements. An archived
   * feature may share its lookup key with another one.
   *
   * @param {string} key
   * @param {Partial<Feature>} [changes]
   */
  updateFeature(key, changes = {}) {
    this.features.set(`feat_test_${key}`, { ...this.#findOrCreateFeature(key), ...changes });
  }

  /** @param {string} key */
  #findOrCreateFeature(key) {
    const id = `feat_test_${key}`;
    const existing = this.features.get(id);
    if (existing) return existing;
    const feature = {
      id,
      object: "entitlements.feature",
      active: true,
      livemode: this.livemode,
      lookup_key: key,
      metadata: {},
      name: key,
    };
    this.features.set(id, feature);
    return feature;
  }

  /** @param {string} id */
  #findOrCreateCustomer(id) {
    const existing = this.customers.get(id);
    if (existing) return existing;
    /** @type {Customer} */
    const customer = { id, deleted: false, entitlements: [], subscriptions: [] };
    this.customers.set(id, customer);
    return customer;
  }
}
