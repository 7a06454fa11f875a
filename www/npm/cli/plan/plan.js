// Decides what has to change so that the catalog is as the file says. Pure: file and state in, changes in their order out.
//
// | object          | identity                       | not in the file                                                     |
// |-----------------|--------------------------------|---------------------------------------------------------------------|
// | feature         | `lookup_key`                   | `prune` archives it, if the file has `features`                     |
// | product         | `id`, or `metadata.entgate_key`| `prune` archives it, if the file has `products`                     |
// | product feature | the product and the feature    | `prune` detaches it, if the product has `features`                  |
// | price           | `lookup_key`                   | `prune` archives it, if the product has `prices`                    |
//
// Without `prune` nothing is archived or detached. Amount, currency and interval of a price cannot change: a new price takes its
// `lookup_key`, and subscribers keep the old one.

import { findProduct } from "./catalog-state.js";
import { change, creation, show } from "./differences.js";
import { PlanFileError } from "./file.js";

/** @typedef {import("./file.js").PlanFile} PlanFile */
/** @typedef {import("./catalog-state.js").CatalogState} CatalogState */
/** @typedef {import("./catalog-state.js").Price} Price */
/** @typedef {import("./catalog-state.js").Product} Product */
/** @typedef {"create" | "update" | "replace" | "attach" | "detach" | "archive"} Action */

/** The ids of objects by `feature sms`, `product pro` or `price pro_monthly`. @typedef {Map<string, string>} Ids */

/**
 * @typedef {object} Step
 * @property {string} method
 * @property {(ids: Ids) => string} path
 * @property {(ids: Ids) => object} [form]
 * @property {string} [saves]  The name under which the id of the result is kept.
 */

/**
 * @typedef {object} Change
 * @property {Action} action
 * @property {string} name  `feature sms`.
 * @property {string[]} details
 * @property {Step[]} steps
 */

/**
 * @typedef {object} Plan
 * @property {Change[]} changes
 * @property {string[]} kept  What `prune` would archive or detach.
 * @property {string[]} notes
 * @property {Ids} ids  Of the existing objects.
 */

const PRODUCT_FIELDS = ["name", "active", "description", "unit_label", "statement_descriptor", "tax_code", "url"];
const PRICE_FIELDS = ["nickname", "active"];
const FIXED_PRICE_FIELDS = ["currency", "unit_amount"];

const FEATURES = "/v1/entitlements/features";

/** @param {string} id */
const segment = (id) => encodeURIComponent(id);

/** @param {{ id?: string, key?: string }} product */
const productName = ({ id, key }) => `product ${id ?? key}`;

/**
 * Creates the plan.
 *
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @param {{ prune: boolean }} options
 * @returns {Plan}
 */
export function createPlan(file, state, { prune }) {
  /** @type {Plan} */
  const plan = { changes: [], kept: [], notes: [], ids: new Map() };
  for (const { lookup_key, id } of state.features) plan.ids.set(`feature ${lookup_key}`, id);
  planFeatures(file, state, plan);
  for (const product of file.products ?? []) planProduct(product, state, plan);
  for (const product of file.products ?? []) planProductFeatures(product, file, state, plan);
  for (const product of file.products ?? []) planPrices(product, state, plan, prune);

  const removals = [
    ...(file.products ?? []).flatMap((product) => detachments(product, state)),
    ...(file.products ?? []).flatMap((product) => priceArchivals(product, file, state, plan)),
    ...productArchivals(file, state),
    ...featureArchivals(file, state),
  ];
  if (prune) plan.changes.push(...removals);
  else plan.kept.push(...removals.map(({ name }) => name));
  return plan;
}

/**
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @param {Plan} plan
 */
function planFeatures({ features = [] }, state, plan) {
  for (const feature of features) {
    const name = `feature ${feature.lookup_key}`;
    const current = state.features.find(({ lookup_key }) => lookup_key === feature.lookup_key);
    if (current) {
      const { form, details } = change(feature, current, ["name"]);
      if (details.length) {
        plan.changes.push({ action: "update", name, details, steps: [post(`${FEATURES}/${segment(current.id)}`, form)] });
      }
      continue;
    }
    const { form, details } = creation({ ...feature, name: feature.name ?? feature.lookup_key }, ["name"]);
    const steps = [{ ...post(FEATURES, { lookup_key: feature.lookup_key, ...form }), saves: name }];
    plan.changes.push({ action: "create", name, details, steps });
  }
}

/**
 * @param {import("./file.js").FileProduct} product
 * @param {CatalogState} state
 * @param {Plan} plan
 */
