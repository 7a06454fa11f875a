// The keys of the issuer of customers' tokens: when the Worker fetches its JWKS again, and what happens if that fails.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createKeyPair, startIdentityProvider } from "./identity-provider.mjs";
import { eventually, serve, unixNow } from "./support.mjs";
import { BAD_SIGNATURE, CHECK, encodePart, issuerClaims, outcome, signHs256, tokenSettings, UNKNOWN_KEY } from "./token-fixtures.mjs";

/** @import { ServerResponse } from "node:http" */

const JWKS_UNAVAILABLE = [
  503,
  undefined,
  "The keys of the token's issuer cannot be read at the moment, so that the token cannot be checked. Try again.",
];

/** Ways in which the response to a request for the JWKS is bad. */
const badResponses = (keys) =>
  /** @type {[string, (response: ServerResponse) => unknown, string][]} */ ([
    ["an error status", (response) => response.writeHead(500).end(), "unexpected status 500"],
    ["a closed connection", (response) => response.destroy(), ""],
    ["a redirect", (response) => response.writeHead(302, { location: "/elsewhere.json" }).end(keys), "unexpected status 302"],
    ["no content", (response) => response.writeHead(204).end(), "unexpected status 204"],
    ["a page of HTML", (response) => response.writeHead(200).end("<html>"), "it is not valid JSON"],
    ["JSON that is not a JWKS", (response) => response.writeHead(200).end("[]"), "it is not a JWK Set: it has no `keys`"],
    [
      "no key of a supported algorithm",
      (response) => response.writeHead(200).end('{"keys":[{"kty":"oct","k":"AAAA"}]}'),
      "it has no key for RS256, ES256 or EdDSA",
    ],
    [
      "more than 256 KiB",
      (response) => response.writeHead(200).end(`${keys}${" ".repeat(256 << 10)}`),
      "the JWKS is larger than 262144 bytes",
    ],
    ["no response", () => {}, ""],
    ["a response without an end", (response) => response.writeHead(200, { "content-type": "application/json" }).write("{"), ""],
  ]);

