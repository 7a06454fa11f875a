// The list of active entitlements, read with Stripe's own libraries. Only their host is changed.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import Stripe from "stripe";
import { assertMatches, ERROR_SCHEMA, responseSchema } from "./stripe-openapi.mjs";
import { entitlement, KEY, LIVE_KEY, SECRET, serve, stripeClient, summary } from "./support.mjs";

const PATH = "/v1/entitlements/active_entitlements";
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

describe("the list of active entitlements", () => {
  const keys = Array.from({ length: 250 }, (_, i) => `f${i}`);
  let service;
  before(async () => {
    service = await serve();
    assert.equal((await service.send(summary("cus_ada", keys))).status, 200);
  });
  after(() => service.stop());

  test("Stripe's Node SDK reads 250 entitlements in pages of 10 and of 100", async () => {
    for (const limit of [10, 100]) {
      const list = stripeClient(service.url).entitlements.activeEntitlements.list({ customer: "cus_ada", limit });
      const all = await list.autoPagingToArray({ limit: 1000 });
      assert.deepEqual(
        all.map((item) => item.lookup_key),
        keys,
        `pages of ${limit}`,
      );
      assert.deepEqual(all[0], entitlement("cus_ada", "f0"));
    }
  });

  test("Stripe's Node SDK pages backwards from a cursor", async () => {
    const list = stripeClient(service.url).entitlements.activeEntitlements.list({
      customer: "cus_ada",
      limit: 7,
      ending_before: "ent_test_cus_ada_f30",
    });
    const all = await list.autoPagingToArray({ limit: 1000 });
    assert.deepEqual(
      all.map((item) => item.lookup_key),
      keys.slice(0, 30).reverse(),
    );
  });

  test("Stripe's Python SDK reads the same list, and pages from the list of an event to the rest", async () => {
    const page = summary("cus_ada", keys.slice(0, 10), { hasMore: true });
    const payload = JSON.stringify(page);
    const header = Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET });
    const arguments_ = [file("lists.py"), service.url.origin, KEY, "cus_ada", SECRET, header, payload];
    const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), arguments_);
    const read = JSON.parse(stdout);
    assert.deepEqual(read.listed, keys);
    assert.deepEqual(read.from_event, keys);
    assert.equal(read.error, "InvalidRequestError: parameter_invalid_integer limit");
    assert.equal(read.unauthorized, "AuthenticationError");
  });

  test("each page matches Stripe's OpenAPI document", async () => {
    for (const path of [`${PATH}?customer=cus_ada&limit=100`, `${PATH}?customer=cus_none`, "/v1/customer/cus_ada/entitlements"]) {
      const { status, json } = await service.request(path);
      assert.equal(status, 200, path);
      assertMatches(responseSchema(PATH), json);
    }
  });

  test("each error matches Stripe's OpenAPI document, and the SDK throws its own class", async () => {
    const paths = [
      `${PATH}`,
      `${PATH}?customer=cus_ada&limit=101`,
      `${PATH}?customer=cus_ada&x=1`,
      `${PATH}?customer=cus_ada&starting_after=ent_x`,
      "/v1/nowhere",
    ];
    for (const path of paths) {
      const { status, json } = await service.request(path);
      assert.ok(status === 400 || status === 404, path);
      assertMatches(ERROR_SCHEMA, json);
    }
    const list = (client, parameters) => client.entitlements.activeEntitlements.list(parameters);
    await assert.rejects(list(stripeClient(service.url), { customer: "cus_ada", limit: 0 }), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
      assert.deepEqual([error.statusCode, error.code, error.param], [400, "parameter_invalid_integer", "limit"]);
      assert.match(error.requestId ?? "", /^req_/);
      return true;
    });
    await assert.rejects(
      list(stripeClient(service.url, "sk_test_wrong"), { customer: "cus_ada" }),
      Stripe.errors.StripeAuthenticationError,
    );
  });

  test("brackets may be percent-encoded, and expand without a key for Stripe is an error with the reason", async () => {
    for (const name of ["expand[]", "expand[0]", "expand%5B%5D", "expand%5B0%5D"]) {
      const { status, json } = await service.request(`${PATH}?customer=cus_ada&${name}=data.feature`);
      assert.deepEqual([status, json.error.param], [400, "expand"], name);
      assert.match(json.error.message, /STRIPE_API_KEY/);
    }
    await assert.rejects(
      stripeClient(service.url).entitlements.activeEntitlements.list({ customer: "cus_ada", expand: ["data.feature"] }),
      Stripe.errors.StripeInvalidRequestError,
    );
  });

  test("a key as the user name of Basic authentication, as curl sends it, is accepted", async () => {
    const authorization = `Basic ${Buffer.from(`${KEY}:`).toString("base64")}`;
    const { status } = await service.request(`${PATH}?customer=cus_ada`, { headers: { authorization }, key: undefined });
    assert.equal(status, 200);
  });

  test("a live key lists live customers only", async () => {
    assert.equal((await service.send(summary("cus_live", ["sms"], { livemode: true }))).status, 200);
    const list = (key) => service.request(`${PATH}?customer=cus_live`, { key });
    assert.deepEqual((await list(KEY)).json.data, []);
    const { json } = await list(LIVE_KEY);
    assert.deepEqual([json.data.length, json.data[0].livemode], [1, true]);
  });

  test("HEAD returns no body, and OPTIONS and other methods return the allowed methods", async () => {
    const head = await service.request(`${PATH}?customer=cus_ada`, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    const options = await service.request(PATH, { method: "OPTIONS" });
    assert.deepEqual([options.status, options.headers.get("allow")], [204, "OPTIONS, GET, HEAD"]);
    const wrong = await service.request(PATH, { method: "DELETE" });
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "OPTIONS, GET, HEAD"]);
    assertMatches(ERROR_SCHEMA, wrong.json);
  });
});
