// Parameters as Stripe's SDKs encode them, for form bodies and query strings.

/**
 * Encodes parameters: `items[0][price]=…`. A null value becomes an empty string; an undefined value is omitted.
 *
 * @param {object} params
 * @returns {string}
 */
export function encodeForm(params) {
  return new URLSearchParams(toPairs("", params)).toString();
}

/**
 * Appends parameters to a path without a query.
 *
 * @param {string} path
 * @param {object} params
 * @returns {string}
 */
export function withQuery(path, params) {
  return `${path}?${encodeForm(params)}`;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @returns {[name: string, value: string][]}
 */
function toPairs(name, value) {
  if (value === undefined) return [];
  if (value === null) return [[name, ""]];
  if (typeof value !== "object") return [[name, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => toPairs(name ? `${name}[${key}]` : key, inner));
}