function planProduct(product, state, plan) {
  const name = productName(product);
  const current = findProduct(state.products, product);
  if (current) {
    plan.ids.set(name, current.id);
    // A product of the file is active unless the file says otherwise.
    const { form, details } = change({ active: true, ...product }, current, PRODUCT_FIELDS);
    if (details.length) {
      plan.changes.push({ action: "update", name, details, steps: [post(`/v1/products/${segment(current.id)}`, form)] });
    }
    return;
  }
  const metadata = { ...product.metadata, ...(product.key !== undefined && { entgate_key: product.key }) };
  const { form, details } = creation({ ...product, metadata }, PRODUCT_FIELDS);
  plan.changes.push({ action: "create", name, details, steps: [{ ...post("/v1/products", { id: product.id, ...form }), saves: name }] });
}

/**
 * @param {import("./file.js").FileProduct} product
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @param {Plan} plan
 */
function planProductFeatures(product, file, state, plan) {
  const owner = productName(product);
  const attached = attachedFeatures(product, state).map(({ entitlement_feature }) => entitlement_feature.lookup_key);
  for (const key of product.features ?? []) {
    const isKnown = plan.ids.has(`feature ${key}`) || file.features?.some(({ lookup_key }) => lookup_key === key);
    if (!isKnown) {
      throw new PlanFileError(
        `${file.placeOf(product)}.features: there is no feature with the lookup_key \`${key}\`. Add it to \`features\`.`,
      );
    }
    if (attached.includes(key)) continue;
    const step = {
      method: "POST",
      path: (/** @type {Ids} */ ids) => `/v1/products/${segment(idOf(ids, owner))}/features`,
      form: (/** @type {Ids} */ ids) => ({ entitlement_feature: idOf(ids, `feature ${key}`) }),
    };
    plan.changes.push({ action: "attach", name: `${owner} feature ${key}`, details: [], steps: [step] });
  }
}

/**
 * @param {import("./file.js").FileProduct} product
 * @param {CatalogState} state
 * @param {Plan} plan
 * @param {boolean} prune
 */
function planPrices(product, state, plan, prune) {
  const owner = productName(product);
  const ownerId = plan.ids.get(owner);
  for (const price of product.prices ?? []) {
    const name = `price ${price.lookup_key}`;
    const wanted = { ...price, currency: price.currency.toLowerCase() };
    const current = state.prices.find(({ lookup_key }) => lookup_key === price.lookup_key);
    if (!current) {
      const { form, details } = newPrice(wanted);
      plan.changes.push({ action: "create", name, details, steps: [createPrice(owner, { ...form, lookup_key: price.lookup_key })] });
      continue;
    }
    const fixed = fixedDifferences(wanted, current, owner, ownerId);
    if (fixed.length === 0) {
      const { form, details } = change({ active: true, ...wanted }, current, PRICE_FIELDS);
      if (isSettable(wanted, current)) {
        form.tax_behavior = wanted.tax_behavior;
        details.push(`tax_behavior: ${show(current.tax_behavior)} -> ${show(wanted.tax_behavior)}`);
      }
      if (details.length) plan.changes.push({ action: "update", name, details, steps: [post(`/v1/prices/${segment(current.id)}`, form)] });
      continue;
    }
    const steps = [
      { ...createPrice(owner, { ...newPrice(wanted).form, lookup_key: price.lookup_key, transfer_lookup_key: true }), saves: name },
    ];
    const isDefault = state.products.some(({ id, default_price }) => id === current.product && default_price === current.id);
    // A default price cannot be archived, and a new purchase should have the new price.
    if (isDefault && ownerId === current.product) {
      steps.push({
        method: "POST",
        path: () => `/v1/products/${segment(current.product)}`,
        form: (ids) => ({ default_price: idOf(ids, name) }),
        saves: "",
      });
    }
    if (prune && (!isDefault || ownerId === current.product)) {
      steps.push({ ...post(`/v1/prices/${segment(current.id)}`, { active: false }), saves: "" });
    } else if (current.active) plan.kept.push(`price ${current.id}, which loses the lookup_key ${price.lookup_key}`);
    plan.changes.push({ action: "replace", name, details: fixed, steps });
  }
}

/**
 * The features that are attached to a product and that the file does not have for it.
 *
 * @param {import("./file.js").FileProduct} product
 * @param {CatalogState} state
 * @returns {Change[]}
 */
function detachments(product, state) {
  if (!product.features) return [];
  const current = findProduct(state.products, product);
  return attachedFeatures(product, state)
    .filter(({ entitlement_feature }) => !product.features?.includes(entitlement_feature.lookup_key))
    .map(({ id, entitlement_feature }) => ({
      action: "detach",
      name: `${productName(product)} feature ${entitlement_feature.lookup_key}`,
      details: [],
      steps: [{ method: "DELETE", path: () => `/v1/products/${segment(current?.id ?? "")}/features/${segment(id)}` }],
    }));
}

