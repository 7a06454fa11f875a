// A request as a command for a shell.

import { encode } from "./desk.js";

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The key is a variable in it, so that it can be shown and kept. */
export function curl({ method = "GET", path, form }) {
  const lines = [`curl ${quoted(location.origin + path)} -u $ENTGATE_KEY:`];
  const verb = form ? "POST" : "GET";
  if (method !== verb) lines[0] += ` -X ${method}`;
  for (const [name, value] of new URLSearchParams(encode(form ?? {}))) lines.push(`-d ${quoted(`${name}=${value}`)}`);
  return lines.join(" \\\n  ");
}
