// The routes of the fake Stripe API: the parameters that Stripe accepts, its lists, its errors.
//
// `handle` takes a parsed request and the account, and returns the JSON of the response or throws an `ApiError`.
// Faults and the HTTP server are in fake-stripe.mjs. Only reading is implemented.
//
// Messages and statuses are Stripe's where they are known. Three details are guesses: the order of a list, the
// message for a bad `limit`, and the noun of "No such …" for everything but a customer. https://docs.stripe.com/api

import { unescape as percentDecode } from "node:querystring";

/** @import { Customer, Entitlement, FakeAccount } from "./fake-stripe-account.mjs" */

/**
 * @typedef {object} ApiRequest
 * @property {string} path
 * @property {string} id The id in the path, or an empty string.
 * @property {string[]} expand
 * @property {string[]} types The values of `types[]`.
 * @property {Record<string, string>} created The bounds `created[gte]` and so on.
 * @property {Record<string, string | undefined>} params
 */

/**
 * @typedef {object} Route
 * @property {string} path With `{id}` for an id.
 * @property {string[]} parameters The parameters that Stripe accepts.
 * @property {string[]} expandable What `expand` may name.
 * @property {(account: FakeAccount, request: ApiRequest) => object} respond
 */

export const LIST_PATH = "/v1/entitlements/active_entitlements";
export const EVENTS_PATH = "/v1/events";

const PAGE_PARAMETERS = ["limit", "starting_after", "ending_before"];

/** @type {Route[]} */
const ROUTES = [
  {
    path: LIST_PATH,
    parameters: ["customer", ...PAGE_PARAMETERS],
    expandable: ["data.feature"],
    respond(account, request) {
      if (request.params.customer === undefined) {
        throw new ApiError(400, "Missing required param: customer.", { code: "parameter_missing", param: "customer" });
      }
      const list = page(existingCustomer(account, request.params.customer).entitlements, request, "active entitlement");
      return request.expand.length ? { ...list, data: list.data.map((item) => expandFeature(account, item)) } : list;
    },
  },
  {
    path: `${LIST_PATH}/{id}`,
    parameters: [],
    expandable: ["feature"],
    respond(account, { id, expand }) {
      for (const { entitlements } of account.customers.values()) {
        const index = indexOf(entitlements, id);
        if (index !== undefined) return expand.length ? expandFeature(account, entitlements[index]) : entitlements[index];
      }
      throw missing(404, "active entitlement", id, "id");
    },
  },
  {
    path: "/v1/entitlements/features",
    parameters: ["archived", "lookup_key", ...PAGE_PARAMETERS],
    expandable: [],
    respond(account, request) {
      const { archived, lookup_key: wanted } = request.params;
      if (!["true", "false", undefined].includes(archived)) {
        throw new ApiError(400, `Invalid boolean: ${archived}`, { param: "archived" });
      }
      const active = archived !== "true";
      const features = [...account.features.values()].filter(
        (feature) => feature.active === active && [undefined, feature.lookup_key].includes(wanted),
      );
      return page(features, request, "feature");
    },
  },
  {
    path: "/v1/entitlements/features/{id}",
    parameters: [],
    expandable: [],
    respond: (account, { id }) => account.features.get(id) ?? raise(missing(404, "feature", id, "id")),
  },
  {
    path: EVENTS_PATH,
    parameters: ["type", "types", "created", "delivery_success", ...PAGE_PARAMETERS],
    expandable: [],
    respond(account, request) {
      const { types, created } = request;
      if (types.length > 20) throw new ApiError(400, "Invalid array: types may contain at most 20 values.", { param: "types" });
      const events = account.events.filter(
        (event) =>
          (types.length === 0 || types.includes(event.type)) && (created.gte === undefined || event.created >= Number(created.gte)),
      );
      return page(events, request, "event");
    },
  },
  {
    path: "/v1/customers/{id}",
    parameters: [],
    expandable: [],
    respond(account, request) {
      const { id, deleted } = account.customers.get(request.id) ?? raise(missing(404, "customer", request.id, "id"));
      if (deleted) return { id, object: "customer", deleted };
      return { id, object: "customer", created: 1_700_000_000, email: null, livemode: account.livemode, metadata: {}, name: null };
    },
  },
  {
    path: "/v1/subscriptions",
    parameters: ["customer", "status", ...PAGE_PARAMETERS],
    expandable: [],
    respond(account, request) {
      const { customer, status: wanted } = request.params;
      const customers = customer === undefined ? [...account.customers.values()] : [existingCustomer(account, customer)];
      const subscriptions = customers
        .flatMap(({ subscriptions }) => subscriptions)
        .filter(({ status }) => wanted === "all" || (wanted ? status === wanted : status !== "canceled"));
      return page(subscriptions, request, "subscription");
    },
  },
  {
    path: "/v1/products",
    parameters: ["active", ...PAGE_PARAMETERS],
    expandable: [],
    respond(account, request) {
      const products = Array.from(account.products.keys(), (id) => ({
        id,
        object: "product",
        active: true,
        created: 1_700_000_000,
        description: null,
        images: [],
        livemode: account.livemode,
        marketing_features: [],
        metadata: {},
        name: `Product ${id}`,
        package_dimensions: null,
        shippable: null,
        tax_code: null,
        type: "service",
        updated: 1_700_000_000,
        url: null,
      }));
      return page(products, request, "product");
    },
  },
  {
    path: "/v1/products/{id}/features",
    parameters: PAGE_PARAMETERS,
    expandable: [],
    respond(account, request) {
      const attached = account.products.get(request.id) ?? raise(missing(404, "product", request.id, "product"));
      const features = attached.map(([id, feature]) => ({
        id,
        object: "product_feature",
        entitlement_feature: account.features.get(feature),
        livemode: account.livemode,
      }));
      return page(features, request, "product feature");
    },
  },
];

