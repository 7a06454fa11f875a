// What a value in a plan file may be: readers of YAML nodes. Each returns the value, or reports a problem at the node's line and path.

import { isAlias, isMap, isScalar, isSeq } from "yaml";
import { nearest } from "../../../console/shell/suggest.js";

const MAX_ITEMS = 10_000; // Of a list: far more than Stripe lists in a hundred requests.
const MAX_METADATA_KEYS = 50; // Stripe's limit.

/** @typedef {import("yaml").Node | null | undefined} Node */

/**
 * @typedef {object} ReadContext
 * @property {import("yaml").Document} document
 * @property {(node: Node, path: string, message: string) => undefined} report
 * @property {WeakMap<object, { node: Node, path: string }>} places  Where each object of the file is.
 */

/**
 * @template Value
 * @typedef {(node: Node, path: string, context: ReadContext) => Value | undefined} FieldReader
 */

/**
 * The value of a scalar; undefined for anything else.
 *
 * @param {Node} node
 * @param {ReadContext} context
 */
const scalar = (node, { document }) => {
  const resolved = isAlias(node) ? node.resolve(document) : node;
  return isScalar(resolved) ? resolved.value : undefined;
};

/** Text of a limited length that is not empty. @param {number} maximum @returns {FieldReader<string>} */
export const text = (maximum) => (node, path, context) => {
  const value = scalar(node, context);
  if (typeof value !== "string" || value === "") {
    return context.report(
      node,
      path,
      typeof value === "number" ? `must be text: write it in quotes, "${value}"` : "must be text that is not empty",
    );
  }
  if (value.length > maximum) return context.report(node, path, `has ${value.length} characters; at most ${maximum} are allowed`);
  return value;
};

/** @param {RegExp} pattern @param {string} description @param {number} maximum @returns {FieldReader<string>} */
export const pattern = (pattern, description, maximum) => (node, path, context) => {
  const value = text(maximum)(node, path, context);
  if (value === undefined || pattern.test(value)) return value;
  return context.report(node, path, `must be ${description}`);
};

/** @param {number} minimum @param {number} maximum @returns {FieldReader<number>} */
export const integer = (minimum, maximum) => (node, path, context) => {
  const value = scalar(node, context);
  if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  return context.report(node, path, `must be a whole number from ${minimum} to ${maximum}`);
};

/** @type {FieldReader<boolean>} */
export const boolean = (node, path, context) => {
  const value = scalar(node, context);
  return typeof value === "boolean" ? value : context.report(node, path, "must be true or false");
};

/** @param {string[]} values @returns {FieldReader<string>} */
export const oneOf = (values) => (node, path, context) => {
  const value = scalar(node, context);
  return typeof value === "string" && values.includes(value) ? value : context.report(node, path, `must be one of: ${values.join(", ")}`);
};

/** A value, or null to clear it. @template Value @param {FieldReader<Value>} read @returns {FieldReader<Value | null>} */
export const nullable = (read) => (node, path, context) => (scalar(node, context) === null ? null : read(node, path, context));

/** A list. @template Value @param {FieldReader<Value>} read @returns {FieldReader<Value[]>} */
export const list = (read) => (node, path, context) => {
  const resolved = isAlias(node) ? node.resolve(context.document) : node;
  if (!isSeq(resolved)) return context.report(node, path, "must be a list");
  if (resolved.items.length > MAX_ITEMS)
    return context.report(node, path, `has ${resolved.items.length} items; at most ${MAX_ITEMS} are allowed`);
  const items = resolved.items.map((item, index) => read(/** @type {Node} */ (item), `${path}[${index}]`, context));
  return /** @type {Value[]} */ (items.filter((item) => item !== undefined));
};

/**
 * An object with these fields; any other field is a problem.
 *
 * @template {Record<string, FieldReader<any>>} Fields
 * @param {Fields} fields
 * @param {string[]} required
 * @returns {FieldReader<{ [Name in keyof Fields]?: Exclude<ReturnType<Fields[Name]>, undefined> }>}
 */
export const object = (fields, required) => (node, path, context) => {
  const pairs = pairsOf(node, path, context);
  if (!pairs) return undefined;
  /** @type {any} */
  const value = {};
  context.places.set(value, { node, path });
  for (const { name, key, item } of pairs) {
    const read = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (read) value[name] = read(item, path ? `${path}.${name}` : name, context);
    else {
      const similar = nearest(name, Object.keys(fields));
      context.report(key, path || name, `unknown field \`${name}\`${similar ? `; did you mean \`${similar}\`?` : ""}`);
    }
  }
  for (const name of required) {
    if (!pairs.some((pair) => pair.name === name)) context.report(node, path, `\`${name}\` is required`);
  }
  return value;
};

/** Metadata: a map of text, where null removes a key. @type {FieldReader<Record<string, string | null>>} */
export const metadata = (node, path, context) => {
  const pairs = pairsOf(node, path, context);
  if (!pairs) return undefined;
  if (pairs.length > MAX_METADATA_KEYS)
    return context.report(node, path, `has ${pairs.length} keys; at most ${MAX_METADATA_KEYS} are allowed`);
  /** @type {Record<string, string | null>} */
  const value = Object.create(null);
  for (const { name, item } of pairs) {
    const read = nullable(text(500))(item, `${path}.${name}`, context);
    if (read !== undefined) value[name] = read;
  }
  return value;
};

/**
 * The members of a map.
 *
 * @param {Node} node
 * @param {string} path
 * @param {ReadContext} context
 */
function pairsOf(node, path, context) {
  const resolved = isAlias(node) ? node.resolve(context.document) : node;
  if (!isMap(resolved)) return context.report(node, path, "must be a map of names and values");
  return resolved.items.map(({ key, value }) => ({
    name: isScalar(key) ? String(key.value) : "",
    key: /** @type {Node} */ (key),
    item: /** @type {Node} */ (value),
  }));
}
