// The console session: the server key, the Worker's health, requests to the Worker, and a log of these requests.
//
// Every panel receives the same session. The server key is kept in this module's memory only: it is not stored, not part of a URL and
// not logged. `request` never throws: the reply's `problem` describes a failure. Requests are sent to this Worker only, because they
// carry the key.

import { createEmitter } from "./emitter.js";
import { createHttpClient, isSendable } from "./http-client.js";

const MAX_LOGGED_REQUESTS = 500;

/** @typedef {import("./http-client.js").Reply} Reply */
/** @typedef {import("./http-client.js").RequestOptions} RequestOptions  Without `key`, the session's server key is sent. */
/** @typedef {import("./http-client.js").SentRequest} LoggedRequest */

/**
 * @typedef {object} Session
 * @property {string} key  The server key, or an empty string.
 * @property {(text: string) => void} setKey  Replaces the server key. A rejected key is tried again.
 * @property {import("./emitter.js").Emitter<string>["on"]} onKeyChange
 * @property {import("./emitter.js").Emitter<Reply>["on"]} onKeyRejected  Called when the Worker rejects the key.
 * @property {string | undefined} mode  "test" or "live", by the key's prefix; undefined without a recognized key.
 * @property {boolean} isReadOnly  Whether the key is a read-only key, which opens checks and lists only.
 * @property {Reply | undefined} health  The latest reply of `/healthz`.
 * @property {string | undefined} source  "stripe" or "catalog", once a secret key has been used.
 * @property {Record<string, string>} settings  "set" or "missing" by setting, as `/healthz` reports them for a secret key.
 * @property {import("./emitter.js").Emitter<Reply>["on"]} onHealth  Also called immediately if a reply is known.
 * @property {() => Promise<Reply>} fetchHealth  Requests `/healthz`, with the details of the key's mode if the key is a secret key.
 * @property {LoggedRequest[]} requestLog  The latest requests of this page, newest last.
 * @property {import("./emitter.js").Emitter<LoggedRequest | undefined>["on"]} onRequest
 * @property {(path: string, options?: RequestOptions) => Promise<Reply>} request  Sends one request to this Worker.
 * @property {(panel: string) => void} navigate  Opens a panel: `customers?customer=cus_ada`.
 */

/**
 * Creates a session without a server key.
 *
 * @returns {Session}
 */
export function createSession() {
  /** @type {import("./emitter.js").Emitter<string>} */
  const keyChange = createEmitter();
  /** @type {import("./emitter.js").Emitter<Reply>} */
  const keyRejected = createEmitter();
  /** @type {import("./emitter.js").Emitter<Reply>} */
  const healthChange = createEmitter();
  /** @type {import("./emitter.js").Emitter<LoggedRequest | undefined>} */
  const requestSent = createEmitter();
  let key = "";
  let rejected = false;
  const client = createHttpClient({
    origin: location.origin,
    unreachable: "The Worker cannot be reached. Is it running, and is this browser online?",
    onSent(request) {
      session.requestLog.push(request);
      session.requestLog.splice(0, session.requestLog.length - MAX_LOGGED_REQUESTS);
      requestSent.emit(request);
    },
  });

  /** @type {Session} */
  const session = {
    get key() {
      return key;
    },
    setKey(text) {
      if (text === key && !rejected) return;
      key = text;
      rejected = false;
      keyChange.emit(key);
    },
    onKeyChange: keyChange.on,
    onKeyRejected: keyRejected.on,
    get mode() {
      return /^(?:sk|rk)_(test|live)_/.exec(key)?.[1];
    },

    get isReadOnly() {
      return key.startsWith("rk_");
    },

    health: undefined,
    source: undefined,
    settings: {},
    onHealth(listener) {
      if (session.health) listener(session.health);
      return healthChange.on(listener);
    },
    async fetchHealth() {
      const sentKey = key;
      const reply = await session.request("/healthz", { key: isSendable(sentKey) ? sentKey : "" });
      // The reply for another key arrives later.
      if (sentKey !== key) return reply;
      session.health = reply;
      if (reply.body.object === "health") {
        session.source = reply.body.source ?? session.source;
        session.settings = reply.body.settings ?? {};
      }
      healthChange.emit(reply);
      return reply;
    },

    requestLog: [],
    onRequest: requestSent.on,

    async request(path, options = {}) {
      const reply = await client.send(path, { ...options, key: options.key ?? key });
      if (reply.status === 401 && options.key === undefined) {
        rejected = true;
        keyRejected.emit(reply);
      }
      return reply;
    },

    navigate(panel) {
      location.hash = panel;
    },
  };
  return session;
}