/**
 * @param {import("./file.js").FileProduct} product
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @param {Plan} plan
 * @returns {Change[]}
 */
function priceArchivals(product, file, state, plan) {
  const current = findProduct(state.products, product);
  if (!product.prices || !current) return [];
  const named = new Set((file.products ?? []).flatMap(({ prices = [] }) => prices.map(({ lookup_key }) => lookup_key)));
  const others = state.prices.filter(
    ({ product: owner, active, lookup_key }) => owner === current.id && active && !named.has(lookup_key ?? ""),
  );
  const isDefault = (/** @type {Price} */ { id }) => id === current.default_price;
  for (const { id } of others.filter(isDefault)) {
    plan.notes.push(`price ${id} is not in the file, and is kept: it is the default price of ${productName(product)}`);
  }
  return others
    .filter((price) => !isDefault(price))
    .map(({ id, lookup_key }) => archival(`price ${lookup_key ?? id}`, `/v1/prices/${segment(id)}`));
}

/**
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @returns {Change[]}
 */
function productArchivals({ products }, state) {
  if (!products) return [];
  const named = new Set(products.map((product) => findProduct(state.products, product)?.id));
  return state.products
    .filter(({ id, active }) => active && !named.has(id))
    .map(({ id }) => archival(`product ${id}`, `/v1/products/${segment(id)}`));
}

/**
 * @param {PlanFile} file
 * @param {CatalogState} state
 * @returns {Change[]}
 */
function featureArchivals({ features }, state) {
  if (!features) return [];
  const named = new Set(features.map(({ lookup_key }) => lookup_key));
  return state.features
    .filter(({ lookup_key }) => !named.has(lookup_key))
    .map(({ id, lookup_key }) => archival(`feature ${lookup_key}`, `${FEATURES}/${segment(id)}`));
}

/**
 * @param {import("./file.js").FileProduct} product
 * @param {CatalogState} state
 */
function attachedFeatures(product, state) {
  const current = findProduct(state.products, product);
  return (current && state.productFeatures.get(current.id)) ?? [];
}

/**
 * What differs in the fields that a price keeps for ever.
 *
 * @param {import("./file.js").FilePrice} wanted
 * @param {Price} current
 * @param {string} owner
 * @param {string | undefined} ownerId
 */
function fixedDifferences(wanted, current, owner, ownerId) {
  const { details } = change(wanted, { ...current, metadata: wanted.metadata }, FIXED_PRICE_FIELDS);
  const [before, after] = [interval(current.recurring), interval(wanted.recurring)];
  if (before !== after) details.push(`recurring: ${before} -> ${after}`);
  if (wanted.tax_behavior && wanted.tax_behavior !== current.tax_behavior && !isSettable(wanted, current)) {
    details.push(`tax_behavior: ${show(current.tax_behavior)} -> ${show(wanted.tax_behavior)}`);
  }
  if (current.product !== ownerId) details.push(`product: ${show(current.product)} -> ${owner}`);
  return details;
}

/**
 * The tax behavior of a price can be set once.
 *
 * @param {{ tax_behavior?: string }} wanted
 * @param {Price} current
 */
const isSettable = ({ tax_behavior = "unspecified" }, current) =>
  tax_behavior !== "unspecified" && (current.tax_behavior ?? "unspecified") === "unspecified";

/** @param {{ interval?: string, interval_count?: number } | null | undefined} recurring */
const interval = (recurring) => (recurring ? `every ${recurring.interval_count ?? 1} ${recurring.interval}` : "once");

/** @param {import("./file.js").FilePrice} price */
function newPrice(price) {
  const { form, details } = creation(price, [...FIXED_PRICE_FIELDS, ...PRICE_FIELDS, "tax_behavior"]);
  if (price.recurring) form.recurring = price.recurring;
  return { form, details: [...details, `recurring: ${interval(price.recurring)}`] };
}

/**
 * @param {string} owner
 * @param {object} form
 * @returns {Step}
 */
const createPrice = (owner, form) => ({
  method: "POST",
  path: () => "/v1/prices",
  form: (ids) => ({ product: idOf(ids, owner), ...form }),
});

/**
 * @param {string} path
 * @param {object} form
 * @returns {Step}
 */
const post = (path, form) => ({ method: "POST", path: () => path, form: () => form });

/**
 * @param {string} name
 * @param {string} path
 * @returns {Change}
 */
const archival = (name, path) => ({ action: "archive", name, details: [], steps: [post(path, { active: false })] });

/**
 * @param {Ids} ids
 * @param {string} name
 */
function idOf(ids, name) {
  const id = ids.get(name);
  if (id === undefined) throw new Error(`the id of ${name} is not known`);
  return id;
}
