// A fake of Stripe's API, for the setting `STRIPE_API_BASE`.
//
// Tests cannot use Stripe itself: it needs an account and the network, and does not fail on demand. This
// server responds as Stripe does to the requests that the Worker sends, records every request, and fails when
// a test asks for it. The account is in fake-stripe-account.mjs, the routes are in fake-stripe-routes.mjs.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { unescape as percentDecode } from "node:querystring";
import { pipeline, Readable } from "node:stream";
import { FakeAccount } from "./fake-stripe-account.mjs";
import { ApiError, EVENTS_PATH, handle, LIST_PATH } from "./fake-stripe-routes.mjs";
import { listenOnFreePort } from "./free-port.mjs";

/** @import { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http" */

/**
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path
 * @property {URLSearchParams} query
 * @property {IncomingHttpHeaders} headers
 * @property {number} at When the request arrived, in Unix milliseconds.
 */

/** @typedef {{ status: number, headers: OutgoingHttpHeaders, body: Buffer }} Reply */
/** @typedef {{ status: number, retryAfter?: number, shouldRetry?: string | boolean, permission?: string }} ErrorFault */
/** @typedef {ErrorFault | keyof typeof FAULTS} Fault */

/** Starts a fake Stripe that accepts `key`. */
export function fakeStripe({ key = "sk_test_stripe" } = {}) {
  return new FakeStripe(key).listen();
}

const OVERSIZED = 32 * 1024 * 1024;

/** @param {ServerResponse} response @param {Reply} reply */
const send = (response, { status, headers, body }) => {
  response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
};

/** How a response can be broken. Each function gets the intact reply. */
const FAULTS = {
  /** Closes the connection in the middle of the body. @param {ServerResponse} response @param {Reply} reply */
  truncated(response, { status, headers, body }) {
    response.writeHead(status, { ...headers, "content-length": body.length });
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  },
  /** Closes the connection without a response. @param {ServerResponse} response */
  disconnect: (response) => response.destroy(),
  /** Sends half of the JSON as a complete body. @param {ServerResponse} response @param {Reply} reply */
  malformed: (response, { headers, body }) => send(response, { status: 200, headers, body: body.subarray(0, body.length / 2) }),
  /** Sends valid JSON of another type. @param {ServerResponse} response @param {Reply} reply */
  wrong_type: (response, { headers }) => send(response, { status: 200, headers, body: Buffer.from('{"object":"list","data":{}}') }),
  /** Sends the first page of the list for ever. `#respond` computes it without the cursor. */
  repeating_page: send,
  /** Never responds. */
  no_response() {},
  /** Sends valid JSON of more than 32 MiB, so that only a limit on the length rejects it. @param {ServerResponse} response @param {Reply} reply */
  oversized(response, { headers, body }) {
    const blank = Buffer.alloc(64 * 1024, " ");
    const chunks = function* () {
      for (let sent = 0; sent < OVERSIZED; sent += blank.length) yield blank;
      yield body;
    };
    // The client may close the connection; that is not an error here.
    pipeline(Readable.from(chunks()), response.writeHead(200, headers), () => {});
  },
};

const NO_KEY = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.";

/** @param {string} key */
const mask = (key) => `${key.slice(0, 8)}****${key.slice(-4)}`;

/** Stripe's error with this status. @param {ErrorFault} fault @param {string} key */
function errorWith({ status, retryAfter, shouldRetry, permission }, key) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (retryAfter !== undefined) headers["retry-after"] = `${retryAfter}`;
  if (shouldRetry !== undefined) headers["stripe-should-retry"] = `${shouldRetry}`;
  switch (status) {
    case 401:
      return new ApiError(status, `Invalid API Key provided: ${mask(key)}`, { headers });
    case 403:
      return new ApiError(
        status,
        `The provided key '${mask(key)}' does not have the required permissions for this endpoint.${permission ? ` Having the '${permission}' permission would allow this request to continue.` : ""}`,
        { headers },
      );
    case 429:
      return new ApiError(status, "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.", {
        code: "rate_limit",
        headers: { "stripe-rate-limited-reason": "global-rate", ...headers },
      });
    default:
      return new ApiError(status, "An unknown error occurred", { headers });
  }
}

class FakeStripe extends FakeAccount {
  /** Every request so far, in order. A test may empty it. @type {Call[]} */
  calls = [];
  /** Awaited before a response is computed, if set. @type {((call: Call) => unknown) | undefined} */
  beforeResponse;
  url = "";
  /** @type {(Fault | undefined)[]} */
  #nextFaults = [];
  /** The fault of every listing of events. @type {Fault | undefined} */
  #eventFault;
  /** By customer; the key `undefined` stands for all customers. @type {Map<string | undefined, Fault | undefined>} */
  #permanentFaults = new Map();
  /** @type {Map<string | undefined, Promise<void>>} */
  #delays = new Map();
  #arrivals = new EventEmitter();
  // The Worker reuses its connections: an idle one must not be closed while the Worker sends its next request.
  #server = createServer({ keepAliveTimeout: 0 }, (request, response) => this.#receive(request, response));

  async listen() {
    this.url = `http://127.0.0.1:${await listenOnFreePort(this.#server)}`;
    return this;
  }

