// What the edge says of one customer, asked by HTTP: as a snapshot, or where it signs none as a list.

import { now } from "./clock.js";
import { GateError } from "./error.js";
import { parse } from "./jwt.js";
import type { Options } from "./options.js";
import type { Bearer } from "./token.js";

export interface Told {
  /** The texts, newest first. */
  said: string[];
  /** How many seconds the edge's clock is ahead of ours. */
  skew: number;
  /** The whole, signed. */
  snapshot?: string;
}

export interface Edge {
  /** The set, at least as new as this version; `fresh` asks the ledger. */
  tell(atLeast: number, fresh: boolean): Promise<Told>;
  /** A request that shows the token; another token, where the first one was refused. */
  ask(path: string, more?: RequestInit): Promise<Response>;
}

const LIFETIME = 3_600;

/** How long an answer may take, in milliseconds: some networks lose a request and say nothing. */
const PATIENCE = 15_000;

/** The most pages of a list: 100,000 entitlements are the most that one customer has. */
const PAGES = 1_000;

export function edge(options: Options, bearer: (refused?: boolean) => Promise<Bearer>): Edge {
  const { endpoint, customer, expiresIn = LIFETIME, token } = options;
  const send = options.fetch ?? fetch.bind(globalThis);
  const about = customer === undefined ? {} : { customer };

  const ask: Edge["ask"] = async (path, more = {}) => {
    for (let refused = false; ; refused = true) {
      const { value } = await bearer(refused);
      const headers = { ...(more.headers as Record<string, string>), authorization: `Bearer ${value}` };
      const response = await send(endpoint + path, { cache: "no-store", credentials: "omit", ...more, headers });
      if (response.status !== 401 || refused || typeof token === "string") return response;
    }
  };

  const get = (path: string, params: Record<string, string>) =>
    ask(`${path}?${new URLSearchParams({ ...about, ...params })}`, { signal: AbortSignal.timeout?.(PATIENCE) ?? null });

  const since = (atLeast: number, fresh: boolean): Record<string, string> => ({
    ...(atLeast ? { at_least: `${atLeast}` } : {}),
    ...(fresh ? { fresh: "true" } : {}),
  });

  const list = async (freshness: Record<string, string>): Promise<Told> => {
    const said: string[] = [];
    for (let after = {}, pages = 0; pages < PAGES; pages++) {
      const response = await get("/v1/entitlements/active_entitlements", { limit: "100", ...freshness, ...after });
      if (!response.ok) throw await GateError.of(response);
      const page = await response.text();
      if (!said.length) {
        const [version, asOf] = ["entgate-version", "entgate-as-of"].map((name) => response.headers.get(name));
        // A source that counts nothing is at least where we were.
        const as_of = version && !asOf ? null : +(asOf ?? 0);
        said.push(JSON.stringify({ version: +(version ?? freshness.at_least ?? 0), exp: Math.floor(now()) + expiresIn, as_of }));
      }
      said.push(page);
      const { data, has_more } = JSON.parse(page);
      if (!has_more) break;
      after = { starting_after: data.at(-1).id };
    }
    return { said, skew: 0 };
  };

  let signs = true;
  return {
    ask,
    async tell(atLeast, fresh) {
      const freshness = since(atLeast, fresh);
      if (signs) {
        const response = await get("/v1/snapshot", { expires_in: `${expiresIn}`, ...freshness });
        if (response.ok) {
          const { snapshot, expires_at } = await response.json();
          return { said: [parse(snapshot)?.claims ?? ""], skew: expires_at - expiresIn - now(), snapshot };
        }
        const error = await GateError.of(response);
        // No route, no key, or more than a snapshot holds. Waiting changes none of that, and none says how long.
        if (![400, 404, 503].includes(response.status) || error.retryAfter) throw error;
        signs = false;
      }
      return list(freshness);
    },
  };
}
