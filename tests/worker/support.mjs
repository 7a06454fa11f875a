// The built Worker in Miniflare, as wrangler.toml configures it, and helpers that all test suites share.
//
// `serve` starts the Worker in workerd, with real KV and Durable Objects. `Service` sends it requests and reads
// its storage. `summary` and `customerDeleted` build Stripe's events. A Worker in a process of its own, which a
// test can kill, is in worker-process.mjs; Stripe's API is in fake-stripe.mjs.

import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import Stripe from "stripe";
import { otherCustomerIndex, repositoryPath, workerModules } from "./worker-modules.mjs";

/** @import { Request, Response, V4MiniflareOptions, V4WorkerOptions } from "miniflare" */

/** @typedef {"before" | "after" | "late" | "slow" | "mixed"} PutFault See worker-modules.mjs. */

/**
 * What tests use of Miniflare. Its own types refer to the types of Workers, which are not installed.
 *
 * @typedef {object} Workerd
 * @property {(binding: string, worker: string) => Promise<KvNamespace>} getKVNamespace
 * @property {(binding: string, worker: string) => Promise<DurableObjectNamespace>} getDurableObjectNamespace
 * @property {(worker: string) => Promise<RunningWorker>} getWorker
 * @property {() => Promise<void>} dispose
 */

/**
 * @typedef {object} RunningWorker
 * @property {(options: { cron: string }) => Promise<{ outcome: string }>} scheduled
 * @property {(url: string, init?: { method: string, body: string }) => Promise<globalThis.Response>} fetch
 */

/** @typedef {{ request(message: string): Promise<string>, fetch(url: string): Promise<globalThis.Response> }} DurableObjectStub */
/** @typedef {{ idFromName(name: string): object, get(id: object): DurableObjectStub }} DurableObjectNamespace */

/**
 * @typedef {object} KvNamespace
 * @property {(key: string, type?: "json") => Promise<any>} get
 * @property {(key: string, value: string) => Promise<void>} put
 * @property {(key: string) => Promise<void>} delete
 * @property {(options?: { prefix: string }) => Promise<{ keys: { name: string, metadata?: unknown }[] }>} list
 */

/**
 * @typedef {object} ServeOptions
 * @property {Record<string, unknown>} [settings] Settings of the deployment, over the defaults.
 * @property {string} [folder] Where KV and Durable Objects are stored. Without it, they end with the Worker.
 * @property {boolean} [faulty] Whether puts to KV can fail: see `Service.failPuts`.
 * @property {string[]} [log] Receives the lines that the Worker logs. Without it, they go to the console, except decisions.
 * @property {boolean} [clock] Whether the Worker's clock can be set: see `Service.setClockOffset`.
 * @property {boolean} [jurisdictions] Whether the runtime has jurisdictions: see `Service.stubs`.
 * @property {boolean} [dataset] Whether the Worker has a dataset: see `Service.takePoints`.
 * @property {Record<string, { dataset: string }>} [analyticsEngineDatasets] Datasets of Miniflare, by binding.
 * @property {boolean} [subrequests] Whether the Worker lists its subrequests: see `Service.takeSubrequests`.
 * @property {boolean} [storageCalls] Whether ledgers list their statements: see `Service.storageCalls`.
 * @property {(request: Request) => Response} [outbound] Handles the requests that the Worker sends.
 * @property {Record<string, Uint8Array<ArrayBuffer>>} [cores] WebAssembly modules in place of the built ones, by name.
 * @property {string} [customerIndex] Statements that respond to each message to the customer index in place of the real one.
 * @property {V4WorkerOptions[]} [others] Workers beside entgate, such as one with a service binding to it.
 */

/**
 * @typedef {object} RequestOptions
 * @property {string} [method]
 * @property {Record<string, string | undefined>} [headers]
 * @property {RequestInit["body"]} [body]
 * @property {string | null} [key] The key or token to send, the test server key by default. An empty string or `null` sends none.
 */

