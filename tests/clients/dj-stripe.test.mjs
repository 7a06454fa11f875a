// dj-stripe: its command that copies Stripe's objects to a Django database, and its webhook view, over its documented settings.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { DEPLOYED_KEY, eventually, KEY } from "../worker/support.mjs";
import { FAILING_CARD, SUMMARY_EVENT, serveCatalog, TestCatalog, VALID_CARD } from "../worker/test-catalog.mjs";
import { PYTHON, path, runPython } from "./python.mjs";
import { createShop, MAX_PAGE, readCatalog } from "./shop.mjs";

/** The models that dj-stripe and the catalog share, and the lists of the catalog. */
const LISTS = {
  Customer: "customers",
  Feature: "features",
  Price: "prices",
  Product: "products",
  Subscription: "subscriptions",
  SubscriptionItem: "subscription_items",
};
/** Further models that the command copies from the catalog. */
const OTHERS = ["Account", "Event", "PaymentMethod", "WebhookEndpoint"];
const MODELS = [...Object.keys(LISTS), ...OTHERS];

describe("dj-stripe", { timeout: 240_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-dj-stripe-"));
  let service;
  let catalog;
  let shop;
  let env;
  let server;
  before(async () => {
    // dj-stripe accepts keys of Stripe's length only.
    service = await serveCatalog({ settings: { ENTGATE_API_KEYS: `${KEY},${DEPLOYED_KEY}` } });
    catalog = new TestCatalog(service);
    shop = await createShop(catalog, { customers: 10 });
    env = {
      DJANGO_SETTINGS_MODULE: "settings",
      MIRROR_FOLDER: folder,
      PYTHONPATH: path("dj_stripe"),
      STRIPE_API_HOST: service.url.origin,
      STRIPE_TEST_SECRET_KEY: DEPLOYED_KEY,
    };
    await django("migrate", "--run-syncdb", "--verbosity=0");
  });
  after(async () => {
    if (server) {
      const exited = new Promise((resolve) => server.once("exit", resolve));
      server.kill();
      await exited;
    }
    await service?.stop();
    rmSync(folder, { recursive: true });
  });

  const django = (...args) => runPython(["-m", "django", ...args], env);
  /** Runs a command of the project, which prints JSON. */
  const mirror = async (...args) => JSON.parse((await runPython([path("dj_stripe/mirror.py"), ...args], env)).stdout);

  /** Compares what dj-stripe stored with the catalog, in the version that dj-stripe asks for. */
  async function assertSynced({ api_version, stored }) {
    const { hostname: host, port } = service.url;
    const sdk = new Stripe(KEY, { host, port, protocol: "http", telemetry: false, apiVersion: api_version });
    const expected = await readCatalog(sdk);
    // dj-stripe copies the features of products too, which may be archived.
    expected.features.push(...(await sdk.entitlements.features.list({ archived: true })).data);
    for (const [model, list] of Object.entries(LISTS)) {
      const objects = expected[list];
      assert.deepEqual(Object.keys(stored[model]).sort(), objects.map(({ id }) => id).sort(), model);
      for (const object of objects) {
        for (const [member, value] of Object.entries(JSON.parse(JSON.stringify(object)))) {
          // dj-stripe asks for many members to be expanded.
          const copy = stored[model][object.id][member];
          const collapsed = typeof value === "string" && copy?.id ? copy.id : copy;
          assert.deepEqual(collapsed, value, `${model} ${object.id}: ${member}`);
        }
      }
    }
    return expected;
  }

  test("its command copies each model that it shares with the catalog", async () => {
    const { stdout, stderr } = await django("djstripe_sync_models", ...MODELS, "--fail-on-error");
    assert.doesNotMatch(stderr, /[Ee]rror/);
    for (const model of MODELS.filter((it) => it !== "WebhookEndpoint")) assert.match(stdout, new RegExp(`Synced \\d+ ${model} for`));
    const report = await mirror("report", ...MODELS);
    await assertSynced(report);
    const { stored, deleted } = report;
    assert.deepEqual(deleted, [shop.customers.gone.id]);
    const account = await catalog.sdk.accounts.retrieveCurrent();
    assert.deepEqual(Object.keys(stored.Account), [account.id]);
    const events = await catalog.sdk.events.list({ limit: MAX_PAGE }).autoPagingToArray({ limit: 10_000 });
    assert.deepEqual(Object.keys(stored.Event).sort(), events.map(({ id }) => id).sort());
    assert.deepEqual(Object.keys(stored.PaymentMethod).sort(), [FAILING_CARD, VALID_CARD]);
    assert.deepEqual(stored.WebhookEndpoint, {});
  });

  test("its view receives signed webhooks, and copies what they name", async () => {
    server = spawn(PYTHON, ["-u", "-m", "django", "runserver", "--noreload", "--skip-checks", "127.0.0.1:0"], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = [];
    const origin = await new Promise((resolve, reject) => {
      server.once("exit", (status) => reject(new Error(`Django exited with ${status}\n${output.join("\n")}`)));
      for (const stream of [server.stdout, server.stderr])
        createInterface({ input: stream }).on("line", (line) => {
          output.push(line);
          const [address] = line.match(/http:\/\/127\.0\.0\.1:\d+/) ?? [];
          if (address) resolve(address);
        });
    });
    const endpoint = await mirror("endpoint", origin);
    const { sdk } = catalog;
    const before = (await sdk.events.list({ limit: 1 })).data[0].id;

    const { customers, prices, products, subscriptions } = shop;
    await sdk.customers.update(customers.ada.id, { name: "Ada King", address: { city: "London" } });
    await sdk.products.update(products.basic.id, { description: "Still one feature" });
    await sdk.prices.update(prices.once.id, { nickname: "Once" });
    await sdk.subscriptions.update(subscriptions.active.id, { cancel_at_period_end: true });
    await sdk.subscriptions.resume(subscriptions.paused.id);
    await sdk.subscriptions.cancel(subscriptions.trialing.id);
    const cleo = await sdk.customers.create({ name: "Cleo" });
    await catalog.subscribe(cleo, prices.proMonthly, { default_payment_method: VALID_CARD });
    const dan = await sdk.customers.create({ name: "Dan" });
    await sdk.customers.del(dan.id);
    await catalog.createPlan(shop.features.sms);

    const events = await eventually(async () => {
      const list = await sdk.events.list({ ending_before: before, limit: MAX_PAGE });
      assert.ok(list.data.every(({ pending_webhooks }) => pending_webhooks === 0));
      return list.data;
    }, 60_000);
    assert.deepEqual([...new Set(events.map(({ type }) => type))].sort(), [
      "customer.created",
      "customer.deleted",
      "customer.subscription.created",
      "customer.subscription.deleted",
      "customer.subscription.resumed",
      "customer.subscription.updated",
      "customer.updated",
      SUMMARY_EVENT,
      "price.created",
      "price.updated",
      "product.created",
      "product.updated",
    ]);
    const report = await mirror("report", ...MODELS);
    const failed = report.received.filter(({ valid, processed, exception }) => !valid || !processed || exception);
    assert.deepEqual(failed, [], output.join("\n"));
    assert.deepEqual(report.received.map(({ event }) => event).sort(), events.map(({ id }) => id).sort());
    assert.deepEqual(Object.keys(report.stored.WebhookEndpoint), [endpoint.id]);
    assert.deepEqual(report.deleted.sort(), [shop.customers.gone.id, dan.id].sort());
    await assertSynced(report);
  });
});
