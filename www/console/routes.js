// The routes of the Worker as a short table for the overview. `/openapi.json` describes each of them in full.

/** @type {[route: string, access: string, description: string][]} */
export const ROUTES = [
  ["POST /webhooks/stripe", "signature", "Receives signed entitlement summary events."],
  ["GET /v1/check", "server, customer", "Checks whether one customer may use a feature, and returns the reason."],
  ["POST /v1/check", "server", "Runs checks of many customers in one request."],
  [
    "GET /v1/entitlements/active_entitlements",
    "server, customer",
    "Lists the active entitlements of one customer, as Stripe’s route does.",
  ],
  ["GET /v1/entitlements/active_entitlements/{id}", "server", "Retrieves one active entitlement, as Stripe’s route does."],
  ["POST /v1/customers/{id}/sync", "secret key", "Reads a customer’s entitlements at the source, and optionally waits for one of them."],
  ["/v1/customers/{id}/overrides …", "secret key", "Grants or denies features of one customer, with a reason and an optional end."],
  ["GET /v1/customers/{id}/history", "secret key", "Lists the changes of a customer’s features, with their causes."],
  ["GET /v1/explain", "secret key", "Explains why a customer may or may not use a feature, now or at a past time."],
  ["GET /v1/activity", "secret key", "Lists recent events and source reads with their outcome."],
  ["GET /v1/sync_status", "secret key", "Lists the known customers with their sync status."],
  ["POST /v1/tokens", "secret key", "Creates a token for requests of one customer."],
  ["GET /v1/stream", "server, customer", "Streams a customer’s changes as they happen."],
  ["GET /v1/snapshot", "server, customer", "Returns a customer’s entitlements, signed for verification offline."],
  ["GET /v1/authorize", "server, customer", "Authorizes a request for nginx, Traefik or Caddy."],
  ["POST /ofrep/v1/evaluate/flags", "server, customer", "Evaluates flags for OpenFeature providers."],
  ["GET /.well-known/jwks.json", "public", "Lists the public keys of signed snapshots."],
  ["GET /healthz", "public", "Reports the Worker’s status; with a secret key also its settings and the number of pending tasks."],
  [
    "/v1/entitlements/features …",
    "secret key",
    "Stripe’s API around entitlements, if the source is the built-in catalog: features, products, prices, customers, subscriptions, events, webhook endpoints, test clocks.",
  ],
];
