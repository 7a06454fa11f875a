// A stand-in for Stripe's API, for `STRIPE_API_BASE`: no test can have the real one, which needs an
// account and the network, and fails when it likes, not when a test says so. This one answers in
// Stripe's words what the Worker may ask, and fails on demand as the real one does on a bad day.
// Not here: writing, and what becomes of a subscription; a test says what each customer holds.
// Words and statuses are Stripe's where they are known. Guessed: the order of a list, what a bad
// `limit` is told, and what "No such …" calls all but a customer. https://docs.stripe.com/api

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import { unescape } from "node:querystring";
import { pipeline, Readable } from "node:stream";
import { entitlement } from "./support.mjs";

/** Starts a stand-in that accepts `key`. */
export function standIn({ key = "sk_test_stripe" } = {}) {
  return new StandIn(key).listen();
}

/** What Stripe knows, as the tests tell it. */
class Account {
  customers = new Map();
  products = new Map();
  features = new Map();

  constructor(key) {
    this.key = key;
    this.livemode = key.includes("_live_");
  }

  /** Sets what a customer is entitled to: lookup keys of features. None: a customer who holds nothing. */
  holds(customer, keys) {
    const held = ({ id, lookup_key }, key) => ({ ...entitlement(customer, key, this.livemode), feature: id, lookup_key });
    const entitlements = Array.from(new Set(keys), (key) => held(this.#known(key), key));
    Object.assign(this.#customer(customer), { deleted: false, entitlements });
  }

  /** Deletes a customer, who is still found by id, as a deleted one. */
  deletes(customer) {
    this.customers.set(customer, { id: customer, deleted: true, entitlements: [], subscriptions: [] });
  }

  /** Sets a customer's subscriptions: a status, products, and any field that a test is about. */
  subscribes(customer, subscriptions) {
    const subscription = ({ products, ...fields }, number) => {
      const id = fields.id ?? `sub_${customer}_${number}`;
      for (const product of products) if (!this.products.has(product)) this.products.set(product, []);
      const data = products.map((product) => ({
        id: `si_${customer}_${number}_${product}`,
        object: "subscription_item",
        price: { id: `price_${product}`, object: "price", active: true, livemode: this.livemode, product },
        quantity: 1,
        subscription: id,
      }));
      const items = { object: "list", data, has_more: false, url: `/v1/subscription_items?subscription=${id}` };
      return { id, object: "subscription", customer, items, livemode: this.livemode, metadata: {}, ...fields };
    };
    this.#customer(customer).subscriptions = subscriptions.map(subscription);
  }

  /** Sets the features of a product, by lookup key. */
  sells(product, keys) {
    this.products.set(
      product,
      keys.map((key) => [`prodft_${product}_${key}`, this.#known(key).id]),
    );
  }

  /** Changes a feature: before a customer holds it, its `lookup_key` too, which an archived one may share with another. */
  feature(key, changes = {}) {
    this.features.set(`feat_test_${key}`, { ...this.#known(key), ...changes });
  }

  #known(key) {
    const id = `feat_test_${key}`;
    if (!this.features.has(id)) {
      const feature = {
        id,
        object: "entitlements.feature",
        active: true,
        livemode: this.livemode,
        lookup_key: key,
        metadata: {},
        name: key,
      };
      this.features.set(id, feature);
    }
    return this.features.get(id);
  }

  #customer(id) {
    if (!this.customers.has(id)) this.customers.set(id, { id, deleted: false, entitlements: [], subscriptions: [] });
    return this.customers.get(id);
  }
}

const PAGE = ["limit", "starting_after", "ending_before"];

/** What can be asked: a path, its parameters, what `expand` may name, and the answer. */
const ROUTES = [
  [
    "/v1/entitlements/active_entitlements",
    ["customer", ...PAGE],
    ["data.feature"],
    (account, asked) => {
      if (asked.customer === undefined) refuse(400, "Missing required param: customer.", { code: "parameter_missing", param: "customer" });
      const list = page(customerOf(account, asked).entitlements, asked, "active entitlement");
      return asked.expand.length ? { ...list, data: list.data.map((item) => whole(account, item)) } : list;
    },
  ],
  [
    "/v1/entitlements/active_entitlements/{id}",
    [],
    ["feature"],
    (account, asked) => {
      for (const { entitlements } of account.customers.values()) {
        const found = entitlements[place(entitlements, asked.id)];
        if (found) return asked.expand.length ? whole(account, found) : found;
      }
      return missing(404, "active entitlement", asked.id, "id");
    },
  ],
  [
    "/v1/entitlements/features",
    ["archived", "lookup_key", ...PAGE],
    [],
    (account, asked) => {
      if (!["true", "false", undefined].includes(asked.archived)) refuse(400, `Invalid boolean: ${asked.archived}`, { param: "archived" });
      const active = asked.archived !== "true";
      const named = ({ lookup_key }) => [undefined, lookup_key].includes(asked.lookup_key);
      return page(
        [...account.features.values()].filter((feature) => feature.active === active && named(feature)),
        asked,
        "feature",
      );
    },
  ],
  ["/v1/entitlements/features/{id}", [], [], (account, { id }) => account.features.get(id) ?? missing(404, "feature", id, "id")],
  [
    "/v1/customers/{id}",
    [],
    [],
    (account, asked) => {
      const { id, deleted } = account.customers.get(asked.id) ?? missing(404, "customer", asked.id, "id");
      if (deleted) return { id, object: "customer", deleted };
      return { id, object: "customer", created: 1_700_000_000, email: null, livemode: account.livemode, metadata: {}, name: null };
    },
  ],
  [
    "/v1/subscriptions",
    ["customer", "status", ...PAGE],
    [],
    (account, asked) => {
      const customers = asked.customer === undefined ? [...account.customers.values()] : [customerOf(account, asked)];
      const wanted = ({ status }) => asked.status === "all" || (asked.status ? status === asked.status : status !== "canceled");
      return page(customers.flatMap(({ subscriptions }) => subscriptions).filter(wanted), asked, "subscription");
    },
  ],
  [
    "/v1/products/{id}/features",
    PAGE,
    [],
    (account, asked) => {
      const sold = account.products.get(asked.id) ?? missing(404, "product", asked.id, "product");
      const attached = ([id, feature]) => ({
        id,
        object: "product_feature",
        entitlement_feature: account.features.get(feature),
        livemode: account.livemode,
      });
      return page(sold.map(attached), asked, "product feature");
    },
  ],
].map(([path, parameters, expandable, answer]) => ({
  name: path,
  path: new RegExp(`^${path.replace("{id}", "([^/]+)")}$`),
  parameters,
  expandable,
  answer,
}));

const whole = (account, item) => ({ ...item, feature: account.features.get(item.feature) });

/** The customer that a list is of. Of a deleted one nothing is listed: known of entitlements, guessed of subscriptions. */
function customerOf(account, { customer }) {
  const found = account.customers.get(customer);
  return found && !found.deleted ? found : missing(400, "customer", customer, "customer");
}

function page(items, asked, noun) {
  const limit = limitOf(asked.limit);
  const { starting_after: after, ending_before: before } = asked;
  if (after !== undefined && before !== undefined) {
    refuse(400, "Received both starting_after and ending_before parameters. Please pass in only one.");
  }
  const cursor = (param) => place(items, asked[param]) ?? missing(400, noun, asked[param], param);
  const list = (start, end, has_more) => ({ object: "list", data: items.slice(start, end), has_more, url: asked.path });
  if (before !== undefined) {
    const end = cursor("ending_before");
    return list(Math.max(0, end - limit), end, end > limit);
  }
  const start = after === undefined ? 0 : cursor("starting_after") + 1;
  return list(start, start + limit, start + limit < items.length);
}

function limitOf(text = "10") {
  const wrong = (message) => refuse(400, message, { code: "parameter_invalid_integer", param: "limit" });
  if (!/^-?\d+$/.test(text)) wrong(`Invalid integer: ${text}`);
  if (Number(text) < 1) wrong("This value must be greater than or equal to 1.");
  if (Number(text) > 100) wrong(`This value must be less than or equal to 100 (it currently is '${text}').`);
  return Number(text);
}

const places = new WeakMap();

/** Where an id stands in a list: looked up, since 100,000 entitlements are read in 1,000 pages. */
function place(items, id) {
  if (!places.has(items)) places.set(items, new Map(items.map((item, index) => [item.id, index])));
  return places.get(items).get(id);
}

/** The parameters of a request. Stripe refuses those it does not know; an array's brackets may hold an index. */
function read(query, { parameters, expandable }) {
  const named = [...query].map(([name, value]) => [name.replace(/\[\d*\]$/, ""), value]);
  const unknown = named.map(([name]) => name).filter((name) => name !== "expand" && !parameters.includes(name));
  if (unknown.length) {
    const message = `Received unknown parameter${unknown.length > 1 ? "s" : ""}: ${unknown.join(", ")}`;
    refuse(400, message, { code: "parameter_unknown", param: unknown[0] });
  }
  const empty = named.find(([, value]) => value === "");
  if (empty) refuse(400, `You passed an empty string for '${empty[0]}'.`, { code: "parameter_invalid_empty", param: empty[0] });
  const expand = named.filter(([name]) => name === "expand").map(([, value]) => value);
  const solid = expand.find((value) => !expandable.includes(value));
  if (solid) refuse(400, `This property cannot be expanded (${solid}).`);
  return { ...Object.fromEntries(named), expand };
}

/** An answer that is an error, in Stripe's envelope. */
class Refusal extends Error {
  constructor(status, message, { code, param, headers = {} } = {}) {
    super(message);
    const type = status >= 500 ? "api_error" : "invalid_request_error";
    const doc_url = code && `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}`;
    Object.assign(this, { status, headers, body: { error: { code, doc_url, message, param, type } } });
  }
}

function refuse(...refusal) {
  throw new Refusal(...refusal);
}

const missing = (status, noun, id, param) => refuse(status, `No such ${noun}: '${id}'`, { code: "resource_missing", param });

const NO_KEY = "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth.";
const NO_ROUTE = "Please see https://stripe.com/docs or we can help at https://support.stripe.com/.";
const mask = (key) => `${key.slice(0, 8)}****${key.slice(-4)}`;

/** What Stripe says with a status. */
const STATUSES = {
  401: (key) => [`Invalid API Key provided: ${mask(key)}`],
  403: (key) => [`The provided key '${mask(key)}' does not have the required permissions for this endpoint.`],
  429: () => [
    "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
    { code: "rate_limit", headers: { "stripe-rate-limited-reason": "global-rate" } },
  ],
};

function refuseWith({ status, retryAfter, shouldRetry }, key) {
  const [message, { code, headers } = {}] = STATUSES[status]?.(key) ?? ["An unknown error occurred"];
  const asked = Object.entries({ "retry-after": retryAfter, "stripe-should-retry": shouldRetry });
  const said = asked.filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)]);
  refuse(status, message, { code, headers: { ...headers, ...Object.fromEntries(said) } });
}

const ENDLESS = 32 * 1024 * 1024;

const send = (response, { status, headers, body }) => {
  response.writeHead(status, { ...headers, "content-length": body.length }).end(body);
};

/** The ways in which an answer is spoilt. Each is given the one that would have been sent. */
const FAULTS = {
  cut(response, { status, headers, body }) {
    response.writeHead(status, { ...headers, "content-length": body.length });
    response.write(body.subarray(0, body.length / 2), () => response.destroy());
  },
  refuse: (response) => response.destroy(),
  malformed: (response, { headers, body }) => send(response, { status: 200, headers, body: body.subarray(0, body.length / 2) }),
  shape: (response, { headers }) => send(response, { status: 200, headers, body: Buffer.from('{"object":"list","data":{}}') }),
  // Made in `#found`: the list has to be read without its cursor.
  loop: send,
  never() {},
  // It is JSON to the end, so that only a limit on its length refuses it.
  endless(response, { headers, body }) {
    const blank = Buffer.alloc(64 * 1024, " ");
    const parts = function* () {
      for (let sent = 0; sent < ENDLESS; sent += blank.length) yield blank;
      yield body;
    };
    // Who listens may well hang up: that is no error here.
    pipeline(Readable.from(parts()), response.writeHead(200, headers), () => {});
  },
};

class StandIn extends Account {
  /** Every request so far, in order. A test may empty it. */
  calls = [];
  /** Awaited before an answer is computed, if set. */
  beforeAnswer;
  #faults = [];
  /** By customer; `undefined` is everybody. */
  #always = new Map();
  #held = new Map();
  #arrivals = new EventEmitter();
  // A connection that the Worker has kept is not closed under its next request.
  #server = createServer({ keepAliveTimeout: 0 }, (request, response) => this.#receive(request, response));

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
    return this;
  }

  stop() {
    return new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  /** Lets the next requests fail, one fault each; an `undefined` lets one through. */
  fail(...faults) {
    faults.forEach(assertFault);
    this.#faults.push(...faults);
  }

  /** Lets every request fail that no other fault is for, or each about one customer, until told `undefined`. */
  failAlways(fault, customer) {
    assertFault(fault);
    this.#always.set(customer, fault);
  }

  /**
   * Computes answers to what arrives from now on at once, and sends them when `release()` is called.
   * With a customer, to what is asked of this one.
   */
  hold(customer) {
    let release;
    const held = new Promise((resolve) => (release = resolve));
    this.#held.set(customer, held);
    return () => {
      if (this.#held.get(customer) === held) this.#held.delete(customer);
      release();
    };
  }

  /** The requests for one customer's list so far. */
  lists(customer) {
    return this.calls.filter(({ path, query }) => path === ROUTES[0].name && query.get("customer") === customer);
  }

  /** Waits until `calls` has `n` requests, or as many for one customer's list. Their answers are computed then, if no hook delays it. */
  async arrived(n, customer) {
    const calls = () => (customer === undefined ? this.calls : this.lists(customer));
    while (calls().length < n) await once(this.#arrivals, "call");
  }

  /** What the Worker has to be told to ask here. */
  get settings() {
    return { STRIPE_API_KEY: this.key, STRIPE_API_BASE: this.url };
  }

  async #receive(request, response) {
    const [path, search] = request.url.split(/\?(.*)/s);
    const { method, headers } = request;
    const call = { method, path, query: new URLSearchParams(search), headers, at: Date.now() };
    this.calls.push(call);
    const customer = call.query.get("customer") ?? /^\/v1\/customers\/([^/]+)$/.exec(unescape(path))?.[1];
    const own = (settings) => settings.get(customer) ?? settings.get(undefined);
    const fault = this.#faults.length ? this.#faults.shift() : own(this.#always);
    const held = own(this.#held);
    const computed = this.#computed(call, fault);
    this.#arrivals.emit("call");
    const answer = await computed;
    await held;
    if (response.destroyed) return;
    (FAULTS[fault] ?? send)(response, answer);
  }

  /** The answer by the state of this moment: without a hook nothing comes in between. */
  async #computed(call, fault) {
    if (this.beforeAnswer) await this.beforeAnswer(call);
    const version = call.headers["stripe-version"] ?? "2026-10-28.endive";
    const headers = { "content-type": "application/json", "request-id": `req_${randomUUID().slice(-12)}`, "stripe-version": version };
    const answer = (status, more, body) => ({ status, headers: { ...headers, ...more }, body: Buffer.from(JSON.stringify(body, null, 2)) });
    try {
      if (fault?.status) refuseWith(fault, this.key);
      return answer(200, {}, this.#found(call, fault === "loop"));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return answer(error.status, error.headers, error.body);
    }
  }

  #found({ method, path, query, headers }, loops) {
    const [, key] = /^Bearer (.+)$/i.exec(headers.authorization ?? "") ?? [];
    if (!key) refuse(401, NO_KEY);
    if (key !== this.key) refuseWith({ status: 401 }, key);
    const route = method === "GET" && ROUTES.find((route) => route.path.test(path));
    if (!route) refuse(404, `Unrecognized request URL (${method}: ${path}). ${NO_ROUTE}`);
    const [, id = ""] = route.path.exec(path);
    const asked = { ...read(query, route), path, id: unescape(id) };
    if (!loops) return route.answer(this, asked);
    return { ...route.answer(this, { ...asked, starting_after: undefined, ending_before: undefined }), has_more: true };
  }
}

function assertFault(fault) {
  assert.ok(fault === undefined || Number.isInteger(fault.status) || Object.hasOwn(FAULTS, fault), `no such fault: ${fault}`);
}
