// Requests to one entgate: sends them, and describes a failure as a sentence.
//
// `send` never throws: the reply's `problem` describes a failure. Requests are sent to the client's origin only, because they carry a
// server key. The console and the command line share this module, so it uses only what browsers and Node have in common.

import { encodeForm } from "./form.js";

const REQUEST_TIMEOUT_MS = 40_000; // A sync waits up to 25 s in addition to its read at the source.

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
 * @property {string} [key]  The server key; empty for no key.
 */

/** @typedef {{ at: number, method: string, path: string, status: number, durationMs: number }} SentRequest */

/**
 * @typedef {object} HttpClient
 * @property {(path: string, options?: RequestOptions) => Promise<Reply>} send
 */

/**
 * Creates a client of one origin.
 *
 * @param {object} options
 * @param {string} options.origin
 * @param {string} options.unreachable  What a reply says if no response arrived.
 * @param {(request: SentRequest) => void} [options.onSent]  Called after each request; `status` is 0 if no response arrived.
 * @returns {HttpClient}
 */
export function createHttpClient({ origin, unreachable, onSent = () => {} }) {
  return {
    async send(path, { method = "GET", form, json, idempotencyKey, signal, key = "" } = {}) {
      const url = sameOriginUrl(path, origin);
      if (!url) return failedReply("Requests are sent to this Worker only.");
      if (key && !isSendable(key)) return failedReply("A key consists of ASCII characters without spaces.", "key");
      const headers = {
        ...(key && { authorization: `Bearer ${key}` }),
        ...(form && { "content-type": "application/x-www-form-urlencoded" }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
      };
      const body = form ? encodeForm(form) : json === undefined ? undefined : JSON.stringify(json);
      const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const startedAt = performance.now();
      const report = (/** @type {number} */ status) => {
        const durationMs = performance.now() - startedAt;
        onSent({ at: Date.now(), method, path: url.pathname, status, durationMs });
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
        const durationMs = report(response.status);
        const reply = { status: response.status, body: parseObject(text), text, durationMs, headers: response.headers };
        return { ...reply, ...problemOf(reply) };
      } catch {
        if (signal?.aborted) return failedReply("The request was canceled.");
        report(0);
        return failedReply(timeout.aborted ? `The Worker did not respond within ${REQUEST_TIMEOUT_MS / 1000} s.` : unreachable);
      }
    },
  };
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
export function isSendable(key) {
  return /^[\x21-\x7e]+$/.test(key);
}

/**
 * Resolves a path against the origin; returns undefined if it is invalid or leads to another origin.
 *
 * @param {string} path
 * @param {string} origin
 * @returns {URL | undefined}
 */
function sameOriginUrl(path, origin) {
  try {
    const url = new URL(path, origin);
    return url.origin === origin ? url : undefined;
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
