// The floor: a Worker written by hand for nothing but speed. It asks who comes for no key, knows no error, and answers a check
// with one read of KV, one `JSON.parse`, one lookup and one `new Response`.

import { genuine } from "./signature.mjs";

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

const PATH = "/v1/entitlements/active_entitlements";

const list = (set, limit) =>
  new Response(
    JSON.stringify({
      object: "list",
      data: set.data
        .slice(0, limit)
        .map(({ id, feature, lookup_key }) => ({ id, object: "entitlements.active_entitlement", feature, livemode: false, lookup_key })),
      has_more: set.data.length > limit,
      url: PATH,
    }),
    HEADERS,
  );

const memory = new Map();

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
    if (pathname === PATH) {
      const set = JSON.parse(await env.ENTITLEMENTS.get(`test:${searchParams.get("customer")}`));
      return list(set, Number(searchParams.get("limit") ?? 10));
    }
    if (pathname === "/kv") {
      await env.ENTITLEMENTS.get("test:cus_10");
      return new Response();
    }
    if (pathname === "/webhooks/stripe") {
      const body = await request.text();
      if (!(await genuine(request.headers.get("stripe-signature"), body, env.STRIPE_WEBHOOK_SECRETS)))
        return new Response(null, { status: 400 });
      const {
        data: { object },
        created,
        type,
      } = JSON.parse(body);
      if (type !== "entitlements.active_entitlement_summary.updated") return new Response();
      const data = object.entitlements.data.map(({ id, feature, lookup_key }) => ({ id, feature, lookup_key }));
      await env.ENTITLEMENTS.put(`test:${object.customer}`, JSON.stringify({ v: 1, version: 1, as_of: created, coverage: "whole", data }));
      return new Response();
    }
    return new Response(null, { status: 404 });
  },
};
