// The ledger's work, written by hand in JavaScript: one SQLite object per customer takes an event in once and in order, owes
// KV a copy until KV has it, and answers when that is so. No key is asked for, no source is read, and no error is known.
//
// `DOES` says how much of it is done, for what each part costs: `tables`, `copy`, `alarm`, `changes`, `journal`, `roster`.

import { DurableObject } from "cloudflare:workers";
import { genuine } from "./signature.mjs";

const EVENT_MEMORY = 30 * 24 * 60 * 60;
const CHANGE_MEMORY = 100;
const ACTIVITY_MEMORY = 1_000;
const WRITE_INTERVAL = 1_000;
const REPORT_DELAY = 1_000;
const PAUSE = 2_000;

let parts;
const does = (env, part) => (parts ??= new Set(env.DOES.split(","))).has(part);

export default {
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/webhooks/stripe") return new Response(null, { status: 404 });
    const body = await request.text();
    if (!(await genuine(request.headers.get("stripe-signature"), body, env.STRIPE_WEBHOOK_SECRETS)))
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
    const page = data.map(({ id, feature, lookup_key }) => ({ id, feature, lookup_key }));
    const ledger = env.CUSTOMERS.get(env.CUSTOMERS.idFromName(`test:${customer}`));
    return Response.json(await ledger.receive({ id, created, customer, page, has_more }));
  },
};

export class Customer extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
  }

  async receive(event) {
    if (!does(this.env, "tables")) return { effect: "applied", version: 1 };
    const now = Date.now();
    const { storage } = this.ctx;
    const { effect, account } = storage.transactionSync(() => this.apply(event, now));
    if (does(this.env, "journal"))
      this.ctx.waitUntil(this.note(event.customer, { id: event.id, created: event.created, effect, version: account.version, at: now }));
    if (effect === "applied") {
      // Committed together with the event: should this end here, the alarm writes the copy.
      const due = account.written + WRITE_INTERVAL;
      if (does(this.env, "alarm")) storage.setAlarm(now < due ? due : now + PAUSE);
      if (does(this.env, "copy") && now >= due) await this.copy(account);
    }
    return { effect, version: account.version };
  }

  /** Takes an event in: once, and unless something newer is held. */
  apply({ id, created, customer, page, has_more }, now) {
    this.create();
    const held = this.account();
    if (this.sql.exec("SELECT 1 FROM events WHERE id = ?", id).toArray().length) return { effect: "duplicate", account: held };
    const second = Math.floor(now / 1000);
    this.sql.exec("DELETE FROM events WHERE received < ?", second - EVENT_MEMORY);
    this.sql.exec("INSERT INTO events (id, received) VALUES (?, ?)", id, second);
    if (held && created < held.as_of) return { effect: "stale", account: held };
    const set = merged(held?.data ?? [], page, has_more);
    const data = JSON.stringify(set);
    const changed = data !== JSON.stringify(held?.data);
    const account = { ...held, customer, as_of: created, coverage: has_more ? "partial" : "whole", data: set };
    account.version = (held?.version ?? 0) + changed;
    account.written ??= 0;
    account.seen ??= [];
    if (changed) account.owed = 1;
    if (changed && does(this.env, "changes")) this.remember(held?.data ?? [], account);
    account.untold = set.map(({ lookup_key }) => lookup_key).filter((key) => !account.seen.includes(key));
    this.keep(account, data);
    return { effect: changed ? "applied" : "unchanged", account };
  }

  /** Has KV get what is held, and owes it no more. */
  async copy(account) {
    const { customer, version, as_of, coverage, data } = account;
    this.sql.exec("UPDATE account SET written = ?", Date.now());
    await this.env.ENTITLEMENTS.put(`test:${customer}`, JSON.stringify({ v: 1, version, as_of, coverage, data }));
    const settled = this.sql.exec("UPDATE account SET owed = 0 WHERE version = ?", version).rowsWritten > 0;
    if (!does(this.env, "alarm")) return;
    if (does(this.env, "roster") && account.untold.length) await this.ctx.storage.setAlarm(Date.now() + REPORT_DELAY);
    else if (settled) await this.ctx.storage.deleteAlarm();
  }

  async alarm() {
    const account = this.account();
    if (!account) return;
    // Should it fail, the alarm is set again by the platform.
    if (account.owed) await this.copy(account);
    if (!does(this.env, "roster") || !account.untold.length) return;
    await this.env.ROSTER.get(this.env.ROSTER.idFromName("roster")).report(`test:${account.customer}`, account.untold);
    this.sql.exec("UPDATE account SET seen = ?, untold = '[]'", JSON.stringify([...account.seen, ...account.untold]));
  }

  create() {
    if (this.created) return;
    this.created = true;
    this.sql.exec(`CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY CHECK (id = 0), customer TEXT NOT NULL, version INTEGER NOT NULL,
      as_of INTEGER NOT NULL, coverage TEXT NOT NULL, data TEXT NOT NULL, owed INTEGER NOT NULL, written INTEGER NOT NULL, seen TEXT NOT NULL,
      untold TEXT NOT NULL)`);
    this.sql.exec("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received INTEGER NOT NULL) WITHOUT ROWID");
    this.sql.exec("CREATE TABLE IF NOT EXISTS changes (version INTEGER PRIMARY KEY, change TEXT NOT NULL)");
  }

  account() {
    const [row] = this.sql.exec("SELECT * FROM account");
    return row && { ...row, data: JSON.parse(row.data), seen: JSON.parse(row.seen), untold: JSON.parse(row.untold) };
  }

  keep({ customer, version, as_of, coverage, owed, written, seen, untold }, data) {
    const values = [customer, version, as_of, coverage, data, owed, written, JSON.stringify(seen), JSON.stringify(untold)];
    this.sql.exec("INSERT OR REPLACE INTO account VALUES (0, ?, ?, ?, ?, ?, ?, ?, ?, ?)", ...values);
  }

  remember(before, { version, data }) {
    const [old, now] = [before, data].map((grants) => new Set(grants.map(({ lookup_key }) => lookup_key)));
    const only = (among, others) => [...among].filter((key) => !others.has(key)).sort();
    const change = { version, added: only(now, old), removed: only(old, now) };
    this.sql.exec("DELETE FROM changes WHERE version <= ?", version - CHANGE_MEMORY);
    this.sql.exec("INSERT OR REPLACE INTO changes VALUES (?, ?)", version, JSON.stringify(change));
    for (const socket of this.ctx.getWebSockets()) socket.send(JSON.stringify({ change }));
  }

  async note(customer, activity) {
    await new Promise((resolve) => setTimeout(resolve));
    await this.env.JOURNAL.get(this.env.JOURNAL.idFromName("test")).note(customer, activity);
  }
}

