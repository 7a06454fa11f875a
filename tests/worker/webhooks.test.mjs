// `POST /webhooks/stripe`: events signed with Stripe's own library. And the settings that the route depends on.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { customerDeleted, KEY, LIVE_SECRET, SECRET, serve, summary, unixNow } from "./support.mjs";

const MEBIBYTE = 1 << 20;

describe("POST /webhooks/stripe", () => {
  let service;
  before(async () => {
    service = await serve({ settings: { STRIPE_WEBHOOK_SECRETS: `test:${SECRET},test:whsec_test_before,live:${LIVE_SECRET}` } });
  });
  after(() => service.stop());

  test("a signed event is applied, and the same event again is a duplicate", async () => {
    const event = summary("cus_ada", ["sms"]);
    const first = await service.send(event);
    assert.equal(first.status, 200);
    assert.deepEqual(first.json, {
      object: "webhook_receipt",
      event: event.id,
      outcome: "applied",
      customer: "cus_ada",
      version: 1,
    });
    const second = await service.send(event);
    assert.deepEqual([second.status, second.json.outcome, second.json.version], [200, "duplicate", 1]);
  });

  test("every response has its own Request-Id", async () => {
    const ids = [];
    for (let i = 0; i < 3; i += 1) ids.push((await service.send("{}")).headers.get("request-id"));
    for (const id of ids) assert.match(id, /^req_[0-9a-f]{16}$/);
    // Neither half of an id repeats, or counts up.
    const halves = ids.flatMap((id) => [id.slice(4, 12), id.slice(12)]).map((half) => Number.parseInt(half, 16));
    assert.equal(new Set(halves).size, 6);
    for (const half of halves) assert.ok(!halves.includes(half + 1), `${ids}`);
  });

  test("each of two configured secrets is accepted, and no other", async () => {
    for (const [secret, status] of /** @type {[string, number][]} */ ([
      [SECRET, 200],
      ["whsec_test_before", 200],
      ["whsec_test_other", 400],
    ])) {
      assert.equal((await service.send(summary("cus_roll", []), { secret })).status, status, secret);
    }
  });

  test("a secret signs events of its own mode only", async () => {
    for (const [livemode, secret, status] of /** @type {[boolean, string, number][]} */ ([
      [false, SECRET, 200],
      [false, LIVE_SECRET, 400],
      [true, SECRET, 400],
      [true, LIVE_SECRET, 200],
    ])) {
      for (const event of [summary("cus_mode", ["sms"], { livemode }), customerDeleted("cus_mode", { livemode })]) {
        const { status: actual, json } = await service.send(event, { secret });
        assert.equal(actual, status, `${event.type}, livemode ${livemode}, ${secret}`);
        if (status === 400) assert.equal(json.error.code, "livemode_mismatch");
      }
    }
  });

  test("an event that was created later than its signature is refused", async () => {
    // Ten seconds to each side of the limit, so that the duration of the request does not matter.
    for (const [offset, status] of [
      [290, 200],
      [310, 400],
      [1e12, 400],
    ]) {
      const response = await service.send(summary(`cus_future_${offset}`, ["sms"], { created: unixNow() + offset }));
      assert.equal(response.status, status, `${offset} s`);
      if (status === 400) assert.equal(response.json.error.param, "created");
    }
  });

  test("a signature is accepted up to 300 seconds before and after its time", async () => {
    const payload = JSON.stringify(summary("cus_time", []));
    const now = Math.floor(Date.now() / 1000);
    // Ten seconds to each side of the limit, so that the duration of the request does not matter.
    for (const [offset, status] of [
      [-290, 200],
      [-310, 400],
      [290, 200],
      [310, 400],
    ]) {
      const header = Stripe.webhooks.generateTestHeaderString({ payload, secret: SECRET, timestamp: now + offset });
      const response = await service.send(payload, { header });
      assert.equal(response.status, status, `${offset} s`);
      if (status === 400)
        assert.match(response.json.error.message, /^Signed at [\d-]+ [\d:]+ UTC, more than 300 s from [\d-]+ [\d:]+ UTC: /);
    }
  });

  test("an error is in Stripe's envelope and contains no secret", async () => {
    for (const header of ["", "t=1,v1=00", `t=1,v1=${"0".repeat(64)}`]) {
      const { status, json, text } = await service.send(summary("cus_ada", []), { header });
      assert.equal(status, 400);
      assert.equal(json.error.type, "invalid_request_error");
      assert.equal(json.error.code, "signature_invalid");
      assert.doesNotMatch(text, /whsec_test/);
    }
  });

  test("the signature is of the raw bytes, whether they are UTF-8 or not", async () => {
    const body = Buffer.from([0x7b, 0xff, 0xfe, 0x7d]);
    const now = Math.floor(Date.now() / 1000);
    const v1 = createHmac("sha256", SECRET).update(`${now}.`).update(body).digest("hex");
    const headers = { "stripe-signature": `t=${now},v1=${v1}` };
    const response = await service.request("/webhooks/stripe", { method: "POST", body, headers });
    assert.equal(response.status, 400);
    assert.match(response.json.error.message, /^The signature is valid, but the event cannot be parsed: /);
  });

  test("a body of a mebibyte is accepted, and one byte more is a 413, with and without Content-Length", async () => {
    const event = JSON.stringify(summary("cus_big", ["sms"]));
    const largest = event + " ".repeat(MEBIBYTE - event.length);
    assert.equal((await service.send(largest)).status, 200);
    assert.equal((await service.send(`${largest} `)).status, 413);

    const chunks = new ReadableStream({
      start(stream) {
        for (let i = 0; i <= 16; i += 1) stream.enqueue(new Uint8Array(MEBIBYTE / 16));
        stream.close();
      },
    });
    const header = Stripe.webhooks.generateTestHeaderString({ payload: "", secret: SECRET });
    const options = { method: "POST", body: chunks, duplex: "half", headers: { "stripe-signature": header } };
    const response = await fetch(new URL("/webhooks/stripe", service.url), options);
    assert.equal(response.status, 413);
  });

  test("an event of another type or of a connected account is acknowledged and ignored", async () => {
    const other = { id: "evt_1", object: "event", type: "customer.created", data: { object: {} } };
    const foreign = summary("cus_foreign", ["sms"], { account: "acct_1" });
    const ping = { id: "evt_2", object: "v2.core.event", type: "v2.core.event_destination.ping" };
    for (const event of [other, foreign, ping]) {
      const { status, json } = await service.send(event);
      assert.deepEqual([status, json.outcome], [200, "ignored"], event.type);
    }
    assert.equal((await service.check("cus_foreign", "sms")).json.reason, "unknown_customer");
  });

  test("a thin event about entitlements is an error that names the setting at Stripe", async () => {
    const type = "v1.entitlements.active_entitlement_summary.updated";
    const { status, json } = await service.send({ id: "evt_3", object: "v2.core.event", type, created: "2026-11-01T12:00:00.000Z" });
    assert.equal(status, 400);
    assert.match(json.error.message, /snapshot payload style/);
  });

  test("300 events of one customer at once are each applied once, in one order", async () => {
    const now = Math.floor(Date.now() / 1000);
    const events = Array.from({ length: 300 }, (_, i) => summary("cus_busy", [`f${i}`], { created: now }));
    const responses = await Promise.all(events.map((event) => service.send(event)));
    const versions = responses.map(({ json }) => json.version).sort((a, b) => a - b);
    assert.deepEqual(
      versions,
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
  });
});

describe("settings", () => {
  test("without settings, the webhook is a 503, a server route is a 401, and the console is still served", async () => {
    const service = await serve({ settings: { ENTGATE_API_KEYS: "", STRIPE_WEBHOOK_SECRETS: "" } });
    try {
      assert.equal((await service.send(summary("cus_ada", []))).status, 503);
      assert.equal((await service.check("cus_ada", "sms")).status, 401);
      const { json } = await service.request("/healthz");
      assert.equal(json.status, "unconfigured");
      assert.equal((await service.request("/")).status, 200);
    } finally {
      await service.stop();
    }
  });

  test("a malformed setting is a 500 on every route, with its name and without its value", async () => {
    const service = await serve({ settings: { STRIPE_WEBHOOK_SECRETS: "hunter2" } });
    try {
      for (const path of ["/healthz", "/v1/check", "/nowhere"]) {
        const { status, json, text } = await service.request(path, { key: KEY });
        assert.equal(status, 500, path);
        assert.match(json.error.message, /STRIPE_WEBHOOK_SECRETS/);
        assert.doesNotMatch(text, /hunter2/);
      }
    } finally {
      await service.stop();
    }
  });
});
