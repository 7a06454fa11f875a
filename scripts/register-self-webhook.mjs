// Sees to it that the catalog of a running entgate tells this entgate what its customers may use.
//
// The catalog is a provider like any other: it sends events to the endpoints that are registered with it, and
// entgate's own /webhooks/stripe is one of them. It is known by its metadata, so that it is made once, whatever else
// there is. `make dev` runs this each time that it starts.

import { createHash } from "node:crypto";
import { setting } from "./dev-vars.mjs";

const EVENTS = ["customer.deleted", "entitlements.active_entitlement_summary.updated"];

const origin = process.argv[2] ?? "http://localhost:8787";
const url = `${origin}/webhooks/stripe`;
const [key] = setting("ENTGATE_API_KEYS").filter((key) => key.startsWith("sk_test_"));
const [secret] = setting("STRIPE_WEBHOOK_SECRETS");
if (!key || !secret) stop("it takes a key sk_test_… in ENTGATE_API_KEYS and a secret in STRIPE_WEBHOOK_SECRETS");

// An endpoint's secret is told once, when it is made. This is how it is recognised later.
const print = createHash("sha256").update(secret).digest("hex").slice(0, 16);

const { data } = await ask("GET", "/v1/webhook_endpoints?limit=100");
const own = data.filter(({ metadata }) => metadata.entgate === "self");
const [usable] = own.filter(({ metadata, status }) => metadata.secret === print && status === "enabled");
for (const { id } of own.filter((endpoint) => endpoint !== usable)) await ask("DELETE", `/v1/webhook_endpoints/${id}`);
if (!usable) {
  await ask("POST", "/v1/webhook_endpoints", { url, enabled_events: EVENTS, secret, metadata: { entgate: "self", secret: print } });
} else if (usable.url !== url || usable.enabled_events.toSorted().join() !== EVENTS.join()) {
  await ask("POST", `/v1/webhook_endpoints/${usable.id}`, { url, enabled_events: EVENTS });
}

async function ask(method, path, params) {
  const headers = { authorization: `Bearer ${key}` };
  let answer;
  try {
    answer = await fetch(`${origin}${path}`, { method, headers, body: params && form(params) });
  } catch (error) {
    stop(`${origin} does not answer (${error.cause?.code ?? error.message})`);
  }
  const body = await answer.json();
  if (!answer.ok) stop(body.error?.message ?? `status ${answer.status}`);
  return body;
}

/** Parameters as Stripe takes them: `a[]=1`, `b[c]=2`. */
function form(params) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) value.forEach((item) => form.append(`${name}[]`, item));
    else if (typeof value === "object") Object.entries(value).forEach(([key, item]) => form.append(`${name}[${key}]`, item));
    else form.append(name, value);
  }
  return form;
}

function stop(message) {
  console.error(`The catalog does not tell ${url} of its events: ${message}`);
  process.exit(1);
}
