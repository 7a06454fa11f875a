// The history of a customer: each change of the set, and what caused it.

import { type Api, customerPath } from "./api.js";
import { type PageOptions, type Pages, paginate } from "./pages.js";

/** What caused a change. */
export interface ChangeCause {
  type: "event" | "poll" | "read" | "reconcile" | "override" | "override_start" | "override_end" | "setting";
  /** The id of the event or of the override. */
  id: string | null;
  /** Who changed an override. */
  actor: string | null;
}

/** A change of a customer's set, as the API returns it. */
export interface EntitlementChange {
  /** Unique within the customer. */
  id: string;
  object: "entitlement_change";
  customer: string;
  livemode: boolean;
  /** In Unix seconds. */
  created: number;
  /** The version after the change. */
  version: number;
  cause: ChangeCause;
  /** The lookup keys of the features that were added; `null` if more than 1,000 keys changed. */
  added: string[] | null;
  removed: string[] | null;
  added_count: number;
  removed_count: number;
}

/** A time, or a range of times, in Unix seconds. */
export type TimeRange = number | { gt?: number; gte?: number; lt?: number; lte?: number };

/** Lists the changes of a customer's set, newest first: up to 1,000 changes of the last 400 days. */
export type ListHistory = (customer: string, options?: PageOptions & { created?: TimeRange }) => Pages<EntitlementChange>;

export const historyOf =
  (api: Api): ListHistory =>
  (customer, options = {}) =>
    paginate(options, async (page) => api("GET", `${customerPath(customer)}/history`, { ...page }));
