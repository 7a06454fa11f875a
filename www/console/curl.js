// Renders requests and arguments as commands for a shell.

import { encodeForm } from "./form.js";

/**
 * Quotes an argument for a POSIX shell, if it needs quotes. Every value in a command that can be copied needs this.
 *
 * @param {string} text
 */
export const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The command refers to the key as `$ENTGATE_KEY`, so that it can be shown and copied safely.
 *
 * @param {{ method?: string, path: string, form?: object }} request
 * @returns {string}
 */
export function curlCommand({ method = "GET", path, form }) {
  const defaultMethod = form ? "POST" : "GET";
  const methodOption = method === defaultMethod ? "" : `-X ${method} `;
  const lines = [`curl ${methodOption}${quoted(location.origin + path)}`, "-u $ENTGATE_KEY:"];
  for (const [name, value] of new URLSearchParams(encodeForm(form ?? {}))) lines.push(`-d ${quoted(`${name}=${value}`)}`);
  return lines.join(" \\\n  ");
}
