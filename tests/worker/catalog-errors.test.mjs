// Invalid requests to the catalog, as exceptions of Stripe's own libraries.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Stripe from "stripe";
import { KEY, LIVE_KEY, stripeClient } from "./support.mjs";
import { DAY, FAILING_CARD, JANUARY, serveCatalog, TestCatalog } from "./test-catalog.mjs";

const { StripeInvalidRequestError: Invalid, StripeAuthenticationError: Unauthorized, StripeCardError: Card } = Stripe.errors;
/** @typedef {InstanceType<typeof Stripe.errors.StripeError>} StripeError */

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const MISSING = "resource_missing";
const EXISTS = "resource_already_exists";
const OTHER_REQUEST =
  "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than 'py-key' if you meant to execute a different request.";
const MONTH = { interval: "month" };
const USD = { currency: "usd", unit_amount: 100 };

describe("the catalog rejects", { timeout: 180_000 }, () => {
  let service;
  let catalog;
  let sdk;
  let feature;
  let archived;
  let plan;
  let customer;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    ({ sdk } = catalog);
    feature = await catalog.createFeature("sms");
    archived = await catalog.createFeature("fax");
    await sdk.entitlements.features.update(archived.id, { active: false });
    plan = await catalog.createPlan(feature);
    customer = await sdk.customers.create({ email: "ada@example.com" });
  });
  after(() => service.stop());

  /**
   * Asserts the exception of a request: its class, status, code, param and, if it is given, its message.
   *
   * @param {string} why
   * @param {Promise<unknown>} request
   * @param {[{ name: string }, number, string | undefined, string | undefined]} expected
   * @param {string} [message]
   */
  async function assertRejects(why, request, [kind, status, code, param], message) {
    await assert.rejects(request, (/** @type {StripeError} */ error) => {
      assert.deepEqual(
        [error.constructor.name, error.statusCode, error.code, error.param],
        [kind.name, status, code, param],
        `${why}: ${error.message}`,
      );
      if (message) assert.equal(error.message, message, why);
      assert.match(error.requestId ?? "", /^req_/, why);
      return true;
    });
  }

  test("an unknown id in a path, with 404 and the kind of the object", async () => {
    for (const [kind, request] of /** @type {[string, () => Promise<unknown>][]} */ ([
      ["customer", () => sdk.customers.retrieve("x_1")],
      ["customer", () => sdk.customers.update("x_1", { name: "x" })],
      ["customer", () => sdk.customers.del("x_1")],
      ["product", () => sdk.products.retrieve("x_1")],
      ["product", () => sdk.products.del("x_1")],
      ["price", () => sdk.prices.retrieve("x_1")],
      ["price", () => sdk.prices.update("x_1", { nickname: "x" })],
      ["subscription", () => sdk.subscriptions.retrieve("x_1")],
      ["subscription", () => sdk.subscriptions.cancel("x_1")],
      ["subscription", () => sdk.subscriptions.pause("x_1")],
      ["subscription", () => sdk.subscriptions.resume("x_1")],
      ["feature", () => sdk.entitlements.features.retrieve("x_1")],
      ["feature", () => sdk.entitlements.features.update("x_1", { name: "x" })],
      ["product feature", () => sdk.products.retrieveFeature(plan.product.id, "x_1")],
      ["product feature", () => sdk.products.deleteFeature(plan.product.id, "x_1")],
      ["active entitlement", () => sdk.entitlements.activeEntitlements.retrieve("x_1")],
      ["event", () => sdk.events.retrieve("x_1")],
      ["webhook endpoint", () => sdk.webhookEndpoints.retrieve("x_1")],
      ["webhook endpoint", () => sdk.webhookEndpoints.del("x_1")],
      ["test clock", () => sdk.testHelpers.testClocks.retrieve("x_1")],
      ["test clock", () => sdk.testHelpers.testClocks.advance("x_1", { frozen_time: JANUARY })],
    ])) {
      await assertRejects(`${kind}: ${request}`, request(), [Invalid, 404, MISSING, "id"], `No such ${kind}: 'x_1'`);
    }
    const other = await catalog.createPlan();
    const attached = plan.attached[0].id;
    await assertRejects(
      "another product's",
      sdk.products.retrieveFeature(other.product.id, attached),
      [Invalid, 404, MISSING, "id"],
      `No such product feature: '${attached}'`,
    );
    for (const request of [
      () => sdk.products.listFeatures("x_1"),
      () => sdk.products.createFeature("x_1", { entitlement_feature: feature.id }),
    ]) {
      await assert.rejects(request, { statusCode: 404, code: MISSING, message: "No such product: 'x_1'" });
    }
  });

  test("an unknown id in a parameter, with 400 and the parameter", async () => {
    const item = { price: plan.price.id };
    for (const [param, kind, request] of /** @type {[string, string, () => Promise<unknown>][]} */ ([
      ["product", "product", () => sdk.prices.create({ ...USD, product: "x_1" })],
      ["customer", "customer", () => sdk.subscriptions.create({ customer: "x_1", items: [item] })],
      ["items[0][price]", "price", () => sdk.subscriptions.create({ customer: customer.id, items: [{ price: "x_1" }] })],
      ["items[1][price]", "price", () => sdk.subscriptions.create({ customer: customer.id, items: [item, { price: "x_1" }] })],
      ["entitlement_feature", "feature", () => sdk.products.createFeature(plan.product.id, { entitlement_feature: "x_1" })],
      ["customer", "customer", () => sdk.entitlements.activeEntitlements.list({ customer: "x_1" })],
      ["test_clock", "test clock", () => sdk.customers.create({ test_clock: "x_1" })],
      ["starting_after", "feature", () => sdk.entitlements.features.list({ starting_after: "x_1" })],
      ["ending_before", "customer", () => sdk.customers.list({ ending_before: "x_1" })],
    ])) {
      await assertRejects(`${request}`, request(), [Invalid, 400, MISSING, param], `No such ${kind}: 'x_1'`);
    }
  });

  test("a parameter that is missing, unknown, empty or of the wrong type, with its name", async () => {
    const { features } = sdk.entitlements;
    const both = { lookup_key: "x", name: "x" };
    const clocks = sdk.testHelpers.testClocks;
    for (const [request, code, param, message] of /** @type {[() => Promise<unknown>, string, string, string?][]} */ ([
      [() => features.create({ lookup_key: "x" }), "parameter_missing", "name", "Missing required param: name."],
      [() => features.create({ name: "x" }), "parameter_missing", "lookup_key", "Missing required param: lookup_key."],
      [() => sdk.products.create({}), "parameter_missing", "name", "Missing required param: name."],
      [
        () => sdk.products.createFeature(plan.product.id, {}),
        "parameter_missing",
        "entitlement_feature",
        "Missing required param: entitlement_feature.",
      ],
      [() => sdk.prices.create({ product: plan.product.id }), "parameter_missing", "currency", "Missing required param: currency."],
      [
        () => sdk.subscriptions.create({ items: [{ price: plan.price.id }] }),
        "parameter_missing",
        "customer",
        "Missing required param: customer.",
      ],
      [() => sdk.webhookEndpoints.create({ enabled_events: ["*"] }), "parameter_missing", "url", "Missing required param: url."],
      [
        () => sdk.webhookEndpoints.create({ url: "https://example.com" }),
        "parameter_missing",
        "enabled_events",
        "Missing required param: enabled_events.",
      ],
      [() => clocks.create({}), "parameter_missing", "frozen_time", "Missing required param: frozen_time."],
      [() => sdk.entitlements.activeEntitlements.list({}), "parameter_missing", "customer", "Missing required param: customer."],
      [() => features.create({ ...both, colour: "red" }), "parameter_unknown", "colour", "Received unknown parameter: colour"],
      [
        () => features.update(feature.id, { lookup_key: "other" }),
        "parameter_unknown",
        "lookup_key",
        "Received unknown parameter: lookup_key",
      ],
      [() => sdk.customers.list({ colour: "red" }), "parameter_unknown", "colour", "Received unknown parameter: colour"],
      [() => features.create({ ...both, name: "" }), "parameter_invalid_empty", "name"],
      [() => features.create({ ...both, lookup_key: "" }), "parameter_invalid_empty", "lookup_key"],
      [() => clocks.create({ frozen_time: "noon" }), "parameter_invalid_integer", "frozen_time", "Invalid integer: noon"],
      [
        () => sdk.prices.create({ product: plan.product.id, ...USD, unit_amount: 1.5 }),
        "parameter_invalid_integer",
        "unit_amount",
        "Invalid integer: 1.5",
      ],
    ])) {
      await assertRejects(`${request}`, request(), [Invalid, 400, code, param], message);
    }
    await assert.rejects(features.create({ ...both, a: "1", b: "2" }), {
      code: "parameter_unknown",
      message: "Received unknown parameters: a, b",
    });
    for (const [request, param] of /** @type {[() => Promise<unknown>, string][]} */ ([
      [() => sdk.prices.create({ product: plan.product.id, ...USD, recurring: { interval: "fortnight" } }), "recurring[interval]"],
      [() => sdk.subscriptions.list({ status: "asleep" }), "status"],
      [() => sdk.prices.list({ type: "gift" }), "type"],
    ])) {
      await assert.rejects(request, (/** @type {StripeError} */ error) => {
        assert.deepEqual([error.constructor, error.statusCode, error.param], [Invalid, 400, param], error.message);
        return true;
      });
    }
    assert.deepEqual(
      (await features.list()).data.map(({ lookup_key }) => lookup_key),
      ["sms"],
    );
  });

  test("names and lookup keys of more than 80 characters, in any alphabet", async () => {
    const { features } = sdk.entitlements;
    for (const [why, letter] of [
      ["ASCII", "a"],
      ["two bytes", "é"],
    ]) {
      const [fits, tooLong] = [letter.repeat(80), letter.repeat(81)];
      const created = await features.create({ lookup_key: fits, name: fits });
      assert.deepEqual([created.lookup_key, created.name], [fits, fits], why);
      for (const [param, request] of /** @type {[string, () => Promise<unknown>][]} */ ([
        ["lookup_key", () => features.create({ lookup_key: tooLong, name: "x" })],
        ["name", () => features.create({ lookup_key: "x", name: tooLong })],
        ["name", () => features.update(created.id, { name: tooLong })],
      ])) {
        await assert.rejects(request, (/** @type {StripeError} */ error) => {
          assert.deepEqual([error.constructor, error.statusCode, error.param], [Invalid, 400, param], why);
          assert.match(error.message, /^Invalid string: .*; must be at most 80 characters$/);
          return true;
        });
      }
    }
  });

  test("metadata of more than 50 keys, keys over 40 and values over 500 characters; an empty value deletes a key", async () => {
    const createMetadata = (count, key = 1, value = 1) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`${i}`.padStart(key, "k"), "v".repeat(value)]));
    const full = createMetadata(50, 40, 500);
    const created = await sdk.customers.create({ metadata: full });
    assert.deepEqual(created.metadata, full);
    for (const [why, metadata] of /** @type {[string, Record<string, string>][]} */ ([
      ["51 keys", createMetadata(51)],
      ["a key of 41 characters", createMetadata(1, 41)],
      ["a value of 501 characters", createMetadata(1, 1, 501)],
    ])) {
      const feature = () => sdk.entitlements.features.create({ lookup_key: "x", name: "x", metadata });
      for (const request of [() => sdk.customers.create({ metadata }), () => sdk.products.create({ name: "x", metadata }), feature]) {
        await assert.rejects(request, { constructor: Invalid, statusCode: 400 }, why);
      }
    }
    await assert.rejects(sdk.customers.update(created.id, { metadata: { more: "1" } }), Invalid);
    const [first, second, ...others] = Object.keys(full);
    const { metadata } = await sdk.customers.update(created.id, { metadata: { [first]: "", [second]: "new", more: "1" } });
    assert.deepEqual(metadata, { [second]: "new", more: "1", ...Object.fromEntries(others.map((key) => [key, full[key]])) });
    assert.deepEqual((await sdk.customers.update(created.id, { metadata: "" })).metadata, {});
    assert.deepEqual((await sdk.customers.retrieve(created.id)).metadata, {});
  });

  test("an object that exists already, and changes of an archived feature", async () => {
    const { features } = sdk.entitlements;
    await assertRejects("a key in use", catalog.createFeature("sms"), [Invalid, 400, EXISTS, "lookup_key"]);
    await assertRejects("attached already", catalog.attachFeature(plan.product, feature), [Invalid, 400, EXISTS, "entitlement_feature"]);
    await sdk.products.create({ id: "prod_mine", name: "Mine" });
    await assert.rejects(sdk.products.create({ id: "prod_mine", name: "Mine too" }), {
      constructor: Invalid,
      statusCode: 400,
      code: EXISTS,
      param: "id",
    });
    await assert.rejects(catalog.attachFeature(plan.product, archived), {
      constructor: Invalid,
      statusCode: 400,
      param: "entitlement_feature",
    });
    for (const change of [{ active: true }, { name: "Telefax" }, { metadata: { a: "1" } }]) {
      await assert.rejects(features.update(archived.id, change), { constructor: Invalid, statusCode: 400 }, JSON.stringify(change));
    }
    assert.deepEqual({ ...(await features.retrieve(archived.id)) }, { ...archived, active: false });
    await assert.rejects(sdk.products.del(plan.product.id), { constructor: Invalid, statusCode: 400 });
  });

  test("a declined card with error_if_incomplete, and changes of a canceled subscription", async () => {
    const declined = { default_payment_method: FAILING_CARD, payment_behavior: "error_if_incomplete" };
    await assertRejects(
      "a declined card",
      catalog.subscribe(customer, plan.price, declined),
      [Card, 402, "card_declined", undefined],
      "Your card was declined.",
    );
    assert.deepEqual((await sdk.subscriptions.list({ customer: customer.id, status: "all" })).data, []);
    const { id } = await catalog.subscribe(customer, plan.price);
    await sdk.subscriptions.cancel(id);
    await assertRejects("canceled twice", sdk.subscriptions.cancel(id), [Invalid, 404, MISSING, "id"], `No such subscription: '${id}'`);
    await assert.rejects(sdk.subscriptions.update(id, { cancel_at_period_end: true }), Invalid);
  });

  test("subscriptions without items, with more than 20, or with prices that are one-time or inactive", async () => {
    const { product } = plan;
    const price = (more) => catalog.createPrice(product, more);
    const subscribeTo =
      (...prices) =>
      () =>
        catalog.subscribe(customer, prices);
    const [once, inactive] = [await price({ recurring: undefined }), await price()];
    await sdk.prices.update(inactive.id, { active: false });
    const many = await Promise.all(Array.from({ length: 21 }, () => price({ recurring: MONTH })));
    for (const [why, request] of /** @type {[string, () => Promise<unknown>][]} */ ([
      ["no item", subscribeTo()],
      ["a one-time price", subscribeTo(once)],
      ["an inactive price", subscribeTo(inactive)],
      ["21 items", subscribeTo(...many)],
    ])) {
      await assert.rejects(request, { constructor: Invalid, statusCode: 400 }, why);
    }
    assert.equal((await subscribeTo(...many.slice(1))()).items.data.length, 20);
  });

  test("moving a clock back or by more than five years, and a clock in live mode", async () => {
    const clock = await catalog.createClock();
    const advance = (frozen_time) => sdk.testHelpers.testClocks.advance(clock.id, { frozen_time });
    await assert.rejects(advance(JANUARY - 1), { constructor: Invalid, statusCode: 400, param: "frozen_time" });
    await assert.rejects(advance(JANUARY + (5 * 366 + 1) * DAY), { constructor: Invalid, statusCode: 400, param: "frozen_time" });
    assert.equal((await catalog.advanceClock(clock, JANUARY + 5 * 365 * DAY)).status, "ready");
    await assert.rejects(stripeClient(service.url, LIVE_KEY).testHelpers.testClocks.create({ frozen_time: JANUARY }), Invalid);
  });

  test("an unknown key, a missing key, and objects of the other mode", async () => {
    await assert.rejects(stripeClient(service.url, "sk_test_wrong").customers.create({}), Unauthorized);
    const withoutKey = await service.request("/v1/customers", { key: "" });
    assert.deepEqual([withoutKey.status, withoutKey.json.error.type], [401, "invalid_request_error"]);
    const headers = { authorization: `Basic ${Buffer.from(`${KEY}:`).toString("base64")}` };
    assert.equal((await service.request(`/v1/customers/${customer.id}`, { headers, key: "" })).json.id, customer.id);

    const live = new TestCatalog(service, LIVE_KEY);
    await assertRejects(
      "a test customer",
      live.sdk.customers.retrieve(customer.id),
      [Invalid, 404, MISSING, "id"],
      `No such customer: '${customer.id}'`,
    );
    for (const resource of [live.sdk.customers, live.sdk.products, live.sdk.entitlements.features, live.sdk.events])
      assert.deepEqual((await resource.list()).data, []);
    const liveFeature = await live.createFeature("sms");
    assert.deepEqual([liveFeature.livemode, /^feat_(?!test_)/.test(liveFeature.id)], [true, true]);
    await assert.rejects(catalog.attachFeature(plan.product, liveFeature), { statusCode: 400, code: MISSING });
    const livePlan = await live.createPlan(liveFeature);
    const liveCustomer = await live.sdk.customers.create();
    assert.equal((await live.subscribe(liveCustomer, livePlan.price)).livemode, true);
    assert.deepEqual(await live.entitlementKeys(liveCustomer), ["sms"]);
    await assert.rejects(catalog.entitlementKeys(liveCustomer), { code: MISSING });
  });

  test("requests of the Python SDK, which raises its own exceptions", async () => {
    const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), [
      file("catalog_errors.py"),
      service.url.origin,
      KEY,
    ]);
    assert.deepEqual(JSON.parse(stdout), {
      "unknown in the path": ["InvalidRequestError", 404, MISSING, "id", "No such customer: 'cus_none'"],
      "unknown in a parameter": ["InvalidRequestError", 400, MISSING, "product", "No such product: 'prod_none'"],
      missing: ["InvalidRequestError", 400, "parameter_missing", "name", "Missing required param: name."],
      "unknown parameter": ["InvalidRequestError", 400, "parameter_unknown", "colour", "Received unknown parameter: colour"],
      "limit 0": [
        "InvalidRequestError",
        400,
        "parameter_invalid_integer",
        "limit",
        "This value must be greater than or equal to 1 (it currently is '0').",
      ],
      duplicate: ["InvalidRequestError", 400, EXISTS, "lookup_key", null],
      archived: ["InvalidRequestError", 400, null, null, null],
      "attached twice": ["InvalidRequestError", 400, EXISTS, "entitlement_feature", null],
      declined: ["CardError", 402, "card_declined", null, "Your card was declined."],
      "wrong key": ["AuthenticationError", 401, null, null, null],
      "same key, other parameters": ["IdempotencyError", 400, null, null, OTHER_REQUEST],
    });
  });
});
