// The console session: the server key, the Worker's health, requests to the Worker, and a log of these requests.
//
// Every panel receives the same session. The server key is kept in this module's memory only: it is not stored, not part of a URL and
// not logged. `request` never throws: the reply's `problem` describes a failure. Requests are sent to this Worker only, because they
// carry the key.

import { createEmitter } from "./emitter.js";
import { encodeForm } from "./form.js";

const REQUEST_TIMEOUT_MS = 40_000; // A sync waits up to 25 s in addition to its read at the source.
const MAX_LOGGED_REQUESTS = 500;

/**
 * @typedef {object} Reply
 * @property {number} status  0 if no response arrived.
 * @property {any} body  The parsed JSON object; `{}` if the body is not one.
 * @property {string} text  The body as text.
 * @property {number | undefined} durationMs  Undefined if no response arrived.
 * @property {Headers} headers
 * @property {string} [problem]  Why the request failed, as a sentence; undefined on success.
 * @property {string} [field]  The parameter that the problem is about, or "key".
 */

/**
 * @typedef {object} RequestOptions
 * @property {string} [method]
 * @property {object} [form]  Sent as a form body, encoded as Stripe's SDKs do.
 * @property {unknown} [json]  Sent as a JSON body.
 * @property {string} [idempotencyKey]
 * @property {AbortSignal} [signal]
 * @property {string} [key]  Replaces the session's server key; empty for no key.
 */

/** @typedef {{ at: number, method: string, path: string, status: number, durationMs: number }} LoggedRequest */

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

    async request(path, { method = "GET", form, json, idempotencyKey, signal, key: otherKey } = {}) {
      const bearer = otherKey ?? key;
      const url = sameOriginUrl(path);
      if (!url) return failedReply("Requests are sent to this Worker only.");
      if (bearer && !isSendable(bearer)) {
        return failedReply("A key consists of ASCII characters without spaces.", "key");
      }
      const headers = {
        ...(bearer && { authorization: `Bearer ${bearer}` }),
        ...(form && { "content-type": "application/x-www-form-urlencoded" }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
      };
      const body = form ? encodeForm(form) : json === undefined ? undefined : JSON.stringify(json);
      const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const startedAt = performance.now();
      const log = (/** @type {number} */ status) => {
        const durationMs = performance.now() - startedAt;
        session.requestLog.push({ at: Date.now(), method, path: url.pathname, status, durationMs });
        session.requestLog.splice(0, session.requestLog.length - MAX_LOGGED_REQUESTS);
        requestSent.emit(session.requestLog.at(-1));
        return durationMs;
      };
      try {
        const response = await fetch(url, {
          method,
          headers,
          body,
          cache: "no-store",
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        const text = await response.text();
        const durationMs = log(response.status);
        const reply = { status: response.status, body: parseObject(text), text, durationMs, headers: response.headers };
        if (response.status === 401 && otherKey === undefined) {
          rejected = true;
          keyRejected.emit(reply);
        }
        return { ...reply, ...problemOf(reply) };
      } catch {
        if (signal?.aborted) return failedReply("The request was canceled.");
        log(0);
        return failedReply(
          timeout.aborted
            ? `The Worker did not respond within ${REQUEST_TIMEOUT_MS / 1000} s.`
            : "The Worker cannot be reached. Is it running, and is this browser online?",
        );
      }
    },

    navigate(panel) {
      location.hash = panel;
    },
  };
  return session;
}

/** A failed request, thrown by code that sends several; the message is meant for the operator. */
export class RequestError extends Error {}

/**
 * Returns the body of a successful reply, and throws a `RequestError` for any other.
 *
 * @param {Promise<Reply>} pending
 * @returns {Promise<any>}
 */
export async function bodyOf(pending) {
  const reply = await pending;
  if (reply.problem) throw new RequestError(reply.problem);
  return reply.body;
}

/**
 * Renders `Retry-After` as a sentence.
 *
 * @param {Headers} headers
 * @returns {string}
 */
export function retryHint(headers) {
  const retryAfter = headers.get("retry-after");
  if (!retryAfter) return "Retry shortly.";
  return `Retry ${/^\d+$/.test(retryAfter) ? `in ${retryAfter} s` : `after ${retryAfter}`} (Retry-After).`;
}

/**
 * Whether a key can be sent in a header.
 *
 * @param {string} key
 */
function isSendable(key) {
  return /^[\x21-\x7e]+$/.test(key);
}

/**
 * Resolves a path against this origin; returns undefined if it is invalid or leads to another origin.
 *
 * @param {string} path
 * @returns {URL | undefined}
 */
function sameOriginUrl(path) {
  try {
    const url = new URL(path, location.origin);
    return url.origin === location.origin ? url : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The reply of a request without a response.
 *
 * @param {string} problem
 * @param {string} [field]
 * @returns {Reply}
 */
function failedReply(problem, field) {
  return { status: 0, body: {}, text: "", durationMs: undefined, headers: new Headers(), problem, field };
}

/**
 * Why a response is an error and which parameter it is about; empty for a successful one.
 *
 * @param {Reply} reply
 * @returns {{ problem?: string, field?: string }}
 */
function problemOf({ status, body, headers }) {
  if (status < 400) return {};
  const { message, param } = body.error ?? {};
  const problem = typeof message === "string" ? message : `Unexpected response (status ${status}).`;
  const field = status === 401 ? "key" : typeof param === "string" ? param.split("[")[0] : undefined;
  return { problem: status === 503 ? `${problem} ${retryHint(headers)}` : problem, field };
}

/**
 * Parses a JSON object; returns an empty object for anything else.
 *
 * @param {string} text
 * @returns {any}
 */
function parseObject(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}