export const KEY = "sk_test_entgate";
export const READ_ONLY_KEY = "rk_test_entgate";
export const LIVE_KEY = "sk_live_entgate";
export const SECRET = "whsec_test_entgate";
export const LIVE_SECRET = "whsec_live_entgate";

/**
 * Default settings. No key for Stripe is set, so unknown customers are denied by choice. The record cache of an isolate is off, so
 * that a test sees every change at once. Events are not polled, so that a test counts only the reads that it causes, which
 * hardly wait for each other.
 */
const SETTINGS = {
  ENTGATE_DEVELOPMENT: "true",
  ENTGATE_API_KEYS: `${KEY},${READ_ONLY_KEY},${LIVE_KEY}`,
  STRIPE_WEBHOOK_SECRETS: `test:${SECRET},live:${LIVE_SECRET}`,
  ENTGATE_UNKNOWN_CUSTOMERS: "deny",
  ENTGATE_MEMORY_TTL: "0",
  ENTGATE_EVENT_POLL: "0",
  ENTGATE_STRIPE_RATE: "100",
};

/** A server key and a webhook secret that are accepted without ENTGATE_DEVELOPMENT, and the settings of such a deployment. */
export const DEPLOYED_KEY = "sk_test_0123456789abcdef01234567";
export const DEPLOYED_SECRET = "whsec_0123456789abcdef01234567";
export const DEPLOYED = { ENTGATE_DEVELOPMENT: "", ENTGATE_API_KEYS: DEPLOYED_KEY, STRIPE_WEBHOOK_SECRETS: DEPLOYED_SECRET };

/**
 * What wrangler.toml says, as options of Miniflare. Wrangler takes longer to load than a Worker to start: its result is kept in a
 * file until wrangler.toml changes.
 *
 * @returns {Promise<V4WorkerOptions>}
 */
async function readWorkerOptions() {
  const [config, kept] = [repositoryPath("wrangler.toml"), repositoryPath("target/worker-options.json")];
  const changedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (changedAt(kept) <= Math.max(changedAt(config), changedAt(repositoryPath("package-lock.json")))) {
    const { unstable_getMiniflareWorkerOptions: workerOptions } = await import("wrangler");
    // Module rules concern Wrangler: `serve` lists the modules.
    const { modulesRules: _, ...options } = workerOptions(config).workerOptions;
    mkdirSync(repositoryPath("target"), { recursive: true });
    writeFileSync(`${kept}.${process.pid}`, JSON.stringify(options));
    renameSync(`${kept}.${process.pid}`, kept);
  }
  return JSON.parse(readFileSync(kept, "utf8"));
}

/**
 * Starts the Worker on a free port.
 *
 * @param {ServeOptions} [options]
 */
export async function serve({
  settings = {},
  folder,
  faulty = false,
  log,
  clock = false,
  jurisdictions = false,
  dataset = false,
  subrequests = false,
  storageCalls = false,
  analyticsEngineDatasets,
  outbound,
  customerIndex,
  cores,
  others = [],
} = {}) {
  const entries = { clock, "faulty-replica": faulty, jurisdictions, dataset, subrequests, "storage-calls": storageCalls };
  const [entry, another] = Object.keys(entries).filter((name) => entries[name]);
  if (another) throw new Error(`a Worker has one entry module, not both ${entry} and ${another}`);
  const options = await readWorkerOptions();
  /** @type {V4WorkerOptions} */
  const worker = {
    ...options,
    name: "entgate",
    modulesRoot: repositoryPath("build"),
    modules: workerModules(entry, cores),
    bindings: /** @type {V4WorkerOptions["bindings"]} */ ({ ...SETTINGS, ...settings }),
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    ...(analyticsEngineDatasets && { analyticsEngineDatasets }),
    ...(outbound && { outboundService: outbound }),
    ...(faulty && { kvNamespaces: { ENTITLEMENTS: "ENTITLEMENTS", FAULTS: "FAULTS" } }),
  };
  const workers = [worker, ...others];
  if (customerIndex) {
    const script = otherCustomerIndex(customerIndex);
    workers.push({ name: "customer-index", modules: true, script, durableObjects: { CUSTOMER_INDEX: "CustomerIndex" } });
    worker.durableObjects = { ...worker.durableObjects, CUSTOMER_INDEX: { className: "CustomerIndex", scriptName: "customer-index" } };
  }
  /** @type {V4MiniflareOptions} */
  const miniflare = { workers, host: "127.0.0.1", port: 0, resourcePersistencePath: folder };
  miniflare.handleStructuredLogs = ({ message }) => {
    if (log) log.push(...message.split("\n"));
    else if (!message.startsWith('{"message":"decision"')) console.log(message);
  };
  const workerd = new Miniflare(convertV4MiniflareOptions(miniflare));
  await workerd.ready;
  // The Worker's own socket. Miniflare's is one of a Worker before it, which takes half of the time of a small request.
  const url = await workerd.unsafeGetDirectURL("entgate");
  return new Service(/** @type {Workerd} */ (/** @type {unknown} */ (workerd)), url);
}

