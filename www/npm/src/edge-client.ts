// HTTP client for one customer's entitlement set.
//
// It reads a signed snapshot (`GET /v1/snapshot`). If the edge signs none, it reads the list instead, page by page
// (`GET /v1/entitlements/active_entitlements`), and reads only the list from then on. Not here: retries and caching
// (`gate-impl.ts`), and the stream (`stream.ts`).

import type { Clock } from "./clock.js";
import { GateError } from "./error.js";
import type { Options } from "./options.js";
import { type ReceivedSet, readSnapshot } from "./snapshot.js";
import type { BearerToken } from "./token.js";
import { withTimeout } from "./waiting.js";

export interface EdgeClient {
  /** Reads the set, at this version or newer; with `fresh` from the ledger. */
  fetchSet(atLeast: number, fresh: boolean): Promise<ReceivedSet | undefined>;
  /**
   * Sends a request with the token, for the customer of the options. Repeats it once with another token if the first is
   * rejected.
   */
  send(path: string, init: { headers?: Record<string, string>; signal: AbortSignal }, params?: object): Promise<Response>;
}

const DEFAULT_EXPIRES_IN = 3_600;

/** The timeout of a read, in milliseconds: some networks drop requests silently. */
const READ_TIMEOUT = 15_000;

/** The limit of a list: a customer has at most 100,000 entitlements, 100 on a page. */
const MAX_PAGES = 1_000;

export function createEdgeClient(options: Options, getToken: (isRejected?: boolean) => Promise<BearerToken>, now: Clock): EdgeClient {
  const { endpoint, customer, expiresIn = DEFAULT_EXPIRES_IN, token } = options;

  const send: EdgeClient["send"] = async (path, { headers, signal }, params) => {
    const query = new URLSearchParams({ ...(customer !== undefined && { customer }), ...params });
    for (let isRetry = false; ; isRetry = true) {
      const { value } = await getToken(isRetry);
      const response = await (options.fetch ?? fetch)(`${endpoint + path}?${query}`, {
        cache: "no-store",
        credentials: "omit",
        headers: { ...headers, authorization: `Bearer ${value}` },
        signal,
      });
      if (response.status !== 401 || isRetry || typeof token === "string") return response;
    }
  };

  /** Returns the headers and the body. */
  const get = (path: string, params: object) =>
    withTimeout(READ_TIMEOUT, async (signal): Promise<[Headers, string]> => {
      const response = await send(path, { signal }, params);
      if (!response.ok) throw await GateError.of(response);
      return [response.headers, await response.text()];
    });

  const fetchList = async (freshness: { at_least?: string }): Promise<ReceivedSet> => {
    const messages: string[] = [];
    for (let cursor = {}, pages = 0; pages < MAX_PAGES; pages++) {
      const [headers, page] = await get("/v1/entitlements/active_entitlements", { limit: 100, ...freshness, ...cursor });
      if (!messages.length) {
        const [version, asOf] = [headers.get("entgate-version"), headers.get("entgate-as-of")];
        const as_of = version && !asOf ? null : +(asOf ?? 0);
        // A response without a version is at least as new as the requested one.
        messages.push(JSON.stringify({ version: +(version ?? freshness.at_least ?? 0), exp: Math.ceil(now()) + expiresIn, as_of }));
      }
      messages.push(page);
      const { data, has_more } = JSON.parse(page);
      if (!has_more) break;
      cursor = { starting_after: data.at(-1).id };
    }
    return { messages, expiresAt: now() + expiresIn };
  };

  let hasSnapshots = true;
  return {
    send,
    async fetchSet(atLeast, fresh) {
      const freshness = { ...(atLeast > 0 && { at_least: `${atLeast}` }), ...(fresh && { fresh }) };
      if (hasSnapshots) {
        try {
          const [, body] = await get("/v1/snapshot", { expires_in: expiresIn, ...freshness });
          return readSnapshot(JSON.parse(body).snapshot, now(), true);
        } catch (error) {
          const { status, retryAfter } = error as GateError;
          // These statuses without `Retry-After` are permanent: no such route, no signing key, or a set larger than a snapshot.
          if (![400, 404, 503].includes(status as number) || retryAfter) throw error;
          hasSnapshots = false;
        }
      }
      return fetchList(freshness);
    },
  };
}