describe("the issuer's keys", { timeout: 120_000 }, () => {
  test("an unknown key id fetches the JWKS again, at most once a minute", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("ES256", "first"), createKeyPair("EdDSA", "second")]);
    const provider = await startIdentityProvider(first);
    const service = await serve({ settings: tokenSettings(provider), clock: true });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const check = async (pair) => outcome(await service.request(CHECK, { key: await provider.sign(pair) }));

    assert.deepEqual(await check(first), [200]);
    provider.publish(second, first);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await check(second), UNKNOWN_KEY);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await check({ ...second, kid: `random ${n}` }), UNKNOWN_KEY);
    assert.equal(provider.requestedPaths.length, 1);

    await service.setClockOffset(65);
    assert.deepEqual(await check(second), [200]);
    assert.deepEqual(await check(first), [200]);
    for (let n = 0; n < 5; n += 1) assert.deepEqual(await check({ ...second, kid: `random ${n}` }), UNKNOWN_KEY);
    assert.equal(provider.requestedPaths.length, 2);

    provider.publish(second);
    await service.setClockOffset(130);
    assert.deepEqual(await check(first), [200], "a withdrawn key is accepted until the next fetch");
    await service.setClockOffset(70 + 600);
    assert.deepEqual(await check(first), UNKNOWN_KEY);
    assert.deepEqual(await check(second), [200]);
    assert.equal(provider.requestedPaths.length, 3);
  });

  test("while the issuer is down, the cached keys are used for as long as that takes", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("RS256", "first"), createKeyPair("ES256", "second")]);
    const provider = await startIdentityProvider(first);
    /** @type {string[]} */
    const log = [];
    const service = await serve({ settings: tokenSettings(provider), clock: true, log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const check = async (pair) => {
      const key = await provider.sign(pair, { exp: unixNow() + 90_000 });
      return outcome(await service.request(CHECK, { key }));
    };
    assert.deepEqual(await check(first), [200]);
    provider.respondWith("down", 503);
    for (const [offset, requests] of [
      [570, 1],
      [610, 2],
      [640, 2],
      [680, 3],
      [7_200, 4],
    ]) {
      await service.setClockOffset(offset);
      assert.deepEqual(await check(first), [200], `${offset} s later`);
      assert.equal(provider.requestedPaths.length, requests, `${offset} s later`);
    }
    assert.deepEqual(await check(second), JWKS_UNAVAILABLE, "the issuer may have published this key meanwhile");
    provider.publish(second);
    await service.setClockOffset(7_262);
    assert.deepEqual(await check(second), [200]);
    assert.deepEqual(await check(first), UNKNOWN_KEY);
    await eventually(() =>
      assert.ok(log.some((line) => line.includes("failed to fetch the JWKS: failed to call the issuer: unexpected status 503"))),
    );
  });

  test("without cached keys, each bad response is a 503 and starts a back-off", async (t) => {
    const pair = await createKeyPair("ES256", "one");
    const provider = await startIdentityProvider(pair);
    /** @type {string[]} */
    const log = [];
    const service = await serve({ settings: tokenSettings(provider), clock: true, log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const token = await provider.sign(pair, { exp: unixNow() + 90_000 });
    const keys = JSON.stringify({ keys: [pair.jwk] });
    let offset = 0;
    for (const [why, respond, cause] of badResponses(keys)) {
      provider.respond = respond;
      offset += 11;
      await service.setClockOffset(offset);
      const before = provider.requestedPaths.length;
      const first = await service.request(CHECK, { key: token });
      assert.deepEqual(outcome(first), JWKS_UNAVAILABLE, why);
      assert.equal(first.headers.get("retry-after"), "1", why);
      // The runtime may repeat a GET if the issuer closes a connection that was used before.
      const requested = provider.requestedPaths.length;
      assert.ok(requested > before, why);
      assert.deepEqual(outcome(await service.request(CHECK, { key: token })), JWKS_UNAVAILABLE, why);
      assert.equal(provider.requestedPaths.length, requested, `${why}: the second check is in the back-off`);
      await eventually(() =>
        assert.ok(
          log.some((line) => line.includes("failed to fetch the JWKS") && line.includes(cause)),
          `${why}: ${log}`,
        ),
      );
      // Neither an own token nor a server key needs the issuer.
      assert.deepEqual(outcome(await service.request(CHECK, { key: signHs256() })), [200], why);
    }
    assert.ok(!provider.requestedPaths.includes("/elsewhere.json"));
    provider.respondWith(`${keys}${" ".repeat((256 << 10) - keys.length)}`);
    await service.setClockOffset(offset + 11);
    assert.deepEqual(outcome(await service.request(CHECK, { key: token })), [200], "256 KiB are accepted");
  });

  test("a fetch whose client disconnected is still used for the others", async (t) => {
    const [first, second] = await Promise.all([createKeyPair("ES256", "first"), createKeyPair("EdDSA", "second")]);
    const provider = await startIdentityProvider(first);
    const service = await serve({ settings: tokenSettings(provider), clock: true });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const check = async (pair) => outcome(await service.request(CHECK, { key: await provider.sign(pair) }));
    assert.deepEqual(await check(first), [200]);

    provider.respond = () => {};
    await service.setClockOffset(65);
    const controller = new AbortController();
    const headers = { authorization: `Bearer ${await provider.sign(second)}` };
    const aborted = assert.rejects(fetch(new URL(CHECK, service.url), { headers, signal: controller.signal }), { name: "AbortError" });
    await eventually(() => assert.equal(provider.requestedPaths.length, 2));
    controller.abort();
    await aborted;
    provider.publish(second);
    assert.deepEqual(await check(second), JWKS_UNAVAILABLE, "the fetch is still in flight");
    assert.deepEqual(await check(first), [200]);
    await service.setClockOffset(130);
    assert.deepEqual(await check(second), [200]);
    assert.equal(provider.requestedPaths.length, 3);
  });

  test("concurrent requests share the first fetch, also if the client that caused it disconnects", async (t) => {
    const pair = await createKeyPair("EdDSA", "one");
    const provider = await startIdentityProvider(pair);
    const service = await serve({ settings: tokenSettings(provider) });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    const { respond } = provider;
    let release = () => {};
    const released = new Promise((resolve) => {
      release = () => resolve(undefined);
    });
    provider.respond = (response) => released.then(() => respond(response));

    // Without a signature that any key could verify. The claims of the first two fit in part only.
    const signature = encodePart("\0".repeat(64));
    const forged = (claims) => `${encodePart({ alg: "EdDSA", kid: "one" })}.${encodePart(claims)}.${signature}`;
    for (const claims of [{ sub: "cus_ada" }, issuerClaims({ iss: "https://other.example" }), issuerClaims({ exp: 1 })]) {
      assert.equal((await service.request(CHECK, { key: forged(claims) })).status, 401);
    }
    assert.equal(provider.requestedPaths.length, 0);

    const controller = new AbortController();
    const headers = { authorization: `Bearer ${forged(issuerClaims())}` };
    const aborted = assert.rejects(fetch(new URL(CHECK, service.url), { headers, signal: controller.signal }), { name: "AbortError" });
    await eventually(() => assert.equal(provider.requestedPaths.length, 1));
    const key = await provider.sign(pair);
    const requests = Array.from({ length: 40 }, (_, n) => service.request(CHECK, { key: n % 2 ? key : forged(issuerClaims()) }));
    controller.abort();
    await aborted;
    setTimeout(release, 500);
    const outcomes = (await Promise.all(requests)).map(outcome);
    for (const [n, result] of outcomes.entries()) assert.deepEqual(result, n % 2 ? [200] : BAD_SIGNATURE);
    assert.equal(provider.requestedPaths.length, 1);
  });

  test("a malformed key of the issuer is ignored and logged", async (t) => {
    const [pair, other] = await Promise.all([createKeyPair("ES256", "one"), createKeyPair("ES256", "two")]);
    // A point that is not on the curve.
    const malformed = { ...pair.jwk, kid: undefined, y: other.jwk.y };
    const provider = await startIdentityProvider({ jwk: malformed }, pair);
    /** @type {string[]} */
    const log = [];
    const service = await serve({ settings: tokenSettings(provider), log });
    t.after(() => Promise.all([service.stop(), provider.stop()]));
    assert.deepEqual(outcome(await service.request(CHECK, { key: await provider.sign(pair) })), [200]);
    assert.deepEqual(outcome(await service.request(CHECK, { key: await provider.sign(other, {}, { kid: "one" }) })), BAD_SIGNATURE);
    await eventually(() => assert.ok(log.some((line) => line.includes("failed to use a key of the issuer"))));
  });
});
