// Plans: what differs between a file and a catalog, in which order it is changed, and what `--prune` adds.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parsePlanFile } from "../../www/npm/cli/plan/file.js";
import { createPlan } from "../../www/npm/cli/plan/plan.js";

const FILE = `
features:
  - lookup_key: sms
    name: Text messages
  - lookup_key: sso
products:
  - id: pro
    name: Pro
    features: [sms, sso]
    prices:
      - { lookup_key: pro_monthly, currency: usd, unit_amount: 1500, recurring: { interval: month } }
`;

const feature = (/** @type {string} */ lookup_key, name = lookup_key) => ({
  id: `feat_${lookup_key}`,
  lookup_key,
  name,
  active: true,
  metadata: {},
});

/** The catalog that FILE describes. */
function matchingState() {
  const features = [feature("sms", "Text messages"), feature("sso")];
  return {
    features,
    products: [{ id: "pro", name: "Pro", active: true, metadata: {}, default_price: /** @type {string | null} */ (null) }],
    prices: [price("price_1", "pro_monthly")],
    productFeatures: new Map([["pro", features.map((each) => ({ id: `prodft_${each.lookup_key}`, entitlement_feature: each }))]]),
  };
}

/** @param {string} id @param {string | null} lookup_key @param {object} [fields] */
const price = (id, lookup_key, fields = {}) => ({
  id,
  product: "pro",
  lookup_key,
  currency: "usd",
  unit_amount: 1500,
  recurring: { interval: "month", interval_count: 1 },
  active: true,
  metadata: {},
  nickname: null,
  tax_behavior: "unspecified",
  ...fields,
});

/**
 * The changes as `action name`, each with its requests as they would be sent.
 *
 * @param {string} text
 * @param {ReturnType<typeof matchingState>} state
 */
function plan(text, state, prune = false) {
  const { changes, kept, notes, ids } = createPlan(parsePlanFile(text, "gate.yaml"), state, { prune });
  let created = 0;
  const rendered = changes.map(({ action, name, steps }) => {
    const requests = steps.map(({ method, path, form, saves }) => {
      const request = `${method} ${path(ids)} ${JSON.stringify(form?.(ids) ?? {})}`;
      if (saves) ids.set(saves, `new_${++created}`);
      return request;
    });
    return [`${action} ${name}`, ...requests];
  });
  return { changes: rendered, kept, notes };
}

const emptyState = () => ({ ...matchingState(), features: [], products: [], prices: [], productFeatures: new Map() });

