// The table of expandable properties against the types of Stripe's SDK: `string | …` is expandable.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/** @param {string} path */
const read = (path) => readFileSync(new URL(path, import.meta.url), "utf8");

/** The objects of the catalog that have expandable properties: the file of its types, and the interface. */
const OBJECTS = {
  customer: ["Customers", "Customer"],
  "entitlements.active_entitlement": ["Entitlements/ActiveEntitlements", "ActiveEntitlement"],
  payment_method: ["PaymentMethods", "PaymentMethod"],
  plan: ["Plans", "Plan"],
  price: ["Prices", "Price"],
  product: ["Products", "Product"],
  subscription: ["Subscriptions", "Subscription"],
  subscription_item: ["SubscriptionItems", "SubscriptionItem"],
};

/** Members that a response has only if they are expanded, and those through which an object that is always complete is expanded. */
const INCLUDED = new Set([
  ...["cash_balance", "discount", "invoice_credit_balance", "sources", "subscriptions", "tax", "tax_ids"].map((name) => `customer ${name}`),
  ...["plan tiers", "price currency_options", "price tiers"],
  // An object of entgate.
  "product_feature_application product",
]);

/** Payment methods of the catalog are cards. */
const OTHER_METHODS = /^payment_method (?!card\.|customer$)/;

/** The objects whose own properties are in the table, by the names of the types. */
const OWN_TYPES = new Set(Object.values(OBJECTS).map(([, name]) => name));

/**
 * Returns the expandable paths of an interface, with those of its nested interfaces.
 *
 * @param {string} types
 * @param {string} name
 * @param {string[]} scope
 * @returns {string[]}
 */
function expandablePaths(types, name, scope = []) {
  const members = interfaceMembers(types, [...scope, name]);
  return members.flatMap(({ member, type }) => {
    if (/\bstring \| [A-Z]/.test(type) && !/OtherString/.test(type)) return [member];
    const nested = type.match(/\b([A-Z]\w*(?:\.\w+)+)\b/)?.[1].split(".");
    if (!nested || OWN_TYPES.has(nested.at(-1) ?? "")) return [];
    const inner = nested.at(-1) ?? "";
    return expandablePaths(types, inner, [...scope, name]).map((path) => `${member}.${path}`);
  });
}

/**
 * Returns the members of an interface that is declared in namespaces with the names before it.
 *
 * @param {string} types
 * @param {string[]} path
 */
function interfaceMembers(types, path) {
  let text = types;
  for (const name of path.slice(0, -1)) {
    const [before, indent] = text.match(new RegExp(`^( *)(?:export )?(?:declare )?namespace ${name} \\{$`, "m")) ?? [];
    if (before === undefined) return [];
    const rest = text.slice(text.indexOf(before) + before.length);
    text = rest.slice(0, rest.search(new RegExp(`^${indent}\\}`, "m")));
  }
  const [, indent, body] = text.match(new RegExp(`^( *)(?:export )?interface ${path.at(-1)} \\{\\n([\\s\\S]*?)^\\1\\}`, "m")) ?? [];
  if (body === undefined) return [];
  return [...body.matchAll(new RegExp(`^${indent}    (\\w+)\\??: (.*);$`, "gm"))].map(([, member, type]) => ({ member, type }));
}

test("the table has the expandable properties of the SDK's types, and those that are only in expanded responses", () => {
  const table = read("../../src/api/catalog/expandable.rs");
  const rows = [...table.matchAll(/["\s]([a-z_.]+):([a-z_.]+)(?=[" ])/g)].map(([, object, path]) => `${object} ${path}`);
  const expected = Object.entries(OBJECTS).flatMap(([object, [path, name]]) => {
    const types = read(`../../node_modules/stripe/esm/resources/${path}.d.ts`).replaceAll(/ *\/\*\*[\s\S]*?\*\/\n/g, "");
    return expandablePaths(types, name).map((property) => `${object} ${property}`);
  });
  assert.ok(expected.length > 20, expected.join());
  const sorted = [...expected.filter((row) => !OTHER_METHODS.test(row)), ...INCLUDED].sort();
  assert.deepEqual([...rows].sort(), sorted);
});
