// The catalog's responses match Stripe's OpenAPI document. Objects that the document lacks match the types of Stripe's SDK.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { KEY } from "./support.mjs";
import { FEBRUARY, JANUARY, SUMMARY_EVENT, serveCatalog, TestCatalog } from "./test-catalog.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const document = JSON.parse(readFileSync(file("../fixtures/entitlements.openapi.json"), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, formats: { "unix-time": true } });
ajv.addSchema(withNulls(document), "stripe");

/** Rewrites `nullable` without a `type`, which Ajv does not support, as JSON Schema. */
function withNulls(schema) {
  if (Array.isArray(schema)) return schema.map(withNulls);
  if (typeof schema !== "object" || schema === null) return schema;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, withNulls(value)]));
  if (nullable === undefined || rest.type) return nullable === undefined ? rest : { ...rest, nullable };
  return { anyOf: [rest, { type: "null" }] };
}

/** The validated responses: `GET /v1/… 200`. */
const validated = new Set();

/** The reference to the document's schema of a response. Records it as validated. */
function responseSchema(method, path, status) {
  const [route] = Object.keys(document.paths).filter((route) => new RegExp(`^${route.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path));
  assert.ok(route, path);
  const response = status === 200 ? "200" : "default";
  validated.add(`${method} ${route} ${response}`);
  return `stripe#/paths/${route.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${response}/content/application~1json/schema`;
}

/** The required members of an interface in the SDK's types. */
function requiredMembers(path, name) {
  const types = readFileSync(file(`../../node_modules/stripe/esm/resources/${path}.d.ts`), "utf8").replaceAll(/\/\*\*[\s\S]*?\*\//g, "");
  const [, members] = types.match(new RegExp(`^export interface ${name} \\{([\\s\\S]*?)^\\}`, "m")) ?? ["", ""];
  return [...members.matchAll(/^\s+(\w+): /gm)].map(([, member]) => member);
}

/** Asserts that an object has every member that its interface requires, and the values of those that are not null. */
function assertMembers(object, [path, name], expected) {
  const names = requiredMembers(path, name);
  assert.ok(names.length > 5, `${path} ${name}`);
  assert.deepEqual(
    names.filter((member) => !(member in object)),
    [],
    `missing members of ${name}`,
  );
  const members = Object.entries(object).filter(([member, value]) => names.includes(member) && value !== null);
  assert.deepEqual(Object.fromEntries(members), expected);
}

describe("a response of the catalog", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
  });
  after(() => service.stop());

  /** Sends a request, and asserts the status and that the document describes the response. Returns the JSON. */
  async function send(status, method, path, parameters = {}, key = KEY) {
    const form = new URLSearchParams(parameters).toString();
    const [target, body] = method === "POST" ? [path, form] : [form ? `${path}?${form}` : path, undefined];
    const response = await service.request(target, { method, body, key, headers: { "content-type": "application/x-www-form-urlencoded" } });
    assert.equal(response.status, status, `${method} ${target}: ${response.text}`);
    const schema = { $ref: responseSchema(method, path, status) };
    assert.ok(ajv.validate(schema, response.json), `${method} ${target}: ${ajv.errorsText()} in ${response.text}`);
    assert.match(response.headers.get("request-id") ?? "", /^req_/);
    return response.json;
  }

  test("it matches the document for features, from creation to archiving", async () => {
    const FEATURES = "/v1/entitlements/features";
    const created = await send(200, "POST", FEATURES, { lookup_key: "sms", name: "SMS", "metadata[a]": "1" });
    const path = `${FEATURES}/${created.id}`;
    assert.deepEqual(await send(200, "GET", path), created);
    const renamed = await send(200, "POST", path, { name: "Texts", "metadata[b]": "2" });
    assert.deepEqual(renamed, { ...created, name: "Texts", metadata: { a: "1", b: "2" } });
    assert.deepEqual(await send(200, "GET", FEATURES, { lookup_key: "sms" }), {
      object: "list",
      data: [renamed],
      has_more: false,
      url: FEATURES,
    });
    const archived = await send(200, "POST", path, { active: "false" });
    assert.deepEqual(archived, { ...renamed, active: false });
    assert.deepEqual((await send(200, "GET", FEATURES, { lookup_key: "sms" })).data, []);
    assert.deepEqual((await send(200, "GET", FEATURES, { archived: "true", lookup_key: "sms" })).data, [archived]);

    await send(400, "POST", path, { name: "Messages" });
    await send(400, "POST", FEATURES, { name: "No key" });
    await send(400, "GET", FEATURES, { limit: "101" });
    await send(404, "GET", `${FEATURES}/feat_none`);
    await send(404, "POST", `${FEATURES}/feat_none`, { name: "x" });
    await send(401, "POST", FEATURES, { lookup_key: "x", name: "x" }, "sk_test_wrong");
  });

  test("it matches the document for the features of a product", async () => {
    const feature = await catalog.createFeature("sso", "Single sign-on");
    const product = await catalog.sdk.products.create({ name: "Pro" });
    const path = `/v1/products/${product.id}/features`;
    const created = await send(200, "POST", path, { entitlement_feature: feature.id });
    assert.deepEqual(created, { id: created.id, object: "product_feature", entitlement_feature: { ...feature }, livemode: false });
    assert.deepEqual(await send(200, "GET", `${path}/${created.id}`), created);
    assert.deepEqual(await send(200, "GET", path), { object: "list", data: [created], has_more: false, url: path });

    await send(400, "POST", path, { entitlement_feature: feature.id });
    await send(400, "POST", path, { entitlement_feature: "feat_none" });
    await send(404, "POST", "/v1/products/prod_none/features", { entitlement_feature: feature.id });
    await send(400, "GET", path, { limit: "0" });
    assert.deepEqual(await send(200, "DELETE", `${path}/${created.id}`), { id: created.id, object: "product_feature", deleted: true });
    await send(404, "GET", `${path}/${created.id}`);
    await send(404, "DELETE", `${path}/${created.id}`);
  });

  test("it matches the document for active entitlements, expanded or not", async () => {
    const feature = await catalog.createFeature("export", "Export");
    const { price } = await catalog.createPlan(feature);
    const customer = await catalog.sdk.customers.create();
    const LIST = "/v1/entitlements/active_entitlements";
    const query = { customer: customer.id };
    assert.deepEqual(await send(200, "GET", LIST, query), { object: "list", data: [], has_more: false, url: LIST });
    await catalog.subscribe(customer, price);
    const {
      data: [entitlement],
    } = await send(200, "GET", LIST, query);
    assert.deepEqual(entitlement, {
      id: entitlement.id,
      object: "entitlements.active_entitlement",
      feature: feature.id,
      livemode: false,
      lookup_key: "export",
    });
    const expanded = { ...entitlement, feature: { ...feature } };
    assert.deepEqual((await send(200, "GET", LIST, { ...query, "expand[]": "data.feature" })).data, [expanded]);
    assert.deepEqual(await send(200, "GET", `${LIST}/${entitlement.id}`), entitlement);
    assert.deepEqual(await send(200, "GET", `${LIST}/${entitlement.id}`, { "expand[0]": "feature" }), expanded);
    // The document lacks the path in the `url` of events.
    const { json } = await service.request(`/v1/customer/${customer.id}/entitlements`);
    assert.deepEqual(json, { object: "list", data: [entitlement], has_more: false, url: `/v1/customer/${customer.id}/entitlements` });

    await send(400, "GET", LIST);
    await send(400, "GET", LIST, { customer: "cus_none" });
    await send(404, "GET", `${LIST}/ent_none`);
  });

  test("it matches the document for events", async () => {
    const feature = await catalog.createFeature("audit", "Audit log");
    const customer = await catalog.sdk.customers.create({ name: "Bob" });
    await catalog.subscribe(customer, (await catalog.createPlan(feature)).price);
    const { data } = await send(200, "GET", "/v1/events", { limit: "100" });
    for (const event of data) assert.deepEqual(await send(200, "GET", `/v1/events/${event.id}`), event);
    const summary = data.find(({ type }) => type === SUMMARY_EVENT);
    // The document also describes the object of a summary event, which no route returns.
    assert.ok(
      ajv.validate({ $ref: "stripe#/components/schemas/entitlements.active_entitlement_summary" }, summary.data.object),
      ajv.errorsText(),
    );
    const entitlements = {
      object: "list",
      data: summary.data.object.entitlements.data,
      has_more: false,
      url: `/v1/customer/${customer.id}/entitlements`,
    };
    assert.deepEqual(summary.data, {
      object: { object: SUMMARY_EVENT.replace(".updated", ""), customer: customer.id, entitlements, livemode: false },
      previous_attributes: { entitlements: { data: [] } },
    });
    assert.equal(entitlements.data[0].feature, feature.id);

    await send(400, "GET", "/v1/events", { limit: "x" });
    await send(404, "GET", "/v1/events/evt_none");
  });

  test("a success and an error of every operation of the document were validated", () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      ["get", "post", "delete"].filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const all = operations.flatMap((operation) => [`${operation} 200`, `${operation} default`]);
    assert.deepEqual([...validated].sort(), all.sort());
  });

  test("it has the members that the SDK's types require of a customer, a product, a price and a clock", async () => {
    const { sdk } = catalog;
    const clock = await sdk.testHelpers.testClocks.create({ frozen_time: JANUARY, name: "Spring" });
    assertMembers(clock, ["TestHelpers/TestClocks", "TestClock"], {
      id: clock.id,
      object: "test_helpers.test_clock",
      created: clock.created,
      deletes_after: clock.deletes_after,
      frozen_time: JANUARY,
      livemode: false,
      name: "Spring",
      status: "ready",
      status_details: {},
    });
    const customer = await sdk.customers.create({
      email: "ada@example.com",
      name: "Ada",
      description: "First",
      metadata: { a: "1" },
      test_clock: clock.id,
    });
    assert.deepEqual([customer.name, customer.test_clock], ["Ada", clock.id]);
    assertMembers(customer, ["Customers", "Customer"], {
      id: customer.id,
      object: "customer",
      balance: 0,
      created: JANUARY,
      description: "First",
      email: "ada@example.com",
      invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
      livemode: false,
      metadata: { a: "1" },
    });
    const product = await sdk.products.create({ name: "Pro", description: "All of it" });
    assertMembers(product, ["Products", "Product"], {
      id: product.id,
      object: "product",
      active: true,
      created: product.created,
      description: "All of it",
      images: [],
      livemode: false,
      marketing_features: [],
      metadata: {},
      name: "Pro",
      type: "service",
      updated: product.created,
    });
    // Read without the SDK, which converts `unit_amount_decimal`.
    const created = await catalog.createPrice(product, { nickname: "Monthly", lookup_key: "pro_monthly" });
    const { json: price } = await service.request(`/v1/prices/${created.id}`);
    assertMembers(price, ["Prices", "Price"], {
      id: price.id,
      object: "price",
      active: true,
      billing_scheme: "per_unit",
      created: price.created,
      currency: "usd",
      livemode: false,
      lookup_key: "pro_monthly",
      metadata: {},
      nickname: "Monthly",
      product: product.id,
      recurring: { interval: "month", interval_count: 1, meter: null, trial_period_days: null, usage_type: "licensed" },
      tax_behavior: "unspecified",
      type: "recurring",
      unit_amount: 1000,
      unit_amount_decimal: "1000",
    });
  });

  test("it has the members that the SDK's types require of a subscription and its items", async () => {
    const { clock, customer } = await catalog.createClockCustomer();
    const { product, price: created } = await catalog.createPlan();
    const { id } = await catalog.subscribe(customer, created, { metadata: { seat: "7" } });
    const { json: subscription } = await service.request(`/v1/subscriptions/${id}`);
    const { json: price } = await service.request(`/v1/prices/${created.id}`);
    const [item] = subscription.items.data;
    assertMembers(subscription, ["Subscriptions", "Subscription"], {
      id,
      object: "subscription",
      automatic_tax: { disabled_reason: null, enabled: false, liability: null },
      billing_cycle_anchor: JANUARY,
      billing_mode: { flexible: null, type: "flexible" },
      billing_schedules: [],
      cancel_at_period_end: false,
      cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
      collection_method: "charge_automatically",
      created: JANUARY,
      currency: "usd",
      customer: customer.id,
      discounts: [],
      invoice_settings: { account_tax_ids: null, custom_fields: null, description: null, footer: null, issuer: { type: "self" } },
      items: { object: "list", data: [item], has_more: false, url: `/v1/subscription_items?subscription=${id}` },
      livemode: false,
      metadata: { seat: "7" },
      payment_settings: { payment_method_options: null, payment_method_types: null, save_default_payment_method: "off" },
      start_date: JANUARY,
      status: "active",
      test_clock: clock.id,
      trial_settings: { end_behavior: { billing_cycle_anchor: null, missing_payment_method: "create_invoice" } },
    });
    assertMembers(item, ["SubscriptionItems", "SubscriptionItem"], {
      id: item.id,
      object: "subscription_item",
      created: JANUARY,
      current_period_start: JANUARY,
      current_period_end: FEBRUARY,
      discounts: [],
      metadata: {},
      plan: item.plan,
      price,
      subscription: id,
      tax_rates: [],
    });
    assert.equal(item.quantity, 1);
    assertMembers(item.plan, ["Plans", "Plan"], {
      id: price.id,
      object: "plan",
      active: true,
      amount: 1000,
      amount_decimal: "1000",
      billing_scheme: "per_unit",
      created: price.created,
      currency: "usd",
      interval: "month",
      interval_count: 1,
      livemode: false,
      metadata: {},
      product: product.id,
      usage_type: "licensed",
    });
  });

  test("it has the members that the SDK's types require of a webhook endpoint, and its secret once", async () => {
    const { sdk } = catalog;
    const url = "https://example.com/hook";
    const { secret, ...endpoint } = await sdk.webhookEndpoints.create({
      url,
      enabled_events: ["customer.created", SUMMARY_EVENT],
      description: "Ours",
    });
    assert.match(secret, /^whsec_/);
    assertMembers(endpoint, ["WebhookEndpoints", "WebhookEndpoint"], {
      id: endpoint.id,
      object: "webhook_endpoint",
      created: endpoint.created,
      description: "Ours",
      enabled_events: ["customer.created", SUMMARY_EVENT],
      livemode: false,
      metadata: {},
      status: "enabled",
      url,
    });
    assert.deepEqual({ ...(await sdk.webhookEndpoints.retrieve(endpoint.id)) }, endpoint);
    assert.deepEqual((await sdk.webhookEndpoints.list()).data, [endpoint]);
    assert.deepEqual({ ...(await sdk.webhookEndpoints.del(endpoint.id)) }, { id: endpoint.id, object: "webhook_endpoint", deleted: true });
  });
});
