/// <reference path="./cloudflare.d.ts" />
// Baseline `minimal`: a Worker that does only the measured work. A check is one KV read, one `JSON.parse`, one search and one `Response`.
//
// Not here: authentication, errors, and a ledger (ledger.mjs).

import { isValidSignature } from "./signature.mjs";

/** @typedef {{ id: string, feature: string, lookup_key: string }} Grant */
/** @typedef {{ version: number, as_of: number, data: Grant[] }} EntitlementSet */
/** @typedef {{ ENTITLEMENTS: KvNamespace, STRIPE_WEBHOOK_SECRETS: string }} Env */

const INIT = { headers: { "content-type": "application/json", "cache-control": "no-store" } };

/**
 * @param {string | null} customer
 * @param {string | null} feature
 * @param {EntitlementSet} set
 */
const checkResponse = (customer, feature, set) =>
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
    INIT,
  );

const LIST_PATH = "/v1/entitlements/active_entitlements";

/**
 * @param {EntitlementSet} set
 * @param {number} limit
 */
const listResponse = (set, limit) =>
  new Response(
    JSON.stringify({
      object: "list",
      data: set.data
        .slice(0, limit)
        .map(({ id, feature, lookup_key }) => ({ id, object: "entitlements.active_entitlement", feature, livemode: false, lookup_key })),
      has_more: set.data.length > limit,
      url: LIST_PATH,
    }),
    INIT,
  );

/** @type {Map<string | null, EntitlementSet>} */
const memory = new Map();

/**
 * @param {Env} env
 * @param {string | null} customer
 * @returns {Promise<EntitlementSet>}
 */
const readSet = async (env, customer) => JSON.parse((await env.ENTITLEMENTS.get(`test:${customer}`)) ?? "");

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   */
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/v1/check") {
      const customer = searchParams.get("customer");
      return checkResponse(customer, searchParams.get("feature"), await readSet(env, customer));
    }
    if (pathname === "/memory") {
      const customer = searchParams.get("customer");
      let set = memory.get(customer);
      if (!set) {
        set = await readSet(env, customer);
        memory.set(customer, set);
      }
      return checkResponse(customer, searchParams.get("feature"), set);
    }
    if (pathname === LIST_PATH) {
      return listResponse(await readSet(env, searchParams.get("customer")), Number(searchParams.get("limit") ?? 10));
    }
    if (pathname === "/kv") {
      await env.ENTITLEMENTS.get("test:cus_10");
      return new Response();
    }
    if (pathname === "/webhooks/stripe") {
      const body = await request.text();
      if (!(await isValidSignature(request.headers.get("stripe-signature"), body, env.STRIPE_WEBHOOK_SECRETS)))
        return new Response(null, { status: 400 });
      const {
        data: { object },
        created,
        type,
      } = JSON.parse(body);
      if (type !== "entitlements.active_entitlement_summary.updated") return new Response();
      const data = object.entitlements.data.map((/** @type {Grant} */ { id, feature, lookup_key }) => ({ id, feature, lookup_key }));
      await env.ENTITLEMENTS.put(
        `test:${object.customer}`,
        JSON.stringify({ v: 1, version: 1, as_of: created, completeness: "complete", data }),
      );
      return new Response();
    }
    return new Response(null, { status: 404 });
  },
};
