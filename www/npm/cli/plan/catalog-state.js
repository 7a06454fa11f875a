// Reads what a plan is compared with: every feature, product and price, and the features of the products that the file names.

import { withQuery } from "../../../console/form.js";
import { bodyOf, RequestError } from "../../../console/http-client.js";

const PAGE_SIZE = 100; // Stripe's maximum.
const MAX_PAGES = 1_000; // 100,000 objects of one kind.
const CONCURRENT_LISTS = 4;

/** @typedef {Record<string, string>} Metadata */
/** @typedef {{ id: string, lookup_key: string, name: string, active: boolean, metadata: Metadata }} Feature */
/**
 * @typedef {{ id: string, name: string, active: boolean, metadata: Metadata, default_price: string | null, [field: string]: unknown }} Product
 */
/**
 * @typedef {object} Price
 * @property {string} id
 * @property {string} product
 * @property {string | null} lookup_key
 * @property {string} currency
 * @property {number | null} unit_amount
 * @property {{ interval: string, interval_count: number } | null} recurring
 * @property {boolean} active
 * @property {Metadata} metadata
 * @property {string | null} nickname
 * @property {string} tax_behavior
 */
/** @typedef {{ id: string, entitlement_feature: Feature }} ProductFeature */

/**
 * @typedef {object} CatalogState
 * @property {Feature[]} features  The active ones.
 * @property {Product[]} products
 * @property {Price[]} prices
 * @property {Map<string, ProductFeature[]>} productFeatures  By the id of a product that the file names.
 */

/**
 * @param {import("../session.js").Session} session
 * @param {import("./file.js").PlanFile} file
 * @param {AbortSignal} signal
 * @returns {Promise<CatalogState>}
 */
export async function readCatalogState(session, file, signal) {
  const listAll = (/** @type {string} */ path, params = {}) => listEveryPage(session, path, params, signal);
  const features = await listAll("/v1/entitlements/features", { archived: false });
  const products = file.products ? await listAll("/v1/products") : [];
  const prices = file.products ? await listAll("/v1/prices") : [];
  /** @type {CatalogState} */
  const state = { features, products, prices, productFeatures: new Map() };
  const named = (file.products ?? []).flatMap((product) => findProduct(products, product) ?? []);
  const queue = named.values();
  await Promise.all(
    Array.from({ length: CONCURRENT_LISTS }, async () => {
      for (const { id } of queue) state.productFeatures.set(id, await listAll(`/v1/products/${encodeURIComponent(id)}/features`));
    }),
  );
  return state;
}

/**
 * Finds the product that the file means.
 *
 * @param {Product[]} products
 * @param {{ id?: string, key?: string }} wanted
 * @returns {Product | undefined}
 */
export function findProduct(products, { id, key }) {
  if (id !== undefined) return products.find((product) => product.id === id);
  const found = products.filter(({ metadata }) => metadata.entgate_key === key);
  if (found.length > 1) {
    throw new RequestError(`${found[0].id} and ${found[1].id} both have the metadata entgate_key=${key}. Remove it from one of them.`);
  }
  return found[0];
}

/**
 * Lists all objects of a path.
 *
 * @param {import("../session.js").Session} session
 * @param {string} path
 * @param {object} params
 * @param {AbortSignal} signal
 * @returns {Promise<any[]>}
 */
async function listEveryPage(session, path, params, signal) {
  const all = [];
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const page = { ...params, limit: PAGE_SIZE, starting_after: all.at(-1)?.id };
    const { data, has_more: hasMore } = await bodyOf(session.request(withQuery(path, page), { signal }));
    if (!Array.isArray(data)) throw new RequestError(`${path} did not return a list`);
    all.push(...data);
    if (!hasMore || data.length === 0) return all;
  }
  throw new RequestError(`${path} has more than ${MAX_PAGES * PAGE_SIZE} objects`);
}
