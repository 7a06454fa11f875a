// The active entitlements of a customer: the list, and a new read of the source.

import type { Feature } from "../features.js";
import { type Api, customerPath } from "./api.js";
import { type List, type PageOptions, type Pages, paginate } from "./pages.js";

/** An active entitlement, as Stripe returns it. */
export interface ActiveEntitlement {
  id: string;
  object: "entitlements.active_entitlement";
  /** The id of the feature. */
  feature: string;
  livemode: boolean;
  lookup_key: string;
}

/** Lists the active entitlements of a customer. */
export type ListEntitlements = (
  customer: string,
  options?: PageOptions & {
    /** The list is of this version or a newer one. */
    atLeast?: number;
    /** Reads the ledger instead of the replica. */
    fresh?: boolean;
  },
) => Pages<ActiveEntitlement>;

/** A set that was read from the source, as `POST /v1/customers/{id}/sync` returns it. */
export interface CustomerSync {
  object: "customer_sync";
  customer: string;
  version: number;
  as_of: number;
  served_by: "replica" | "ledger" | "source";
  /** The first 100 entitlements. */
  entitlements: List<ActiveEntitlement>;
  /** Only with `feature`. */
  feature?: string;
  entitled?: boolean;
}

/** Reads the entitlements of a customer from the source now. */
export type SyncCustomer = (
  customer: string,
  options?: {
    /** The result then has whether this feature is granted, as `entitled`. */
    feature?: Feature;
    /** How many seconds to wait until `feature` is granted, 0 to 25. */
    wait?: number;
  },
) => Promise<CustomerSync>;

export const entitlementsOf =
  (api: Api): ListEntitlements =>
  (customer, options = {}) =>
    paginate(options, (page) => api("GET", "/v1/entitlements/active_entitlements", { customer, ...page }));

export const syncOf =
  (api: Api): SyncCustomer =>
  async (customer, options = {}) =>
    api("POST", `${customerPath(customer)}/sync`, options, { readsSource: true, wait: (options.wait ?? 0) * 1_000 });
