// A request as a command for a shell.

import { encode } from "./session.js";

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** The key is a variable in it, so that it can be shown and kept. */
export function curl({ method = "GET", path, form }) {
  const verb = form ? "POST" : "GET";
  const lines = [`curl ${method === verb ? "" : `-X ${method} `}${quoted(location.origin + path)}`, "-u $ENTGATE_KEY:"];
  for (const [name, value] of new URLSearchParams(encode(form ?? {}))) lines.push(`-d ${quoted(`${name}=${value}`)}`);
  return lines.join(" \\\n  ");
}
