// Registers the /webhooks/stripe route of a running entgate as a webhook endpoint in the catalog of the same entgate.
//
//   node scripts/register-self-webhook.mjs [origin]     default: http://localhost:8787
//
// The catalog sends its events to registered endpoints only, so without this registration purchases do not change entitlements.
// The script is idempotent: it finds its endpoint by metadata, updates it if necessary, and deletes endpoints with an old secret.
// `make dev` runs it at each start. Not here: endpoints of other receivers, which the script does not change.

import { createHash } from "node:crypto";
import { settingItems } from "./dev-vars.mjs";

const EVENTS = ["customer.deleted", "entitlements.active_entitlement_summary.updated"];

/**
 * The members of Stripe's webhook endpoint that this script reads.
 *
 * @typedef {{ id: string, url: string, status: string, enabled_events: string[], metadata: Record<string, string> }} WebhookEndpoint
 */

/** @typedef {Record<string, string | string[] | Record<string, string>>} Params */

const origin = process.argv[2] ?? "http://localhost:8787";
const url = `${origin}/webhooks/stripe`;
const [key] = settingItems("ENTGATE_API_KEYS").filter((each) => each.startsWith("sk_test_"));
const [secret] = settingItems("STRIPE_WEBHOOK_SECRETS");
if (!key || !secret) fail("ENTGATE_API_KEYS needs a key `sk_test_…`, and STRIPE_WEBHOOK_SECRETS needs a secret");

// The API returns the secret of an endpoint only once, at creation. The metadata stores this fingerprint of it.
const fingerprint = createHash("sha256").update(secret).digest("hex").slice(0, 16);

/** @type {{ data: WebhookEndpoint[] }} */
const { data } = await request("GET", "/v1/webhook_endpoints?limit=100");
const own = data.filter(({ metadata }) => metadata.entgate === "self");
const [current] = own.filter(({ metadata, status }) => metadata.secret === fingerprint && status === "enabled");
for (const { id } of own.filter((endpoint) => endpoint !== current)) await request("DELETE", `/v1/webhook_endpoints/${id}`);
if (!current) {
  const metadata = { entgate: "self", secret: fingerprint };
  await request("POST", "/v1/webhook_endpoints", { url, enabled_events: EVENTS, secret, metadata });
} else if (current.url !== url || current.enabled_events.toSorted().join() !== EVENTS.join()) {
  await request("POST", `/v1/webhook_endpoints/${current.id}`, { url, enabled_events: EVENTS });
}

/**
 * Sends a request to the catalog and returns the parsed body. Exits if the request fails.
 *
 * @param {string} method
 * @param {string} path
 * @param {Params} [params]
 */
async function request(method, path, params) {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${origin}${path}`, { method, headers, body: params && encodeForm(params) }).catch((error) =>
    fail(`no response from ${origin} (${error.cause?.code ?? error.message})`),
  );
  const body = await response.json();
  if (!response.ok) fail(body.error?.message ?? `status ${response.status}`);
  return body;
}

/**
 * Encodes parameters as Stripe's API expects them: `a[]=1`, `b[c]=2`.
 *
 * @param {Params} params
 */
function encodeForm(params) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) {
      for (const item of value) form.append(`${name}[]`, item);
    } else if (typeof value === "object") {
      for (const [member, item] of Object.entries(value)) form.append(`${name}[${member}]`, item);
    } else {
      form.append(name, value);
    }
  }
  return form;
}

/**
 * @param {string} cause
 * @returns {never}
 */
function fail(cause) {
  console.error(`failed to register the webhook endpoint ${url} in the catalog: ${cause}`);
  process.exit(1);
}
