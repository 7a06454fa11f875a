// The routes of the Worker, as a table for people; `/openapi.json` has all of each.

/** Route, who may ask it, what it does. */
export const ROUTES = [
  ["POST /webhooks/stripe", "signature", "Takes signed entitlement-summary events."],
  ["GET /v1/check", "server, customer", "Says whether one customer may use a feature, and why."],
  ["POST /v1/check", "server", "Answers the same for many customers in one request."],
  ["GET /v1/entitlements/active_entitlements", "server, customer", "Lists what one customer holds, exactly as Stripe’s own route does."],
  ["GET /v1/entitlements/active_entitlements/{id}", "server", "Retrieves one entitlement, as Stripe’s own route does."],
  ["POST /v1/customers/{id}/sync", "server", "Reads a customer’s entitlements at their source now, and waits for one if asked to."],
  ["GET /v1/activity", "server", "Lists what was decided lately."],
  ["GET /v1/roster", "server", "Lists the customers that something was heard of."],
  ["POST /v1/tokens", "server", "Makes a token with which one customer can ask for themselves."],
  ["GET /v1/stream", "server, customer", "Tells of a customer’s changes as they happen."],
  ["GET /v1/snapshot", "server, customer", "Signs a customer’s set, so that any backend can check it offline."],
  ["GET /v1/authorize", "server, customer", "Lets a request through, or not: for nginx, Traefik and Caddy."],
  ["POST /ofrep/v1/evaluate/flags", "server, customer", "Answers OpenFeature’s providers."],
  ["GET /.well-known/jwks.json", "anyone", "Lists the keys that snapshots are signed with."],
  ["GET /healthz", "anyone", "Tells whether the Worker runs, which settings it has, and how much it has to catch up with."],
  [
    "/v1/entitlements/features …",
    "server",
    "Stripe’s API around entitlements, where the built-in catalog is the source: features, products, prices, customers, subscriptions, events, webhook endpoints, test clocks.",
  ],
];
