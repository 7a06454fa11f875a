// The built Worker in workerd, as `wrangler.toml` describes it, and the words the tests speak in.

import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import Stripe from "stripe";
import { unstable_getMiniflareWorkerOptions as workerOptions } from "wrangler";

export const KEY = "sk_test_entgate";
export const LIVE_KEY = "sk_live_entgate";
export const SECRET = "whsec_test_entgate";

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Settings as an operator has them; a test changes what it is about. */
const SETTINGS = { ENTGATE_API_KEYS: `${KEY},${LIVE_KEY}`, STRIPE_WEBHOOK_SECRETS: SECRET, ENTGATE_MEMORY_TTL: "0" };

/**
 * A KV namespace whose puts fail as `FAULTS` says: the next ones, one fault each, then every n-th.
 * A put fails before the write, after it, or at once and writes three seconds late; a slow one takes
 * six and does not fail. Each is noted in `FAULTS`, with its moment.
 */
const FAULTY_REPLICA = `
  const sleep = (pause) => new Promise((resolve) => setTimeout(resolve, pause));
  let puts = 0;
  export default ({ REPLICA, FAULTS }) => {
    const note = (kind, key) => FAULTS.put(kind + ":" + Date.now() + ":" + crypto.randomUUID(), "", { metadata: { key, at: Date.now() } });
    const next = async () => {
      const [fault, ...left] = (await FAULTS.get("puts", "json")) ?? [];
      if (fault) {
        await FAULTS.put("puts", JSON.stringify(left));
        return fault;
      }
      const each = await FAULTS.get("each", "json");
      return each && (puts += 1) % each.n === 0 ? each.fault : undefined;
    };
    return {
      get: (...request) => REPLICA.get(...request),
      async put(key, ...request) {
        await note("put", key);
        const fault = await next();
        if (fault === "late") {
          sleep(3_000).then(() => REPLICA.put(key, ...request)).then(() => note("landed", key));
          await note("late", key);
        }
        if (fault === "before" || fault === "late") throw new Error("KV PUT failed: 429 Too Many Requests");
        if (fault === "slow") await sleep(6_000);
        await REPLICA.put(key, ...request);
        if (fault === "after") throw new Error("KV PUT failed: 500 Internal Server Error");
      },
    };
  };`;

/** The Worker's modules, and before them a clock. */
const clocked = (main) => [
  { type: "ESModule", path: root("build/clock.js"), contents: CLOCK },
  { type: "ESModule", path: main },
  { type: "ESModule", path: root("build/worker.js") },
  ...["hot", "worker"].map((name) => ({ type: "CompiledWasm", path: root(`build/${name}.wasm`) })),
];

/** In whose isolate it is as many seconds later as a request says. */
const CLOCK = `
  import Entgate from "./index.js";
  export * from "./index.js";
  let ahead = 0;
  const Clock = Date;
  globalThis.Date = class extends Clock {
    constructor(...parts) {
      if (parts.length) super(...parts);
      else super(Clock.now() + ahead);
    }
    static now() {
      return Clock.now() + ahead;
    }
  };
  export default {
    ...Entgate,
    fetch(request, env, context) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/__ahead") return Entgate.fetch(request, env, context);
      ahead = Number(searchParams.get("seconds")) * 1000;
      return new Response();
    },
  }`;

/**
 * Starts the Worker on a free port. `folder` is where KV and Durable Objects are kept; without it
 * they end with the Worker. With `faulty`, KV fails when a test says so: see `failPuts`. Lines that
 * the Worker logs go to `log`, if there is one, and to the console if not. With `clock`, what time it
 * is there can be set: see `ahead`. What the Worker asks of others is answered by `outbound`, if there
 * is one. The body of a function is the `journal`, where it is not to be the real one.
 */
