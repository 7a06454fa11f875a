// OpenFeature's remote evaluation (OFREP) over each source: responses match its OpenAPI document, and its providers for
// Node and Python evaluate flags.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { fakeStripe } from "./fake-stripe.mjs";
import { contextOf, FLAGS, OfrepClient, TOKEN_SETTINGS } from "./ofrep-client.mjs";
import { entitlement, eventually, KEY, LIVE_KEY, serve, summary, unixNow } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Asserts that the ETag of a bulk response yields 304 until a change, and returns the response after it. */
async function assertEtagUntil(change, client, customer) {
  const { headers, json } = await client.bulk(200, customer);
  const etag = headers.get("etag");
  assert.match(etag, new RegExp(`^"${json.metadata.version}-[0-9a-f]{16}"$`));
  const same = await client.bulk(304, customer, { headers: { "if-none-match": etag } });
  assert.equal(same.headers.get("etag"), etag);
  await change();
  return eventually(async () => {
    const next = await client.bulk(200, customer, { headers: { "if-none-match": etag } });
    assert.equal(next.json.metadata.version, json.metadata.version + 1);
    return next;
  });
}

describe("remote evaluation with Stripe's events only", { timeout: 120_000 }, () => {
  let service;
  let client;
  before(async () => {
    service = await serve({ settings: TOKEN_SETTINGS, log: [] });
    client = new OfrepClient(service);
    const created = unixNow() - 10;
    await service.send(summary("cus_ada", ["sms", "export"], { created }));
    await service.send(summary("cus_bob", ["sso"], { created }));
    await service.send(summary("cus_bob", [], { created: created + 1 }));
    // KV accepts one write a second per customer.
    await eventually(async () => assert.equal((await service.replicaRecord("cus_bob")).version, 2));
    await service.send(summary("cus_cy", ["sms"], { created, hasMore: true }));
  });
  after(() => service.stop());

  test("a bulk response has every feature that a customer ever had, even one that was revoked at once", async () => {
    // Ledgers report after their response, and the Worker caches the coordinator's list for a minute. So the test waits for
    // the coordinator before the first evaluation.
    await eventually(async () => assert.deepEqual(await service.requestCoordinator("features"), ["export", "sms", "sso"]));
    assert.deepEqual(await client.values("cus_ada"), [
      ["export", true],
      ["sms", true],
      ["sso", false],
    ]);
    assert.deepEqual(await client.values("cus_bob"), [
      ["export", false],
      ["sms", false],
      ["sso", false],
    ]);
    const { json } = await client.bulk(200, "cus_none");
    assert.deepEqual(
      json.flags.map(({ metadata }) => metadata.reason),
      Array(3).fill("unknown_customer"),
    );
    assert.deepEqual((await client.bulk(200, "cus_ada", { key: LIVE_KEY })).json.flags, []);
  });

  test("a flag is true, false, unknown, or an error for a partial set", async () => {
    const { json } = await client.single(200, "sms", "cus_ada");
    const metadata = { reason: "active_entitlement", version: 1 };
    assert.deepEqual(json, { key: "sms", value: true, reason: "TARGETING_MATCH", variant: "entitled", metadata });
    assert.equal((await client.single(200, "sso", "cus_ada")).json.value, false);
    assert.equal((await client.single(404, "fax", "cus_ada")).json.errorCode, "FLAG_NOT_FOUND");
    assert.equal((await client.single(500, "sso", "cus_cy")).json.key, "sso");
    assert.equal((await client.bulk(500, "cus_cy")).json.errorCode, "GENERAL");
  });

  test("errors are OFREP's, and a token evaluates the flags of its customer", async () => {
    await client.assertErrors("cus_ada", "cus_bob");
    const key = await client.createToken("cus_ada");
    assert.equal((await client.single(200, "sms", "cus_ada", { key })).json.value, true);
    assert.equal((await client.bulk(200, "cus_ada", { key: undefined, headers: { "x-api-key": key } })).json.flags.length, 3);
    const large = `${JSON.stringify(contextOf("cus_ada"))}${" ".repeat(1 << 20)}`;
    assert.equal((await client.post(400, FLAGS, large)).json.errorCode, "PARSE_ERROR");
  });

  test("a flag key may be encoded in any way in the path", async () => {
    const keys = ["a/b", "über", "two words", "100%", "50%25", "a+b", "a|b", "a%2Fc", "[x]", "a'b\"c", "x^y`z", "ä%zz"];
    await service.send(summary("cus_keys", keys));
    for (const key of keys) {
      for (const path of [encodeURIComponent(key), encodeURI(key), key]) {
        const { json } = await client.post(200, `${FLAGS}/${path}`, contextOf("cus_keys"));
        assert.deepEqual([json.key, json.value], [key, true], path);
      }
    }
  });

  test("a bulk response has a stream whose path stays the same and whose token evaluates no flag", async () => {
    const streams = async () => (await client.bulk(200, "cus_ada")).json.eventStreams;
    const [{ endpoint, ...rest }] = await streams();
    assert.deepEqual(rest, { type: "sse", inactivityDelaySec: 120 });
    // The epoch of the token may end once between two responses.
    await eventually(async () => assert.deepEqual(await streams(), await streams()));
    assert.match(endpoint.requestUri, /^\/ofrep\/v1\/stream\?token=[\w-]+\.[\w-]+\.[\w-]+$/);
    const token = endpoint.requestUri.split("=")[1];
    await client.bulk(401, "cus_ada", { key: token });
  });

  test("a bulk response has an ETag, and is never older than the version of a pushed change", async () => {
    const changed = await assertEtagUntil(() => service.send(summary("cus_ada", ["export", "sso"])), client, "cus_ada");
    assert.deepEqual(
      changed.json.flags.filter(({ value }) => value).map(({ key }) => key),
      ["export", "sso"],
    );
    const replica = await service.replica();
    const record = await service.replicaRecord("cus_ada");
    await replica.put("test:cus_ada", JSON.stringify({ ...record, version: 1, keys: [], features: [], ids: [] }));
    const evaluatedVersion = async (query, headers) =>
      (await client.post(200, `${FLAGS}${query}`, contextOf("cus_ada"), { headers })).json.metadata.version;
    assert.equal(await evaluatedVersion(""), 1);
    assert.equal(await evaluatedVersion("?flagConfigEtag=2&flagConfigLastModified=1771622898"), 2);
    assert.equal(await evaluatedVersion("?flagConfigEtag=3"), 2);
    assert.equal(await evaluatedVersion("", { "if-none-match": '"2-0000000000000000"' }), 2);
    await replica.put("test:cus_ada", JSON.stringify(record));
  });

  test("a response with every status was validated", () => client.assertAllStatusesValidated());

  describe("OpenFeature's providers", () => {
    test("the provider for Node evaluates flags and reports errors", async () => {
      const options = { baseUrl: service.url.origin, headers: { authorization: `Bearer ${KEY}` } };
      await OpenFeature.setProviderAndWait(new OFREPProvider(options));
      const flags = OpenFeature.getClient();
      const evaluate = (key, targetingKey, fallback = false) => flags.getBooleanDetails(key, fallback, { targetingKey, plan: "pro" });
      const { flagMetadata, value, variant, reason } = await evaluate("export", "cus_ada");
      assert.deepEqual([value, variant, reason, flagMetadata.reason], [true, "entitled", "TARGETING_MATCH", "active_entitlement"]);
      assert.deepEqual((({ value, variant }) => [value, variant])(await evaluate("export", "cus_bob", true)), [false, "not_entitled"]);
      assert.equal((await evaluate("two words", "cus_keys")).value, true);
      assert.equal((await evaluate("a/b", "cus_keys")).value, true);
      for (const [key, customer, code] of [
        ["fax", "cus_ada", "FLAG_NOT_FOUND"],
        ["export", undefined, "TARGETING_KEY_MISSING"],
        ["export", "\n", "INVALID_CONTEXT"],
        ["sso", "cus_cy", "GENERAL"],
      ]) {
        const { value, errorCode, errorMessage } = await evaluate(key, customer, true);
        assert.deepEqual([value, errorCode], [true, code], key);
        assert.ok(errorMessage);
      }
      const string = await flags.getStringDetails("export", "none", { targetingKey: "cus_ada" });
      assert.deepEqual([string.value, string.errorCode], ["none", "TYPE_MISMATCH"]);
      await OpenFeature.setProviderAndWait(new OFREPProvider({ ...options, headers: { authorization: "Bearer sk_test_other" } }));
      const unauthorized = await evaluate("export", "cus_ada");
      assert.deepEqual([unauthorized.value, unauthorized.reason], [false, "ERROR"]);
      await OpenFeature.close();
    });

    test("the provider for Python evaluates flags and reports errors", async () => {
      const arguments_ = [file("ofrep.py"), service.url.origin, KEY];
      const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), arguments_);
      assert.deepEqual(JSON.parse(stdout), {
        true: [true, "TARGETING_MATCH", "entitled", null],
        false: [false, "TARGETING_MATCH", "not_entitled", null],
        encoded: [true, "TARGETING_MATCH", "entitled", null],
        slash: [true, "TARGETING_MATCH", "entitled", null],
        not_found: [true, "ERROR", null, "FLAG_NOT_FOUND"],
        no_targeting_key: [true, "ERROR", null, "TARGETING_KEY_MISSING"],
        no_context: [true, "ERROR", null, "TARGETING_KEY_MISSING"],
        invalid: [true, "ERROR", null, "INVALID_CONTEXT"],
        partial: [true, "ERROR", null, "GENERAL"],
        type: ["none", "ERROR", null, "TYPE_MISMATCH"],
        unauthorized: [false, "ERROR", null, "GENERAL"],
      });
    });
  });
});

