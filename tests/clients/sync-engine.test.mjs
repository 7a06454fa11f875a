// The engines that copy Stripe's objects to PostgreSQL: @supabase/stripe-sync-engine and stripe-replit-sync.
//
// Both are used as their READMEs say, with another host in their Stripe client. Of what they can copy, the catalog has
// products, prices, plans, customers, subscriptions, features and entitlements.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import pg from "pg";
import Stripe from "stripe";
import * as replit from "stripe-replit-sync";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, KEY, unixNow } from "../worker/support.mjs";
import { serveCatalog, TestCatalog, VALID_CARD } from "../worker/test-catalog.mjs";
import { startPostgres } from "./postgres.mjs";
import { createShop, MAX_PAGE, readCatalog } from "./shop.mjs";

// Its ES module refers to `__dirname`, so that only the other one finds the migrations.
const supabase = createRequire(import.meta.url)("@supabase/stripe-sync-engine");

/** Objects that an engine reads again when an event names them: two events of one second have no order. */
const revalidateObjectsViaStripeApi = ["customer", "entitlements", "price", "product", "subscription"];

/** A logger that reports problems, and throws what the engine would only log. */
const logger = {
  info() {},
  warn: console.warn,
  error(error) {
    throw error;
  },
};

const EVENTS = [
  "customer.created",
  "customer.updated",
  "customer.deleted",
  "customer.subscription.created",
  "customer.subscription.deleted",
  "customer.subscription.paused",
  "customer.subscription.resumed",
  "customer.subscription.trial_will_end",
  "customer.subscription.updated",
  "price.created",
  "price.updated",
  "product.created",
  "product.deleted",
  "product.updated",
];
const SUMMARY = "entitlements.active_entitlement_summary.updated";

const ENGINES = [
  {
    name: "@supabase/stripe-sync-engine",
    version: "2020-08-27",
    engine: supabase,
    config: { stripeApiVersion: "2020-08-27", autoExpandLists: true, backfillRelatedEntities: true },
    // It throws for any event that it does not know.
    createEndpoint: (sync, url) =>
      sync.stripe.webhookEndpoints.create({
        url,
        enabled_events: [...EVENTS, SUMMARY],
        api_version: "2020-08-27",
      }),
    row: (row) => row,
    hasEntitlements: true,
    // It asks for the customers of the subscriptions, also for those that are deleted.
    backfillsDeleted: true,
  },
  {
    name: "stripe-replit-sync",
    version: Stripe.API_VERSION,
    engine: replit,
    config: { autoExpandLists: true },
    // It asks for every event that it knows, also for those that the catalog never sends.
    createEndpoint: (sync, url) =>
      sync.findOrCreateManagedWebhook(url, { enabled_events: sync.getSupportedEventTypes().filter((type) => type !== SUMMARY) }),
    row: ({ _raw_data }) => _raw_data,
    // Its table has each lookup key once, so that two customers cannot have the same feature.
    hasEntitlements: false,
    backfillsDeleted: false,
  },
];

let postgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres?.stop());