/** New grants first, each held one in its place. */
function merged(held, page, has_more) {
  const told = new Map(page.map((granted) => [granted.feature, granted]));
  const known = new Set(held.map(({ feature }) => feature));
  const kept = held.flatMap((granted) => told.get(granted.feature) ?? (has_more ? granted : []));
  return [...page.filter(({ feature }) => !known.has(feature)), ...kept];
}

export class Journal extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, activity TEXT NOT NULL)");
    this.sql.exec("CREATE INDEX IF NOT EXISTS by_customer ON entries (customer)");
  }

  note(customer, activity) {
    this.sql.exec("INSERT INTO entries (customer, activity) VALUES (?, ?)", customer, JSON.stringify(activity));
    this.sql.exec("DELETE FROM entries WHERE id <= (SELECT MAX(id) FROM entries) - ?", ACTIVITY_MEMORY);
  }
}

export class Roster extends DurableObject {
  constructor(state, env) {
    super(state, env);
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS customers (key TEXT PRIMARY KEY, told INTEGER NOT NULL) WITHOUT ROWID");
    this.sql.exec("CREATE TABLE IF NOT EXISTS features (lookup_key TEXT PRIMARY KEY) WITHOUT ROWID");
  }

  report(key, features) {
    this.sql.exec("INSERT OR REPLACE INTO customers VALUES (?, ?)", key, Date.now());
    for (const feature of features) this.sql.exec("INSERT OR IGNORE INTO features VALUES (?)", feature);
  }
}
