// OpenFeature's remote evaluation, held to its OpenAPI document, over each source; and asked by its providers for servers.

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

/** The tag of a bulk answer sends the next one back, until something changes. */
async function assertTagged(client, customer, change) {
  const { headers, json } = await client.bulk(200, customer);
  const etag = headers.get("etag");
  assert.match(etag, new RegExp(`^"${json.metadata.version}-[0-9a-f]{16}"$`));
  const same = await client.bulk(304, customer, { headers: { "if-none-match": etag } });
  assert.equal(same.headers.get("etag"), etag);
  await change();
  return eventually(async () => {
    const again = await client.bulk(200, customer, { headers: { "if-none-match": etag } });
    assert.equal(again.json.metadata.version, json.metadata.version + 1);
    return again;
  });
}

describe("remote evaluation of what Stripe's events tell", { timeout: 120_000 }, () => {
  let service;
  let client;
  before(async () => {
    service = await serve({ settings: TOKEN_SETTINGS, log: [] });
    client = new OfrepClient(service);
    const created = unixNow() - 10;
    await service.send(summary("cus_ada", ["sms", "export"], { created }));
    await service.send(summary("cus_bob", ["sso"], { created }));
    await service.send(summary("cus_bob", [], { created: created + 1 }));
    await service.send(summary("cus_cy", ["sms"], { created, hasMore: true }));
  });
  after(() => service.stop());

  test("lists each feature that anybody ever held, also one revoked at once", async () => {
    // The roster is told a second later; an answer of before is kept for a minute, so that it is asked itself first.
    const rosters = await service.workerd.getDurableObjectNamespace("ROSTER", "entgate");
    const roster = rosters.get(rosters.idFromName("roster"));
    await eventually(async () => {
      const response = await roster.fetch("https://roster/", { method: "POST", body: JSON.stringify({ features: false }) });
      assert.deepEqual(await response.json(), ["export", "sms", "sso"]);
    });
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

  test("answers one flag in each of its ways", async () => {
    const { json } = await client.single(200, "sms", "cus_ada");
    const metadata = { reason: "active_entitlement", version: 1 };
    assert.deepEqual(json, { key: "sms", value: true, reason: "TARGETING_MATCH", variant: "entitled", metadata });
    assert.equal((await client.single(200, "sso", "cus_ada")).json.value, false);
    assert.equal((await client.single(404, "fax", "cus_ada")).json.errorCode, "FLAG_NOT_FOUND");
    assert.equal((await client.single(500, "sso", "cus_cy")).json.key, "sso");
    assert.deepEqual(
      (await client.bulk(200, "cus_cy")).json.flags.map(({ errorCode }) => errorCode),
      ["GENERAL", undefined, "GENERAL"],
    );
  });

  test("refuses in the protocol's words, and opens one customer to a token", async () => {
    await client.assertErrors("cus_ada", "cus_bob");
    const key = await client.createToken("cus_ada");
    assert.equal((await client.single(200, "sms", "cus_ada", { key })).json.value, true);
    assert.equal((await client.bulk(200, "cus_ada", { key: undefined, headers: { "x-api-key": key } })).json.flags.length, 3);
    const large = `${JSON.stringify(contextOf("cus_ada"))}${" ".repeat(1 << 20)}`;
    assert.equal((await client.post(400, FLAGS, large)).json.errorCode, "PARSE_ERROR");
  });

  test("takes a key however it is written in a path", async () => {
    const keys = ["a/b", "über", "two words", "100%", "50%25", "a+b", "a|b", "a%2Fc", "[x]", "a'b\"c", "x^y`z", "ä%zz"];
    await service.send(summary("cus_keys", keys));
    for (const key of keys) {
      for (const path of [encodeURIComponent(key), encodeURI(key), key]) {
        const { json } = await client.post(200, `${FLAGS}/${path}`, contextOf("cus_keys"));
        assert.deepEqual([json.key, json.value], [key, true], path);
      }
    }
  });

  test("tells of a stream by a path that stays the same, and whose token opens no flag", async () => {
    const streams = async () => (await client.bulk(200, "cus_ada")).json.eventStreams;
    const [{ endpoint, ...rest }] = await streams();
    assert.deepEqual(rest, { type: "sse", inactivityDelaySec: 120 });
    // The epoch may end between two answers, once.
    await eventually(async () => assert.deepEqual(await streams(), await streams()));
    assert.match(endpoint.requestUri, /^\/ofrep\/v1\/stream\?token=[\w-]+\.[\w-]+\.[\w-]+$/);
    const token = endpoint.requestUri.split("=")[1];
    await client.bulk(401, "cus_ada", { key: token });
  });

  test("sends no answer twice to who has it, and never goes back behind what a push has told", async () => {
    const changed = await assertTagged(client, "cus_ada", () => service.send(summary("cus_ada", ["export", "sso"])));
    assert.deepEqual(
      changed.json.flags.filter(({ value }) => value).map(({ key }) => key),
      ["export", "sso"],
    );
    const replica = await service.replica();
    const copy = await service.replicaRecord("cus_ada");
    await replica.put("test:cus_ada", JSON.stringify({ ...copy, version: 1, keys: [], features: [], ids: [] }));
    const version = async (query, headers) =>
      (await client.post(200, `${FLAGS}${query}`, contextOf("cus_ada"), { headers })).json.metadata.version;
    assert.equal(await version(""), 1);
    assert.equal(await version("?flagConfigEtag=2&flagConfigLastModified=1771622898"), 2);
    assert.equal(await version("?flagConfigEtag=3"), 2);
    assert.equal(await version("", { "if-none-match": '"2-0000000000000000"' }), 2);
    await replica.put("test:cus_ada", JSON.stringify(copy));
  });

  test("was shown to be as the document says with every status", () => client.assertAllStatusesValidated());

  describe("asked by OpenFeature's providers", () => {
    test("for Node", async () => {
      const options = { baseUrl: service.url.origin, headers: { authorization: `Bearer ${KEY}` } };
      await OpenFeature.setProviderAndWait(new OFREPProvider(options));
      const node = OpenFeature.getClient();
      const ask = (key, targetingKey, fallback = false) => node.getBooleanDetails(key, fallback, { targetingKey, plan: "pro" });
      const { flagMetadata, value, variant, reason } = await ask("export", "cus_ada");
      assert.deepEqual([value, variant, reason, flagMetadata.reason], [true, "entitled", "TARGETING_MATCH", "active_entitlement"]);
      assert.deepEqual((({ value, variant }) => [value, variant])(await ask("export", "cus_bob", true)), [false, "not_entitled"]);
      assert.equal((await ask("two words", "cus_keys")).value, true);
      assert.equal((await ask("a/b", "cus_keys")).value, true);
      for (const [key, customer, code] of [
        ["fax", "cus_ada", "FLAG_NOT_FOUND"],
        ["export", undefined, "TARGETING_KEY_MISSING"],
        ["export", "\n", "INVALID_CONTEXT"],
        ["sso", "cus_cy", "GENERAL"],
      ]) {
        const { value, errorCode, errorMessage } = await ask(key, customer, true);
        assert.deepEqual([value, errorCode], [true, code], key);
        assert.ok(errorMessage);
      }
      const text = await node.getStringDetails("export", "none", { targetingKey: "cus_ada" });
      assert.deepEqual([text.value, text.errorCode], ["none", "TYPE_MISMATCH"]);
      await OpenFeature.setProviderAndWait(new OFREPProvider({ ...options, headers: { authorization: "Bearer sk_test_other" } }));
      const stranger = await ask("export", "cus_ada");
      assert.deepEqual([stranger.value, stranger.reason], [false, "ERROR"]);
      await OpenFeature.close();
    });

    test("for Python", async () => {
      const arguments_ = [file("ofrep.py"), service.url.origin, KEY];
      const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), arguments_);
      assert.deepEqual(JSON.parse(stdout), {
        true: [true, "TARGETING_MATCH", "entitled", null],
        false: [false, "TARGETING_MATCH", "not_entitled", null],
        encoded: [true, "TARGETING_MATCH", "entitled", null],
        slash: [true, "TARGETING_MATCH", "entitled", null],
        not_found: [true, "ERROR", null, "FLAG_NOT_FOUND"],
        nobody: [true, "ERROR", null, "TARGETING_KEY_MISSING"],
        no_context: [true, "ERROR", null, "TARGETING_KEY_MISSING"],
        invalid: [true, "ERROR", null, "INVALID_CONTEXT"],
        not_known: [true, "ERROR", null, "GENERAL"],
        type: ["none", "ERROR", null, "TYPE_MISMATCH"],
        stranger: [false, "ERROR", null, "GENERAL"],
      });
    });
  });
});

