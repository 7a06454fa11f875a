// The vocabulary of the tables of /openapi.json: constructors of JSON Schemas, and of routes.
//
// Accepts constraints and members, returns JSON Schemas of OpenAPI 3.1, or entries of a route table. Not here: any route or object of
// entgate (the other files of this folder), and how a route becomes an operation (../openapi.mjs).
//
// Specification: https://spec.openapis.org/oas/v3.1.0.html and https://json-schema.org/draft/2020-12.

const REQUIRED = Symbol("required");

/**
 * A JSON Schema. `repeated` is removed from the document: it marks a query parameter that is written `a=1&a=2`, not `a[]=1`.
 *
 * @typedef {object} Schema
 * @property {string} [$ref]
 * @property {string} [type]
 * @property {string} [description]
 * @property {string | boolean | number} [const]
 * @property {string[]} [enum]
 * @property {string | boolean | number} [default]
 * @property {string} [format]
 * @property {string} [pattern]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {Schema} [items]
 * @property {number} [minItems]
 * @property {number} [maxItems]
 * @property {Members} [properties]
 * @property {readonly string[]} [required]
 * @property {boolean | Schema} [additionalProperties]
 * @property {Schema} [propertyNames]
 * @property {number} [maxProperties]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [oneOf]
 * @property {Schema[]} [allOf]
 * @property {boolean} [repeated]
 */

/** @typedef {{ [name: string]: Schema }} Members */

/**
 * The client's credentials for a route: the keys of `SECURITY` in ../openapi.mjs.
 *
 * @typedef {"public" | "publicOrServer" | "signature" | "server" | "read" | "customer" | "stream" | "streamToken"} Access
 */

/**
 * An explicit response of a route: the name of a shared one, or its parts.
 *
 * @typedef {string | { description: string, schema?: Schema, headers?: Record<string, object> }} RouteResponse
 */

/**
 * Options of a route.
 *
 * @typedef {object} RouteOptions
 * @property {Access} [access] Default: `server`.
 * @property {string} [tag]
 * @property {string} [description]
 * @property {Schema} [jsonBody] The body of a POST that accepts JSON only.
 * @property {boolean} [paramsInQuery] Whether a POST accepts its parameters in the query string too.
 * @property {Members} [queryParams] Query parameters of a POST, besides its body.
 * @property {Members} [headerParams]
 * @property {Record<string, object>} [responseHeaders]
 * @property {Record<number, RouteResponse | undefined>} [responses] Differences from the responses that all routes have.
 * @property {boolean} [isStaticFile] Whether the platform serves the route from a file.
 */

/**
 * An entry of a route table. `params` are the query parameters of `get` and `remove`, and the members of the body of `post`. If a body
 * has alternatives, `params` is the `anyOf` of them. `response` is the schema of a 200, or a media type and a schema.
 *
 * @typedef {RouteOptions & {
 *   method: "get" | "post" | "delete",
 *   path: string,
 *   id: string,
 *   summary: string,
 *   params: Members | { anyOf: Schema[] } | undefined,
 *   response: Schema | { media: string, schema: Schema } | undefined,
 * }} Route
 */

/**
 * Marks a member as required.
 *
 * @param {Schema} schema
 * @returns {Schema}
 */
export const required = (schema) => {
  const marked = { ...schema, [REQUIRED]: true };
  return marked;
};

/**
 * @param {Schema} schema
 * @returns {boolean}
 */
export const isRequired = (schema) => REQUIRED in schema;

/**
 * @param {string} name
 * @returns {Schema}
 */
export const ref = (name) => ({ $ref: `#/components/schemas/${name}` });

/** The pattern of a string without control characters. */
export const NO_CONTROL_CHARACTERS = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/**
 * A string of at most `maxLength` characters.
 *
 * @param {number} [maxLength]
 * @param {Schema} [more]
 * @returns {Schema}
 */
export const string = (maxLength, more) => ({ type: "string", maxLength, ...more });

/**
 * A string of 1 to `maxLength` characters.
 *
 * @param {number} [maxLength]
 * @param {Schema} [more]
 */
export const nonEmpty = (maxLength, more) => string(maxLength, { minLength: 1, ...more });

/** Maximum length of a string for which Stripe documents no other limit. */
export const MAX_STRING_LENGTH = 5_000;

export const longString = string(MAX_STRING_LENGTH);

export const longNonEmpty = nonEmpty(MAX_STRING_LENGTH);

/** @type {Schema} */
export const boolean = { type: "boolean" };

/**
 * @param {number} [minimum]
 * @param {number} [maximum]
 * @param {Schema} [more]
 * @returns {Schema}
 */
