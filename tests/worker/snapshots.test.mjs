// `GET /v1/snapshot` and the JWKS: snapshots verified by JOSE libraries, which use only the URL of the keys.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from "jose";
import { serve, summary, unixNow } from "./support.mjs";

const KEYS = "/.well-known/jwks.json";
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** @import { JWK } from "jose" */

/** A private key as a JWK. */
async function signingKey(more = {}) {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  return { ...(await exportJWK(privateKey)), ...more };
}

/** @param {JWK} jwk */
const publicJwk = ({ d, ...jwk }) => jwk;

/** The same snapshot with changed claims. */
function withClaims(snapshot, changes) {
  const [header, claims, signature] = snapshot.split(".");
  const changed = { ...JSON.parse(Buffer.from(claims, "base64url").toString()), ...changes };
  return [header, Buffer.from(JSON.stringify(changed)).toString("base64url"), signature].join(".");
}

describe("a snapshot", { timeout: 60_000 }, () => {
  let first;
  let next;
  let service;
  before(async () => {
    [first, next] = await Promise.all([signingKey(), signingKey({ kid: "next" })]);
    service = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ keys: [first, publicJwk(next)] }) } });
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
  });
  after(() => service.stop());

  const createSnapshot = async (service, params = {}) =>
    (await service.request(`/v1/snapshot?${new URLSearchParams({ customer: "cus_ada", ...params })}`)).json.snapshot;

  test("jose fetches the keys and verifies a snapshot, which has the entitlements and an expiry", async () => {
    const response = await service.request("/v1/snapshot?customer=cus_ada&expires_in=60");
    const { payload, protectedHeader } = await jwtVerify(response.json.snapshot, createRemoteJWKSet(new URL(KEYS, service.url)), {
      issuer: service.url.origin,
      subject: "cus_ada",
      typ: "entitlements+jwt",
      algorithms: ["EdDSA"],
      requiredClaims: ["exp", "version"],
    });
    assert.deepEqual(protectedHeader, { alg: "EdDSA", typ: "entitlements+jwt", kid: await calculateJwkThumbprint(publicJwk(first)) });
    const { version, as_of, expires_at } = response.json;
    assert.deepEqual(payload, {
      iss: service.url.origin,
      sub: "cus_ada",
      iat: expires_at - 60,
      exp: expires_at,
      livemode: false,
      version: 1,
      as_of,
      changes_at: null,
      entitlements: ["sms", "export"],
    });
    assert.equal(version, 1);
    assert.ok(Math.abs(payload.iat - unixNow()) <= 5);
  });

  test("a snapshot names the end of an override, and expires a minute after it", async () => {
    await service.send(summary("cus_trial", ["sms"]));
    const body = new URLSearchParams({ feature: "export", effect: "grant", reason: "Trial", expires_in: "600" });
    const override = await service.request("/v1/customers/cus_trial/overrides", { method: "POST", body });
    const { version, expires_at } = override.json;
    const { json } = await service.request(`/v1/snapshot?customer=cus_trial&expires_in=3600&at_least=${version}`);
    const { changes_at, exp, entitlements } = decodeJwt(json.snapshot);
    assert.deepEqual([changes_at, exp, entitlements], [expires_at, expires_at + 60, ["sms", "export"]]);
    assert.deepEqual([json.changes_at, json.expires_at], [changes_at, exp]);
  });

  test("PyJWT fetches the keys and verifies a snapshot", async () => {
    const good = await createSnapshot(service);
    const snapshots = [good, withClaims(good, { entitlements: ["sms", "export", "sso"] }), withClaims(good, { exp: unixNow() + 90_000 })];
    const verify = async (mode, ...snapshots) => {
      const args = [file("snapshots.py"), service.url.origin, mode, ...snapshots];
      const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), args);
      return JSON.parse(stdout);
    };
    const [read, ...others] = await verify("test", ...snapshots);
    assert.deepEqual(await verify("live", good), ["another mode"]);
    assert.deepEqual([read.sub, read.version, read.entitlements, read.exp - read.iat], ["cus_ada", 1, ["sms", "export"], 3_600]);
    assert.deepEqual(others, ["InvalidSignatureError", "InvalidSignatureError"]);
  });

  test("verification of a modified or expired snapshot fails", async () => {
    const keys = createLocalJWKSet((await service.request(KEYS, { key: undefined })).json);
    const good = await createSnapshot(service);
    for (const change of [{ entitlements: [] }, { sub: "cus_bob" }, { version: 2 }, { exp: unixNow() + 90_000 }, { livemode: true }]) {
      await assert.rejects(jwtVerify(withClaims(good, change), keys), errors.JWSSignatureVerificationFailed, JSON.stringify(change));
    }
    const { payload } = await jwtVerify(good, keys);
    const at = (seconds) => ({ currentDate: new Date(seconds * 1_000) });
    await jwtVerify(good, keys, at(payload.exp - 1));
    await assert.rejects(jwtVerify(good, keys, at(payload.exp)), errors.JWTExpired);
  });

  test("a snapshot after a change has the next version", async () => {
    const keys = createLocalJWKSet((await service.request(KEYS, { key: undefined })).json);
    assert.equal((await service.send(summary("cus_eve", ["sms"]))).json.version, 1);
    assert.equal((await service.send(summary("cus_eve", ["sso"], { created: unixNow() + 1 }))).json.version, 2);
    const { payload } = await jwtVerify(await createSnapshot(service, { customer: "cus_eve", at_least: 2 }), keys);
    assert.deepEqual([payload.version, payload.entitlements], [2, ["sso"]]);
  });

  test("during a key rotation, the JWKS verifies snapshots of the old and of the new key", async () => {
    const older = await createSnapshot(service);
    const rotated = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ keys: [next, publicJwk(first)] }) } });
    try {
      const newer = await createSnapshot(rotated);
      assert.equal(decodeProtectedHeader(newer).kid, "next");
      for (const { url } of [service, rotated]) {
        const keys = createRemoteJWKSet(new URL(KEYS, url));
        for (const one of [older, newer]) assert.equal((await jwtVerify(one, keys)).payload.sub, "cus_ada");
      }
    } finally {
      await rotated.stop();
    }
    const without = createLocalJWKSet({ keys: [{ ...publicJwk(next), alg: "EdDSA", use: "sig" }] });
    await assert.rejects(jwtVerify(older, without), errors.JWKSNoMatchingKey);
  });

  test("the JWKS is public and contains no private key", async () => {
    const { status, headers, json } = await service.request(KEYS, { key: undefined });
    assert.deepEqual([status, headers.get("cache-control")], [200, "public, max-age=300"]);
    const common = { alg: "EdDSA", use: "sig" };
    assert.deepEqual(json.keys, [
      { kty: "OKP", crv: "Ed25519", x: first.x, ...common, kid: await calculateJwkThumbprint(publicJwk(first)) },
      { kty: "OKP", crv: "Ed25519", x: next.x, ...common, kid: "next" },
    ]);
  });
});

test("a signing key whose public and private part do not match is a 503", { timeout: 60_000 }, async (t) => {
  const [one, other] = await Promise.all([signingKey(), signingKey()]);
  const service = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ ...one, x: other.x }) }, log: [] });
  t.after(() => service.stop());
  const { status, json, headers } = await service.request("/v1/snapshot?customer=cus_ada");
  assert.deepEqual([status, json.error?.type, headers.get("retry-after")], [503, "api_error", "1"]);
});