describe("remote evaluation with a key for Stripe", { timeout: 60_000 }, () => {
  let stripe;
  let service;
  let client;
  before(async () => {
    stripe = await fakeStripe();
    service = await serve({ settings: { ...stripe.settings, ...TOKEN_SETTINGS }, log: [] });
    client = new OfrepClient(service);
    stripe.setEntitlements("cus_ada", ["sms", "old"]);
    stripe.setEntitlements("cus_bob", []);
    stripe.updateFeature("sso");
    stripe.updateFeature("old", { active: false });
    for (const customer of ["cus_ada", "cus_bob"]) assert.equal((await service.sync(customer)).status, 200);
  });
  after(async () => {
    await service.stop();
    await stripe.stop();
  });

  test("a bulk response has Stripe's active features, and archived ones that the customer has", async () => {
    assert.deepEqual(await client.values("cus_ada"), [
      ["old", true],
      ["sms", true],
      ["sso", false],
    ]);
    const bob = await client.values("cus_bob");
    assert.deepEqual(
      bob.filter(([key]) => key !== "old"),
      [
        ["sms", false],
        ["sso", false],
      ],
    );
    const lists = stripe.calls.filter(({ path }) => path === "/v1/entitlements/features");
    assert.equal(lists.length, 1, "the list is cached");
  });

  test("a new feature is found within seconds, and a customer without a ledger is read at Stripe", async () => {
    await client.single(404, "fax", "cus_bob");
    stripe.updateFeature("fax");
    await eventually(async () => assert.equal((await client.single(200, "fax", "cus_bob")).json.value, false));
    stripe.setEntitlements("cus_cy", ["fax"]);
    assert.equal((await client.single(200, "fax", "cus_cy")).json.value, true);
    assert.equal((await client.single(200, "fax", "cus_none")).json.metadata.reason, "unknown_customer");
  });

  test("while Stripe fails, a customer without a ledger is an error, and others are evaluated", async () => {
    stripe.failAlways({ status: 500, shouldRetry: false });
    for (const { json, headers } of [await client.single(500, "sms", "cus_dee"), await client.bulk(500, "cus_dee")]) {
      assert.deepEqual([json.errorCode, headers.get("retry-after"), json.value], ["GENERAL", "1", undefined]);
    }
    assert.equal((await client.single(200, "sso", "cus_ada")).json.value, false);
    stripe.failAlways(undefined);
  });

  test("errors are OFREP's, and bulk responses have an ETag", async () => {
    await client.assertErrors("cus_ada", "cus_bob");
    stripe.setEntitlements("cus_bob", ["sso"]);
    const data = [entitlement("cus_bob", "sso")];
    const { json } = await assertEtagUntil(() => service.send(summary("cus_bob", ["sso"])), client, "cus_bob");
    assert.equal(json.flags.find(({ key }) => key === data[0].lookup_key).value, true);
    client.assertAllStatusesValidated();
  });
});

