// Request bodies over plain sockets: who may send one, how large it may be, and how slow.

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Stripe from "stripe";
import { chunk, sendRaw } from "./raw-http.mjs";
import { eventually, KEY, SECRET, serve, summary, unixNow } from "./support.mjs";

const KIBIBYTE = 1 << 10;
const MEBIBYTE = 1 << 20;
/** How long the Worker waits for a body, in milliseconds. A response that waited for one that never ends takes longer. */
const TIMEOUT = 10_000;

const authorization = `Bearer ${KEY}`;

/** A signature header that may be valid: only the body can tell. */
const forgedSignature = () => `t=${unixNow()},v1=${"0".repeat(64)}`;

describe("request bodies", { concurrency: true, timeout: 90_000 }, () => {
  let service;
  /** @type {string[]} */
  const log = [];
  before(async () => {
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: "secret-of-32-characters-number-1" }, log });
    // Loads the larger core, which takes longer than a request.
    assert.equal((await service.health()).status, "ok");
  });
  after(() => service.stop());

  /** Sends a request, returns its response, and closes the connection. */
  async function exchange(path, request) {
    const { socket, response } = sendRaw(service.url, path, request);
    try {
      return await response;
    } finally {
      socket.destroy();
    }
  }

  describe("a request is answered at once, although its body never ends", () => {
    const endless = { "content-length": MEBIBYTE };
    for (const [why, path, request, status] of /** @type {[string, string, import("./raw-http.mjs").RawRequest, number][]} */ ([
      ["without a key", "/v1/tokens", {}, 401],
      ["with a wrong key", "/v1/tokens", { headers: { authorization: "Bearer sk_test_wrong" } }, 401],
      ["with a wrong key for a batch", "/v1/check", { headers: { "x-api-key": "sk_test_wrong" } }, 401],
      ["with a wrong key for OpenFeature", "/ofrep/v1/evaluate/flags", { headers: { authorization: "Bearer eyJ.e30.AA" } }, 401],
      ["with a wrong key for the catalog", "/v1/products", { headers: { authorization: "Bearer sk_test_wrong" } }, 401],
      ["to no route", "/nowhere", { headers: { authorization } }, 404],
      ["to no route of the edge", "/", { headers: { authorization } }, 405],
      ["with another method", "/v1/tokens", { method: "PUT", headers: { authorization } }, 405],
      ["of a GET", "/v1/check?customer=cus_ada&feature=sms", { method: "GET", headers: { authorization } }, 200],
      ["of a GET on the slow path", "/v1/activity", { method: "GET", headers: { authorization } }, 200],
      ["of a GET without a key", "/v1/activity", { method: "GET" }, 401],
      ["of an event without a signature", "/webhooks/stripe", {}, 400],
      ["of an event with a malformed signature", "/webhooks/stripe", { headers: { "stripe-signature": "t=1,v0=00" } }, 400],
      ["of an event with an old signature", "/webhooks/stripe", { headers: { "stripe-signature": `t=1,v1=${"0".repeat(64)}` } }, 400],
    ])) {
      for (const [kind, header, body] of /** @type {[string, Record<string, number | string>, string][]} */ ([
        ["with a length", endless, "a".repeat(1_000)],
        ["in chunks", { "transfer-encoding": "chunked" }, chunk("a".repeat(1_000))],
      ])) {
        test(`${why}, ${kind}`, async () => {
          const response = await exchange(path, { ...request, headers: { ...request.headers, ...header }, body });
          assert.ok(response.took < TIMEOUT, `${response.took} ms`);
          if (path !== "/") assert.equal(response.status, status);
        });
      }
    }
  });

  describe("a body that is too large is a 413 that names the limit, before it has arrived", () => {
    for (const [path, limit, headers] of /** @type {[string, number, () => Record<string, string>][]} */ ([
      ["/v1/tokens", 64 * KIBIBYTE, () => ({ authorization })],
      ["/v1/customers/cus_ada/sync", 64 * KIBIBYTE, () => ({ authorization })],
      ["/v1/check", MEBIBYTE, () => ({ authorization })],
      ["/webhooks/stripe", MEBIBYTE, () => ({ "stripe-signature": forgedSignature() })],
    ])) {
      for (const [kind, header, body] of /** @type {[string, Record<string, number | string>, string][]} */ ([
        ["by its length", { "content-length": limit + 1 }, ""],
        ["by its chunks", { "transfer-encoding": "chunked" }, chunk("&".repeat(limit)) + chunk("&")],
      ])) {
        test(`${path}, ${kind}`, async () => {
          const response = await exchange(path, { headers: { ...headers(), ...header }, body });
          assert.deepEqual([response.status, response.json.error.message], [413, `The body is longer than ${limit} bytes, the maximum.`]);
          assert.ok(response.took < TIMEOUT, `${response.took} ms`);
        });
      }
    }
  });

  test("a body of exactly 64 KiB is accepted, with a length and in chunks", async () => {
    const form = "customer=cus_ada";
    const body = form + "&".repeat(64 * KIBIBYTE - form.length);
    const whole = await exchange("/v1/tokens", { headers: { authorization, "content-length": body.length }, body });
    assert.deepEqual([whole.status, whole.json.object], [200, "customer_token"]);
    const parts = chunk(body.slice(0, 1_000)) + chunk(body.slice(1_000));
    const chunked = await exchange("/v1/tokens", { headers: { authorization, "transfer-encoding": "chunked" }, body: `${parts}0\r\n\r\n` });
    assert.deepEqual([chunked.status, chunked.json.object], [200, "customer_token"]);
  });

  test("an event in slow chunks is applied", async () => {
    const payload = JSON.stringify(summary("cus_slow", ["sms"]));
    const signature = Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET });
    const headers = { "stripe-signature": signature, "transfer-encoding": "chunked" };
    const { socket, response } = sendRaw(service.url, "/webhooks/stripe", { headers });
    for (let at = 0; at < payload.length; at += 300) {
      socket.write(chunk(payload.slice(at, at + 300)));
      await sleep(200);
    }
    socket.write("0\r\n\r\n");
    const { status, json } = await response;
    socket.destroy();
    assert.deepEqual([status, json.outcome], [200, "applied"]);
  });

  describe("a body that takes longer than ten seconds is a 408", () => {
    for (const [why, path, headers] of /** @type {[string, string, () => Record<string, string | number>][]} */ ([
      ["of a token", "/v1/tokens", () => ({ authorization, "content-length": 1_000 })],
      ["of a batch in chunks", "/v1/check", () => ({ authorization, "transfer-encoding": "chunked" })],
      ["of an event", "/webhooks/stripe", () => ({ "stripe-signature": forgedSignature(), "content-length": 1_000 })],
      ["of an event in chunks", "/webhooks/stripe", () => ({ "stripe-signature": forgedSignature(), "transfer-encoding": "chunked" })],
    ])) {
      test(why, async () => {
        const { socket, response } = sendRaw(service.url, path, { headers: headers() });
        // A byte a second does not extend the time.
        const drip = setInterval(() => socket.write("transfer-encoding" in headers() ? chunk("a") : "a"), 1_000);
        try {
          const { status, json, took } = await response;
          assert.equal(status, 408);
          assert.equal(json.error.message, "The body did not arrive within 10 s. Send the request again, with its whole body at once.");
          assert.ok(took > TIMEOUT - 200 && took < TIMEOUT + 5_000, `${took} ms`);
        } finally {
          clearInterval(drip);
          socket.destroy();
        }
      });
    }
  });

  describe("a connection stays open after a body of up to 64 KiB that was not needed", () => {
    for (const [why, path, method, headers, status] of /** @type {[string, string, string, Record<string, string>, number][]} */ ([
      ["without a key", "/v1/tokens", "POST", {}, 401],
      ["to no route", "/nowhere", "POST", {}, 404],
      ["of an event without a signature", "/webhooks/stripe", "POST", {}, 400],
      ["of a check", "/v1/check?customer=cus_ada&feature=sms", "GET", { authorization }, 200],
    ])) {
      for (const length of [1, 60_000]) {
        const sendFive = async () => {
          const agent = new Agent({ keepAlive: true, maxSockets: 1 });
          const reused = [];
          for (let i = 0; i < 5; i += 1) {
            const sent = request(new URL(path, service.url), { agent, method, headers: { ...headers, "content-length": length } });
            sent.end("a".repeat(length));
            const [response] = await once(sent, "response");
            assert.equal(response.statusCode, status);
            reused.push(sent.reusedSocket);
            await response.toArray();
          }
          agent.destroy();
          return reused;
        };
        // A client on a busy machine may send its body more slowly than the Worker waits for it.
        test(`${why}, ${length} bytes`, () =>
          eventually(async () => assert.deepEqual(await sendFive(), [false, true, true, true, true]), 30_000));
      }
    }
  });

  test("a client that hangs up in the middle of its body leaves the Worker as it was", async () => {
    for (const [path, headers] of /** @type {[string, Record<string, string>][]} */ ([
      ["/v1/tokens", { authorization }],
      ["/webhooks/stripe", { "stripe-signature": forgedSignature() }],
    ])) {
      const connections = Array.from({ length: 20 }, () =>
        sendRaw(service.url, path, { headers: { ...headers, "content-length": 60_000 }, body: "a".repeat(50_000) }),
      );
      await sleep(500);
      for (const { socket, response } of connections) {
        socket.destroy();
        await assert.rejects(response);
      }
    }
    const { status, json } = await service.check("cus_ada", "sms");
    assert.deepEqual([status, json.entitled], [200, false]);
  });
});
