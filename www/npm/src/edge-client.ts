// HTTP client for one customer's entitlement set.
//
// It reads a signed snapshot (`GET /v1/snapshot`). If the edge signs none, it reads the list instead, page by page
// (`GET /v1/entitlements/active_entitlements`), and reads only the list from then on. Not here: retries and caching
// (`gate-impl.ts`), and the stream (`stream.ts`).

import { now } from "./clock.js";
import { GateError } from "./error.js";
import { parseJwt } from "./jwt.js";
import type { Options } from "./options.js";
import type { BearerToken } from "./token.js";

export interface FetchedSet {
  /** The JSON messages for `Core.load`, newest first. */
  messages: string[];
  /** How far the edge's clock is ahead of this machine's, in seconds. */
  clockSkew: number;
  /** The signed snapshot that contains the whole set. */
  snapshot?: string;
}

export interface EdgeClient {
  /** Reads the set, at this version or newer; with `fresh` from the ledger. */
  fetchSet(atLeast: number, fresh: boolean): Promise<FetchedSet>;
  /** Sends a request with the token, and repeats it once with another token if the first is rejected. */
  request(path: string, init?: RequestInit): Promise<Response>;
}

const DEFAULT_EXPIRES_IN = 3_600;

/** The timeout of a read, in milliseconds: some networks drop requests silently. */
const READ_TIMEOUT = 15_000;

/** The limit of a list: a customer has at most 100,000 entitlements, 100 on a page. */
const MAX_PAGES = 1_000;

export function createEdgeClient(options: Options, getToken: (isRejected?: boolean) => Promise<BearerToken>): EdgeClient {
  const { endpoint, customer, expiresIn = DEFAULT_EXPIRES_IN, token } = options;
  const send = options.fetch ?? fetch.bind(globalThis);
  const customerParam: Record<string, string> = customer === undefined ? {} : { customer };

  const request: EdgeClient["request"] = async (path, init = {}) => {
    for (let isRetry = false; ; isRetry = true) {
      const { value } = await getToken(isRetry);
      const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${value}` };
      const response = await send(endpoint + path, { cache: "no-store", credentials: "omit", ...init, headers });
      if (response.status !== 401 || isRetry || typeof token === "string") return response;
    }
  };

  const get = (path: string, params: Record<string, string>) =>
    request(`${path}?${new URLSearchParams({ ...customerParam, ...params })}`, { signal: AbortSignal.timeout?.(READ_TIMEOUT) ?? null });

  const fetchList = async (freshness: Record<string, string>): Promise<FetchedSet> => {
    const messages: string[] = [];
    for (let cursor = {}, pages = 0; pages < MAX_PAGES; pages++) {
      const response = await get("/v1/entitlements/active_entitlements", { limit: "100", ...freshness, ...cursor });
      if (!response.ok) throw await GateError.of(response);
      const page = await response.text();
      if (!messages.length) {
        const [version, asOf] = ["entgate-version", "entgate-as-of"].map((name) => response.headers.get(name));
        const as_of = version && !asOf ? null : +(asOf ?? 0);
        // A response without a version is at least as new as the requested one.
        messages.push(JSON.stringify({ version: +(version ?? freshness.at_least ?? 0), exp: Math.floor(now()) + expiresIn, as_of }));
      }
      messages.push(page);
      const { data, has_more } = JSON.parse(page);
      if (!has_more) break;
      cursor = { starting_after: data.at(-1).id };
    }
    return { messages, clockSkew: 0 };
  };

  let hasSnapshots = true;
  return {
    request,
    async fetchSet(atLeast, fresh) {
      const freshness: Record<string, string> = {
        ...(atLeast ? { at_least: `${atLeast}` } : {}),
        ...(fresh ? { fresh: "true" } : {}),
      };
      if (hasSnapshots) {
        const response = await get("/v1/snapshot", { expires_in: `${expiresIn}`, ...freshness });
        if (response.ok) {
          const { snapshot, expires_at } = await response.json();
          return { messages: [parseJwt(snapshot)?.claims ?? ""], clockSkew: expires_at - expiresIn - now(), snapshot };
        }
        const error = await GateError.of(response);
        // These statuses without `Retry-After` are permanent: no such route, no signing key, or a set larger than a snapshot.
        if (![400, 404, 503].includes(response.status) || error.retryAfter) throw error;
        hasSnapshots = false;
      }
      return fetchList(freshness);
    },
  };
}
