// The session of one command: the address of entgate, the server key, and requests with it.
//
// Accepts the environment and the option `--host`. The key is in memory only, and is sent to this address only: a redirect to another
// one does not receive it.

import { createHttpClient } from "../../console/http-client.js";
import { DEFAULT_URL, KEY_VARIABLE, URL_VARIABLE } from "./program.js";

/** @typedef {import("../../console/http-client.js").Reply} Reply */
/** @typedef {import("../../console/http-client.js").RequestOptions} RequestOptions */

/**
 * @typedef {object} Session
 * @property {string} origin
 * @property {boolean} isNamedHost  Whether `--host` named the address.
 * @property {string} key
 * @property {string | undefined} mode  "test" or "live", by the prefix of the key.
 * @property {string | undefined} source  Once `fetchHealth` was called.
 * @property {Reply | undefined} health
 * @property {() => Promise<Reply>} fetchHealth
 * @property {(path: string, options?: RequestOptions) => Promise<Reply>} request
 * @property {boolean} hasFailed  Whether a request failed.
 */

/** A setting of the command line that cannot be used. */
export class SettingError extends Error {}

/**
 * @param {{ host?: string, env: NodeJS.ProcessEnv }} settings
 * @returns {Session}
 */
export function createSession({ host, env }) {
  const [name, text] = host === undefined ? [URL_VARIABLE, env[URL_VARIABLE] || DEFAULT_URL] : ["--host", host];
  const origin = parseOrigin(name, text);
  const key = env[KEY_VARIABLE] ?? "";
  const client = createHttpClient({
    origin,
    unreachable: `No response from ${origin}. Is entgate running there? ${URL_VARIABLE} and --host name another address.`,
  });
  /** @type {Session} */
  const session = {
    origin,
    isNamedHost: host !== undefined,
    key,
    mode: /^(?:sk|rk)_(test|live)_/.exec(key)?.[1],
    source: undefined,
    health: undefined,
    hasFailed: false,
    async fetchHealth() {
      const reply = await session.request("/healthz");
      session.health = reply;
      session.source = reply.body.source;
      return reply;
    },
    async request(path, options = {}) {
      const reply = await client.send(path, { key, ...options });
      if (reply.problem) session.hasFailed = true;
      return reply;
    },
  };
  return session;
}

/**
 * @param {string} name  Of the setting.
 * @param {string} text
 */
function parseOrigin(name, text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isOrigin = url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search && !url.hash && !url.username;
  if (!isOrigin) throw new SettingError(`${name}: \`${text}\` is not an address such as https://entgate.example.com`);
  return url.origin;
}
