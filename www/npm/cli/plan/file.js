// Reads a plan file: features, products with their features, and prices, in YAML or JSON. Pure: text in, objects or problems out.
//
// A feature and a price are identified by `lookup_key`. A product is identified by its `id`, or by `key`, which is stored in its metadata
// as `entgate_key`. Each problem names its line and its path in the file.

import { LineCounter, parseDocument } from "yaml";
import { boolean, integer, list, metadata, nullable, object, oneOf, pattern, text } from "./fields.js";

/** Characters: a file with 10,000 features is half as long. */
export const MAX_FILE_LENGTH = 4_000_000;

const MAX_PROBLEMS = 20;

/** Stripe's longest lookup keys. */
const LOOKUP_KEY_LENGTH = 200;

const lookupKey = text(LOOKUP_KEY_LENGTH);

const FEATURE = object({ lookup_key: text(80), name: text(80), metadata }, ["lookup_key"]);

const RECURRING = object({ interval: oneOf(["day", "week", "month", "year"]), interval_count: integer(1, 1_095) }, ["interval"]);

const PRICE = object(
  {
    lookup_key: lookupKey,
    currency: pattern(/^[a-z]{3}$/i, "a currency code of three letters, such as usd", 3),
    unit_amount: integer(0, 999_999_999_999),
    recurring: RECURRING,
    nickname: nullable(text(5_000)),
    tax_behavior: oneOf(["exclusive", "inclusive", "unspecified"]),
    active: boolean,
    metadata,
  },
  ["lookup_key", "currency", "unit_amount"],
);

const PRODUCT = object(
  {
    id: pattern(/^[\w.-]+$/, "an id of letters, digits, `_`, `-` and `.`", 255),
    key: text(500),
    name: text(250),
    active: boolean,
    description: nullable(text(40_000)),
    unit_label: nullable(text(12)),
    statement_descriptor: nullable(text(22)),
    tax_code: nullable(text(255)),
    url: nullable(text(2_048)),
    metadata,
    features: list(lookupKey),
    prices: list(PRICE),
  },
  ["name"],
);

const FILE = object({ features: list(FEATURE), products: list(PRODUCT) }, []);

/** @typedef {NonNullable<ReturnType<typeof FEATURE>> & { lookup_key: string }} FileFeature */
/** @typedef {NonNullable<ReturnType<typeof PRICE>> & { lookup_key: string, currency: string, unit_amount: number }} FilePrice */
/** @typedef {NonNullable<ReturnType<typeof PRODUCT>> & { name: string, prices?: FilePrice[] }} FileProduct */

/**
 * @typedef {object} PlanFile
 * @property {FileFeature[]} [features]  Undefined if the file says nothing of features.
 * @property {FileProduct[]} [products]
 * @property {(value: object) => string} placeOf  Where an object of the file is: `gate.yaml:3: features[0]`.
 */

/** A file that cannot be applied. The message has a line for each problem. */
export class PlanFileError extends Error {}

/**
 * @param {string} source
 * @param {string} fileName  For messages.
 * @returns {PlanFile}
 */
export function parsePlanFile(source, fileName) {
  if (source.length > MAX_FILE_LENGTH) {
    throw new PlanFileError(`${fileName}: has ${source.length} characters; at most ${MAX_FILE_LENGTH} are allowed`);
  }
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const lineAt = (/** @type {number} */ offset) => lines.linePos(offset).line;
  /** @type {string[]} */
  const problems = document.errors.map(({ pos, message }) => `${fileName}:${lineAt(pos[0])}: ${message}`);
  const place = (/** @type {import("./fields.js").Node} */ node, /** @type {string} */ path) =>
    `${fileName}:${lineAt(node?.range?.[0] ?? 0)}: ${path}`;
  /** @type {import("./fields.js").ReadContext} */
  const context = {
    document,
    places: new WeakMap(),
    report(node, path, message) {
      problems.push(`${place(node, path)}${path ? ": " : ""}${message}`);
      return undefined;
    },
  };
  const file = problems.length ? undefined : FILE(document.contents, "", context);
  if (file && problems.length === 0) reportConflicts(/** @type {any} */ (file), context);
  if (problems.length || !file) throw new PlanFileError(shorten(problems).join("\n"));
  return /** @type {PlanFile} */ ({
    ...file,
    placeOf(value) {
      const known = context.places.get(value);
      return known ? place(known.node, known.path) : fileName;
    },
  });
}

/**
 * Reports objects that have the same identity, and products without one.
 *
 * @param {{ features?: FileFeature[], products?: FileProduct[] }} file
 * @param {import("./fields.js").ReadContext} context
 */
function reportConflicts({ features = [], products = [] }, context) {
  const report = (/** @type {object} */ value, /** @type {string} */ message) => {
    const { node, path } = context.places.get(value) ?? { node: undefined, path: "" };
    context.report(node, path, message);
  };
  reportDuplicates(features, (feature) => feature.lookup_key, "lookup_key", report);
  reportDuplicates(products, (product) => product.id, "id", report);
  reportDuplicates(products, (product) => product.key, "key", report);
  reportDuplicates(
    products.flatMap(({ prices = [] }) => prices),
    (price) => price.lookup_key,
    "lookup_key",
    report,
  );
  for (const product of products) {
    if ((product.id === undefined) === (product.key === undefined)) {
      report(product, "either `id` or `key` is required: `id` is the id of the product, `key` is stored as `entgate_key` in its metadata");
    }
    if (product.metadata && "entgate_key" in product.metadata) report(product, "`metadata.entgate_key` is set by `key`");
    const repeated = product.features?.find((key, index, keys) => keys.indexOf(key) < index);
    if (repeated) report(product, `\`features\` has \`${repeated}\` twice`);
  }
}

/**
 * @template {object} Value
 * @param {Value[]} values
 * @param {(value: Value) => string | undefined} identify
 * @param {string} field
 * @param {(value: object, message: string) => void} report
 */
function reportDuplicates(values, identify, field, report) {
  const seen = new Set();
  for (const value of values) {
    const identity = identify(value);
    if (identity !== undefined && seen.has(identity)) report(value, `\`${field}\` \`${identity}\` occurs before`);
    seen.add(identity);
  }
}

/** @param {string[]} problems */
function shorten(problems) {
  if (problems.length <= MAX_PROBLEMS) return problems;
  return [...problems.slice(0, MAX_PROBLEMS), `… and ${problems.length - MAX_PROBLEMS} more problems`];
}
