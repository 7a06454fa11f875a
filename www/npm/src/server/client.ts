// Checks over HTTP, with a server key. Those that are asked in one moment travel in one request, and the same
// question travels once.

import { base } from "../endpoint.js";
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
  /** A version you know of: the answer is that or newer. */
  atLeast?: number;
  /** Asks the ledger instead of the replica. */
  fresh?: boolean;
}

/** An answer, as `POST /v1/check` has it. */
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

/** A token for one customer's browser, as `POST /v1/tokens` has it. */
export interface Minted {
  customer: string;
  token: string;
  expires_at: number;
  livemode: boolean;
}

export interface Client {
  /** May the customer use the feature? Rejects where it is not known, which is not a no. */
  check(question: Question): Promise<Checked>;
  /** A token that opens this one customer, to be handed to that customer's browser. */
  token(customer: string, options?: { expiresIn?: number }): Promise<Minted>;
  /** The customer's set, signed: a page that is rendered with it needs no request before it shows. */
  snapshot(customer: string, options?: { expiresIn?: number; atLeast?: number; fresh?: boolean }): Promise<string>;
}

/** As many checks as one request may have. */
const LIMIT = 100;

interface Waiting {
  question: Record<string, unknown>;
  resolve(checked: Checked): void;
  reject(error: unknown): void;
}

export function createClient({ endpoint, key, fetch: send = fetch.bind(globalThis) }: ClientOptions): Client {
  const at = base(endpoint);
  let waiting = new Map<string, { asked: Promise<Checked> } & Waiting>();

  const ask = async (path: string, body?: unknown) => {
    const response = await send(at + path, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    });
    if (!response.ok) throw await GateError.of(response);
    return response.json();
  };

  const flush = async (batch: Waiting[]) => {
    try {
      const { data } = await ask("/v1/check", { checks: batch.map(({ question }) => question) });
      batch.forEach(({ resolve, reject }, place) => {
        const checked = data[place];
        if (typeof checked?.entitled === "boolean") return resolve(checked);
        const { message, code } = checked?.error ?? {};
        reject(new GateError(message ?? "the edge gave no answer", code ?? "api_error"));
      });
    } catch (error) {
      batch.forEach(({ reject }) => reject(error));
    }
  };

  return {
    check({ customer, feature, atLeast, fresh }) {
      const question = { customer, feature, at_least: atLeast, fresh };
      const same = JSON.stringify(question);
      const known = waiting.get(same);
      if (known) return known.asked;
      if (!waiting.size) {
        // After what runs now has asked all that it asks.
        setTimeout(() => {
          const all = [...waiting.values()];
          waiting = new Map();
          for (let at = 0; at < all.length; at += LIMIT) void flush(all.slice(at, at + LIMIT));
        });
      }
      let callbacks!: Pick<Waiting, "resolve" | "reject">;
      const asked = new Promise<Checked>((resolve, reject) => (callbacks = { resolve, reject }));
      waiting.set(same, { question, asked, ...callbacks });
      return asked;
    },
    token: (customer, { expiresIn } = {}) => ask("/v1/tokens", { customer, expires_in: expiresIn }),
    async snapshot(customer, { expiresIn, atLeast, fresh } = {}) {
      const params = new URLSearchParams({ customer });
      for (const [name, value] of Object.entries({ expires_in: expiresIn, at_least: atLeast, fresh })) {
        if (value !== undefined) params.set(name, String(value));
      }
      return (await ask(`/v1/snapshot?${params}`)).snapshot;
    },
  };
}