describe("remote evaluation with the catalog as the source", { timeout: 60_000 }, () => {
  let service;
  let client;
  let catalog;
  before(async () => {
    service = await serveCatalog({ settings: TOKEN_SETTINGS, log: [] });
    client = new OfrepClient(service);
    catalog = new TestCatalog(service);
  });
  after(() => service.stop());

  test("a bulk response has the catalog's features, and changes with a subscription", async () => {
    const [sms, sso] = [await catalog.createFeature("sms"), await catalog.createFeature("sso")];
    const { price } = await catalog.createPlan(sms, sso);
    await catalog.createFeature("not/sold");
    const customer = await catalog.sdk.customers.create({ id: "cus_ada" });
    await catalog.sdk.customers.create({ id: "cus_bob" });
    assert.deepEqual(await client.values("cus_ada"), [
      ["not/sold", false],
      ["sms", false],
      ["sso", false],
    ]);
    const changed = await assertEtagUntil(() => catalog.subscribe(customer, price), client, "cus_ada");
    assert.deepEqual(
      changed.json.flags.map(({ value }) => value),
      [false, true, true],
    );
    assert.equal((await client.single(200, "not/sold", "cus_ada")).json.value, false);
    assert.equal((await client.single(200, "sms", "cus_bob")).json.value, false);
    await client.single(404, "fax", "cus_ada");
    await client.assertErrors("cus_ada", "cus_bob");
    client.assertAllStatusesValidated();
  });
});