export const integer = (minimum, maximum, more) => ({ type: "integer", minimum, maximum, ...more });

/** Unix seconds, up to the end of the year 9999. */
export const timestamp = ref("Timestamp");

/**
 * @param {string[]} values
 * @returns {Schema}
 */
export const oneOfStrings = (...values) => ({ type: "string", enum: values });

/**
 * @param {string | boolean} value
 * @returns {Schema}
 */
export const constant = (value) => ({ const: value });

/**
 * @param {Schema} [items]
 * @param {number} [maxItems]
 * @param {Schema} [more]
 * @returns {Schema}
 */
export const array = (items, maxItems, more) => ({ type: "array", items, maxItems, ...more });

/**
 * The schema, or `null`.
 *
 * @param {Schema} schema
 * @returns {Schema}
 */
export const nullable = (schema) => ({ anyOf: [schema, { type: "null" }] });

/**
 * The schema, or an empty string, which unsets the value.
 *
 * @param {Schema} schema
 * @returns {Schema}
 */
export const orEmptyString = (schema) => ({ anyOf: [schema, constant("")] });

/**
 * An object that has no other members.
 *
 * @param {Members} members
 * @param {Schema} [more]
 * @returns {Schema}
 */
export const strictObject = (members, more) => {
  const names = Object.keys(members).filter((name) => isRequired(members[name]));
  return { type: "object", properties: members, ...(names.length && { required: names }), additionalProperties: false, ...more };
};

/**
 * An object with the members of one of the alternatives.
 *
 * @param {Members[]} alternatives
 */
export const anyObjectOf = (...alternatives) => ({ anyOf: alternatives.map((members) => strictObject(members)) });

/**
 * An object of entgate's own API. It has no other members, and all of them except the optional ones are required.
 *
 * @param {string} name
 * @param {Members} members
 * @param {Members} [optional]
 * @returns {Schema}
 */
export const entgateObject = (name, members, optional = {}) => {
  const names = ["object", ...Object.keys(members)];
  return {
    type: "object",
    properties: { object: constant(name), ...members, ...optional },
    required: names,
    additionalProperties: false,
  };
};

/**
 * An object of Stripe's API. All of these members except the optional ones are required; it may have others.
 *
 * @param {string} name
 * @param {Members} members
 * @param {Members} [optional]
 * @returns {Schema}
 */
export const stripeObject = (name, members, optional = {}) => {
  const names = ["id", "object", ...Object.keys(members)];
  return { type: "object", properties: { id: nonEmpty(), object: constant(name), ...members, ...optional }, required: names };
};

/**
 * An id, or with `expand` the object with this id.
 *
 * @param {string[]} names
 * @returns {Schema}
 */
export const expandable = (...names) => ({ anyOf: [nonEmpty(), ...names.map(ref)] });

/**
 * Stripe's list object.
 *
 * @param {Schema} items
 */
export const listObject = (items) =>
  strictObject({
    object: required(constant("list")),
    data: required(array(items, 100)),
    has_more: required(boolean),
    url: required(nonEmpty()),
  });

/**
 * Stripe's search result.
 *
 * @param {Schema} items
 */
export const searchResult = (items) =>
  strictObject({
    object: required(constant("search_result")),
    data: required(array(items, 100)),
    has_more: required(boolean),
    next_page: required(nullable(nonEmpty())),
    url: required(nonEmpty()),
  });

/**
 * Parameters that are accepted and have no effect.
 *
 * @param {string[]} names
 */
export const ignored = (...names) => Object.fromEntries(names.map((name) => [name, ref("Ignored")]));

/** A timestamp, or bounds of it. A bound is any integer. */
export const TIMESTAMP_RANGE = {
  anyOf: [integer(), strictObject({ gt: integer(), gte: integer(), lt: integer(), lte: integer() })],
};

/** Stripe's pagination parameters. */
export const PAGINATION = {
  limit: integer(1, 100, { default: 10 }),
  starting_after: string(undefined, { description: "The id of an object. The page starts after it." }),
  ending_before: string(undefined, { description: "The id of an object. The page ends before it." }),
};

/**
 * Creates the constructor of routes with a method.
 *
 * @param {Route["method"]} method
 */
const route =
  (method) =>
  /**
   * @param {string} path
   * @param {string} id
   * @param {string} summary
   * @param {Route["params"]} params
   * @param {Route["response"]} response
   * @param {RouteOptions} [options]
   * @returns {Route}
   */
  (path, id, summary, params, response, options = {}) => ({ method, path, id, summary, params, response, ...options });

export const get = route("get");
export const post = route("post");
export const remove = route("delete");
