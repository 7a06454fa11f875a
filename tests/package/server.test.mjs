// `entgate/server`: snapshots and webhooks of the built Worker and of Stripe's library, and checks in batches.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import Stripe from "stripe";
import { createClient, remoteKeys, verifySnapshot, verifyWebhook } from "../../www/npm/dist/server.js";
import { KEY, LIVE_KEY, SECRET, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { createSigningKey, decodeClaims, root, serveEdge, signSnapshot } from "./support.mjs";

/**
 * Asserts that an error is a `GateError` with this code.
 *
 * @param {string} expected
 */
const hasCode = (expected) => (error) => assert.equal(error.code, expected) ?? error.name === "GateError";

/** Asserts that an error has this code, and a message that contains the URL. */
const failsAt = (expected, url) => (error) => {
  assert.equal(error.code, expected);
  return error.message.includes(url);
};

test("an error names a missing endpoint before the first request", () => {
  const missing = { name: "GateError", code: "endpoint_missing", message: "`endpoint` has to be the URL of entgate" };
  for (const invalid of [undefined, null, 1, new URL("https://e")]) {
    const endpoint = /** @type {any} */ (invalid);
    assert.throws(() => createClient({ endpoint, key: KEY }), missing);
    assert.throws(() => remoteKeys(endpoint), missing);
  }
});

describe("verifySnapshot", { timeout: 60_000 }, () => {
  let service;
  let snapshot;
  before(async () => {
    service = await serveEdge();
    await service.send(summary("cus_ada", ["sms", "sso"], { created: 1_700_000_000 }));
    snapshot = (await service.request("/v1/snapshot?customer=cus_ada&expires_in=60")).json.snapshot;
  });
  after(() => service.stop());

  test("returns the customer's entitlements", async () => {
    const { has, issuedAt, expiresAt, ...claims } = await verifySnapshot(snapshot, { keys: [service.signer], livemode: false });
    assert.deepEqual(claims, { customer: "cus_ada", livemode: false, version: 1, asOf: 1_700_000_000, entitlements: ["sms", "sso"] });
    assert.deepEqual([has("sms"), has("api"), expiresAt - issuedAt], [true, false, 60]);
  });

  test("accepts a snapshot until its last second, and for no other customer", async () => {
    const options = { keys: [service.signer], livemode: false };
    const { expiresAt } = await verifySnapshot(snapshot, { ...options, customer: "cus_ada" });
    assert.equal((await verifySnapshot(snapshot, { ...options, now: expiresAt - 1 })).version, 1);
    for (const now of [expiresAt, Number.NaN])
      await assert.rejects(verifySnapshot(snapshot, { ...options, now }), hasCode("snapshot_expired"));
    await assert.rejects(verifySnapshot(snapshot, { ...options, customer: "cus_bob" }), hasCode("customer_mismatch"));
  });

  test("accepts a snapshot of live mode only, and with `livemode: false` of test mode only", async () => {
    const keys = [service.signer];
    const live = (await service.request("/v1/snapshot?customer=cus_ada", { key: LIVE_KEY })).json.snapshot;
    assert.equal((await verifySnapshot(live, { keys })).livemode, true);
    assert.equal((await verifySnapshot(snapshot, { keys, livemode: false })).livemode, false);
    const mismatch = { code: "livemode_mismatch", message: "the snapshot is not of live mode: see `livemode`" };
    await assert.rejects(verifySnapshot(snapshot, { keys }), mismatch);
    await assert.rejects(verifySnapshot(snapshot, { keys, livemode: undefined }), mismatch);
    await assert.rejects(verifySnapshot(live, { keys, livemode: false }), hasCode("livemode_mismatch"));
  });

  test("rejects a signed snapshot whose claims or header are invalid", async () => {
    const { private: jwk, public: key } = createSigningKey("own");
    const sign = (claims, header = {}) => signSnapshot(jwk, { ...decodeClaims(snapshot), ...claims }, header);
    const verify = (given) => verifySnapshot(given, { keys: [key], livemode: false });
    assert.equal((await verify(sign({}))).customer, "cus_ada");
    for (const [why, given] of [
      ["no expiry", sign({ exp: undefined })],
      ["an expiry that is no number", sign({ exp: "never" })],
      ["an expiry that is null", sign({ exp: null })],
      ["a number as text", sign({ exp: "9999999999" })],
      ["no issue time", sign({ iat: undefined })],
      ["no customer", sign({ sub: undefined })],
      ["no version", sign({ version: undefined })],
      ["no entitlements", sign({ entitlements: undefined })],
      ["an extension", sign({}, { crit: ["exp"] })],
      ["an empty list of extensions", sign({}, { crit: [] })],
    ])
      await assert.rejects(verify(given), hasCode("snapshot_malformed"), why);
    await assert.rejects(verify(sign({ livemode: undefined })), hasCode("livemode_mismatch"));
    await assert.rejects(verify(sign({ livemode: "false" })), hasCode("livemode_mismatch"));
  });

  test("rejects a snapshot that was edited or signed with another key", async () => {
    const keys = [service.signer];
    const [header, claims, signature] = snapshot.split(".");
    const edited = Buffer.from(Buffer.from(claims, "base64url").toString().replace("sso", "api")).toString("base64url");
    const headerWith = (more) =>
      Buffer.from(JSON.stringify({ alg: "EdDSA", typ: "entitlements+jwt", kid: "one", ...more })).toString("base64url");
    for (const [why, given, expected] of [
      ["edited", `${header}.${edited}.${signature}`, "snapshot_signature"],
      ["no signature", `${header}.${claims}.`, "snapshot_signature"],
      ["another type", `${headerWith({ typ: "JWT" })}.${claims}.${signature}`, "snapshot_malformed"],
      ["another algorithm", `${headerWith({ alg: "none" })}.${claims}.`, "snapshot_malformed"],
      ["another key id", `${headerWith({ kid: "two" })}.${claims}.${signature}`, "snapshot_key_unknown"],
      ["four parts", `${snapshot}.x`, "snapshot_malformed"],
      ["an empty string", "", "snapshot_malformed"],
    ]) {
      await assert.rejects(verifySnapshot(given, { keys }), hasCode(expected), why);
    }
    await assert.rejects(verifySnapshot(snapshot, { keys: [createSigningKey("one").public] }), hasCode("snapshot_signature"));
  });

  test("fetches remote keys once, also if a snapshot names an unknown key", async () => {
    const proxy = await flakyProxy(service);
    const keys = remoteKeys(proxy.url);
    await Promise.all([1, 2, 3].map(() => verifySnapshot(snapshot, { keys, livemode: false })));
    const unknown = `${Buffer.from('{"alg":"EdDSA","typ":"entitlements+jwt","kid":"two"}').toString("base64url")}.e30.AA`;
    await assert.rejects(verifySnapshot(unknown, { keys }), hasCode("snapshot_key_unknown"));
    assert.equal(proxy.requests.length, 1);
    await proxy.stop();
  });

  test("fails with a timeout and the URL if remote keys are not sent, and fetches them again", async () => {
    const proxy = await flakyProxy(service);
    proxy.respond("/.well-known/jwks.json", () => {}, 1);
    const keys = remoteKeys(proxy.url, { timeout: 500 });
    const url = `${proxy.url}/.well-known/jwks.json`;
    await assert.rejects(verifySnapshot(snapshot, { keys }), { code: "timeout", url, message: `no response within 500 ms (${url})` });
    assert.equal((await verifySnapshot(snapshot, { keys, livemode: false })).customer, "cus_ada");
    await proxy.stop();
    assert.equal((await verifySnapshot(snapshot, { keys, livemode: false })).customer, "cus_ada");
  });
});

describe("verifyWebhook", () => {
  const vectors = JSON.parse(readFileSync(root("tests/fixtures/signatures.json"), "utf8"));
  const event = JSON.stringify({ id: "evt_1", type: "entitlements.active_entitlement_summary.updated" });
  const sign = (timestamp, secret = SECRET) => Stripe.webhooks.generateTestHeaderString({ payload: event, secret, timestamp });
  const now = 1_700_000_000;
  /** @returns {Promise<any>} The event. */
  const verify = (...args) => verifyWebhook(.../** @type {Parameters<typeof verifyWebhook>} */ (args));

  test("accepts the signatures of Stripe's library, and rejects a body with one more byte", async () => {
    for (const { why, header, secret, body } of vectors.vectors) {
      const raw = Buffer.from(body, "hex");
      const outcome = await verify(raw, header, secret, { now: vectors.timestamp }).then(
        () => "verified",
        (error) => error,
      );
      // A body with a valid signature need not be JSON.
      assert.ok(outcome === "verified" || outcome instanceof SyntaxError || outcome instanceof TypeError, `${why}: ${outcome}`);
      await assert.rejects(
        verify(Buffer.concat([raw, Buffer.from("x")]), header, secret, { now: vectors.timestamp }),
        hasCode("signature_mismatch"),
        why,
      );
    }
  });

  test("returns the event for any of the secrets, up to 300 seconds before and after its timestamp", async () => {
    for (const at of [now - 300, now, now + 300]) {
      assert.equal((await verify(event, sign(now), ["whsec_other", SECRET], { now: at })).id, "evt_1");
    }
    for (const at of [now - 301, now + 301])
      await assert.rejects(verify(event, sign(now), SECRET, { now: at }), hasCode("signature_stale"));
  });

  test("rejects a missing or malformed header, another signature and an empty secret", async () => {
    const [, v1] = sign(now).split("v1=");
    for (const [header, secrets, expected] of /** @type {[string | null, string | string[], string][]} */ ([
      [null, SECRET, "signature_malformed"],
      ["", SECRET, "signature_malformed"],
      [`v1=${v1}`, SECRET, "signature_malformed"],
      [`t=${now}`, SECRET, "signature_malformed"],
      [`t=${now},t=${now + 1},v1=${v1}`, SECRET, "signature_malformed"],
      [`t=${now}x,v1=${v1}`, SECRET, "signature_malformed"],
      [`t=${now},v0=${v1}`, SECRET, "signature_malformed"],
      [`t=${now},v1=`, SECRET, "signature_mismatch"],
      [`t=${now},v1=${v1.slice(0, -1)}`, SECRET, "signature_mismatch"],
      [`t=${now},v1=${v1}0`, SECRET, "signature_mismatch"],
      [`t=${now},v1=${v1.toUpperCase()}`, SECRET, "signature_mismatch"],
      [`t=${now + 1},v1=${v1}`, SECRET, "signature_mismatch"],
      [sign(now, "whsec_other"), SECRET, "signature_mismatch"],
      [sign(now), [], "signature_mismatch"],
      [sign(now), "", "signature_mismatch"],
    ])) {
      await assert.rejects(verify(event, header, secrets, { now }), hasCode(expected), header ?? "no header");
    }
    assert.equal((await verify(event, `t=${now},v0=x,v1=${"0".repeat(64)},v1=${v1}`, SECRET, { now })).id, "evt_1");
  });
});

describe("createClient", { timeout: 60_000 }, () => {
  let service;
  let proxy;
  before(async () => {
    service = await serveEdge();
    await service.send(summary("cus_ada", ["sms"]));
    await service.send(summary("cus_part", ["sms"], { hasMore: true }));
  });
  after(() => service.stop());
  afterEach(() => proxy?.stop());
  const openClient = async (key = KEY) => {
    proxy = await flakyProxy(service);
    return createClient({ endpoint: `${proxy.url}/`, key });
  };

  test("sends concurrent checks as one request, and identical ones once", async () => {
    const { check } = await openClient();
    const pairs = [
      ["cus_ada", "sms"],
      ["cus_ada", "sso"],
      ["cus_none", "sms"],
      ["cus_ada", "sms"],
    ];
    const results = await Promise.all(pairs.map(([customer, feature]) => check({ customer, feature })));
    assert.deepEqual(
      results.map(({ customer, feature, entitled, reason }) => [customer, feature, entitled, reason]),
      [
        ["cus_ada", "sms", true, "active_entitlement"],
        ["cus_ada", "sso", false, "not_entitled"],
        ["cus_none", "sms", false, "unknown_customer"],
        ["cus_ada", "sms", true, "active_entitlement"],
      ],
    );
    assert.equal(proxy.requests.length, 1);
    assert.equal((await check({ customer: "cus_ada", feature: "sms", fresh: true, atLeast: 1 })).served_by, "ledger");
    assert.equal(proxy.requests.length, 2);
  });

  test("splits more than a hundred checks into several requests", async () => {
    const { check } = await openClient();
    const results = await Promise.all(
      Array.from({ length: 101 }, (_, at) => check({ customer: "cus_ada", feature: at === 100 ? "sms" : `f${at}` })),
    );
    assert.deepEqual([results.filter(({ entitled }) => entitled).length, results[100].entitled, proxy.requests.length], [1, true, 2]);
  });

  test("rejects a check whose answer is not known, and resolves the others of its batch", async () => {
    const { check } = await openClient();
    const [known, unknown] = await Promise.allSettled([
      check({ customer: "cus_part", feature: "sms" }),
      check({ customer: "cus_part", feature: "sso" }),
    ]);
    assert.ok(known.status === "fulfilled" && unknown.status === "rejected");
    assert.deepEqual([known.value.entitled, unknown.reason.code], [true, "entitlements_incomplete"]);
    const unauthorized = createClient({ endpoint: proxy.url, key: "sk_test_wrong" });
    await assert.rejects(unauthorized.check({ customer: "cus_ada", feature: "sms" }), { status: 401 });
  });

  test("answers an array of features with an array, in the same order", async () => {
    const { check } = await openClient();
    const results = await check({ customer: "cus_ada", feature: ["sso", "sms", "sso"] });
    assert.deepEqual(
      results.map(({ feature, entitled }) => [feature, entitled]),
      [
        ["sso", false],
        ["sms", true],
        ["sso", false],
      ],
    );
    assert.deepEqual([await check({ customer: "cus_ada", feature: [] }), proxy.requests.length], [[], 1]);
    await assert.rejects(check({ customer: "cus_part", feature: ["sms", "sso"] }), hasCode("entitlements_incomplete"));
  });

  test("fails after two seconds or the timeout of the options, with the URL", async () => {
    proxy = await flakyProxy(service);
    const url = `${proxy.url}/v1/check`;
    const question = { customer: "cus_ada", feature: "sms" };
    for (const [why, handler] of /** @type {[string, import("./flaky-proxy.mjs").Handler][]} */ ([
      ["no response", () => {}],
      ["no body", (response) => response.writeHead(200, { "content-type": "application/json" }).flushHeaders()],
    ])) {
      proxy.respond("/v1/check", handler, 1);
      const { check } = createClient({ endpoint: proxy.url, key: KEY, timeout: 500 });
      await assert.rejects(
        check(question),
        { name: "GateError", code: "timeout", url, message: `no response within 500 ms (${url})` },
        why,
      );
      assert.equal((await check(question)).entitled, true, "the next one is answered");
    }
    const ignoresSignal = /** @type {any} */ (() => new Promise(() => {}));
    const began = performance.now();
    await assert.rejects(createClient({ endpoint: proxy.url, key: KEY, fetch: ignoresSignal }).check(question), hasCode("timeout"));
    const elapsed = performance.now() - began;
    assert.ok(elapsed >= 1_990 && elapsed < 3_500, `${elapsed} ms`);
  });

  test("fails with an error that names the URL and the cause", async () => {
    proxy = await flakyProxy(service);
    const { check, token, snapshot } = createClient({ endpoint: proxy.url, key: KEY });
    const question = { customer: "cus_ada", feature: "sms" };
    proxy.respond("/v1/check", (response) => response.writeHead(502).end("<html>"), 1);
    const url = `${proxy.url}/v1/check`;
    await assert.rejects(check(question), { name: "GateError", code: "api_error", status: 502, url, message: `HTTP 502 (${url})` });
    proxy.respond("/v1/check", (response) => response.writeHead(200).end("<html>"), 1);
    await assert.rejects(check(question), failsAt("unreachable", url));
    await assert.rejects(snapshot("cus_ada", { expiresIn: 1 }), failsAt("parameter_invalid_integer", "/v1/snapshot?"));
    await proxy.stop();
    await assert.rejects(token("cus_ada"), failsAt("unreachable", `${proxy.url}/v1/tokens`));
  });

  test("creates tokens and snapshots for a customer's page", async () => {
    const { token, snapshot } = await openClient();
    const created = await token("cus_ada", { expiresIn: 60 });
    assert.deepEqual([created.customer, created.livemode, created.token.split(".").length], ["cus_ada", false, 3]);
    const claims = await verifySnapshot(await snapshot("cus_ada", { expiresIn: 120, fresh: true }), {
      keys: [service.signer],
      customer: "cus_ada",
      livemode: false,
    });
    assert.deepEqual([claims.entitlements, claims.expiresAt - claims.issuedAt], [["sms"], 120]);
  });
});
