// HTTP client with a server key: checks, tokens and snapshots.
//
// Checks in the same turn of the event loop are sent as one request, and identical ones only once.

import { normalizeEndpoint } from "../endpoint.js";
import { GateError } from "../error.js";
import type { Feature } from "../features.js";

export interface ClientOptions {
  endpoint: string;
  /** A server key, `sk_…`. */
  key: string;
  fetch?: typeof fetch;
}

export interface Question {
  customer: string;
  feature: Feature;
  /** The answer is of this version or a newer one. */
  atLeast?: number;
  /** Reads the ledger instead of the replica. */
  fresh?: boolean;
}

/** A result of `POST /v1/check`. */
export interface Checked {
  object: "entitlement_check";
  customer: string;
  feature: string;
  entitled: boolean;
  reason: "active_entitlement" | "not_entitled" | "unknown_customer";
  version: number;
  as_of: number | null;
  served_by: "replica" | "ledger" | "source";
}

/** A customer token, as `POST /v1/tokens` returns it. */
export interface Minted {
  customer: string;
  token: string;
  expires_at: number;
  livemode: boolean;
}

export interface Client {
  /** Checks whether the customer may use the feature. Rejects if that is not known: a failure is not a denial. */
  check(question: Question): Promise<Checked>;
  /** Creates a token of one customer, for the browser of that customer. */
  token(customer: string, options?: { expiresIn?: number }): Promise<Minted>;
  /** Fetches the customer's set as a signed snapshot, for server-side rendering. */
  snapshot(customer: string, options?: { expiresIn?: number; atLeast?: number; fresh?: boolean }): Promise<string>;
}

/** The limit of `POST /v1/check`. */
const MAX_CHECKS_PER_REQUEST = 100;

interface PendingCheck {
  body: Record<string, unknown>;
  resolve(checked: Checked): void;
  reject(error: unknown): void;
}

export function createClient({ endpoint, key, fetch: send = fetch.bind(globalThis) }: ClientOptions): Client {
  const baseUrl = normalizeEndpoint(endpoint);
  let pending = new Map<string, { promise: Promise<Checked> } & PendingCheck>();

  const request = async (path: string, body?: unknown) => {
    const response = await send(baseUrl + path, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    });
    if (!response.ok) throw await GateError.of(response);
    return response.json();
  };

  const sendBatch = async (batch: PendingCheck[]) => {
    try {
      const { data } = await request("/v1/check", { checks: batch.map(({ body }) => body) });
      for (const [index, { resolve, reject }] of batch.entries()) {
        const checked = data[index];
        const { message, code } = checked?.error ?? {};
        if (typeof checked?.entitled === "boolean") resolve(checked);
        else reject(new GateError(message ?? "the response has no result for this check", code ?? "api_error"));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  return {
    check({ customer, feature, atLeast, fresh }) {
      const body = { customer, feature, at_least: atLeast, fresh };
      const id = JSON.stringify(body);
      const duplicate = pending.get(id);
      if (duplicate) return duplicate.promise;
      if (!pending.size) {
        // Runs after the current task, which can start more checks.
        setTimeout(() => {
          const checks = [...pending.values()];
          pending = new Map();
          for (let start = 0; start < checks.length; start += MAX_CHECKS_PER_REQUEST)
            void sendBatch(checks.slice(start, start + MAX_CHECKS_PER_REQUEST));
        });
      }
      let callbacks!: Pick<PendingCheck, "resolve" | "reject">;
      const promise = new Promise<Checked>((resolve, reject) => {
        callbacks = { resolve, reject };
      });
      pending.set(id, { body, promise, ...callbacks });
      return promise;
    },
    token: (customer, { expiresIn } = {}) => request("/v1/tokens", { customer, expires_in: expiresIn }),
    async snapshot(customer, { expiresIn, atLeast, fresh } = {}) {
      const params = new URLSearchParams({ customer });
      for (const [name, value] of Object.entries({ expires_in: expiresIn, at_least: atLeast, fresh })) {
        if (value !== undefined) params.set(name, String(value));
      }
      return (await request(`/v1/snapshot?${params}`)).snapshot;
    },
  };
}
