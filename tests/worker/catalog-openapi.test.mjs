// The catalog's answers, held to Stripe's OpenAPI document; and where that has nothing, to the types of Stripe's SDK.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { KEY } from "./support.mjs";
import { FEBRUARY, JANUARY, SUMMARY_EVENT, serveCatalog, TestCatalog } from "./test-catalog.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const document = JSON.parse(readFileSync(file("../fixtures/entitlements.openapi.json"), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true, formats: { "unix-time": true } });
ajv.addSchema(withNulls(document), "stripe");

/** A schema in which `nullable` is said in JSON Schema's way where it stands beside no `type`, as Ajv wants it. */
function withNulls(schema) {
  if (Array.isArray(schema)) return schema.map(withNulls);
  if (typeof schema !== "object" || schema === null) return schema;
  const { nullable, ...rest } = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, withNulls(value)]));
  if (nullable === undefined || rest.type) return nullable === undefined ? rest : { ...rest, nullable };
  return { anyOf: [rest, { type: "null" }] };
}

/** What was shown to be as the document says: `GET /v1/… 200`. */
const shown = new Set();

/** The document's operation for a request, and what it describes as its answer. */
function described(method, path, status) {
  const [route] = Object.keys(document.paths).filter((known) => new RegExp(`^${known.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path));
  assert.ok(route, path);
  const answer = status === 200 ? "200" : "default";
  shown.add(`${method} ${route} ${answer}`);
  return `stripe#/paths/${route.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${answer}/content/application~1json/schema`;
}

/** The required members of an interface in the SDK's types. */
function required(path, name) {
  const types = readFileSync(file(`../../node_modules/stripe/esm/resources/${path}.d.ts`), "utf8").replaceAll(/\/\*\*[^]*?\*\//g, "");
  const [, members] = types.match(new RegExp(`^export interface ${name} \\{([^]*?)^\\}`, "m"));
  return [...members.matchAll(/^\s+(\w+): /gm)].map(([, member]) => member);
}

/** Asserts that all that the types require is there, and of it what is not null. */
function assertHas(object, [path, name], expected) {
  const names = required(path, name);
  assert.ok(names.length > 5, `${path} ${name}`);
  assert.deepEqual(
    names.filter((member) => !(member in object)),
    [],
    `${name} lacks these`,
  );
  const told = Object.entries(object).filter(([member, value]) => names.includes(member) && value !== null);
  assert.deepEqual(Object.fromEntries(told), expected);
}

describe("an answer of the catalog", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
  });
  after(() => service.stop());

  /** One request, whose answer must be as the document says. */
  async function answer(status, method, path, parameters = {}, key = KEY) {
    const form = new URLSearchParams(parameters).toString();
    const [target, body] = method === "POST" ? [path, form] : [form ? `${path}?${form}` : path, undefined];
    const got = await service.request(target, { method, body, key, headers: { "content-type": "application/x-www-form-urlencoded" } });
    assert.equal(got.status, status, `${method} ${target}: ${got.text}`);
    const schema = { $ref: described(method, path, status) };
    assert.ok(ajv.validate(schema, got.json), `${method} ${target}: ${ajv.errorsText()} in ${got.text}`);
    assert.match(got.headers.get("request-id"), /^req_/);
    return got.json;
  }

  test("is as the document says for a feature, from its creation to the archive", async () => {
    const FEATURES = "/v1/entitlements/features";
    const made = await answer(200, "POST", FEATURES, { lookup_key: "sms", name: "SMS", "metadata[a]": "1" });
    const path = `${FEATURES}/${made.id}`;
    assert.deepEqual(await answer(200, "GET", path), made);
    const renamed = await answer(200, "POST", path, { name: "Texts", "metadata[b]": "2" });
    assert.deepEqual(renamed, { ...made, name: "Texts", metadata: { a: "1", b: "2" } });
    assert.deepEqual(await answer(200, "GET", FEATURES, { lookup_key: "sms" }), {
      object: "list",
      data: [renamed],
      has_more: false,
      url: FEATURES,
    });
    const archived = await answer(200, "POST", path, { active: "false" });
    assert.deepEqual(archived, { ...renamed, active: false });
    assert.deepEqual((await answer(200, "GET", FEATURES, { lookup_key: "sms" })).data, []);
    assert.deepEqual((await answer(200, "GET", FEATURES, { archived: "true", lookup_key: "sms" })).data, [archived]);

    await answer(400, "POST", path, { name: "Messages" });
    await answer(400, "POST", FEATURES, { name: "No key" });
    await answer(400, "GET", FEATURES, { limit: "101" });
    await answer(404, "GET", `${FEATURES}/feat_none`);
    await answer(404, "POST", `${FEATURES}/feat_none`, { name: "x" });
    await answer(401, "POST", FEATURES, { lookup_key: "x", name: "x" }, "sk_test_wrong");
  });

  test("is as the document says for the features of a product", async () => {
    const feature = await catalog.createFeature("sso", "Single sign-on");
    const product = await catalog.sdk.products.create({ name: "Pro" });
    const path = `/v1/products/${product.id}/features`;
    const made = await answer(200, "POST", path, { entitlement_feature: feature.id });
    assert.deepEqual(made, { id: made.id, object: "product_feature", entitlement_feature: { ...feature }, livemode: false });
    assert.deepEqual(await answer(200, "GET", `${path}/${made.id}`), made);
    assert.deepEqual(await answer(200, "GET", path), { object: "list", data: [made], has_more: false, url: path });

    await answer(400, "POST", path, { entitlement_feature: feature.id });
    await answer(400, "POST", path, { entitlement_feature: "feat_none" });
    await answer(404, "POST", "/v1/products/prod_none/features", { entitlement_feature: feature.id });
    await answer(400, "GET", path, { limit: "0" });
    assert.deepEqual(await answer(200, "DELETE", `${path}/${made.id}`), { id: made.id, object: "product_feature", deleted: true });
    await answer(404, "GET", `${path}/${made.id}`);
    await answer(404, "DELETE", `${path}/${made.id}`);
  });

  test("is as the document says for active entitlements, expanded or not", async () => {
    const feature = await catalog.createFeature("export", "Export");
    const { price } = await catalog.createPlan(feature);
    const customer = await catalog.sdk.customers.create();
    const LIST = "/v1/entitlements/active_entitlements";
    const of = { customer: customer.id };
    assert.deepEqual(await answer(200, "GET", LIST, of), { object: "list", data: [], has_more: false, url: LIST });
    await catalog.subscribe(customer, price);
    const {
      data: [held],
    } = await answer(200, "GET", LIST, of);
    assert.deepEqual(held, {
      id: held.id,
      object: "entitlements.active_entitlement",
      feature: feature.id,
      livemode: false,
      lookup_key: "export",
    });
    const expanded = { ...held, feature: { ...feature } };
    assert.deepEqual((await answer(200, "GET", LIST, { ...of, "expand[]": "data.feature" })).data, [expanded]);
    assert.deepEqual(await answer(200, "GET", `${LIST}/${held.id}`), held);
    assert.deepEqual(await answer(200, "GET", `${LIST}/${held.id}`, { "expand[0]": "feature" }), expanded);
    // The document does not know the path that events name.
    const { json } = await service.request(`/v1/customer/${customer.id}/entitlements`);
    assert.deepEqual(json, { object: "list", data: [held], has_more: false, url: `/v1/customer/${customer.id}/entitlements` });

    await answer(400, "GET", LIST);
    await answer(400, "GET", LIST, { customer: "cus_none" });
    await answer(404, "GET", `${LIST}/ent_none`);
  });

  test("is as the document says for events", async () => {
    const feature = await catalog.createFeature("audit", "Audit log");
    const customer = await catalog.sdk.customers.create({ name: "Bob" });
    await catalog.subscribe(customer, (await catalog.createPlan(feature)).price);
    const { data } = await answer(200, "GET", "/v1/events", { limit: "100" });
    for (const event of data) assert.deepEqual(await answer(200, "GET", `/v1/events/${event.id}`), event);
    const summary = data.find(({ type }) => type === SUMMARY_EVENT);
    // What no route answers is described too: the object of a summary.
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

    await answer(400, "GET", "/v1/events", { limit: "x" });
    await answer(404, "GET", "/v1/events/evt_none");
  });

  test("was shown to be as the document says for every operation that it has, in success and in error", () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      ["get", "post", "delete"].filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const all = operations.flatMap((operation) => [`${operation} 200`, `${operation} default`]);
    assert.deepEqual([...shown].sort(), all.sort());
  });

  test("has what the SDK's types require of a customer, a product, a price and a clock", async () => {
    const { sdk } = catalog;
    const clock = await sdk.testHelpers.testClocks.create({ frozen_time: JANUARY, name: "Spring" });
    assertHas(clock, ["TestHelpers/TestClocks", "TestClock"], {
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
    assertHas(customer, ["Customers", "Customer"], {
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
    assertHas(product, ["Products", "Product"], {
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
    // As it is written: the SDK makes a number of `unit_amount_decimal`.
    const made = await catalog.createPrice(product, { nickname: "Monthly", lookup_key: "pro_monthly" });
    const { json: price } = await service.request(`/v1/prices/${made.id}`);
    assertHas(price, ["Prices", "Price"], {
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

  test("has what the SDK's types require of a subscription and its items", async () => {
    const { clock, customer } = await catalog.createClockCustomer();
    const { product, price: made } = await catalog.createPlan();
    const { id } = await catalog.subscribe(customer, made, { metadata: { seat: "7" } });
    const { json: subscription } = await service.request(`/v1/subscriptions/${id}`);
    const { json: price } = await service.request(`/v1/prices/${made.id}`);
    const [item] = subscription.items.data;
    assertHas(subscription, ["Subscriptions", "Subscription"], {
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
    assertHas(item, ["SubscriptionItems", "SubscriptionItem"], {
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
    assertHas(item.plan, ["Plans", "Plan"], {
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

  test("has what the SDK's types require of a webhook endpoint, and its secret once", async () => {
    const { sdk } = catalog;
    const url = "https://example.com/hook";
    const { secret, ...endpoint } = await sdk.webhookEndpoints.create({
      url,
      enabled_events: ["customer.created", SUMMARY_EVENT],
      description: "Ours",
    });
    assert.match(secret, /^whsec_/);
    assertHas(endpoint, ["WebhookEndpoints", "WebhookEndpoint"], {
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
