// The words that the tables of /openapi.json are written in: kinds of values, and lines of a table.

const REQUIRED = Symbol("required");

/** The same member, which has to be there. */
export const needed = (schema) => ({ ...schema, [REQUIRED]: true });

export const isNeeded = (schema) => schema[REQUIRED] === true;

export const ref = (name) => ({ $ref: `#/components/schemas/${name}` });

/** No control characters, which no name may have. */
export const NAME = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/** A text of at most so many characters. */
export const text = (maxLength, more) => ({ type: "string", maxLength, ...more });

/** The same, and not an empty one. */
export const filled = (maxLength, more) => text(maxLength, { minLength: 1, ...more });

export const flag = { type: "boolean" };

export const integer = (minimum, maximum, more) => ({ type: "integer", minimum, maximum, ...more });

/** A second, counted from 1970 on, until the end of the year 9999. */
export const moment = ref("Moment");

export const words = (...words) => ({ type: "string", enum: words });

export const only = (value) => ({ const: value });

export const list = (items, maxItems, more) => ({ type: "array", items, maxItems, ...more });

/** A value, or `null`. */
export const orNull = (schema) => ({ anyOf: [schema, { type: "null" }] });

/** A value, or an empty text that takes it away. */
export const orEmpty = (schema) => ({ anyOf: [schema, only("")] });

/** A map of just these members. */
export const map = (members, more) => {
  const required = Object.keys(members).filter((name) => isNeeded(members[name]));
  return { type: "object", properties: members, ...(required.length && { required }), additionalProperties: false, ...more };
};

/** A map of one of these sets of members. */
export const anyOf = (...maps) => ({ anyOf: maps.map((members) => map(members)) });

/** An object of entgate's own: it has just these members, and all of them but the optional ones. */
export const object = (name, members, optional = {}) => {
  const required = ["object", ...Object.keys(members)];
  return { type: "object", properties: { object: only(name), ...members, ...optional }, required, additionalProperties: false };
};

/** An object of Stripe's: these members are there, and others may be. */
export const stripes = (name, members) => {
  const required = ["id", "object", ...Object.keys(members)];
  return { type: "object", properties: { id: filled(), object: only(name), ...members }, required };
};

/** An id, or with `expand` the object that has it. */
export const idOr = (...names) => ({ anyOf: [filled(), ...names.map(ref)] });

/** Stripe's list. */
export const listOf = (items) =>
  map({ object: needed(only("list")), data: needed(list(items, 100)), has_more: needed(flag), url: needed(filled()) });

/** Parameters that are taken, and do nothing. */
export const ignored = (...names) => Object.fromEntries(names.map((name) => [name, ref("Ignored")]));

/** A second, or bounds of it. */
export const RANGE = { anyOf: [moment, map({ gt: moment, gte: moment, lt: moment, lte: moment })] };

/** Which part of a list. */
export const PAGE = {
  limit: integer(1, 100, { default: 10 }),
  starting_after: text(undefined, { description: "The id of the last object seen: the page begins behind it." }),
  ending_before: text(undefined, { description: "The id of the first object seen: the page ends before it." }),
};

/** The most characters of a text that Stripe says nothing else about. */
export const TEXT = 5_000;

/**
 * A line of a table: an operation. `takes` is its query string for `get` and `remove`, its body for
 * `post`; where it has a choice of bodies, `anyOf` of them.
 */
const operation =
  (method) =>
  (path, id, summary, takes, answers, more = {}) => ({ method, path, id, summary, takes, answers, ...more });

export const get = operation("get");
export const post = operation("post");
export const remove = operation("delete");
