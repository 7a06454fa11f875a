// Requests to entgate's API with a server key.
//
// Takes parameters under JavaScript's names, sends them under the API's names, and returns the JSON of the response. Not here: which
// requests there are.

import { normalizeEndpoint } from "../endpoint.js";
import { GateError } from "../error.js";
import { DEFAULT_TIMEOUT, fetchJson } from "./http.js";

export interface ClientOptions {
  endpoint: string;
  /** A server key, `sk_…`. */
  key: string;
  /**
   * The longest time that a request may take, in milliseconds. It then fails with the code `timeout`. The default is 2,000, and 15,000
   * for `sync` and `explain`.
   */
  timeout?: number;
  fetch?: typeof fetch;
}

/** Parameters by name. `undefined` and `null` are absent ones. */
export type Parameters = { readonly [name: string]: unknown };

export interface RequestOptions {
  headers?: Record<string, string>;
  /** Whether entgate reads from the source for the response. */
  readsSource?: boolean;
  /** The time in milliseconds that entgate may wait before it responds. */
  wait?: number;
}

/** Sends a request: the parameters of a `GET` as query string, all others as JSON. */
export type Api = <Response>(
  method: "GET" | "POST" | "DELETE",
  path: string,
  parameters?: Parameters,
  options?: RequestOptions,
) => Promise<Response>;

/** The default timeout of requests for which entgate reads from the source, in milliseconds: it gives a read ten seconds. */
const SOURCE_TIMEOUT = 15_000;

export function createApi({ endpoint, key, timeout, fetch: send = fetch.bind(globalThis) }: ClientOptions): Api {
  const baseUrl = normalizeEndpoint(endpoint);
  return (method, path, parameters = {}, { headers, readsSource, wait = 0 } = {}) => {
    const milliseconds = (timeout ?? (readsSource ? SOURCE_TIMEOUT : DEFAULT_TIMEOUT)) + wait;
    const named = Object.entries(parameters).map(([name, value]) => [toSnakeCase(name), value] as const);
    const init = { method, headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers } };
    if (method !== "GET") {
      return fetchJson(send, baseUrl + path, milliseconds, { ...init, body: JSON.stringify(Object.fromEntries(named)) });
    }
    const query = `${toQuery(named)}`;
    return fetchJson(send, baseUrl + path + (query && `?${query}`), milliseconds, init);
  };
}

const toSnakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Encodes parameters as a query string. The members of an object are `name[member]`. */
function toQuery(parameters: Iterable<readonly [string, unknown]>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of parameters) {
    const members =
      value instanceof Object ? Object.entries(value).map(([member, inner]) => [`${name}[${member}]`, inner]) : [[name, value]];
    for (const [full, inner] of members) if (inner != null) query.set(full, String(inner));
  }
  return query;
}

/**
 * Joins the path of a route and an id. Throws if the id is none: an empty one, `.` and `..` would be the path of another route.
 *
 * @param name The parameter that the error names.
 */
export function withId(path: string, name: string, id: string): string {
  if (typeof id !== "string" || /^\.{0,2}$/.test(id)) throw new GateError(`\`${name}\` has to be an id`, "parameter_invalid");
  return `${path}/${encodeURIComponent(id)}`;
}

/** The path of a customer. */
export const customerPath = (customer: string) => withId("/v1/customers", "customer", customer);
