// `entgate/server`: snapshots and webhooks of the built Worker and of Stripe's library, and checks in batches.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, describe, test } from "node:test";
import Stripe from "stripe";
import { createClient, remoteKeys, verifySnapshot, verifyWebhook } from "../../www/npm/dist/server.js";
import { KEY, SECRET, summary } from "../worker/support.mjs";
import { between, edge, root, signingKey } from "./support.mjs";

const code = (expected) => (error) => assert.equal(error.code, expected) ?? error.name === "GateError";

test("a setting that is missing is told by its name, at once", () => {
  const missing = { name: "GateError", code: "endpoint_missing", message: "`endpoint` has to be the URL of entgate" };
  for (const endpoint of [undefined, null, 1, new URL("https://e")]) {
    assert.throws(() => createClient({ endpoint, key: KEY }), missing);
    assert.throws(() => remoteKeys(endpoint), missing);
  }
});

describe("snapshots on a server", { timeout: 60_000 }, () => {
  let service;
  let snapshot;
  before(async () => {
    service = await edge();
    await service.send(summary("cus_ada", ["sms", "sso"], { created: 1_700_000_000 }));
    snapshot = (await service.request("/v1/snapshot?customer=cus_ada&expires_in=60")).json.snapshot;
  });
  after(() => service.stop());

  test("say what the customer has, to whoever has the public key", async () => {
    const { has, issuedAt, expiresAt, ...said } = await verifySnapshot(snapshot, { keys: [service.signer] });
    assert.deepEqual(said, { customer: "cus_ada", livemode: false, version: 1, asOf: 1_700_000_000, entitlements: ["sms", "sso"] });
    assert.deepEqual([has("sms"), has("api"), expiresAt - issuedAt], [true, false, 60]);
  });

  test("are good to their last second, and for no other customer", async () => {
    const keys = [service.signer];
    const { expiresAt } = await verifySnapshot(snapshot, { keys, customer: "cus_ada" });
    assert.equal((await verifySnapshot(snapshot, { keys, now: expiresAt - 1 })).version, 1);
    await assert.rejects(verifySnapshot(snapshot, { keys, now: expiresAt }), code("snapshot_expired"));
    await assert.rejects(verifySnapshot(snapshot, { keys, customer: "cus_bob" }), code("customer_mismatch"));
  });

  test("that were edited, or signed by others, are refused", async () => {
    const keys = [service.signer];
    const [header, claims, signature] = snapshot.split(".");
    const edited = Buffer.from(Buffer.from(claims, "base64url").toString().replace("sso", "api")).toString("base64url");
    const typed = (more) =>
      Buffer.from(JSON.stringify({ alg: "EdDSA", typ: "entitlements+jwt", kid: "one", ...more })).toString("base64url");
    for (const [why, given, expected] of [
      ["edited", `${header}.${edited}.${signature}`, "snapshot_signature"],
      ["no signature", `${header}.${claims}.`, "snapshot_signature"],
      ["of another type", `${typed({ typ: "JWT" })}.${claims}.${signature}`, "snapshot_malformed"],
      ["of another algorithm", `${typed({ alg: "none" })}.${claims}.`, "snapshot_malformed"],
      ["of another key", `${typed({ kid: "two" })}.${claims}.${signature}`, "snapshot_key_unknown"],
      ["four parts", `${snapshot}.x`, "snapshot_malformed"],
      ["nothing", "", "snapshot_malformed"],
    ]) {
      await assert.rejects(verifySnapshot(given, { keys }), code(expected), why);
    }
    await assert.rejects(verifySnapshot(snapshot, { keys: [signingKey("one").public] }), code("snapshot_signature"));
  });

  test("are verified with keys that are fetched once, and not because somebody names others", async () => {
    const proxy = await between(service);
    const keys = remoteKeys(proxy.url);
    await Promise.all([1, 2, 3].map(() => verifySnapshot(snapshot, { keys })));
    const unknown = `${Buffer.from('{"alg":"EdDSA","typ":"entitlements+jwt","kid":"two"}').toString("base64url")}.e30.AA`;
    await assert.rejects(verifySnapshot(unknown, { keys }), code("snapshot_key_unknown"));
    assert.equal(proxy.requests.length, 1);
    await proxy.stop();
  });
});

