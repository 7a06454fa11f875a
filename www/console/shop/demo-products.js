// The features and plans of the demo shop, and how they are found and created in the catalog.
//
// They are created only on request. Existing objects of the catalog are not changed.

import { withQuery } from "../form.js";
import { bodyOf } from "../http-client.js";

/** The gated features of the demo shop. */
export const FEATURES = [
  { key: "sms", name: "Text messages" },
  { key: "export", name: "Export" },
  { key: "sso", name: "Single sign-on" },
  { key: "audit_log", name: "Audit log" },
];

/** @typedef {{ product: string, name: string, amount: number, features: string[] }} Plan  `amount` is in cents per month. */

/**
 * The plans. `features` are attached when the product is created; the playground attaches the audit log later.
 *
 * @type {[starter: Plan, pro: Plan]}
 */
export const PLANS = [
  { product: "shop_starter", name: "Starter", amount: 900, features: ["sms"] },
  { product: "shop_pro", name: "Pro", amount: 2900, features: ["sms", "export", "sso"] },
];

/** @typedef {Record<string, Record<string, string>>} IncludedFeatures  By product and lookup key: the id of the product feature. */

/**
 * @typedef {object} DemoProducts
 * @property {Record<string, string>} features  Feature ids by lookup key.
 * @property {Record<string, string>} prices  Price ids by product.
 * @property {IncludedFeatures} included
 */

/**
 * Finds the products of the demo shop in the catalog; returns undefined if any of them is missing.
 *
 * @param {import("../session.js").Session} session
 * @returns {Promise<DemoProducts | undefined>}
 */
export async function findProducts(session) {
  const get = (/** @type {string} */ path) => bodyOf(session.request(path));
  const { data: products } = await get(withQuery("/v1/products", { ids: PLANS.map(({ product }) => product) }));
  if (products.length < PLANS.length) return undefined;
  /** @type {Record<string, string>} */
  const features = {};
  for (const { key } of FEATURES) {
    const { data } = await get(withQuery("/v1/entitlements/features", { lookup_key: key }));
    if (data.length === 0) return undefined;
    features[key] = data[0].id;
  }
  /** @type {Record<string, string>} */
  const prices = {};
  for (const { product } of PLANS) {
    const { data } = await get(withQuery("/v1/prices", { product, active: true }));
    if (data.length === 0) return undefined;
    prices[product] = data[0].id;
  }
  return { features, prices, included: await listIncludedFeatures(session) };
}

/**
 * Lists the features that each product includes.
 *
 * @param {import("../session.js").Session} session
 * @returns {Promise<IncludedFeatures>}
 */
export async function listIncludedFeatures(session) {
  const lists = PLANS.map(async ({ product }) => {
    /** @type {{ data: { id: string, entitlement_feature: { lookup_key: string } }[] }} */
    const { data } = await bodyOf(session.request(withQuery(`/v1/products/${product}/features`, { limit: 100 })));
    return [product, Object.fromEntries(data.map(({ id, entitlement_feature }) => [entitlement_feature.lookup_key, id]))];
  });
  return Object.fromEntries(await Promise.all(lists));
}

/**
 * Creates the missing features, products and prices of the demo shop in the catalog, and returns all of them.
 *
 * @param {import("../session.js").Session} session
 * @returns {Promise<DemoProducts | undefined>}
 */
export async function seedProducts(session) {
  const get = (/** @type {string} */ path) => bodyOf(session.request(path));
  const post = (/** @type {string} */ path, /** @type {object} */ form) => bodyOf(session.request(path, { method: "POST", form }));
  /** @type {Record<string, string>} */
  const features = {};
  for (const { key, name } of FEATURES) {
    const { data } = await get(withQuery("/v1/entitlements/features", { lookup_key: key }));
    features[key] = (data[0] ?? (await post("/v1/entitlements/features", { lookup_key: key, name }))).id;
  }
  for (const plan of PLANS) {
    const { data } = await get(withQuery("/v1/products", { ids: [plan.product] }));
    if (data.length === 0) {
      await post("/v1/products", { id: plan.product, name: plan.name });
      for (const key of plan.features) await post(`/v1/products/${plan.product}/features`, { entitlement_feature: features[key] });
    }
    const prices = await get(withQuery("/v1/prices", { product: plan.product, active: true }));
    if (prices.data.length === 0)
      await post("/v1/prices", { product: plan.product, currency: "usd", unit_amount: plan.amount, recurring: { interval: "month" } });
  }
  return findProducts(session);
}
