// Renders a request as a curl command.

import { encodeForm } from "./form.js";

/** @param {string} text */
const shellQuoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The command refers to the key as `$ENTGATE_KEY`, so that it can be shown and copied safely.
 *
 * @param {{ method?: string, path: string, form?: object }} request
 * @returns {string}
 */
export function curlCommand({ method = "GET", path, form }) {
  const defaultMethod = form ? "POST" : "GET";
  const methodOption = method === defaultMethod ? "" : `-X ${method} `;
  const lines = [`curl ${methodOption}${shellQuoted(location.origin + path)}`, "-u $ENTGATE_KEY:"];
  for (const [name, value] of new URLSearchParams(encodeForm(form ?? {}))) lines.push(`-d ${shellQuoted(`${name}=${value}`)}`);
  return lines.join(" \\\n  ");
}