export async function serve({ settings = {}, folder, faulty = false, log, clock = false, outbound, journal } = {}) {
  const { workerOptions: options, main } = workerOptions(root("wrangler.toml"));
  const kept = (kind) => (folder ? { [`${kind}Persist`]: `${folder}/${kind}` } : {});
  const worker = {
    ...options,
    name: "entgate",
    modules: true,
    modulesRoot: root("build"),
    scriptPath: main,
    ...(clock && { modules: clocked(main) }),
    bindings: { ...SETTINGS, ...settings },
    ...(outbound && { outboundService: outbound }),
  };
  const others = [];
  if (faulty) {
    worker.kvNamespaces = { REPLICA: "ENTITLEMENTS", FAULTS: "FAULTS" };
    // With wrapped bindings this workerd, where the flag is an experiment still, ends in a segmentation fault.
    worker.compatibilityFlags = options.compatibilityFlags.filter((flag) => flag !== "new_module_registry");
    worker.wrappedBindings = { ENTITLEMENTS: { scriptName: "faulty-replica" } };
    const kvNamespaces = { REPLICA: "ENTITLEMENTS", FAULTS: "FAULTS" };
    others.push({ name: "faulty-replica", modules: true, script: FAULTY_REPLICA, kvNamespaces });
  }
  if (journal) {
    const script = `export class Journal { fetch() { ${journal} } } export default {};`;
    others.push({ name: "journal", modules: true, script, durableObjects: { JOURNAL: "Journal" } });
    worker.durableObjects = { ...worker.durableObjects, JOURNAL: { className: "Journal", scriptName: "journal" } };
  }
  const listen = (...streams) => streams.forEach((input) => createInterface({ input }).on("line", (line) => log.push(line)));
  const workerd = new Miniflare({
    ...(log && { handleRuntimeStdio: listen }),
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

  /** What the replica holds of a test customer, or `null`. */
  async copy(customer) {
    return (await this.replica()).get(`test:${customer}`, "json");
  }

  #faults() {
    return this.workerd.getKVNamespace("FAULTS", "entgate");
  }

  /** Lets the next puts fail, `"before"` or `"after"` the write or to land `"late"`, or be `"slow"`. */
  async failPuts(...faults) {
    await (await this.#faults()).put("puts", JSON.stringify(faults));
  }

  /** Lets every n-th put fail that no other fault is for, until told `undefined`. */
  async failEachPut(fault, n = 1) {
    await (await this.#faults()).put("each", JSON.stringify(fault ? { fault, n } : null));
  }

  /** The moments when puts of a test customer were begun; or failed and went on, `"late"`, or `"landed"` then. */
  async puts(customer, kind = "put") {
    const { keys } = await (await this.#faults()).list({ prefix: `${kind}:` });
    return keys
      .map(({ metadata }) => metadata)
      .filter(({ key }) => key === `test:${customer}`)
      .map(({ at }) => at);
  }

  /** Does what is done every minute. */
  async cron() {
    return (await this.workerd.getWorker("entgate")).scheduled({ cron: "* * * * *" });
  }

  /** Lets it be so many seconds later there, where it was served with a clock. */
  ahead(seconds) {
    return this.request(`/__ahead?seconds=${seconds}`);
  }

  sync(customer, more = {}) {
    return this.request(`/v1/customers/${customer}/sync?${new URLSearchParams(more)}`, { method: "POST" });
  }

  async health() {
    return (await this.request("/healthz")).json;
  }

  stop() {
    return this.workerd.dispose();
  }
}

/** Tries an assertion until it holds, and fails as it does if it does not hold in time. */
export async function eventually(assertion, deadline = 10_000) {
  const end = Date.now() + deadline;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await sleep(25);
  }
}

/** Now, as Stripe dates its events. */
export const seconds = () => Math.floor(Date.now() / 1000);

/** Stripe's SDK, pointed at the Worker. */
export function stripe(url, key = KEY) {
  const { hostname, port } = new URL(url);
  return new Stripe(key, { host: hostname, port, protocol: "http", telemetry: false, maxNetworkRetries: 0 });
}

/** A summary event as Stripe sends it: https://docs.stripe.com/billing/entitlements#webhooks */
export function summary(customer, keys, { created = seconds(), livemode = false, hasMore = false, ...event } = {}) {
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

/** The event of a customer who was deleted: https://docs.stripe.com/api/events/types#event_types-customer.deleted */
export function deletion(customer, { livemode = false, ...more } = {}) {
  const event = summary(customer, [], { livemode, type: "customer.deleted", ...more });
  return { ...event, data: { object: { id: customer, object: "customer", livemode } } };
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
