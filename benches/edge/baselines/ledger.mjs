/// <reference path="./cloudflare.d.ts" />
// Baseline `JavaScript ledger`: the work of entgate's ledger in handwritten JavaScript. One SQLite object per customer applies each event
// once and in order, and writes the replica until it succeeds.
//
// The setting `COMPONENTS` enables components, to measure their cost: `tables`, `replica`, `alarm`, `changes`,
// `customer_index`, `limits` (no wait without a limit, and a log line for each event that changes something). Not here:
// authentication, reads of the source, errors, and a pending task other than these.

import { DurableObject } from "cloudflare:workers";
import { isValidSignature } from "./signature.mjs";

/** @typedef {{ id: string, feature: string, lookup_key: string }} Grant */

/**
 * @typedef {object} SummaryEvent
 * @property {string} id
 * @property {number} created
 * @property {string} customer
 * @property {Grant[]} page
 * @property {boolean} has_more
 */

/**
 * The row of state of a ledger, decoded. `replica_pending` is 1 if the replica must be written.
 *
 * @typedef {object} LedgerState
 * @property {string} customer
 * @property {number} version
 * @property {number} as_of
 * @property {string} completeness
 * @property {Grant[]} data
 * @property {number} replica_pending
 * @property {number} last_replica_write
 * @property {string[]} reported_features
 * @property {string[]} unreported_features
 */

/** @typedef {{ outcome: string, state: LedgerState }} Applied */
/** @typedef {{ id: string, created: number, outcome: string, version: number, at: number }} Activity */

/**
 * @typedef {object} Env
 * @property {string} COMPONENTS
 * @property {string} STRIPE_WEBHOOK_SECRETS
 * @property {KvNamespace} ENTITLEMENTS
 * @property {DurableObjectNamespace<Ledger>} LEDGERS
 * @property {DurableObjectNamespace<CustomerIndex>} CUSTOMER_INDEX
 */

/** In seconds. */
const EVENT_RETENTION = 30 * 24 * 60 * 60;
const MAX_CHANGES = 100;
const MAX_ACTIVITY = 10_000;
/** Expired activity is deleted once in so many entries. */
const PURGE_INTERVAL = 128;
/** In milliseconds. */
const REPLICA_WRITE_INTERVAL = 1_500;
const REPORT_DELAY = 1_000;
const RETRY_BACKOFF = 2_000;
const BODY_TIMEOUT = 10_000;
const ACKNOWLEDGE_TIMEOUT = 2_000;
const REPLICA_WRITE_TIMEOUT = 30_000;
const INDEX_TIMEOUT = 5_000;

/** @type {Set<string> | undefined} */
let components;
/**
 * @param {Env} env
 * @param {string} component
 */
function isEnabled(env, component) {
  components ??= new Set(env.COMPONENTS.split(","));
  return components.has(component);
}

/**
 * Rejects if there is no result within so many milliseconds.
 *
 * @template T
 * @param {Env} env
 * @param {number} millis
 * @param {Promise<T>} call
 * @returns {Promise<T>}
 */