/** The status and the body of a Durable Object's response: see src/worker/rpc.rs. @param {string} response */
export function parseResponse(response) {
  const end = response.indexOf("\n");
  return { status: Number(response.slice(0, end).split(" ")[0]), body: response.slice(end + 1) };
}

/** Sends a message to a Durable Object, and returns the value of its response. @param {DurableObjectStub} object @param {unknown} message */
async function sendMessage(object, message) {
  const { status, body } = parseResponse(await object.request(JSON.stringify(message)));
  if (status !== 200) throw new Error(`${status} ${body}`);
  return body && JSON.parse(body);
}

/** A running Worker: its HTTP API and, in this process, its storage. */
export class Service {
  #workerd;

  /**
   * @param {Workerd | undefined} workerd Undefined if the Worker runs in another process.
   * @param {URL} url
   */
  constructor(workerd, url) {
    this.#workerd = workerd;
    this.url = url;
  }

  get workerd() {
    if (!this.#workerd) throw new Error("the Worker runs in another process");
    return this.#workerd;
  }

  /**
   * Sends a request. The result has the body as text, and parsed if it is JSON.
   *
   * @param {string} path
   * @param {RequestOptions} [options]
   */
  async request(path, { method = "GET", headers = {}, body, key = KEY } = {}) {
    const authorization = key ? { authorization: `Bearer ${key}` } : {};
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: /** @type {Record<string, string>} */ ({ ...authorization, ...headers }),
      body,
      redirect: "manual",
    });
    const text = await response.text();
    const isJson = response.headers.get("content-type") === "application/json";
    return { status: response.status, headers: response.headers, text, json: isJson && text ? JSON.parse(text) : undefined };
  }

  /**
   * Sends an event. Stripe's library signs it unless a header is given, with the secret of the event's mode unless one is given.
   *
   * @param {{ livemode?: boolean } | string} event
   * @param {{ secret?: string, header?: string }} [options]
   */
  send(event, { secret, header } = {}) {
    secret ??= typeof event === "object" && event.livemode ? LIVE_SECRET : SECRET;
    const body = typeof event === "string" ? event : JSON.stringify(event);
    header ??= Stripe.webhooks.generateTestHeaderString({ payload: body, secret });
    return this.request("/webhooks/stripe", { method: "POST", body, headers: { "stripe-signature": header }, key: null });
  }

  /**
   * @param {string} customer
   * @param {string} feature
   * @param {Record<string, unknown>} [params]
   */
  check(customer, feature, params = {}) {
    return this.request(`/v1/check?${queryString({ customer, feature, ...params })}`);
  }

  /** @param {string} customer @param {Record<string, unknown>} [params] */
  sync(customer, params = {}) {
    return this.request(`/v1/customers/${customer}/sync?${queryString(params)}`, { method: "POST" });
  }

  /** What `/healthz` reports of test mode. */
  async health() {
    return (await this.request("/healthz")).json;
  }

  /** The KV namespace with the replica. */
  replica() {
    return this.#kv("ENTITLEMENTS");
  }

  /** @param {string} binding */
  #kv(binding) {
    return this.workerd.getKVNamespace(binding, "entgate");
  }

  /**
   * The record of a test customer in the replica, or `null`.
   *
   * @param {string} customer
   * @returns {Promise<any>}
   */
  async replicaRecord(customer) {
    return (await this.replica()).get(`test:${customer}`, "json");
  }

  /** The stub of a Durable Object. @param {string} binding @param {string} name */
  async durableObject(binding, name) {
    const namespace = await this.workerd.getDurableObjectNamespace(binding, "entgate");
    return namespace.get(namespace.idFromName(name));
  }

  /** Sends a message to the shard of a key, as a ledger does. @param {string} key @param {{ report?: unknown, activities?: unknown[] }} message */
  sendToCustomerIndex(key, { report = null, activities = [] }) {
    const [mode, id] = [key.slice(0, 5), key.slice(5)];
    return this.requestCustomerIndex(`${mode}${shardNumber(id)}`, { message: { key, report, activities } });
  }

  /** Sends a request to a shard of the customer index, and returns its response. @param {string} name @param {unknown} request */
  async requestCustomerIndex(name, request) {
    return sendMessage(await this.durableObject("CUSTOMER_INDEX", name), request);
  }

  /** Sends a request to the coordinator of a mode, and returns its response. @param {unknown} request */
  async requestCoordinator(request, mode = "test") {
    return sendMessage(await this.durableObject("SOURCE_COORDINATOR", mode), request);
  }

  /** Lets every get of a test customer return the record of now, or with `undefined` the newest one again. @param {string} customer @param {"old" | undefined} state */
  async freezeReplica(customer, state = "old") {
    const [key, faults] = [`test:${customer}`, await this.#kv("FAULTS")];
    if (state) await faults.put(`old:${key}`, await (await this.replica()).get(key));
    else await faults.delete(`old:${key}`);
  }

  /** Sets one fault for each of the next puts to KV. @param {PutFault[]} faults */
  async failPuts(...faults) {
    await (await this.#kv("FAULTS")).put("puts", JSON.stringify(faults));
  }

  /** The faults of the next puts that have not happened yet. @returns {Promise<PutFault[]>} */
  async remainingPutFaults() {
    return (await (await this.#kv("FAULTS")).get("puts", "json")) ?? [];
  }

  /** Sets the fault of every n-th put without another fault. `undefined` ends it. @param {PutFault | undefined} fault */
  async failEachPut(fault, n = 1) {
    await (await this.#kv("FAULTS")).put("each", JSON.stringify(fault ? { fault, n } : null));
  }

  /**
   * When puts of a test customer began. With `"late"`, when those that fail and still write failed; with
   * `"landed"`, when these wrote.
   *
   * @param {string} customer
   * @param {"put" | "late" | "landed"} [kind]
   * @returns {Promise<number[]>} In Unix milliseconds.
   */
  async putTimes(customer, kind = "put") {
    const { keys } = await (await this.#kv("FAULTS")).list({ prefix: `${kind}:` });
    return keys
      .map(({ metadata }) => /** @type {{ key: string, at: number }} */ (metadata))
      .filter(({ key }) => key === `test:${customer}`)
      .map(({ at }) => at);
  }

  /**
   * The statements that the ledger of a test customer has run since the last call, and its other calls of the storage. The Worker
   * has to be served with `storageCalls`.
   *
   * @param {string} customer
   * @returns {Promise<string[]>}
   */
  async storageCalls(customer) {
    const ledger = await this.durableObject("LEDGERS", `test:${customer}`);
    return /** @type {Promise<string[]>} */ ((await ledger.fetch("https://object/__storage-calls")).json());
  }

  /** Runs the cron trigger. */
  async runCron() {
    return (await this.workerd.getWorker("entgate")).scheduled({ cron: "* * * * *" });
  }

  /** Sends a request to another Worker beside entgate. @param {string} worker @param {string} path @param {{ method: string, body: string }} [init] */
  async fetchWorker(worker, path, init) {
    return (await this.workerd.getWorker(worker)).fetch(`http://${worker}.example${path}`, init);
  }

  /** Sets by how many seconds the clock of the Worker is ahead. It has to be served with `clock`. @param {number} seconds */
  setClockOffset(seconds) {
    return this.request(`/__clock?offset=${seconds}`);
  }

  /** The stubs that a Worker with `jurisdictions` created: `BINDING jurisdiction hint`. @returns {Promise<string[]>} */
  async stubs() {
    return (await fetch(new URL("/__stubs", this.url))).json();
  }

  /** The data points that a Worker with `dataset` wrote since the last call. @returns {Promise<object[]>} */
  async takePoints() {
    return (await fetch(new URL("/__points", this.url))).json();
  }

  /**
   * Returns and forgets the bindings of the Worker's subrequests, sorted. The Worker must be served with `subrequests`.
   *
   * @returns {Promise<string[]>}
   */
  async takeSubrequests() {
    return (await fetch(new URL("/__subrequests", this.url))).json();
  }

  stop() {
    return this.workerd.dispose();
  }
}

/** A query string, with the values as strings. @param {Record<string, unknown>} params */
const queryString = (params) => new URLSearchParams(Object.entries(params).map(([name, value]) => [name, `${value}`]));

/**
 * Retries an assertion until it passes, less often the longer it takes: a request to a Worker costs processor time that other tests
 * need. After the timeout it fails with the last error.
 *
 * @template Result
 * @param {() => Result | Promise<Result>} assertion
 * @param {number} [timeout] In milliseconds.
 */
export async function eventually(assertion, timeout = 10_000) {
  const began = Date.now();
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > began + timeout) throw error;
    }
    await sleep(Math.min(25 + (Date.now() - began) / 8, 250));
  }
}

/** The shard of a customer: FNV-1a of the id's UTF-8, modulo 32. @param {string} id */
export function shardNumber(id) {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % 32;
}

/** Returns once the clock shows another millisecond. */
export async function nextMillisecond() {
  const began = Date.now();
  while (Date.now() <= began) await sleep(1);
}

/** The current time in Unix seconds, as in Stripe's events. */
export const unixNow = () => Math.floor(Date.now() / 1000);

/** Stripe's SDK, with the Worker as its host. @param {URL | string} url */
export function stripeClient(url, key = KEY) {
  const { hostname, port } = new URL(url);
  return new Stripe(key, { host: hostname, port, protocol: "http", telemetry: false, maxNetworkRetries: 0 });
}

/**
 * A summary event as Stripe sends it: https://docs.stripe.com/billing/entitlements#webhooks
 *
 * @param {string} customer
 * @param {string[]} keys Lookup keys of the entitlements.
 * @param {{ created?: number, livemode?: boolean, hasMore?: boolean, [member: string]: unknown }} [options] Other members override those of the event.
 */
export function summary(customer, keys, { created = unixNow(), livemode = false, hasMore = false, ...event } = {}) {
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

/**
 * The event of a deleted customer: https://docs.stripe.com/api/events/types#event_types-customer.deleted
 *
 * @param {string} customer
 * @param {{ created?: number, livemode?: boolean }} [options]
 */
export function customerDeleted(customer, { livemode = false, ...options } = {}) {
  const event = summary(customer, [], { livemode, type: "customer.deleted", ...options });
  return { ...event, data: { object: { id: customer, object: "customer", livemode } } };
}

/** An active entitlement as Stripe returns it. @param {string} customer @param {string} key */
export function entitlement(customer, key, livemode = false) {
  return {
    id: `ent_test_${customer}_${key}`,
    object: "entitlements.active_entitlement",
    feature: `feat_test_${key}`,
    livemode,
    lookup_key: key,
  };
}
