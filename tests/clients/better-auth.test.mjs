// better-auth with its Stripe plugin: a user signs up, subscribes, changes the plan, cancels and restores, and an operator pauses.
//
// The app is a real better-auth server. The plugin sends the user to Checkout and to the customer portal, which the catalog does
// not have: hosted-pages.mjs stands in for both. All else goes to the catalog, and every change comes back by its webhooks.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { stripe } from "@better-auth/stripe";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import Stripe from "stripe";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, KEY } from "../worker/support.mjs";
import { serveCatalog, TestCatalog } from "../worker/test-catalog.mjs";
import { startHostedPages } from "./hosted-pages.mjs";

describe("better-auth's Stripe plugin", { timeout: 240_000 }, () => {
  let service;
  let catalog;
  let pages;
  let app;
  let origin;
  let user;
  let customer;
  const plans = [];
  /** The tables of better-auth's memory adapter. */
  const tables = { user: [], session: [], account: [], verification: [], subscription: [] };
  const events = [];
  const problems = [];

  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    const [sms, voice] = [await catalog.createFeature("sms"), await catalog.createFeature("voice")];
    const [basic, pro] = [await catalog.createPlan(sms), await catalog.createPlan(sms, voice)];
    const yearly = await catalog.createPrice(pro.product, { lookup_key: "pro_yearly", recurring: { interval: "year" } });
    plans.push({ name: "basic", priceId: basic.price.id, limits: { seats: 1 }, freeTrial: { days: 14 } });
    plans.push({ name: "pro", priceId: pro.price.id, annualDiscountPriceId: yearly.id, annualDiscountLookupKey: "pro_yearly" });
    pages = await startHostedPages(catalog);

    let handler;
    app = createServer((request, response) => handler(request, response));
    origin = `http://127.0.0.1:${await listenOnFreePort(app)}`;
    const url = `${origin}/api/auth/stripe/webhook`;
    const { secret = "" } = await catalog.sdk.webhookEndpoints.create({ url, enabled_events: ["*"] });
    pages.sendEventsTo({ url, secret });
    const stripeClient = new Stripe(KEY, { host: "127.0.0.1", port: pages.port, protocol: "http", telemetry: false });
    const auth = betterAuth({
      baseURL: origin,
      secret: "a secret of 32 characters for tests",
      database: memoryAdapter(tables),
      emailAndPassword: { enabled: true },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
      logger: { level: "warn", log: (level, message) => problems.push(`${level}: ${message}`) },
      plugins: [
        stripe({
          stripeClient,
          stripeWebhookSecret: secret,
          createCustomerOnSignUp: true,
          onEvent: async (event) => {
            events.push(event);
          },
          subscription: { enabled: true, plans },
        }),
      ],
    });
    handler = toNodeHandler(auth);
  });
  after(async () => {
    await pages?.close();
    app?.closeAllConnections();
    app?.close();
    await service?.stop();
  });

  let cookie = "";
  /** Sends a request to the app, with the cookies of the user's session. */
  async function request(method, path, body) {
    const response = await fetch(`${origin}/api/auth${path}`, {
      method,
      headers: { origin, cookie, ...(body && { "content-type": "application/json" }) },
      body: body && JSON.stringify(body),
      redirect: "manual",
    });
    const cookies = response.headers.getSetCookie();
    if (cookies.length > 0) cookie = cookies.map((it) => it.split(";")[0]).join("; ");
    const text = await response.text();
    return { status: response.status, json: text ? JSON.parse(text) : undefined };
  }

  /** Sends a request to the app, which returns the URL of a page, and visits that page. */
  async function visit(path, body) {
    const { status, json } = await request("POST", path, body);
    assert.equal(status, 200, JSON.stringify(json));
    await pages.visit(json.url);
  }

  /** Waits until the app has stored this of the only subscription. */
  const waitForSubscription = (expected) =>
    eventually(() => {
      assert.equal(tables.subscription.length, 1);
      const stored = Object.fromEntries(Object.keys(expected).map((name) => [name, tables.subscription[0][name]]));
      assert.deepEqual(stored, expected);
    });
  const stored = () => tables.subscription[0];
  const currentPeriod = async () => {
    const { items } = await catalog.sdk.subscriptions.retrieve(stored().stripeSubscriptionId);
    const [{ current_period_start, current_period_end }] = items.data;
    return { periodStart: new Date(current_period_start * 1000), periodEnd: new Date(current_period_end * 1000) };
  };
  const page = { successUrl: "/done", cancelUrl: "/plans", returnUrl: "/account" };

  test("a user who signs up gets a customer", async () => {
    const body = { name: "Ada", email: "ada@example.com", password: "correct horse battery staple" };
    const { status, json } = await request("POST", "/sign-up/email", body);
    assert.equal(status, 200);
    user = json.user;
    ({
      data: [customer],
    } = await catalog.sdk.customers.list({ limit: 1 }));
    assert.deepEqual(
      [customer.email, customer.name, customer.metadata],
      ["ada@example.com", "Ada", { userId: user.id, customerType: "user" }],
    );
    assert.equal(tables.user[0].stripeCustomerId, customer.id);
    assert.deepEqual(problems, []);
  });

  test("a trial of a plan starts, and grants its feature", async () => {
    await visit("/subscription/upgrade", { plan: "basic", ...page });
    const { id, trial_start, trial_end } = (await catalog.sdk.subscriptions.list({ customer: customer.id })).data[0];
    await waitForSubscription({
      plan: "basic",
      status: "trialing",
      referenceId: user.id,
      stripeCustomerId: customer.id,
      stripeSubscriptionId: id,
      trialStart: new Date(trial_start * 1000),
      trialEnd: new Date(trial_end * 1000),
      billingInterval: "month",
      ...(await currentPeriod()),
    });
    assert.equal(trial_end - trial_start, 14 * 24 * 3600);
    await catalog.waitForCheck(customer, "sms", true);
    await catalog.waitForCheck(customer, "voice", false);
  });

  test("an upgrade changes plan, interval and features", async () => {
    await visit("/subscription/upgrade", { plan: "pro", annual: true, ...page });
    await catalog.sdk.subscriptions.update(stored().stripeSubscriptionId, { trial_end: "now" });
    await waitForSubscription({ plan: "pro", status: "active", billingInterval: "year", seats: 1, ...(await currentPeriod()) });
    await catalog.waitForCheck(customer, "voice", true);
    const { status, json } = await request("GET", "/subscription/list");
    assert.equal(status, 200);
    assert.deepEqual(
      json.map(({ plan, priceId, status }) => [plan, priceId, status]),
      [["pro", plans[1].annualDiscountPriceId, "active"]],
    );
    const again = await request("POST", "/subscription/upgrade", { plan: "pro", annual: true, ...page });
    assert.deepEqual([again.status, again.json.code], [400, "ALREADY_SUBSCRIBED_PLAN"]);
  });

  test("a cancellation at the end of the period is stored, and can be undone", async () => {
    await visit("/subscription/cancel", { returnUrl: "/account" });
    const { periodEnd } = await currentPeriod();
    await waitForSubscription({ cancelAtPeriodEnd: true, cancelAt: periodEnd, status: "active" });
    const { status, json } = await request("POST", "/subscription/restore", {});
    assert.equal(status, 200, JSON.stringify(json));
    await waitForSubscription({ cancelAtPeriodEnd: false, cancelAt: null, canceledAt: null, status: "active" });
    const { cancel_at, cancel_at_period_end, canceled_at } = await catalog.sdk.subscriptions.retrieve(stored().stripeSubscriptionId);
    assert.deepEqual([cancel_at, cancel_at_period_end, canceled_at], [null, false, null]);
  });

  test("a pause reaches the app by customer.subscription.updated, and a resume too", async () => {
    const { stripeSubscriptionId: id } = stored();
    await catalog.sdk.subscriptions.pause(id, { type: "subscription" });
    await waitForSubscription({ status: "paused", plan: "pro" });
    await catalog.waitForCheck(customer, "voice", false);
    await catalog.sdk.subscriptions.resume(id);
    await waitForSubscription({ status: "active", plan: "pro" });
    await catalog.waitForCheck(customer, "voice", true);
  });

  test("an immediate cancellation ends the subscription", async () => {
    const { ended_at } = await catalog.sdk.subscriptions.cancel(stored().stripeSubscriptionId);
    await waitForSubscription({ status: "canceled", endedAt: new Date((ended_at ?? 0) * 1000) });
    await catalog.waitForCheck(customer, "voice", false);
    assert.deepEqual((await request("GET", "/subscription/list")).json, []);
  });

  test("the app received every event of the catalog once, and logged no problem", async () => {
    const { data } = await catalog.sdk.events.list({ limit: 100 });
    const since = data.findIndex(({ type }) => type === "customer.created");
    const sent = data.slice(0, since + 1).map(({ id }) => id);
    await eventually(() => {
      const received = events.filter(({ type }) => type !== "checkout.session.completed").map(({ id }) => id);
      assert.deepEqual(received.sort(), sent.sort());
    });
    assert.deepEqual(problems, []);
  });
});