const PATTERNS = ROUTES.map((route) => ({ route, pattern: new RegExp(`^${route.path.replace("{id}", "([^/]+)")}$`) }));

const UNKNOWN_ROUTE = "Please see https://stripe.com/docs or we can help at https://support.stripe.com/.";

/**
 * Computes the response to an authenticated request. With `ignoreCursor` a list always returns its first page.
 *
 * @param {FakeAccount} account
 * @param {{ method: string, path: string, query: URLSearchParams }} call
 * @param {boolean} ignoreCursor
 */
export function handle(account, { method, path, query }, ignoreCursor) {
  const match = method === "GET" ? PATTERNS.find(({ pattern }) => pattern.test(path)) : undefined;
  if (!match) throw new ApiError(404, `Unrecognized request URL (${method}: ${path}). ${UNKNOWN_ROUTE}`);
  const { route, pattern } = match;
  const [, id = ""] = pattern.exec(path) ?? [];
  const request = { ...parseParams(query, route), path, id: percentDecode(id) };
  if (!ignoreCursor) return route.respond(account, request);
  const params = { ...request.params, starting_after: undefined, ending_before: undefined };
  return { ...route.respond(account, { ...request, params }), has_more: true };
}

/**
 * Parses the parameters of a request. Stripe rejects unknown ones; the brackets of an array may contain an index.
 *
 * @param {URLSearchParams} query
 * @param {Route} route
 */
function parseParams(query, { parameters, expandable }) {
  const all = [...query].map(([name, value]) => [name.replace(/\[\d*\]$/, ""), value]);
  /** @param {string} name */
  const bound = (name) => /^created\[(gte?|lte?)\]$/.exec(name)?.[1];
  const created = Object.fromEntries(all.filter(([name]) => bound(name)).map(([name, value]) => [bound(name), value]));
  const params = all.map(([name, value]) => [bound(name) ? "created" : name, value]);
  const unknown = params.map(([name]) => name).filter((name) => name !== "expand" && !parameters.includes(name));
  if (unknown.length) {
    const message = `Received unknown parameter${unknown.length > 1 ? "s" : ""}: ${unknown.join(", ")}`;
    throw new ApiError(400, message, { code: "parameter_unknown", param: unknown[0] });
  }
  const empty = params.find(([, value]) => value === "");
  if (empty) {
    throw new ApiError(400, `You passed an empty string for '${empty[0]}'.`, { code: "parameter_invalid_empty", param: empty[0] });
  }
  const expand = params.filter(([name]) => name === "expand").map(([, value]) => value);
  const rejected = expand.find((value) => !expandable.includes(value));
  if (rejected) throw new ApiError(400, `This property cannot be expanded (${rejected}).`);
  const types = params.filter(([name]) => name === "types").map(([, value]) => value);
  return { params: Object.fromEntries(params), expand, types, created };
}

