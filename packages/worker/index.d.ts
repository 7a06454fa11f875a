// Types of the Worker: its bindings, its settings, and what its main module exports. The types of the runtime, such as `KVNamespace`, come
// from `wrangler types` or from `@cloudflare/workers-types`.

import { WorkerEntrypoint } from "cloudflare:workers";

/** The bindings that a configuration has to name. `requirements.json` has them for a configuration. */
export interface Bindings {
  /** The replica: one key per customer. */
  ENTITLEMENTS: KVNamespace;
  /** The ledgers: one object per customer. */
  LEDGERS: DurableObjectNamespace;
  /** The customer index: 32 objects per mode. */
  CUSTOMER_INDEX: DurableObjectNamespace;
  /** The coordinators: one object per mode. */
  SOURCE_COORDINATOR: DurableObjectNamespace;
  /** The catalog: one object per mode. */
  CATALOG: DurableObjectNamespace;
  /** Optional: the dataset with one data point for each decision. */
  METRICS?: AnalyticsEngineDataset;
}

/** The settings: variables and secrets. Each is a text; docs/configuration.md describes them. */
export interface Settings {
  ENTGATE_API_KEYS?: string;
  STRIPE_WEBHOOK_SECRETS?: string;
  ENTGATE_SOURCE?: "stripe" | "catalog";
  STRIPE_API_KEY?: string;
  STRIPE_API_BASE?: string;
  ENTGATE_UNKNOWN_CUSTOMERS?: "deny";
  ENTGATE_PAUSED_SUBSCRIPTIONS?: "keep" | "revoke";
  ENTGATE_PAST_DUE_SUBSCRIPTIONS?: "keep" | "revoke";
  ENTGATE_UNPAID_SUBSCRIPTIONS?: "keep" | "revoke";
  ENTGATE_PAUSE_ON_PAYMENT_FAILURE?: "first" | "final";
  ENTGATE_EVENT_POLL?: string;
  ENTGATE_STRIPE_RATE?: string;
  ENTGATE_TOKEN_SECRETS?: string;
  ENTGATE_JWKS_URL?: string;
  ENTGATE_JWT_ISSUER?: string;
  ENTGATE_JWT_AUDIENCE?: string;
  ENTGATE_JWT_CUSTOMER_CLAIM?: string;
  ENTGATE_JWT_LIVEMODE?: "true" | "false";
  ENTGATE_JURISDICTION?: "eu" | "us" | "fedramp";
  ENTGATE_LOCATION_HINT?: "wnam" | "enam" | "sam" | "weur" | "eeur" | "apac" | "apac-ne" | "apac-se" | "oc" | "afr" | "me";
  ENTGATE_METRICS_CUSTOMERS?: "true" | "false";
  ENTGATE_MEMORY_TTL?: string;
  /** Lookup keys, separated by commas. */
  ENTGATE_STRICT_FEATURES?: string;
  /** Lookup keys, separated by commas. */
  ENTGATE_DEFAULT_FEATURES?: string;
  ENTGATE_SIGNING_KEY?: string;
  ENTGATE_ALLOWED_ORIGINS?: string;
  /** For development only: never in a deployment. */
  ENTGATE_DEVELOPMENT?: string;
}

export interface Env extends Bindings, Settings {}

/** The Worker: handles requests and the cron trigger. */
declare const entgate: {
  fetch(request: Request, env: Env, context: ExecutionContext): Response | Promise<Response>;
  scheduled(event: ScheduledController, env: Env, context: ExecutionContext): Promise<void>;
};
export default entgate;

declare class EntgateObject implements Rpc.DurableObjectBranded {
  [Rpc.__DURABLE_OBJECT_BRAND]: never;
  constructor(state: DurableObjectState, env: Env);
}

/** An object that other objects and the Worker send messages to. The messages are not a public API. */
declare class EntgateMessageObject extends EntgateObject {
  request(message: string): Promise<string>;
}

/** The class of `LEDGERS`. */
export class Ledger extends EntgateMessageObject {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void;
  webSocketClose(socket: WebSocket): void | Promise<void>;
  webSocketError(socket: WebSocket): void | Promise<void>;
}

/** The class of `CUSTOMER_INDEX`. */
export class CustomerIndex extends EntgateMessageObject {}

/** The class of `SOURCE_COORDINATOR`. */
export class SourceCoordinator extends EntgateMessageObject {
  alarm(): Promise<void>;
}

/** The class of `CATALOG`. */
export class Catalog extends EntgateObject {
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
}

/** The arguments of `check` and `authorize`: the parameters of `GET /v1/check`. */
export interface CheckArguments {
  customer: string;
  /** The lookup key of the feature, or several. */
  feature: string | readonly string[];
  /** The minimum version of the answer. */
  at_least?: number | string;
  /** Asks the customer's ledger instead of the replica. */
  fresh?: boolean;
}

/** What `check` returns for one feature. */
export interface EntitlementCheck {
  object: "entitlement_check";
  customer: string;
  feature: string;
  entitled: boolean;
  reason:
    | "active_entitlement"
    | "override"
    | "default_feature"
    | "denied_by_override"
    | "not_entitled"
    | "unknown_feature"
    | "unknown_customer";
  version: number;
  /** When the source confirmed the set, in Unix seconds. `null` for an unknown customer. */
  as_of: number | null;
  served_by: string;
  /** Only with the reason `unknown_feature`, and in development: the feature that the key probably means. */
  nearest_feature?: string;
}

/** A check of several features that has no answer. */
export interface IndeterminateCheck {
  object: "entitlement_check";
  customer: string;
  feature: string;
  entitled: null;
  error: { type: string; code?: string; message: string };
}