describe("webhooks on a server", () => {
  const vectors = JSON.parse(readFileSync(root("tests/fixtures/signatures.json"), "utf8"));
  const event = JSON.stringify({ id: "evt_1", type: "entitlements.active_entitlement_summary.updated" });
  const signed = (timestamp, secret = SECRET) => Stripe.webhooks.generateTestHeaderString({ payload: event, secret, timestamp });
  const now = 1_700_000_000;

  test("are genuine as Stripe's library signs them, and one changed byte is not", async () => {
    for (const { why, header, secret, body } of vectors.vectors) {
      const raw = Buffer.from(body, "hex");
      const outcome = await verifyWebhook(raw, header, secret, { now: vectors.timestamp }).then(
        () => "genuine",
        (error) => error,
      );
      // What is genuine need not be JSON.
      assert.ok(outcome === "genuine" || outcome instanceof SyntaxError || outcome instanceof TypeError, `${why}: ${outcome}`);
      await assert.rejects(
        verifyWebhook(Buffer.concat([raw, Buffer.from("x")]), header, secret, { now: vectors.timestamp }),
        code("signature_mismatch"),
        why,
      );
    }
  });

  test("give their event, with any of your secrets, for 300 seconds both ways", async () => {
    for (const at of [now - 300, now, now + 300]) {
      assert.equal((await verifyWebhook(event, signed(now), ["whsec_other", SECRET], { now: at })).id, "evt_1");
    }
    for (const at of [now - 301, now + 301])
      await assert.rejects(verifyWebhook(event, signed(now), SECRET, { now: at }), code("signature_stale"));
  });

  test("without a signature, with another one or with none of your secrets are refused", async () => {
    const [, v1] = signed(now).split("v1=");
    for (const [header, secrets, expected] of [
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
      [signed(now, "whsec_other"), SECRET, "signature_mismatch"],
      [signed(now), [], "signature_mismatch"],
      [signed(now), "", "signature_mismatch"],
    ]) {
      await assert.rejects(verifyWebhook(event, header, secrets, { now }), code(expected), header);
    }
    assert.equal((await verifyWebhook(event, `t=${now},v0=x,v1=${"0".repeat(64)},v1=${v1}`, SECRET, { now })).id, "evt_1");
  });
});

describe("a client on a server", { timeout: 60_000 }, () => {
  let service;
  let proxy;
  before(async () => {
    service = await edge();
    await service.send(summary("cus_ada", ["sms"]));
    await service.send(summary("cus_part", ["sms"], { hasMore: true }));
  });
  after(() => service.stop());
  afterEach(() => proxy?.stop());
  const client = async (key = KEY) => {
    proxy = await between(service);
    return createClient({ endpoint: `${proxy.url}/`, key });
  };

  test("asks what is asked in one moment in one request, and the same once", async () => {
    const { check } = await client();
    const asked = [
      ["cus_ada", "sms"],
      ["cus_ada", "sso"],
      ["cus_none", "sms"],
      ["cus_ada", "sms"],
    ];
    const answers = await Promise.all(asked.map(([customer, feature]) => check({ customer, feature })));
    assert.deepEqual(
      answers.map(({ customer, feature, entitled, reason }) => [customer, feature, entitled, reason]),
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

  test("splits what is more than a hundred", async () => {
    const { check } = await client();
    const answers = await Promise.all(
      Array.from({ length: 101 }, (_, at) => check({ customer: "cus_ada", feature: at === 100 ? "sms" : `f${at}` })),
    );
    assert.deepEqual([answers.filter(({ entitled }) => entitled).length, answers[100].entitled, proxy.requests.length], [1, true, 2]);
  });

  test("what is not known is no no: it rejects, and the others have their answers", async () => {
    const { check } = await client();
    const [known, unknown] = await Promise.allSettled([
      check({ customer: "cus_part", feature: "sms" }),
      check({ customer: "cus_part", feature: "sso" }),
    ]);
    assert.deepEqual([known.value.entitled, unknown.reason.code], [true, "entitlements_incomplete"]);
    const refused = createClient({ endpoint: proxy.url, key: "sk_test_wrong" });
    await assert.rejects(refused.check({ customer: "cus_ada", feature: "sms" }), (error) => error.status === 401);
  });

  test("makes tokens and snapshots for a customer's page", async () => {
    const { token, snapshot } = await client();
    const minted = await token("cus_ada", { expiresIn: 60 });
    assert.deepEqual([minted.customer, minted.livemode, minted.token.split(".").length], ["cus_ada", false, 3]);
    const said = await verifySnapshot(await snapshot("cus_ada", { expiresIn: 120, fresh: true }), {
      keys: [service.signer],
      customer: "cus_ada",
    });
    assert.deepEqual([said.entitlements, said.expiresAt - said.issuedAt], [["sms"], 120]);
  });
});
