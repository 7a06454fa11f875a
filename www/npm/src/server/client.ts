// HTTP client with a server key: checks, tokens and snapshots.
//
// Checks in the same turn of the event loop are sent as one request, and identical ones only once.

import { normalizeEndpoint } from "../endpoint.js";
import { GateError } from "../error.js";
import type { Feature } from "../features.js";
import { DEFAULT_TIMEOUT, fetchJson } from "./http.js";

export interface ClientOptions {
  endpoint: string;
  /** A server key, `sk_…`. */
  key: string;
  /** The longest time that a request may take, in milliseconds; 2,000 by default. It then fails with the code `timeout`. */
  timeout?: number;
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

/** A question about several features. */
export interface Questions extends Omit<Question, "feature"> {
  feature: readonly Feature[];
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
  /**
   * Checks whether the customer may use the feature. Rejects if that is not known: a failure is not a denial. For an array
   * of features it returns an array of results, in the same order.
   */
  check(question: Question): Promise<Checked>;
  check(questions: Questions): Promise<Checked[]>;
  /** Creates a token of one customer, for the browser of that customer. */
  token(customer: string, options?: { expiresIn?: number }): Promise<Minted>;
  /** Fetches the customer's set as a signed snapshot, for server-side rendering. */
  snapshot(customer: string, options?: { expiresIn?: number; atLeast?: number; fresh?: boolean }): Promise<string>;
}

/** The limit of `POST /v1/check`. */
const MAX_CHECKS_PER_REQUEST = 100;
/** How many microtasks a batch waits for more checks. A timer could be dropped: in Workers it ends with its request. */
const BATCH_MICROTASKS = 10;

interface PendingCheck {
  body: Record<string, unknown>;
  resolve(checked: Checked): void;
  reject(error: unknown): void;
}

export function createClient({ endpoint, key, timeout = DEFAULT_TIMEOUT, fetch: send = fetch.bind(globalThis) }: ClientOptions): Client {
  const baseUrl = normalizeEndpoint(endpoint);
  const pending = new Map<string, { promise: Promise<Checked> } & PendingCheck>();

  const request = (path: string, body?: unknown) =>
    fetchJson(send, baseUrl + path, timeout, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    });

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

  const flush = async () => {
    for (let turn = 0; turn < BATCH_MICROTASKS; turn++) await undefined;
    const checks = [...pending.values()];
    pending.clear();
    for (let start = 0; start < checks.length; start += MAX_CHECKS_PER_REQUEST)
      void sendBatch(checks.slice(start, start + MAX_CHECKS_PER_REQUEST));
  };

  const checkOne = ({ customer, feature, atLeast, fresh }: Question): Promise<Checked> => {
    const body = { customer, feature, at_least: atLeast, fresh };
    const id = JSON.stringify(body);
    const duplicate = pending.get(id);
    if (duplicate) return duplicate.promise;
    if (!pending.size) void flush();
    let callbacks!: Pick<PendingCheck, "resolve" | "reject">;
    const promise = new Promise<Checked>((resolve, reject) => {
      callbacks = { resolve, reject };
    });
    pending.set(id, { body, promise, ...callbacks });
    return promise;
  };

  return {
    check: ((question: Question | Questions) =>
      Array.isArray(question.feature)
        ? Promise.all(question.feature.map((feature: Feature) => checkOne({ ...question, feature })))
        : checkOne(question as Question)) as Client["check"],
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
