// Explanations: why a customer has a feature or does not, now or at a past time.

import type { Feature } from "../features.js";
import type { ChangeCause } from "./history.js";
import type { EntitlementOverride } from "./overrides.js";

/** The reason of a check. */
export type CheckReason =
  | "active_entitlement"
  | "override"
  | "default_feature"
  | "denied_by_override"
  | "not_entitled"
  | "unknown_feature"
  | "unknown_customer";

/** What one of the parts of an answer says of the feature. */
export type Contribution = { effect: "grants" | "denies" | "none" } & (
  | {
      type: "source_set";
      source: "stripe" | "catalog";
      /** How much of the set is known. */
      completeness: "complete" | "partial" | "unknown" | null;
      /** The id of the active entitlement. */
      active_entitlement: string | null;
      /** When the set was last equal to the source's list, in Unix seconds. */
      confirmed_at: number | null;
      since: number | null;
      cause: ChangeCause | null;
    }
  | {
      type: "subscription";
      subscription: string;
      product: string;
      status: string;
      /** The setting that decided, and its value. */
      setting: { name: string; value: string } | null;
    }
  /** `name` is `null` if the product was not listed. */
  | { type: "product"; product: string; name: string | null; subscribed: boolean }
  | { type: "subscriptions_unavailable"; message: string }
  | { type: "override"; override: EntitlementOverride }
  /** `known` is `false` for a past time. */
  | { type: "default_feature"; setting: string | null; known?: boolean }
  | {
      type: "replica";
      state: "current" | "behind" | "absent" | "unavailable";
      version: number | null;
      entitled: boolean | null;
      as_of: number | null;
    }
);

/** An explanation, as `GET /v1/explain` returns it. */
export interface Explanation {
  object: "explanation";
  customer: string;
  livemode: boolean;
  feature: string;
  /** The time that is explained, in Unix seconds. */
  at: number;
  /** `null` if that is not known. */
  entitled: boolean | null;
  reason: CheckReason | null;
  version: number;
  as_of: number | null;
  /** Whether only the ledger answers for this feature. */
  strict: boolean;
  /** The change that led to the answer. */
  last_change: { version: number; created: number; cause: ChangeCause } | null;
  contributions: Contribution[];
}

export interface ExplanationQuery {
  customer: string;
  feature: Feature;
  /** A past time in Unix seconds; now by default. */
  at?: number;
}
