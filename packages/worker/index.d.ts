// Types of the Worker: its bindings, its settings, and what its main module exports. The types of the runtime, such as `KVNamespace`, come
// from `wrangler types` or from `@cloudflare/workers-types`.

/** The bindings that a configuration has to name. `requirements.json` has them for a configuration. */
export interface Bindings {
  /** The replica: one key per customer. */
  ENTITLEMENTS: KVNamespace;
  /** The ledgers: one object per customer. */
  LEDGERS: DurableObjectNamespace;
  CUSTOMER_INDEX: DurableObjectNamespace;
  ACTIVITY_LOG: DurableObjectNamespace;
  /** The coordinators: one object per mode. */
  SOURCE_COORDINATOR: DurableObjectNamespace;
  /** The catalog: one object per mode. */
  CATALOG: DurableObjectNamespace;
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
  ENTGATE_MEMORY_TTL?: string;
  /** Lookup keys, separated by commas. */
  ENTGATE_STRICT_FEATURES?: string;
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
  fetch(request: Request): Response | Promise<Response>;
}

/** The class of `LEDGERS`. */
export class Ledger extends EntgateObject {
  alarm(): Promise<void>;
  webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void;
  webSocketClose(socket: WebSocket): void | Promise<void>;
  webSocketError(socket: WebSocket): void | Promise<void>;
}

/** The class of `CUSTOMER_INDEX`. */
export class CustomerIndex extends EntgateObject {}

/** The class of `ACTIVITY_LOG`. */
export class ActivityLog extends EntgateObject {}

/** The class of `SOURCE_COORDINATOR`. */
export class SourceCoordinator extends EntgateObject {
  alarm(): Promise<void>;
}

/** The class of `CATALOG`. */
export class Catalog extends EntgateObject {
  alarm(): Promise<void>;
}
