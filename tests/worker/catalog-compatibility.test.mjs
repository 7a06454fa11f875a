// What clients of other versions and habits send: `Stripe-Version`, `expand` by the SDK, and a `GET` with a body.

import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { eventually, KEY } from "./support.mjs";
import { serveCatalog, TestCatalog, VALID_CARD } from "./test-catalog.mjs";
import { startWebhookReceiver } from "./webhook-receiver.mjs";

describe("the catalog", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
  });
  after(() => service.stop());

  /** Sends a GET with a body, which `fetch` cannot. Returns the status and the JSON. */
  function getWithBody(path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const options = { method: "GET", headers: { authorization: `Bearer ${KEY}`, "content-length": body.length, ...headers } };
      const sent = httpRequest(new URL(path, service.url), options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode, json: JSON.parse(text) }));
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  test("an SDK that pins an older version finds the period of a subscription", async () => {
    const { price } = await catalog.createPlan();
    const customer = await sdk.customers.create();
    const { id, items } = await catalog.subscribe(customer, price);
    const [{ current_period_end }] = items.data;
    for (const [version, period] of [
      ["2022-11-15", current_period_end],
      ["2025-02-24.acacia", current_period_end],
      ["2025-03-31.basil", undefined],
      ["2026-10-28.endive", undefined],
    ]) {
      const headers = { "stripe-version": version };
      const { json, headers: received } = await service.request(`/v1/subscriptions/${id}`, { headers });
      assert.deepEqual([json.current_period_end, received.get("stripe-version")], [period, version]);
      const missing = await service.request("/v1/subscriptions/sub_none", { headers });
      assert.deepEqual([missing.status, missing.headers.get("stripe-version")], [404, version]);
    }
    const { status, json } = await service.request("/v1/customers", { headers: { "stripe-version": "2019-2-19" } });
    assert.deepEqual([status, json.error.message.split(".")[0]], [400, "Invalid Stripe API version: 2019-2-19"]);
    const { lastResponse } = await sdk.subscriptions.retrieve(id);
    assert.equal(lastResponse.apiVersion, Stripe.API_VERSION);
  });

  test("an endpoint receives events in its version", async (t) => {
    const receiver = await startWebhookReceiver();
    t.after(() => receiver.close());
    const enabled_events = ["customer.subscription.created"];
    await sdk.webhookEndpoints.create({ url: receiver.url, enabled_events, api_version: "2022-11-15" });
    const { price } = await catalog.createPlan();
    const subscription = await catalog.subscribe(await sdk.customers.create(), price);
    const event = await eventually(async () => {
      assert.equal(receiver.deliveries.length, 1);
      return receiver.deliveries[0].event;
    });
    const [{ current_period_end }] = subscription.items.data;
    assert.deepEqual([event.api_version, event.data.object.current_period_end], ["2022-11-15", current_period_end]);
  });

  test("the SDK expands a customer with its subscriptions and payment method", async () => {
    const { price } = await catalog.createPlan();
    const { id } = await sdk.customers.create({ invoice_settings: { default_payment_method: VALID_CARD } });
    const subscription = await catalog.subscribe({ id }, price);
    const customer = /** @type {Stripe.Customer} */ (
      await sdk.customers.retrieve(id, { expand: ["subscriptions", "invoice_settings.default_payment_method", "sources", "tax_ids"] })
    );
    assert.deepEqual(
      customer.subscriptions?.data.map((it) => it.id),
      [subscription.id],
    );
    const method = await sdk.paymentMethods.retrieve(VALID_CARD);
    assert.deepEqual([method.card?.last4, method.type], ["4242", "card"]);
    assert.deepEqual({ ...customer.invoice_settings }.default_payment_method, { ...method, customer: id, created: customer.created });
    assert.deepEqual((await sdk.customers.listPaymentMethods(id)).data[0].id, VALID_CARD);
    assert.deepEqual([customer.sources?.data, customer.tax_ids?.data], [[], []]);
  });

  test("a GET request may have a body", async () => {
    const { id } = await sdk.customers.create({ email: "body@example.com" });
    const form = { "content-type": "application/x-www-form-urlencoded" };
    for (const [path, body, headers] of /** @type {[string, string, object][]} */ ([
      ["/v1/customers", "email=body%40example.com", form],
      ["/v1/customers?limit=1", "email=body%40example.com", form],
      ["/v1/customers?email=body%40example.com", "limit=1", {}],
    ])) {
      const { status, json } = await getWithBody(path, body, headers);
      assert.deepEqual([status, json.data?.map((customer) => customer.id)], [200, [id]], body);
    }
    assert.equal((await getWithBody("/v1/customers", "{}", { "content-type": "application/json" })).status, 400);
    assert.equal((await getWithBody(`/v1/customers/${id}`, "x=1", form)).status, 400);
    assert.equal((await getWithBody("/v1/customers", "a".repeat((16 << 10) + 1), form)).status, 413);
  });
});
