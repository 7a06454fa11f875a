// Customers' tokens in workerd: valid ones with real keys of each algorithm, and every kind of invalid one.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { SignJWT } from "jose";
import { createKeyPair, startIdentityProvider } from "./identity-provider.mjs";
import { createInvalidTokens } from "./invalid-tokens.mjs";
import { serve, summary, unixNow } from "./support.mjs";
import { CHECK, OLD_SECRET, outcome, ownClaims, SECRET, signHs256, tokenSettings } from "./token-fixtures.mjs";

describe("tokens", { timeout: 120_000 }, () => {
  let provider;
  let service;
  let rsa;
  let ec;
  let ed;
  before(async () => {
    [rsa, ec, ed] = await Promise.all([createKeyPair("RS256", "rsa"), createKeyPair("ES256", "ec"), createKeyPair("EdDSA", "ed")]);
    provider = await startIdentityProvider(rsa, ec, ed);
    service = await serve({ settings: tokenSettings(provider) });
    for (const customer of ["cus_ada", "cus_bob"]) assert.equal((await service.send(summary(customer, ["sms"]))).status, 200);
  });
  after(async () => {
    await service.stop();
    await provider.stop();
  });

  const request = (key, path = CHECK) => service.request(path, { key });

  test("a token of each algorithm checks its customer, as does an own token by the Worker or by a library", async () => {
    for (const pair of [rsa, ec, ed]) {
      for (const header of [{}, { kid: undefined }, { typ: "JWT" }, { typ: "at+jwt" }]) {
        const { status, json } = await request(await provider.sign(pair, {}, header));
        assert.deepEqual([status, json.customer, json.entitled], [200, "cus_ada", true], `${pair.algorithm} ${JSON.stringify(header)}`);
      }
    }
    for (const secret of [SECRET, OLD_SECRET]) {
      const token = await new SignJWT(ownClaims()).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret));
      assert.equal((await request(token)).json.entitled, true);
    }
    const { status, json: created } = await service.request("/v1/tokens", {
      method: "POST",
      body: new URLSearchParams({ customer: "cus_bob" }),
    });
    assert.deepEqual([status, created.object, created.customer, created.livemode], [200, "customer_token", "cus_bob", false]);
    assert.ok(Math.abs(created.expires_at - unixNow() - 900) <= 5);
    const { json } = await request(created.token);
    assert.deepEqual([json.customer, json.entitled], ["cus_bob", true]);
  });

  test("each invalid token is rejected with its own error, without a request to a URL in the token", async () => {
    const { snapshot } = (await service.request("/v1/snapshot?customer=cus_ada")).json;
    const rows = await createInvalidTokens({ provider, rsa, ec, ed, snapshot });
    assert.ok(rows.length >= 40);
    assert.equal(new Set(rows.map(([why]) => why)).size, rows.length);
    for (const [why, token, [expectedStatus, expectedCode, expectedMessage], path] of rows) {
      const response = await request(token, path);
      const [status, code, message] = outcome(response);
      assert.deepEqual([status, code], [expectedStatus, expectedCode], `${why}: ${response.text}`);
      if (expectedMessage instanceof RegExp) assert.match(message, expectedMessage, why);
      else assert.equal(message, expectedMessage, why);
      const challenge = { 401: 'Bearer realm="entgate", error="invalid_token"' }[status] ?? null;
      if (token) assert.equal(response.headers.get("www-authenticate"), challenge, why);
    }
    assert.deepEqual(
      provider.requestedPaths.filter((path) => path !== "/jwks.json"),
      [],
      "a URL in a token is never requested",
    );
    assert.equal((await request(signHs256())).json.entitled, true, "valid tokens are still accepted");
  });

  test("a valid token in an unusual encoding is accepted", async () => {
    for (const [why, token] of [
      ["an escaped header parameter", signHs256(ownClaims(), '{"\\u0061lg":"\\u0048S256"}')],
      ["white space", signHs256(JSON.stringify(ownClaims(), null, 2), '{\r\n "alg" : "HS256" }')],
      ["header parameters that may be ignored", signHs256(ownClaims(), { alg: "HS256", zip: "none", x5t: "a", jwk: rsa.jwk })],
      ["8,192 bytes", longestToken()],
    ]) {
      assert.deepEqual(outcome(await request(token)), [200], why);
    }
    function longestToken() {
      for (let padding = 5_900; ; padding += 1) {
        const token = signHs256(ownClaims({ padding: "x".repeat(padding) }));
        if (token.length === 8_192) return token;
      }
    }
  });

  test("the mode is a claim of an own token, and a setting for an issuer's tokens", async () => {
    for (const [livemode, reason] of [
      [false, "active_entitlement"],
      [true, "unknown_customer"],
    ]) {
      assert.equal((await request(signHs256(ownClaims({ livemode })))).json.reason, reason);
    }
    const claimed = await request(await provider.sign(ec, { livemode: true }));
    assert.equal(claimed.json.reason, "active_entitlement", "the setting decides");
  });

  test("all of these tests needed one request for the issuer's keys", () => {
    assert.deepEqual(provider.requestedPaths, ["/jwks.json"]);
    assert.equal(provider.lastRequest.headers.accept, "application/json");
    assert.match(provider.lastRequest.headers["user-agent"], /^entgate\//);
    assert.equal(provider.lastRequest.headers.authorization, undefined);
  });
});

test("an invalid setting is an error on every route, which names it", { timeout: 60_000 }, async () => {
  for (const [name, value, message] of [
    ["ENTGATE_TOKEN_SECRETS", "short", "has a secret of fewer than 32 characters: generate one with `openssl rand -hex 32`"],
    ["ENTGATE_JWKS_URL", "http://login.example/jwks.json", "is neither https://… nor http:// on localhost"],
    ["ENTGATE_ALLOWED_ORIGINS", "https://app.example/", "has an item that is not an origin as browsers send it: https://app.example.com"],
  ]) {
    const service = await serve({ settings: { [name]: value }, log: [] });
    const { status, json } = await service.request(CHECK);
    await service.stop();
    assert.deepEqual([status, json.error.message], [500, `The deployment is misconfigured: ${name} ${message}.`]);
  }
});
