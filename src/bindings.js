// Reads the bindings that may be settings. Both cores of the Worker import this module.

/**
 * The bindings whose names begin with ENTGATE_ or STRIPE_, as `Bindings::decode` in src/api/settings/bindings.rs expects them: name and
 * `=text` of each, separated by NUL characters. A binding that is not a variable or a secret, such as one of the Secrets Store, has an
 * empty string in place of `=text`.
 *
 * @param {Record<string, unknown>} env
 */
export const settingBindings = (env) =>
  Object.entries(env)
    .filter(([name]) => /^(?:entgate|stripe)_/i.test(name))
    .flatMap(([name, value]) => [name, encodedText(value)])
    .join("\0");

/** @param {unknown} value */
function encodedText(value) {
  const text = textOf(value);
  return text === undefined || text.includes("\0") ? "" : `=${text}`;
}

/** @param {unknown} value @returns {string | undefined} */
function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return isTable(value) ? JSON.stringify(value) : undefined;
}

/** Whether a value is an array or a table of wrangler.toml. Any other object is a binding of the platform. @param {unknown} value */
function isTable(value) {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}