/** What `check` returns for several features, in their order. */
export interface EntitlementCheckList {
  object: "list";
  data: (EntitlementCheck | IndeterminateCheck)[];
  has_more: boolean;
  url: string;
}

/** The arguments of `list`: the parameters of `GET /v1/entitlements/active_entitlements`. */
export interface ListArguments {
  customer: string;
  /** 1 to 100; 10 by default. */
  limit?: number;
  starting_after?: string;
  ending_before?: string;
  at_least?: number | string;
  fresh?: boolean;
  expand?: readonly string[];
}

/** An active entitlement, as in Stripe's API. */
export interface ActiveEntitlement {
  id: string;
  object: "entitlements.active_entitlement";
  /** The id of the feature, or the feature itself with `expand`. */
  feature: string | { id: string; object: "entitlements.feature"; lookup_key: string; name: string };
  livemode: boolean;
  lookup_key: string;
}

/** What `list` returns: a page, as in Stripe's API. */
export interface ActiveEntitlementList {
  object: "list";
  data: ActiveEntitlement[];
  has_more: boolean;
  url: string;
}

/** What `authorize` returns: the customer may use every feature. */
export interface Authorization {
  object: "authorization";
  customer: string;
  version: number;
  as_of: number | null;
  served_by: string;
}

/** The arguments of `explain`: the parameters of `GET /v1/explain`. */
export interface ExplainArguments {
  customer: string;
  /** The lookup key of the feature. */
  feature: string;
  /** A past time in Unix seconds; now without it. */
  at?: number;
}

/** What caused a change. */
export interface ChangeCause {
  type: "event" | "poll" | "read" | "reconcile" | "override" | "override_start" | "override_end" | "setting";
  /** The event or the override. */
  id: string | null;
  /** Who changed the override. */
  actor: string | null;
}

/** An override: an operator grants or denies one feature of one customer. */
export interface EntitlementOverride {
  id: string;
  object: "entitlement_override";
  customer: string;
  livemode: boolean;
  feature: string;
  effect: "grant" | "deny";
  reason: string;
  actor: string;
  status: "scheduled" | "active" | "ended";
  /** Times are in Unix seconds. */
  starts_at: number;
  expires_at: number | null;
  created: number;
  metadata: Record<string, string>;
  version: number;
  deletion: { created: number; reason: string | null; actor: string } | null;
}

/** What contributes to an answer. `effect` is what it does to the answer. */
export type Contribution = { effect: "grants" | "denies" | "none" } & (
  | {
      type: "source_set";
      source: "stripe" | "catalog";
      completeness: "complete" | "partial" | "unknown" | null;
      active_entitlement: string | null;
      confirmed_at: number | null;
      since: number | null;
      cause: ChangeCause | null;
    }
  | {
      type: "subscription";
      subscription: string;
      product: string;
      status: string;
      /** The setting that decides whether this status grants features. */
      setting: { name: string; value: "keep" | "revoke" } | null;
    }
  | { type: "product"; product: string; name: string | null; subscribed: boolean }
  | { type: "subscriptions_unavailable"; message: string }
  | { type: "override"; override: EntitlementOverride }
  | { type: "default_feature"; setting: "ENTGATE_DEFAULT_FEATURES" | null; known: boolean }
  | {
      type: "replica";
      state: "current" | "behind" | "absent" | "unavailable";
      version: number | null;
      entitled: boolean | null;
      as_of: number | null;
    }
);

/** What `explain` returns. */
export interface Explanation {
  object: "explanation";
  customer: string;
  livemode: boolean;
  feature: string;
  at: number;
  /** `null` if the answer is unknown: `check` then throws. */
  entitled: boolean | null;
  reason: EntitlementCheck["reason"] | null;
  version: number;
  as_of: number | null;
  /** Whether only the ledger answers checks of the feature. */
  strict: boolean;
  /** The change that led to the answer. */
  last_change: { version: number; created: number; cause: ChangeCause } | null;
  contributions: Contribution[];
}

/** What a call throws. Unknown is thrown with its code, never returned as `false`. */
export interface EntgateError extends Error {
  name: "EntgateError";
  /** Such as `customer_not_verifiable`, `not_entitled` or `livemode_missing`; without one, the type. */
  code: string;
  type: string;
  /** The status of the HTTP API. 503 if the answer is not known. */
  status: number;
  param?: string;
  /** How many seconds to wait. */
  retry_after?: number;
  request_id?: string;
}

/** What a Worker that binds to `Entitlements` can call. `Service<typeof Entitlements>` would lose an overload. */
export interface EntitlementsBinding {
  check(args: CheckArguments & { feature: string }): Promise<EntitlementCheck>;
  check(args: CheckArguments & { feature: readonly string[] }): Promise<EntitlementCheckList>;
  list(args: ListArguments): Promise<ActiveEntitlementList>;
  authorize(args: CheckArguments): Promise<Authorization>;
  explain(args: ExplainArguments): Promise<Explanation>;
}

/** The service binding. Its configuration names the mode: `"props": { "livemode": true }`. Without it every call throws. */
export class Entitlements extends WorkerEntrypoint<Env, { livemode: boolean }> implements EntitlementsBinding {
  check(args: CheckArguments & { feature: string }): Promise<EntitlementCheck>;
  check(args: CheckArguments & { feature: readonly string[] }): Promise<EntitlementCheckList>;
  list(args: ListArguments): Promise<ActiveEntitlementList>;
  authorize(args: CheckArguments): Promise<Authorization>;
  explain(args: ExplainArguments): Promise<Explanation>;
}