for (const { name, version, engine, config, createEndpoint, row, hasEntitlements, backfillsDeleted } of ENGINES) {
  describe(name, { timeout: 240_000 }, () => {
    let service;
    let catalog;
    let shop;
    let sync;
    let pool;
    let receiver;
    before(async () => {
      service = await serveCatalog();
      catalog = new TestCatalog(service);
      shop = await createShop(catalog, { customers: MAX_PAGE });
      const database = name.replace(/\W/g, "_");
      pool = new pg.Pool({ connectionString: postgres.connectionString });
      await pool.query(`create database "${database}"`);
      await pool.end();
      const connectionString = postgres.connectionString.replace("/postgres?", `/${database}?`);
      pool = new pg.Pool({ connectionString });
      await engine.runMigrations({ databaseUrl: connectionString, schema: "stripe", logger });
      sync = new engine.StripeSync({
        stripeSecretKey: KEY,
        poolConfig: { connectionString },
        revalidateObjectsViaStripeApi,
        logger,
        ...config,
      });
      sync.stripe = clientOf(version);
      receiver = await startReceiver((body, signature) => sync.processWebhook(body, signature));
    });
    after(async () => {
      await receiver?.close();
      await sync?.postgresClient.pool.end();
      await pool?.end();
      await service?.stop();
    });

    /** Stripe's SDK in the version that the engine uses, with the catalog as its host. */
    function clientOf(apiVersion) {
      const { hostname: host, port } = service.url;
      return new Stripe(KEY, { host, port, protocol: "http", telemetry: false, apiVersion });
    }

    /** The rows of a table, by id, as JSON. */
    async function rows(table) {
      const { rows } = await pool.query(`select to_jsonb(t) as row from stripe.${table} t`);
      return new Map(rows.map(({ row: columns }) => [columns.id, row(columns)]));
    }

    /** Compares every table with the catalog: the same ids, and every member that a table has a column for. */
    async function assertSynced({ deleted }) {
      const { active_entitlements, ...others } = await readCatalog(clientOf(version));
      const expected = hasEntitlements ? { ...others, active_entitlements } : others;
      for (const [table, objects] of Object.entries(expected)) {
        const stored = await rows(table);
        const ends = [...stored.values()].filter((it) => it.deleted).map(({ id }) => id);
        assert.deepEqual(ends.sort(), table === "customers" ? deleted.sort() : []);
        for (const id of ends) stored.delete(id);
        assert.deepEqual([...stored.keys()].sort(), objects.map(({ id }) => id).sort(), table);
        for (const object of objects) {
          const copy = stored.get(object.id);
          const members = Object.keys(object).filter((member) => member in copy);
          assert.ok(members.length > 4, table);
          for (const member of members) {
            const value = plain(object[member]);
            // Of the price of an item, a table has the id.
            const expectedValue = typeof copy[member] === "string" && value?.id ? value.id : value;
            assert.deepEqual(copy[member], expectedValue, `${table}: ${object.id}: ${member}`);
          }
        }
      }
    }

    test("its migrations create the tables", async () => {
      for (const table of ["customers", "subscription_items", "active_entitlements"]) assert.equal((await rows(table)).size, 0);
    });

    test("a backfill copies every object, over several pages", async () => {
      const counts = {};
      for (const object of ["product", "price", "plan", "customer", "subscription"]) {
        const table = `${object}s`;
        counts[table] = (await sync.syncBackfill({ object }))[table];
      }
      const features = await sync.syncFeatures();
      const expected = await readCatalog(clientOf(version));
      for (const { id } of hasEntitlements ? expected.customers : []) await sync.syncEntitlements(id);
      for (const [table, count] of Object.entries(counts)) assert.deepEqual(count, { synced: expected[table].length }, table);
      assert.deepEqual(features, { synced: expected.features.length });
      assert.ok(expected.customers.length > MAX_PAGE);
      await assertSynced({ deleted: backfillsDeleted ? [shop.customers.gone.id] : [] });
    });

    test("webhooks bring every later change", async () => {
      const { sdk } = catalog;
      const endpoint = await createEndpoint(sync, receiver.url);
      sync.config.stripeWebhookSecret = endpoint.secret;
      /**
       * Waits until each event is delivered, and for the next second: an engine ignores an event that is older than what it stored, and an
       * event's time is a whole second.
       */
      const settle = async () => {
        await eventually(async () => {
          const { data } = await sdk.events.list({ limit: MAX_PAGE });
          assert.ok(data.every(({ pending_webhooks }) => pending_webhooks === 0));
        }, 60_000);
        const storedAt = unixNow();
        await eventually(() => assert.ok(unixNow() > storedAt));
      };

      const { customers, prices, products, subscriptions } = shop;
      await settle();
      await sdk.customers.update(customers.ada.id, { name: "Ada King", address: { city: "London" } });
      await sdk.products.update(products.basic.id, { description: "Still one feature" });
      await sdk.prices.update(prices.once.id, { nickname: "Once" });
      await sdk.subscriptions.update(subscriptions.active.id, { cancel_at_period_end: true });
      await sdk.subscriptions.resume(subscriptions.paused.id);
      const cleo = await sdk.customers.create({ name: "Cleo" });
      const subscription = await catalog.subscribe(cleo, prices.proMonthly, { default_payment_method: VALID_CARD });
      const [item] = subscription.items.data;
      const plan = await catalog.createPlan(shop.features.sms);
      await settle();
      await sdk.subscriptions.update(subscription.id, { items: [{ id: item.id, price: plan.price.id, quantity: 3 }] });
      await sdk.subscriptions.cancel(subscriptions.trialing.id);
      await sdk.subscriptions.pause(subscriptions.active.id, { type: "subscription" });
      const dan = await sdk.customers.create({ name: "Dan" });
      await settle();
      await sdk.customers.del(dan.id);
      await settle();
      assert.deepEqual(receiver.failures, []);
      assert.ok(receiver.types.size > 10, [...receiver.types].join());
      // Stripe has no events of plans in this catalog: a backfill copies the new one.
      await sync.syncBackfill({ object: "plan" });
      await assertSynced({ deleted: backfillsDeleted ? [shop.customers.gone.id, dan.id] : [dan.id] });
    });
  });
}

/** A value as JSON has it. @param {unknown} value */
const plain = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

/**
 * Starts a server that passes webhooks to an engine, one after the other, and answers with 400 if it fails.
 *
 * @param {(body: Buffer, signature: string) => Promise<unknown>} process
 */
async function startReceiver(process) {
  /** @type {string[]} */
  const failures = [];
  /** @type {Set<string>} */
  const types = new Set();
  /** @type {Promise<void>} */
  let last = Promise.resolve();
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    last = last.then(async () => {
      try {
        await process(body, `${request.headers["stripe-signature"]}`);
        types.add(JSON.parse(body.toString()).type);
        response.writeHead(200).end();
      } catch (error) {
        failures.push(`${JSON.parse(body.toString()).type}: ${error.stack}`);
        response.writeHead(400).end();
      }
    });
  });
  const port = await listenOnFreePort(server);
  return {
    url: `http://127.0.0.1:${port}/stripe`,
    failures,
    types,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
