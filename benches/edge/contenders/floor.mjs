// The floor: a Worker written by hand for nothing but speed. It asks who comes for no key, knows no error, and answers a check
// with one read of KV, one `JSON.parse`, one lookup and one `new Response`.

const HEADERS = { headers: { "content-type": "application/json", "cache-control": "no-store" } };

const check = (customer, feature, set) =>
  new Response(
    JSON.stringify({
      object: "entitlement_check",
      customer,
      feature,
      entitled: set.data.some(({ lookup_key }) => lookup_key === feature),
      reason: "active_entitlement",
      version: set.version,
      as_of: set.as_of,
      served_by: "replica",
    }),
    HEADERS,
  );

const memory = new Map();

const encoder = new TextEncoder();
let key;

/** Stripe's signature, by the platform's own HMAC. */
async function genuine(header, body, secret) {
  key ??= await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const parts = header.split(",");
  const at = parts.find((part) => part.startsWith("t=")).slice(2);
  const signature = Uint8Array.from(parts.find((part) => part.startsWith("v1=")).slice(3).match(/../g), (hex) => parseInt(hex, 16));
  return Math.abs(Date.now() / 1000 - at) <= 300 && crypto.subtle.verify("HMAC", key, signature, encoder.encode(`${at}.${body}`));
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/v1/check") {
      const customer = searchParams.get("customer");
      return check(customer, searchParams.get("feature"), JSON.parse(await env.ENTITLEMENTS.get(`test:${customer}`)));
    }
    if (pathname === "/memory") {
      const customer = searchParams.get("customer");
      let set = memory.get(customer);
      if (!set) memory.set(customer, (set = JSON.parse(await env.ENTITLEMENTS.get(`test:${customer}`))));
      return check(customer, searchParams.get("feature"), set);
    }
    if (pathname === "/kv") {
      await env.ENTITLEMENTS.get("test:cus_10");
      return new Response();
    }
    if (pathname === "/webhooks/stripe") {
      const body = await request.text();
      if (!(await genuine(request.headers.get("stripe-signature"), body, env.STRIPE_WEBHOOK_SECRETS))) return new Response(null, { status: 400 });
      const { data: { object }, created, type } = JSON.parse(body);
      if (type !== "entitlements.active_entitlement_summary.updated") return new Response();
      const data = object.entitlements.data.map(({ id, feature, lookup_key }) => ({ id, feature, lookup_key }));
      await env.ENTITLEMENTS.put(`test:${object.customer}`, JSON.stringify({ v: 1, version: 1, as_of: created, coverage: "whole", data }));
      return new Response();
    }
    return new Response(null, { status: 404 });
  },
};
