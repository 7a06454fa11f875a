// dlt: a pipeline from the catalog to DuckDB, whole at first, then with the events since.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { KEY } from "../worker/support.mjs";
import { serveCatalog, TestCatalog } from "../worker/test-catalog.mjs";
import { path, runPython } from "./python.mjs";
import { createShop, MAX_PAGE, readCatalog } from "./shop.mjs";

describe("dlt", { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-dlt-"));
  let service;
  let catalog;
  let shop;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    shop = await createShop(catalog, { customers: MAX_PAGE });
  });
  after(async () => {
    await service?.stop();
    rmSync(folder, { recursive: true });
  });

  /** Runs the pipeline, and returns the rows of its tables. Telemetry is off. */
  async function load() {
    const env = { HOME: folder, RUNTIME__DLTHUB_TELEMETRY: "false" };
    const { stdout } = await runPython([path("dlt_stripe.py"), service.url.origin, KEY, folder], env);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
  }

  /** Compares the tables with the catalog, in the version that dlt asks for. */
  async function assertLoaded(tables) {
    const { hostname: host, port } = service.url;
    const sdk = new Stripe(KEY, { host, port, protocol: "http", telemetry: false, apiVersion: "2022-11-15" });
    const expected = await readCatalog(sdk);
    for (const [name, rows] of Object.entries({
      products: expected.products.map(({ id, name, active }) => [id, name, active]),
      prices: expected.prices.map(({ id, unit_amount, recurring, product }) => [id, unit_amount, recurring?.interval ?? null, product]),
      plans: expected.plans.map(({ id, amount, interval }) => [id, amount, interval]),
      customers: expected.customers.map(({ id, name, address }) => [id, name, address?.country ?? null]),
      subscriptions: expected.subscriptions.map(({ id, status, customer, current_period_end }) => [
        id,
        status,
        customer,
        current_period_end,
      ]),
      items: expected.subscription_items.map(({ id, price, quantity }) => [id, price.id, quantity]),
      features: expected.features.map(({ id, lookup_key }) => [id, lookup_key]),
      active_entitlements: expected.active_entitlements.map(({ id, lookup_key, customer }) => [id, lookup_key, customer]),
    })) {
      assert.deepEqual(tables[name].sort(), rows.sort(), name);
    }
    assert.ok(tables.customers.length > MAX_PAGE);
    assert.ok(tables.subscriptions.every(([, , , end]) => Number.isInteger(end)));
    const events = await catalog.sdk.events.list({ limit: MAX_PAGE }).autoPagingToArray({ limit: 10_000 });
    assert.deepEqual(tables.events.sort(), events.map(({ id, type }) => [id, type]).sort());
  }

  test("a first run loads every object, over several pages", async () => {
    await assertLoaded(await load());
  });

  test("a second run replaces the objects, and appends the events since the first", async () => {
    const { sdk } = catalog;
    await sdk.customers.update(shop.customers.ada.id, { name: "Ada King", address: { country: "GB" } });
    await sdk.subscriptions.cancel(shop.subscriptions.active.id);
    const plan = await catalog.createPlan(shop.features.sms);
    await catalog.subscribe(await sdk.customers.create({ name: "Cleo" }), plan.price);
    await assertLoaded(await load());
  });
});
