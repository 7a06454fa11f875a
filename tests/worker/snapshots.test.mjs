// Snapshots, verified by JOSE libraries that know nothing of the Worker but where its keys are.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  createRemoteJWKSet,
  decodeProtectedHeader,
  errors,
  exportJWK,
  generateKeyPair,
  jwtVerify,
} from "jose";
import { serve, summary, unixNow } from "./support.mjs";

const KEYS = "/.well-known/jwks.json";
const file = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A private key as a JWK. */
async function signingKey(more = {}) {
  const { privateKey } = await generateKeyPair("EdDSA", { extractable: true });
  return { ...(await exportJWK(privateKey)), ...more };
}

const shown = ({ d, ...jwk }) => jwk;

/** The same snapshot, in whose words one is changed. */
function changed(snapshot, change) {
  const [header, claims, signature] = snapshot.split(".");
  const words = { ...JSON.parse(Buffer.from(claims, "base64url")), ...change };
  return [header, Buffer.from(JSON.stringify(words)).toString("base64url"), signature].join(".");
}

describe("a snapshot", { timeout: 60_000 }, () => {
  let first;
  let next;
  let service;
  before(async () => {
    [first, next] = await Promise.all([signingKey(), signingKey({ kid: "next" })]);
    service = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ keys: [first, shown(next)] }) } });
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
  });
  after(() => service.stop());

  const snapshot = async (service, more = {}) =>
    (await service.request(`/v1/snapshot?${new URLSearchParams({ customer: "cus_ada", ...more })}`)).json.snapshot;

  test("is verified by jose, which fetches the keys, and says what is held until when", async () => {
    const answer = await service.request("/v1/snapshot?customer=cus_ada&expires_in=60");
    const { payload, protectedHeader } = await jwtVerify(answer.json.snapshot, createRemoteJWKSet(new URL(KEYS, service.url)), {
      issuer: service.url.origin,
      subject: "cus_ada",
      typ: "entitlements+jwt",
      algorithms: ["EdDSA"],
      requiredClaims: ["exp", "version"],
    });
    assert.deepEqual(protectedHeader, { alg: "EdDSA", typ: "entitlements+jwt", kid: await calculateJwkThumbprint(shown(first)) });
    const { version, as_of, expires_at } = answer.json;
    assert.deepEqual(payload, {
      iss: service.url.origin,
      sub: "cus_ada",
      iat: expires_at - 60,
      exp: expires_at,
      livemode: false,
      version: 1,
      as_of,
      entitlements: ["sms", "export"],
    });
    assert.equal(version, 1);
    assert.ok(Math.abs(payload.iat - unixNow()) <= 5);
  });

  test("is verified by PyJWT in the same way", async () => {
    const good = await snapshot(service);
    const snapshots = [good, changed(good, { entitlements: ["sms", "export", "sso"] }), changed(good, { exp: unixNow() + 90_000 })];
    const { stdout } = await promisify(execFile)(process.env.PYTHON ?? file("../../.tools/venv/bin/python"), [
      file("snapshots.py"),
      service.url.origin,
      ...snapshots,
    ]);
    const [read, ...others] = JSON.parse(stdout);
    assert.deepEqual([read.sub, read.version, read.entitlements, read.exp - read.iat], ["cus_ada", 1, ["sms", "export"], 3_600]);
    assert.deepEqual(others, ["InvalidSignatureError", "InvalidSignatureError"]);
  });

  test("that was changed, or is over, is noticed by whoever verifies it", async () => {
    const keys = createLocalJWKSet((await service.request(KEYS, { key: undefined })).json);
    const good = await snapshot(service);
    for (const change of [{ entitlements: [] }, { sub: "cus_bob" }, { version: 2 }, { exp: unixNow() + 90_000 }, { livemode: true }]) {
      await assert.rejects(jwtVerify(changed(good, change), keys), errors.JWSSignatureVerificationFailed, JSON.stringify(change));
    }
    const { payload } = await jwtVerify(good, keys);
    const at = (seconds) => ({ currentDate: new Date(seconds * 1_000) });
    await jwtVerify(good, keys, at(payload.exp - 1));
    await assert.rejects(jwtVerify(good, keys, at(payload.exp)), errors.JWTExpired);
  });

  test("has the next version after the next change", async () => {
    const keys = createLocalJWKSet((await service.request(KEYS, { key: undefined })).json);
    assert.equal((await service.send(summary("cus_eve", ["sms"]))).json.version, 1);
    assert.equal((await service.send(summary("cus_eve", ["sso"], { created: unixNow() + 1 }))).json.version, 2);
    const { payload } = await jwtVerify(await snapshot(service, { customer: "cus_eve", at_least: 2 }), keys);
    assert.deepEqual([payload.version, payload.entitlements], [2, ["sso"]]);
  });

  test("of yesterday and one of tomorrow are verified by the same keys, while they change", async () => {
    const old = await snapshot(service);
    const rotated = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ keys: [next, shown(first)] }) } });
    try {
      const young = await snapshot(rotated);
      assert.equal(decodeProtectedHeader(young).kid, "next");
      for (const { url } of [service, rotated]) {
        const keys = createRemoteJWKSet(new URL(KEYS, url));
        for (const one of [old, young]) assert.equal((await jwtVerify(one, keys)).payload.sub, "cus_ada");
      }
    } finally {
      await rotated.stop();
    }
    const without = createLocalJWKSet({ keys: [{ ...shown(next), alg: "EdDSA", use: "sig" }] });
    await assert.rejects(jwtVerify(old, without), errors.JWKSNoMatchingKey);
  });

  test("is signed by keys that are shown to anybody, without what is secret of them", async () => {
    const { status, headers, json } = await service.request(KEYS, { key: undefined });
    assert.deepEqual([status, headers.get("cache-control")], [200, "public, max-age=300"]);
    const more = { alg: "EdDSA", use: "sig" };
    assert.deepEqual(json.keys, [
      { kty: "OKP", crv: "Ed25519", x: first.x, ...more, kid: await calculateJwkThumbprint(shown(first)) },
      { kty: "OKP", crv: "Ed25519", x: next.x, ...more, kid: "next" },
    ]);
  });
});

test("a key whose halves are not of one another signs nothing that would not be verified", { timeout: 60_000 }, async (t) => {
  const [one, other] = await Promise.all([signingKey(), signingKey()]);
  const service = await serve({ settings: { ENTGATE_SIGNING_KEY: JSON.stringify({ ...one, x: other.x }) }, log: [] });
  t.after(() => service.stop());
  const { status, json, headers } = await service.request("/v1/snapshot?customer=cus_ada");
  assert.deepEqual([status, json.error?.type, headers.get("retry-after")], [503, "api_error", "1"]);
});