/**
 * One page of a list, as Stripe returns it.
 *
 * @template {{ id: string }} Item
 * @param {Item[]} items
 * @param {ApiRequest} request
 * @param {string} noun
 */
function page(items, { params, path }, noun) {
  const limit = parseLimit(params.limit);
  const { starting_after: after, ending_before: before } = params;
  if (after !== undefined && before !== undefined) {
    throw new ApiError(400, "Received both starting_after and ending_before parameters. Please pass in only one.");
  }
  /** @param {string} id @param {string} param */
  const cursor = (id, param) => indexOf(items, id) ?? raise(missing(400, noun, id, param));
  /** @param {number} start @param {number} end @param {boolean} has_more */
  const list = (start, end, has_more) => ({ object: "list", data: items.slice(start, end), has_more, url: path });
  if (before !== undefined) {
    const end = cursor(before, "ending_before");
    return list(Math.max(0, end - limit), end, end > limit);
  }
  const start = after === undefined ? 0 : cursor(after, "starting_after") + 1;
  return list(start, start + limit, start + limit < items.length);
}

function parseLimit(text = "10") {
  /** @param {string} message */
  const invalid = (message) => new ApiError(400, message, { code: "parameter_invalid_integer", param: "limit" });
  if (!/^-?\d+$/.test(text)) throw invalid(`Invalid integer: ${text}`);
  if (Number(text) < 1) throw invalid("This value must be greater than or equal to 1.");
  if (Number(text) > 100) throw invalid(`This value must be less than or equal to 100 (it currently is '${text}').`);
  return Number(text);
}

/** @type {WeakMap<{ id: string }[], Map<string, number>>} */
const indexes = new WeakMap();

/**
 * The index of an id in a list. It uses a map, since a test reads 100,000 entitlements in 1,000 pages.
 *
 * @param {{ id: string }[]} items
 * @param {string} id
 */
function indexOf(items, id) {
  const index = indexes.get(items) ?? new Map(items.map((item, position) => [item.id, position]));
  indexes.set(items, index);
  return index.get(id);
}

/**
 * The customer of a list. A deleted customer has no lists: documented for entitlements, a guess for subscriptions.
 *
 * @param {FakeAccount} account
 * @param {string} id
 * @returns {Customer}
 */
function existingCustomer(account, id) {
  const customer = account.customers.get(id);
  if (!customer || customer.deleted) throw missing(400, "customer", id, "customer");
  return customer;
}

/**
 * @param {FakeAccount} account
 * @param {Entitlement} item
 */
const expandFeature = (account, item) => ({ ...item, feature: account.features.get(item.feature) });

/** An error response, in Stripe's envelope. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {{ code?: string, param?: string, headers?: Record<string, string> }} [details]
   */
  constructor(status, message, { code, param, headers = {} } = {}) {
    super(message);
    const type = status >= 500 ? "api_error" : "invalid_request_error";
    const doc_url = code && `https://stripe.com/docs/error-codes/${code.replaceAll("_", "-")}`;
    this.status = status;
    this.headers = headers;
    this.body = { error: { code, doc_url, message, param, type } };
  }
}

/**
 * Throws in an expression.
 *
 * @param {Error} error
 * @returns {never}
 */
function raise(error) {
  throw error;
}

/**
 * @param {number} status
 * @param {string} noun
 * @param {string} id
 * @param {string} param
 */
const missing = (status, noun, id, param) => new ApiError(status, `No such ${noun}: '${id}'`, { code: "resource_missing", param });