async function within(env, millis, call) {
  if (!isEnabled(env, "limits")) return call;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const timedOut = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no response within ${millis} ms`)), millis);
  });
  try {
    return await Promise.race([call, timedOut]);
  } finally {
    clearTimeout(timer);
  }
}

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   */
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/webhooks/stripe") return new Response(null, { status: 404 });
    const body = await within(env, BODY_TIMEOUT, request.text());
    if (!(await isValidSignature(request.headers.get("stripe-signature"), body, env.STRIPE_WEBHOOK_SECRETS)))
      return new Response(null, { status: 400 });
    const {
      id,
      type,
      created,
      data: { object },
    } = JSON.parse(body);
    if (type !== "entitlements.active_entitlement_summary.updated") return new Response();
    const {
      customer,
      entitlements: { data, has_more },
    } = object;
    const page = data.map((/** @type {Grant} */ { id, feature, lookup_key }) => ({ id, feature, lookup_key }));
    const ledger = env.LEDGERS.get(env.LEDGERS.idFromName(`test:${customer}`));
    const receipt = await ledger.receive({ id, created, customer, page, has_more });
    if (isEnabled(env, "limits") && receipt.outcome === "applied") {
      console.log(JSON.stringify({ message: "decision", route: "/webhooks/stripe", status: 200, decision: receipt.outcome, event: id }));
    }
    return Response.json(receipt);
  },
};

/** @extends {DurableObject<Env>} */
export class Ledger extends DurableObject {
  /**
   * @param {DurableObjectState} state
   * @param {Env} env
   */
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.hasTables = false;
  }

  /** @param {SummaryEvent} event */
  async receive(event) {
    if (!isEnabled(this.env, "tables")) return { outcome: "applied", version: 1 };
    const now = Date.now();
    const { storage } = this.ctx;
    const { outcome, state } = storage.transactionSync(() => this.apply(event, now));
    if (isEnabled(this.env, "customer_index")) {
      const activity = { id: event.id, created: event.created, outcome, version: state.version, at: now };
      this.ctx.waitUntil(this.sendToIndex(state, activity));
    }
    if (outcome === "applied") {
      // The alarm is committed together with the event. If the object stops here, the alarm writes the replica.
      const due = state.last_replica_write + REPLICA_WRITE_INTERVAL;
      if (isEnabled(this.env, "alarm")) storage.setAlarm(now < due ? due : now + RETRY_BACKOFF);
      // A write that takes longer goes on without the response.
      if (isEnabled(this.env, "replica") && now >= due) {
        await within(this.env, ACKNOWLEDGE_TIMEOUT, this.writeReplica(state)).catch(() => {});
      }
    }
    return { outcome, version: state.version };
  }

  /**
   * Applies an event, unless it is a duplicate or older than the stored set.
   *
   * @param {SummaryEvent} event
   * @param {number} now
   * @returns {Applied}
   */
  apply({ id, created, customer, page, has_more }, now) {
    this.createTables();
    const before = this.load();
    const isDuplicate = this.sql.exec("SELECT 1 FROM events WHERE id = ?", id).toArray().length > 0;
    if (before && isDuplicate) return { outcome: "duplicate", state: before };
    const seconds = Math.floor(now / 1000);
    this.sql.exec("DELETE FROM events WHERE received_at < ?", seconds - EVENT_RETENTION);
    this.sql.exec("INSERT INTO events (id, received_at) VALUES (?, ?)", id, seconds);
    if (before && created < before.as_of) return { outcome: "stale", state: before };
    const set = mergePage(before?.data ?? [], page, has_more);
    const data = JSON.stringify(set);
    const hasChanged = data !== JSON.stringify(before?.data);
    const reported = before?.reported_features ?? [];
    /** @type {LedgerState} */
    const state = {
      customer,
      version: (before?.version ?? 0) + Number(hasChanged),
      as_of: created,
      completeness: has_more ? "partial" : "complete",
      data: set,
      replica_pending: hasChanged ? 1 : (before?.replica_pending ?? 0),
      last_replica_write: before?.last_replica_write ?? 0,
      reported_features: reported,
      unreported_features: set.map(({ lookup_key }) => lookup_key).filter((key) => !reported.includes(key)),
    };
    if (hasChanged && isEnabled(this.env, "changes")) this.recordChange(before?.data ?? [], state);
    this.persist(state, data);
    return { outcome: hasChanged ? "applied" : "unchanged", state };
  }

  /**
   * Writes the replica and completes the task.
   *
   * @param {LedgerState} state
   */
  async writeReplica({ customer, version, as_of, completeness, data, unreported_features }) {
    this.sql.exec("UPDATE state SET last_replica_write = ?", Date.now());
    const record = JSON.stringify({ v: 1, version, as_of, completeness, data });
    await within(this.env, REPLICA_WRITE_TIMEOUT, this.env.ENTITLEMENTS.put(`test:${customer}`, record));
    const isComplete = this.sql.exec("UPDATE state SET replica_pending = 0 WHERE version = ?", version).rowsWritten > 0;
    if (!isEnabled(this.env, "alarm")) return;
    if (isEnabled(this.env, "customer_index") && unreported_features.length) await this.ctx.storage.setAlarm(Date.now() + REPORT_DELAY);
    else if (isComplete) await this.ctx.storage.deleteAlarm();
  }

  async alarm() {
    const state = this.load();
    if (!state) return;
    // If a task throws, the platform retries the alarm.
    if (state.replica_pending) await this.writeReplica(state);
    if (!isEnabled(this.env, "customer_index") || !state.unreported_features.length) return;
    await this.sendToIndex(state, null);
  }

  createTables() {
    if (this.hasTables) return;
    this.hasTables = true;
    this.sql.exec(`CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 0), customer TEXT NOT NULL, version INTEGER NOT NULL,
      as_of INTEGER NOT NULL, completeness TEXT NOT NULL, data TEXT NOT NULL, replica_pending INTEGER NOT NULL, last_replica_write INTEGER NOT NULL,
      reported_features TEXT NOT NULL, unreported_features TEXT NOT NULL)`);
    this.sql.exec("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received_at INTEGER NOT NULL) WITHOUT ROWID");
    this.sql.exec("CREATE TABLE IF NOT EXISTS changes (version INTEGER PRIMARY KEY, change TEXT NOT NULL)");
  }

  /** @returns {LedgerState | undefined} */
  load() {
    const [row] = this.sql.exec("SELECT * FROM state");
    if (!row) return undefined;
    /** @type {Partial<LedgerState>} */
    const decoded = {};
    for (const column of /** @type {const} */ (["data", "reported_features", "unreported_features"])) {
      decoded[column] = JSON.parse(`${row[column]}`);
    }
    return /** @type {LedgerState} */ ({ .../** @type {object} */ (row), ...decoded });
  }

  /**
   * @param {LedgerState} state
   * @param {string} data
   */
  persist(state, data) {
    const { customer, version, as_of, completeness, replica_pending, last_replica_write, reported_features, unreported_features } = state;
    this.sql.exec(
      "INSERT OR REPLACE INTO state VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      customer,
      version,
      as_of,
      completeness,
      data,
      replica_pending,
      last_replica_write,
      JSON.stringify(reported_features),
      JSON.stringify(unreported_features),
    );
  }

  /**
   * @param {Grant[]} before
   * @param {LedgerState} state
   */
  recordChange(before, { version, data }) {
    const [oldKeys, newKeys] = [before, data].map((grants) => new Set(grants.map(({ lookup_key }) => lookup_key)));
    /**
     * @param {Set<string>} keys
     * @param {Set<string>} others
     */
    const difference = (keys, others) => [...keys].filter((key) => !others.has(key)).sort();
    const change = { version, added: difference(newKeys, oldKeys), removed: difference(oldKeys, newKeys) };
    this.sql.exec("DELETE FROM changes WHERE version <= ?", version - MAX_CHANGES);
    this.sql.exec("INSERT OR REPLACE INTO changes VALUES (?, ?)", version, JSON.stringify(change));
    for (const socket of this.ctx.getWebSockets()) socket.send(JSON.stringify({ change }));
  }

  /**
   * Sends an activity, and the features that were not reported, to the shard of the customer.
   *
   * @param {LedgerState} state
   * @param {Activity | null} activity
   */
  async sendToIndex({ customer, reported_features, unreported_features }, activity) {
    if (activity) await new Promise((resolve) => setTimeout(resolve));
    const { CUSTOMER_INDEX } = this.env;
    const shard = CUSTOMER_INDEX.get(CUSTOMER_INDEX.idFromName(`test:${shardNumber(customer)}`));
    await within(this.env, INDEX_TIMEOUT, Promise.resolve(shard.receive(customer, unreported_features, activity)));
    if (!unreported_features.length) return;
    const reported = JSON.stringify([...reported_features, ...unreported_features]);
    this.sql.exec("UPDATE state SET reported_features = ?, unreported_features = '[]'", reported);
  }
}

/** FNV-1a of the id's UTF-8, modulo 32. @param {string} id */
function shardNumber(id) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % 32;
}

/**
 * Merges a page of a summary into the stored set: new grants first, then the stored ones in their order.
 *
 * @param {Grant[]} stored
 * @param {Grant[]} page
 * @param {boolean} hasMore
 */
function mergePage(stored, page, hasMore) {
  const byFeature = new Map(page.map((grant) => [grant.feature, grant]));
  const storedFeatures = new Set(stored.map(({ feature }) => feature));
  const retained = stored.flatMap((grant) => byFeature.get(grant.feature) ?? (hasMore ? grant : []));
  return [...page.filter(({ feature }) => !storedFeatures.has(feature)), ...retained];
}

/** @extends {DurableObject<Env>} */
export class CustomerIndex extends DurableObject {
  /**
   * @param {DurableObjectState} state
   * @param {Env} env
   */
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, reported_at INTEGER NOT NULL) WITHOUT ROWID");
    this.sql.exec("CREATE TABLE IF NOT EXISTS features (lookup_key TEXT PRIMARY KEY) WITHOUT ROWID");
    this.sql.exec("CREATE TABLE IF NOT EXISTS activity (number INTEGER PRIMARY KEY, customer TEXT NOT NULL, activity TEXT NOT NULL)");
  }

  /**
   * @param {string} customer
   * @param {string[]} features
   * @param {Activity | null} activity
   */
  receive(customer, features, activity) {
    if (features.length) this.sql.exec("INSERT OR REPLACE INTO customers VALUES (?, ?)", customer, Date.now());
    for (const feature of features) this.sql.exec("INSERT OR IGNORE INTO features VALUES (?)", feature);
    if (!activity) return;
    const { number } = this.sql
      .exec("INSERT INTO activity (customer, activity) VALUES (?, ?) RETURNING number", customer, JSON.stringify(activity))
      .one();
    if (Number(number) % PURGE_INTERVAL === 0) this.sql.exec("DELETE FROM activity WHERE number <= ?", Number(number) - MAX_ACTIVITY);
  }
}
