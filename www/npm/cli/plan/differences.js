// Compares the fields of an object with those that the file has for it. Pure functions. A field that is not in the file is left alone.

/** @typedef {{ form: Record<string, any>, details: string[] }} Difference */

/** @param {unknown} value */
export const show = (value) => (typeof value === "string" ? JSON.stringify(value) : String(value));

/**
 * The parameters and details of a new object.
 *
 * @param {Record<string, any>} wanted
 * @param {string[]} fields
 * @returns {Difference}
 */
export function creation(wanted, fields) {
  const present = fields.filter((name) => wanted[name] !== undefined && wanted[name] !== null);
  const metadata = withoutNulls(wanted.metadata);
  return {
    form: { ...Object.fromEntries(present.map((name) => [name, wanted[name]])), metadata },
    details: [...present.map((name) => `${name}: ${show(wanted[name])}`), ...metadataDetails(metadata)],
  };
}

/**
 * What has to change. Empty if nothing has to.
 *
 * @param {Record<string, any>} wanted
 * @param {Record<string, any>} current
 * @param {string[]} fields
 * @returns {Difference}
 */
export function change(wanted, current, fields) {
  /** @type {Difference} */
  const difference = { form: {}, details: [] };
  for (const name of fields) {
    const before = current[name] ?? null;
    if (wanted[name] === undefined || wanted[name] === before) continue;
    difference.form[name] = wanted[name];
    difference.details.push(`${name}: ${show(before)} -> ${show(wanted[name])}`);
  }
  const metadata = Object.entries(wanted.metadata ?? {}).filter(([key, value]) => (current.metadata?.[key] ?? null) !== value);
  if (metadata.length) difference.form.metadata = Object.fromEntries(metadata);
  for (const [key, value] of metadata) {
    difference.details.push(`metadata.${key}: ${show(current.metadata?.[key] ?? null)} -> ${show(value)}`);
  }
  return difference;
}

/** @param {Record<string, string | null> | undefined} metadata */
function withoutNulls(metadata) {
  const entries = Object.entries(metadata ?? {}).filter(([, value]) => value !== null);
  return entries.length ? Object.fromEntries(entries) : undefined;
}

/** @param {Record<string, string | null> | undefined} metadata */
const metadataDetails = (metadata) => Object.entries(metadata ?? {}).map(([key, value]) => `metadata.${key}: ${show(value)}`);
