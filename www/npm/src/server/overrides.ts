// Overrides: they grant or deny one feature to one customer, whatever the source says.

import type { Feature } from "../features.js";
import { type Api, customerPath, withId } from "./api.js";
import { type PageOptions, type Pages, paginate } from "./pages.js";

/** An override, as the API returns it. Times are in Unix seconds. */
export interface EntitlementOverride {
  id: string;
  object: "entitlement_override";
  customer: string;
  livemode: boolean;
  /** The lookup key of the feature. */
  feature: string;
  effect: "grant" | "deny";
  reason: string;
  actor: string;
  /** `active` from `starts_at` until `expires_at`. */
  status: "scheduled" | "active" | "ended";
  starts_at: number;
  /** `null` if it has no end. */
  expires_at: number | null;
  created: number;
  metadata: Record<string, string>;
  /** The version of the customer's set after the last change of this override: `atLeast` of a check that has to see it. */
  version: number;
  deletion: { created: number; reason: string | null; actor: string } | null;
  /** Only of a new override: `unknown_feature` if the source does not have the feature. */
  warnings?: { code: string; param: string; message: string }[];
}

/** A deleted override. It stays in the list as `ended`. */
export interface DeletedOverride {
  id: string;
  object: "entitlement_override";
  deleted: true;
  customer: string;
  version: number;
}

/** When an override ends: at a time in Unix seconds, or so many seconds after its start. Without both it has no end. */
export type OverrideEnd =
  | { expiresAt?: number | null; expiresIn?: never }
  | {
      expiresAt?: never;
      /** 1 second to 10 years. */
      expiresIn: number;
    };

export type NewOverride = OverrideEnd & {
  feature: Feature;
  effect: "grant" | "deny";
  /** 1 to 500 characters. */
  reason: string;
  /** Who creates it, at most 255 characters; the masked key by default. */
  actor?: string;
  /** In Unix seconds; now by default. */
  startsAt?: number;
  metadata?: Record<string, string>;
  /** The same key returns the same override, for a day: a request that failed can be repeated. */
  idempotencyKey?: string;
};

/** What an update changes. The feature and the effect are fixed. */
export interface OverrideChanges {
  /** Until the override has started. */
  startsAt?: number;
  /** In Unix seconds, or `"now"`; `null` is no end. */
  expiresAt?: number | "now" | null;
  /** In seconds after its start, instead of `expiresAt`. */
  expiresIn?: number;
  reason?: string;
  /** Who changes it: the actor of the change in the history. */
  actor?: string;
  /** The members to set. `null` removes a member, or all of them. */
  metadata?: Record<string, string | null> | null;
}

export interface Overrides {
  create(customer: string, override: NewOverride): Promise<EntitlementOverride>;
  /** Lists the overrides of a customer that have not ended, newest first. `status: "all"` adds those that ended within a year. */
  list(customer: string, options?: PageOptions & { status?: EntitlementOverride["status"] | "all" }): Pages<EntitlementOverride>;
  retrieve(customer: string, id: string): Promise<EntitlementOverride>;
  update(customer: string, id: string, changes: OverrideChanges): Promise<EntitlementOverride>;
  /** Ends an override now. */
  delete(customer: string, id: string, deletion?: { reason?: string; actor?: string }): Promise<DeletedOverride>;
}

/** The overrides of customers, over the API. */
export function overridesOf(api: Api): Overrides {
  const listPath = (customer: string) => `${customerPath(customer)}/overrides`;
  const path = (customer: string, id: string) => withId(listPath(customer), "id", id);
  return {
    create: async (customer, { idempotencyKey, ...override }) =>
      api("POST", listPath(customer), override, idempotencyKey === undefined ? {} : { headers: { "idempotency-key": idempotencyKey } }),
    list: (customer, options = {}) => paginate(options, async (page) => api("GET", listPath(customer), { ...page })),
    retrieve: async (customer, id) => api("GET", path(customer, id)),
    update: async (customer, id, { metadata, ...changes }) =>
      api("POST", path(customer, id), withEmpty({ ...changes, metadata: metadata && withEmpty(metadata) })),
    delete: async (customer, id, deletion = {}) => api("DELETE", path(customer, id), deletion),
  };
}

/** Replaces `null` by an empty string. In JSON `null` is an absent parameter; an empty one removes a value. */
const withEmpty = (parameters: object) =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, value === null ? "" : value]));
