// `GET /healthz`: the public status, and the details for a secret key. And a deployment that cannot verify unknown customers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KEY, LIVE_KEY, serve, summary } from "./support.mjs";

const ADA = "customer=cus_ada&feature=sms";
const BOB = "customer=cus_bob&feature=sms";

describe("GET /healthz", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve({ clock: true });
  });
  after(() => service.stop());

  const publicHealth = async () => (await service.request("/healthz", { key: null })).json;
  const statusFor = async (key) => (await service.request("/healthz", { key })).json.status;

  test("without a secret key it is the status alone", async () => {
    for (const key of [null, "sk_test_wrong", "rk_test_wrong", "eyJhbGciOiJub25lIn0.e30."]) {
      const { status, json } = await service.request("/healthz", { key });
      assert.deepEqual([status, json], [200, { object: "health", status: "ok" }], `${key}`);
    }
  });

  test("a secret key sees its own mode at once, and everybody the worst of all modes after at most ten seconds", async () => {
    assert.equal((await publicHealth()).status, "ok");
    const status = { confirmed_at: 1, pending: 2, pending_since: 1_000, problem: null };
    await service.sendToCustomerIndex("live:cus_pending", { report: { status, features: [] } });
    assert.deepEqual([await statusFor(KEY), await statusFor(LIVE_KEY)], ["ok", "degraded"]);
    // The keyed requests have updated the coordinators, and this isolate asks them again after ten seconds.
    assert.equal((await publicHealth()).status, "ok");
    await service.setClockOffset(10);
    assert.equal((await publicHealth()).status, "degraded");

    const completed = { confirmed_at: 1, pending: 0, pending_since: null, problem: null };
    await service.sendToCustomerIndex("live:cus_pending", { report: { status: completed, features: [] } });
    assert.equal(await statusFor(LIVE_KEY), "ok");
    await Promise.all(Array.from({ length: 50 }, async () => assert.equal((await publicHealth()).status, "degraded")));
    await service.setClockOffset(20);
    await Promise.all(Array.from({ length: 50 }, async () => assert.equal((await publicHealth()).status, "ok")));
  });

  test("every response tells browsers not to guess its type", async () => {
    assert.equal((await service.send(summary("cus_ada", ["sms"]))).status, 200);
    for (const [path, options, status] of /** @type {[string, import("./support.mjs").RequestOptions, number][]} */ ([
      ["/healthz", {}, 200],
      [`/v1/check?${ADA}`, {}, 200],
      [`/v1/check?${ADA}&fresh=true`, {}, 200],
      [`/v1/authorize?${ADA}`, {}, 204],
      ["/v1/entitlements/active_entitlements?customer=cus_ada", {}, 200],
      ["/v1/tokens", { method: "POST", body: "customer=cus_ada" }, 503],
      ["/v1/check", { key: null }, 401],
      ["/nowhere", {}, 404],
      ["/v1/check", { method: "OPTIONS" }, 204],
      ["/webhooks/stripe", { method: "POST", body: "{}" }, 400],
      ["/.well-known/jwks.json", {}, 200],
    ])) {
      const response = await service.request(path, options);
      assert.deepEqual([response.status, response.headers.get("x-content-type-options")], [status, "nosniff"], path);
    }
  });
});

describe("a deployment without a key for Stripe, and without a rule for unknown customers", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve({ settings: { ENTGATE_UNKNOWN_CUSTOMERS: "" } });
    assert.equal((await service.send(summary("cus_ada", ["sms"]))).status, 200);
  });
  after(() => service.stop());

  test("is unconfigured, and says what to set", async () => {
    assert.deepEqual((await service.request("/healthz", { key: null })).json, { object: "health", status: "unconfigured" });
    const { status, settings, message } = await service.health();
    assert.deepEqual([status, settings.STRIPE_API_KEY, settings.ENTGATE_UNKNOWN_CUSTOMERS], ["unconfigured", "missing", "missing"]);
    assert.match(message, /set STRIPE_API_KEY, or set ENTGATE_UNKNOWN_CUSTOMERS to `deny`/);
  });

  test("answers for a known customer, and with a 503 for any other", async () => {
    assert.equal((await service.check("cus_ada", "sms")).json.entitled, true);
    assert.equal((await service.check("cus_ada", "sso")).json.reason, "not_entitled");
    for (const path of [
      `/v1/check?${BOB}`,
      `/v1/authorize?${BOB}`,
      "/v1/entitlements/active_entitlements?customer=cus_bob",
      "/v1/stream?customer=cus_bob",
    ]) {
      const { status, headers, json } = await service.request(path);
      assert.deepEqual([status, headers.get("retry-after"), json.error.code], [503, "60", "customer_not_verifiable"], path);
    }
    const body = JSON.stringify({ context: { targetingKey: "cus_bob" } });
    const flags = await service.request("/ofrep/v1/evaluate/flags", { method: "POST", body });
    assert.deepEqual([flags.status, flags.headers.get("retry-after"), flags.json.errorCode], [500, "60", "GENERAL"]);
  });

  test("knows a customer from the first event on", async () => {
    assert.equal((await service.check("cus_cy", "sms")).status, 503);
    assert.equal((await service.send(summary("cus_cy", []))).status, 200);
    assert.equal((await service.check("cus_cy", "sms")).json.reason, "not_entitled");
  });
});
