// The client of a backend: checks, tokens, snapshots, and what operators do.
//
// Checks in the same turn of the event loop are sent as one request, and identical ones only once.

import { GateError } from "../error.js";
import type { Feature } from "../features.js";
import { type Api, type ClientOptions, createApi } from "./api.js";
import { entitlementsOf, type ListEntitlements, type SyncCustomer, syncOf } from "./entitlements.js";
import type { CheckReason, Explanation, ExplanationQuery } from "./explanation.js";
import { historyOf, type ListHistory } from "./history.js";
import { type Overrides, overridesOf } from "./overrides.js";

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
  reason: CheckReason;
  version: number;
  as_of: number | null;
  served_by: "replica" | "ledger" | "source" | "memory";
  /** Only with the reason `unknown_feature`, and in development: the feature that the key probably means. */
  nearest_feature?: Feature;
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
  /** Lists the active entitlements of a customer. */
  list: ListEntitlements;
  /** Reads the entitlements of a customer from the source now. */
  sync: SyncCustomer;
  /** Overrides: they grant or deny one feature to one customer, whatever the source says. */
  overrides: Overrides;
  /** Lists the changes of a customer's set, newest first. */
  history: ListHistory;
  /** Explains why the customer has the feature or does not, now or at a past time. */
  explain(query: ExplanationQuery): Promise<Explanation>;
}

/** Creates a client. It sends no request. */
export function createClient(options: ClientOptions): Client {
  const api = createApi(options);
  const checkOne = batchChecks(api);
  return {
    check: ((question: Question | Questions) =>
      Array.isArray(question.feature)
        ? Promise.all(question.feature.map((feature: Feature) => checkOne({ ...question, feature })))
        : checkOne(question as Question)) as Client["check"],
    token: (customer, { expiresIn } = {}) => api("POST", "/v1/tokens", { customer, expiresIn }),
    snapshot: async (customer, { expiresIn, atLeast, fresh } = {}) =>
      (await api<{ snapshot: string }>("GET", "/v1/snapshot", { customer, expiresIn, atLeast, fresh })).snapshot,
    list: entitlementsOf(api),
    sync: syncOf(api),
    overrides: overridesOf(api),
    history: historyOf(api),
    explain: ({ customer, feature, at }) => api("GET", "/v1/explain", { customer, feature, at }, { readsSource: true }),
  };
}

/** The limit of `POST /v1/check`. */
const MAX_CHECKS_PER_REQUEST = 100;
/** How many microtasks a batch waits for more checks. A timer could be dropped: in Workers it ends with its request. */
const BATCH_MICROTASKS = 10;

/** A result, or why there is none. */
type BatchResult = Partial<Checked> & { error?: { message?: string; code?: string } };

interface PendingCheck {
  body: Record<string, unknown>;
  resolve(checked: Checked): void;
  reject(error: unknown): void;
}

/** Returns a function that checks one feature, in one request with the other checks of the same turn. */
function batchChecks(api: Api): (question: Question) => Promise<Checked> {
  const pending = new Map<string, { promise: Promise<Checked> } & PendingCheck>();

  const sendBatch = async (batch: PendingCheck[]) => {
    try {
      const { data } = await api<{ data: BatchResult[] }>("POST", "/v1/check", { checks: batch.map(({ body }) => body) });
      for (const [index, { resolve, reject }] of batch.entries()) {
        const checked = data[index];
        const { message, code } = checked?.error ?? {};
        if (typeof checked?.entitled === "boolean") resolve(checked as Checked);
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

  return ({ customer, feature, atLeast, fresh }) => {
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
}