  /** @returns {Promise<void>} */
  stop() {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Fails the next requests, one fault each; with an `undefined`, a request succeeds. @param {(Fault | undefined)[]} faults */
  failNext(...faults) {
    for (const fault of faults) assertFault(fault);
    this.#nextFaults.push(...faults);
  }

  /**
   * Fails every request without another fault, or every request about one customer. `undefined` ends it.
   *
   * @param {Fault | undefined} fault
   * @param {string} [customer]
   */
  failAlways(fault, customer) {
    assertFault(fault);
    this.#permanentFaults.set(customer, fault);
  }

  /** Fails every listing of events. `undefined` ends it. @param {Fault | undefined} fault */
  failEvents(fault) {
    assertFault(fault);
    this.#eventFault = fault;
  }

  /** The listings of events so far. */
  eventCalls() {
    return this.calls.filter(({ path }) => path === EVENTS_PATH);
  }

  /**
   * Delays the responses to later requests, or to those about one customer. A response is computed when its
   * request arrives, and sent after the returned function is called.
   *
   * @param {string} [customer]
   */
  delayResponses(customer) {
    const { promise, resolve } = deferred();
    this.#delays.set(customer, promise);
    return () => {
      if (this.#delays.get(customer) === promise) this.#delays.delete(customer);
      resolve();
    };
  }

  /** The requests for the entitlements of one customer so far. @param {string} customer */
  listCalls(customer) {
    return this.calls.filter(({ path, query }) => path === LIST_PATH && query.get("customer") === customer);
  }

  /**
   * Waits until `count` requests have arrived, or as many for the entitlements of one customer. Unless
   * `beforeResponse` delays them, their responses are computed by then.
   *
   * @param {number} count
   * @param {string} [customer]
   */
  async waitForCalls(count, customer) {
    const calls = () => (customer === undefined ? this.calls : this.listCalls(customer));
    while (calls().length < count) await once(this.#arrivals, "call");
  }

  /** The settings with which the Worker uses this server. */
  get settings() {
    return { STRIPE_API_KEY: this.key, STRIPE_API_BASE: this.url };
  }

  /** @param {IncomingMessage} request @param {ServerResponse} response */
  async #receive(request, response) {
    const [path, search] = (request.url ?? "").split(/\?(.*)/s);
    const { method = "", headers } = request;
    const call = { method, path, query: new URLSearchParams(search), headers, at: Date.now() };
    this.calls.push(call);
    const customer = call.query.get("customer") ?? /^\/v1\/customers\/([^/]+)$/.exec(percentDecode(path))?.[1];
    const eventFault = path === EVENTS_PATH ? this.#eventFault : undefined;
    const fault = eventFault ?? (this.#nextFaults.length ? this.#nextFaults.shift() : forCustomer(this.#permanentFaults, customer));
    const delay = forCustomer(this.#delays, customer);
    const computed = this.#respond(call, fault);
    this.#arrivals.emit("call");
    const reply = await computed;
    await delay;
    if (response.destroyed) return;
    const respond = typeof fault === "string" ? FAULTS[fault] : send;
    respond(response, reply);
  }

  /**
   * Computes the intact reply from the current state. Without a hook, no other request is handled before that.
   *
   * @param {Call} call
   * @param {Fault | undefined} fault
   * @returns {Promise<Reply>}
   */
  async #respond(call, fault) {
    if (this.beforeResponse) await this.beforeResponse(call);
    const version = call.headers["stripe-version"] ?? "2026-10-28.endive";
    const headers = { "content-type": "application/json", "request-id": `req_${randomUUID().slice(-12)}`, "stripe-version": version };
    /** @param {number} status @param {Record<string, string>} more @param {object} body */
    const reply = (status, more, body) => ({ status, headers: { ...headers, ...more }, body: Buffer.from(JSON.stringify(body, null, 2)) });
    try {
      if (typeof fault === "object") throw errorWith(fault, this.key);
      this.#authenticate(call);
      return reply(200, {}, handle(this, call, fault === "repeating_page"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return reply(error.status, error.headers, error.body);
    }
  }

  /** @param {Call} call */
  #authenticate({ headers }) {
    const [, key] = /^Bearer (.+)$/i.exec(headers.authorization ?? "") ?? [];
    if (!key) throw new ApiError(401, NO_KEY);
    if (key !== this.key) throw errorWith({ status: 401 }, key);
  }
}

/**
 * What is set for a customer, or else for all.
 *
 * @template Value
 * @param {Map<string | undefined, Value>} settings
 * @param {string | undefined} customer
 */
const forCustomer = (settings, customer) => settings.get(customer) ?? settings.get(undefined);

/** @param {Fault | undefined} fault */
function assertFault(fault) {
  const known = typeof fault === "string" ? Object.hasOwn(FAULTS, fault) : fault === undefined || Number.isInteger(fault.status);
  assert.ok(known, `no such fault: ${fault}`);
}

/** A promise that is resolved from outside. @returns {{ promise: Promise<void>, resolve: () => void }} */
function deferred() {
  let resolve = () => {};
  /** @type {Promise<void>} */
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
