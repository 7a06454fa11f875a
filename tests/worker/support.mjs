// The built Worker in workerd, as `wrangler.toml` describes it, and the words the tests speak in.

import { Miniflare } from "miniflare";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import Stripe from "stripe";
import { unstable_getMiniflareWorkerOptions as workerOptions } from "wrangler";

export const KEY = "sk_test_entgate";
export const LIVE_KEY = "sk_live_entgate";
export const SECRET = "whsec_test_entgate";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Settings as an operator has them; a test changes what it is about. */
const SETTINGS = { ENTGATE_API_KEYS: `${KEY},${LIVE_KEY}`, STRIPE_WEBHOOK_SECRETS: SECRET };

/** A KV namespace whose next puts fail, as many as `FAULTS` says: before the write, or after it. */
const FAULTY_REPLICA = `
  export default ({ REPLICA, FAULTS }) => ({
    get: (...request) => REPLICA.get(...request),
    async put(...request) {
      const [fault, ...left] = (await FAULTS.get("puts", "json")) ?? [];
      await FAULTS.put("puts", JSON.stringify(left));
      if (fault === "before") throw new Error("KV PUT failed: 429 Too Many Requests");
      await REPLICA.put(...request);
      if (fault === "after") throw new Error("KV PUT failed: 500 Internal Server Error");
    },
  });`;

/**
 * Starts the Worker on a free port. `folder` is where KV and Durable Objects are kept; without it
 * they end with the Worker. With `faulty`, KV fails when a test says so: see `failPuts`.
 */
export async function serve({ settings = {}, folder, faulty = false } = {}) {
  const { workerOptions: options, main } = workerOptions(root("wrangler.toml"));
  const kept = (kind) => (folder ? { [`${kind}Persist`]: `${folder}/${kind}` } : {});
  const worker = {
    ...options,
    name: "entgate",
    modules: true,
    modulesRoot: root("build"),
    scriptPath: main,
    bindings: { ...SETTINGS, ...settings },
  };
  const others = [];
  if (faulty) {
    worker.kvNamespaces = { REPLICA: "ENTITLEMENTS", FAULTS: "FAULTS" };
    worker.wrappedBindings = { ENTITLEMENTS: { scriptName: "faulty-replica" } };
    const kvNamespaces = { REPLICA: "ENTITLEMENTS", FAULTS: "FAULTS" };
    others.push({ name: "faulty-replica", modules: true, script: FAULTY_REPLICA, kvNamespaces });
  }
  const workerd = new Miniflare({
    workers: [worker, ...others],
    host: "127.0.0.1",
    port: 0,
    ...kept("kv"),
    ...kept("durableObjects"),
  });
  return new Service(workerd, await workerd.ready, faulty ? "REPLICA" : "ENTITLEMENTS");
}

/** A running Worker, from outside. */
export class Service {
  constructor(workerd, url, replica) {
    this.workerd = workerd;
    this.url = url;
    this.binding = replica;
  }

  /** One request; the answer with its body read. */
  async request(path, { method = "GET", headers = {}, body, key = KEY } = {}) {
    const authorization = key ? { authorization: `Bearer ${key}` } : {};
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: { ...authorization, ...headers },
      body,
      redirect: "manual",
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return { status: response.status, headers: response.headers, text, json: isJson && text ? JSON.parse(text) : undefined };
  }

  /** Sends an event, signed by Stripe's own library unless a header is given. */
  send(event, { secret = SECRET, header } = {}) {
    const body = typeof event === "string" ? event : JSON.stringify(event);
    header ??= Stripe.webhooks.generateTestHeaderString({ payload: body, secret });
    return this.request("/webhooks/stripe", { method: "POST", body, headers: { "stripe-signature": header }, key: undefined });
  }

  check(customer, feature, more = {}) {
    return this.request(`/v1/check?${new URLSearchParams({ customer, feature, ...more })}`);
  }

  /** The KV namespace behind the Worker. */
  replica() {
    return this.workerd.getKVNamespace(this.binding, "entgate");
  }

  /** Lets the next puts fail: each `"before"` or `"after"` the write. */
  async failPuts(...faults) {
    const namespace = await this.workerd.getKVNamespace("FAULTS", "entgate");
    await namespace.put("puts", JSON.stringify(faults));
  }

  stop() {
    return this.workerd.dispose();
  }
}

/** Stripe's SDK, pointed at the Worker. */
export function stripe(url, key = KEY) {
  const { hostname, port } = new URL(url);
  return new Stripe(key, { host: hostname, port, protocol: "http", telemetry: false, maxNetworkRetries: 0 });
}

/** A summary event as Stripe sends it: https://docs.stripe.com/billing/entitlements#webhooks */
export function summary(customer, keys, { created = Math.floor(Date.now() / 1000), livemode = false, hasMore = false, ...event } = {}) {
  const data = keys.map((key) => entitlement(customer, key, livemode));
  return {
    id: `evt_${randomUUID().replaceAll("-", "")}`,
    object: "event",
    api_version: "2026-10-28.endive",
    created,
    data: {
      object: {
        object: "entitlements.active_entitlement_summary",
        customer,
        entitlements: { object: "list", data, has_more: hasMore, url: `/v1/customer/${customer}/entitlements` },
        livemode,
      },
      previous_attributes: { entitlements: { data: [] } },
    },
    livemode,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: "entitlements.active_entitlement_summary.updated",
    ...event,
  };
}

export function entitlement(customer, key, livemode = false) {
  return {
    id: `ent_test_${customer}_${key}`,
    object: "entitlements.active_entitlement",
    feature: `feat_test_${key}`,
    livemode,
    lookup_key: key,
  };
}