describe("remote evaluation with a key to read Stripe with", { timeout: 60_000 }, () => {
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

  test("lists what Stripe sells, and what is archived and held", async () => {
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
    assert.equal(lists.length, 1, "it is kept");
  });

  test("finds a feature that is new within seconds, and a customer at Stripe", async () => {
    await client.single(404, "fax", "cus_bob");
    stripe.updateFeature("fax");
    await eventually(async () => assert.equal((await client.single(200, "fax", "cus_bob")).json.value, false));
    stripe.setEntitlements("cus_cy", ["fax"]);
    assert.equal((await client.single(200, "fax", "cus_cy")).json.value, true);
    assert.equal((await client.single(200, "fax", "cus_none")).json.metadata.reason, "unknown_customer");
  });

  test("knows nothing of a stranger while Stripe cannot be read, and all the same of others", async () => {
    stripe.failAlways({ status: 500, shouldRetry: false });
    for (const answer of [await client.single(500, "sms", "cus_dee"), await client.bulk(500, "cus_dee")]) {
      assert.deepEqual([answer.json.errorCode, answer.headers.get("retry-after"), answer.json.value], ["GENERAL", "1", undefined]);
    }
    assert.equal((await client.single(200, "sso", "cus_ada")).json.value, false);
    stripe.failAlways(undefined);
  });

  test("refuses in the protocol's words, and tags its answers", async () => {
    await client.assertErrors("cus_ada", "cus_bob");
    stripe.setEntitlements("cus_bob", ["sso"]);
    const data = [entitlement("cus_bob", "sso")];
    const { json } = await assertTagged(client, "cus_bob", () => service.send(summary("cus_bob", ["sso"])));
    assert.equal(json.flags.find(({ key }) => key === data[0].lookup_key).value, true);
    client.assertAllStatusesValidated();
  });
});

describe("remote evaluation of the catalog", { timeout: 60_000 }, () => {
  let service;
  let client;
  let catalog;
  before(async () => {
    service = await serveCatalog({ settings: TOKEN_SETTINGS, log: [] });
    client = new OfrepClient(service);
    catalog = new TestCatalog(service);
    await catalog.registerOwnEndpoint();
  });
  after(() => service.stop());

  test("lists what is made with the SDK, and follows who buys it", async () => {
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
    const changed = await assertTagged(client, "cus_ada", () => catalog.subscribe(customer, price));
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