describe("a plan", () => {
  test("is empty if the catalog is as the file says", () => {
    assert.deepEqual(plan(FILE, matchingState()), { changes: [], kept: [], notes: [] });
    assert.deepEqual(plan(FILE, matchingState(), true), { changes: [], kept: [], notes: [] });
  });

  test("creates everything in an empty catalog, features first, with the ids of what it created", () => {
    assert.deepEqual(plan(FILE, emptyState()).changes, [
      ["create feature sms", 'POST /v1/entitlements/features {"lookup_key":"sms","name":"Text messages"}'],
      ["create feature sso", 'POST /v1/entitlements/features {"lookup_key":"sso","name":"sso"}'],
      ["create product pro", 'POST /v1/products {"id":"pro","name":"Pro"}'],
      ["attach product pro feature sms", 'POST /v1/products/new_3/features {"entitlement_feature":"new_1"}'],
      ["attach product pro feature sso", 'POST /v1/products/new_3/features {"entitlement_feature":"new_2"}'],
      [
        "create price pro_monthly",
        'POST /v1/prices {"product":"new_3","currency":"usd","unit_amount":1500,"recurring":{"interval":"month"},"lookup_key":"pro_monthly"}',
      ],
    ]);
  });

  test("finds a product by the key in its metadata, and stores the key in a new one", () => {
    const text = "products: [{ key: pro, name: Pro }]";
    assert.deepEqual(plan(text, emptyState()).changes, [
      ["create product pro", 'POST /v1/products {"name":"Pro","metadata":{"entgate_key":"pro"}}'],
    ]);
    const state = matchingState();
    state.products = [{ id: "prod_1", name: "Old", active: true, metadata: { entgate_key: "pro" }, default_price: null }];
    assert.deepEqual(plan(text, state).changes, [["update product pro", 'POST /v1/products/prod_1 {"name":"Pro"}']]);
    state.products.push({ ...state.products[0], id: "prod_2" });
    assert.throws(() => plan(text, state), {
      message: "prod_1 and prod_2 both have the metadata entgate_key=pro. Remove it from one of them.",
    });
  });

  test("changes only the fields that the file has and that differ", () => {
    const state = matchingState();
    state.features[0].metadata = { team: "7", other: "kept" };
    state.products[0] = { ...state.products[0], active: false, ...{ description: "Old", url: "https://example.com" } };
    const text = FILE.replace("name: Text messages", "name: SMS\n    metadata: { team: null, cost: '2' }").replace(
      "name: Pro\n",
      "name: Pro\n    description: null\n",
    );
    assert.deepEqual(plan(text, state).changes, [
      ["update feature sms", 'POST /v1/entitlements/features/feat_sms {"name":"SMS","metadata":{"team":null,"cost":"2"}}'],
      ["update product pro", 'POST /v1/products/pro {"active":true,"description":null}'],
    ]);
  });

  test("replaces a price whose amount differs: the new price takes the lookup key, and becomes the default price if the old one was", () => {
    const text = FILE.replace("1500", "2000");
    const create =
      'POST /v1/prices {"product":"pro","currency":"usd","unit_amount":2000,"recurring":{"interval":"month"},"lookup_key":"pro_monthly","transfer_lookup_key":true}';
    const state = matchingState();
    assert.deepEqual(plan(text, state), {
      changes: [["replace price pro_monthly", create]],
      kept: ["price price_1, which loses the lookup_key pro_monthly"],
      notes: [],
    });
    state.products[0].default_price = "price_1";
    assert.deepEqual(plan(text, state, true).changes, [
      ["replace price pro_monthly", create, 'POST /v1/products/pro {"default_price":"new_1"}', 'POST /v1/prices/price_1 {"active":false}'],
    ]);
  });

  for (const [what, fields] of Object.entries({
    currency: { currency: "eur" },
    interval: { recurring: { interval: "year", interval_count: 1 } },
    "count of intervals": { recurring: { interval: "month", interval_count: 3 } },
    "absence of an interval": { recurring: null },
    product: { product: "other" },
  })) {
    test(`replaces a price whose ${what} differs`, () => {
      const state = { ...matchingState(), prices: [price("price_1", "pro_monthly", fields)] };
      assert.deepEqual(
        plan(FILE, state).changes.map(([change]) => change),
        ["replace price pro_monthly"],
      );
    });
  }

  test("updates a price in place where that is possible", () => {
    const text = FILE.replace("recurring:", "nickname: Monthly, tax_behavior: exclusive, recurring:");
    const state = { ...matchingState(), prices: [price("price_1", "pro_monthly", { active: false })] };
    assert.deepEqual(plan(text, state).changes, [
      ["update price pro_monthly", 'POST /v1/prices/price_1 {"nickname":"Monthly","active":true,"tax_behavior":"exclusive"}'],
    ]);
    // A tax behavior can be set once.
    state.prices = [price("price_1", "pro_monthly", { nickname: "Monthly", tax_behavior: "inclusive" })];
    assert.deepEqual(plan(text, state).changes[0][0], "replace price pro_monthly");
  });

  test("archives and detaches nothing without `prune`, and names what it would", () => {
    const state = stateWithMore();
    const expected = ["product pro feature api", "price price_2", "product old", "feature api"];
    assert.deepEqual(plan(FILE, state), {
      changes: [],
      kept: expected,
      notes: ["price price_3 is not in the file, and is kept: it is the default price of product pro"],
    });
    assert.deepEqual(plan(FILE, state, true).changes, [
      ["detach product pro feature api", "DELETE /v1/products/pro/features/prodft_api {}"],
      ["archive price price_2", 'POST /v1/prices/price_2 {"active":false}'],
      ["archive product old", 'POST /v1/products/old {"active":false}'],
      ["archive feature api", 'POST /v1/entitlements/features/feat_api {"active":false}'],
    ]);
  });

  test("prunes only what the file speaks of", () => {
    assert.deepEqual(plan("{}", stateWithMore(), true).changes, []);
    assert.deepEqual(
      plan("products: [{ id: pro, name: Pro }]", stateWithMore(), true).changes.map(([change]) => change),
      ["archive product old"],
    );
    assert.deepEqual(
      plan("features: []", stateWithMore(), true).changes.map(([change]) => change),
      ["archive feature sms", "archive feature sso", "archive feature api"],
    );
  });

  test("names the product whose feature exists nowhere", () => {
    assert.throws(() => plan(FILE.replace("[sms, sso]", "[sms, api]"), matchingState()), {
      message: "gate.yaml:7: products[0].features: there is no feature with the lookup_key `api`. Add it to `features`.",
    });
    const state = matchingState();
    state.features.push(feature("api"));
    assert.deepEqual(plan(FILE.replace("[sms, sso]", "[sms, sso, api]"), state).changes, [
      ["attach product pro feature api", 'POST /v1/products/pro/features {"entitlement_feature":"feat_api"}'],
    ]);
  });
});

/** The catalog that FILE describes, with one more object of each kind. */
function stateWithMore() {
  const state = matchingState();
  const api = feature("api");
  state.features.push(api);
  state.productFeatures.get("pro")?.push({ id: "prodft_api", entitlement_feature: api });
  state.products[0].default_price = "price_3";
  state.products.push({ id: "old", name: "Old", active: true, metadata: {}, default_price: null });
  state.products.push({ id: "gone", name: "Gone", active: false, metadata: {}, default_price: null });
  state.prices.push(price("price_2", null), price("price_3", null), price("price_4", null, { active: false }));
  return state;
}
