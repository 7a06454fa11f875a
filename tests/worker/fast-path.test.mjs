// The fast path in workerd: its responses equal those of the slow path, header by header. And the record cache of an isolate.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { KEY, SECRET, serve, summary } from "./support.mjs";

/** @param {string} body */
const sign = (body) => Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });

/** A response without its id and its date. */
const comparable = ({ status, headers, text }) => {
  const { "request-id": id, date, ...rest } = Object.fromEntries(headers);
  assert.match(id, /^req_[0-9a-f]{16}$/);
  return { status, headers: rest, text };
};

describe("the fast path", { timeout: 60_000 }, () => {
  let service;
  let token;
  before(async () => {
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more" } });
    await service.send(summary("cus_ada", ["sms", "sso"]));
    const body = JSON.stringify({ customer: "cus_ada" });
    token = (await service.request("/v1/tokens", { method: "POST", body, headers: { "content-type": "application/json" } })).json.token;
  });
  after(() => service.stop());

  /** Sends a request on both paths and asserts equal responses. A request with an `Origin` takes the slow path. */
  const requestBoth = async (path, { key = KEY } = {}) => {
    const responses = await Promise.all([
      service.request(path, { key }),
      service.request(path, { key, headers: { origin: "https://other.example" } }),
    ]);
    const [fast, slow] = responses.map(comparable);
    assert.deepEqual(fast, slow, path);
    return fast;
  };

  test("checks have the same response on both paths", async () => {
    for (const [query, entitled] of /** @type {[string, boolean][]} */ ([
      ["feature=sms", true],
      ["feature=fax", false],
      ["feature=sms&at_least=1", true],
    ])) {
      const { status, text } = await requestBoth(`/v1/check?customer=cus_ada&${query}`);
      assert.deepEqual([status, JSON.parse(text).entitled], [200, entitled], query);
    }
    assert.equal(JSON.parse((await requestBoth("/v1/check?feature=sso", { key: token })).text).entitled, true);
  });

  test("authorizations for a proxy have the same response on both paths", async () => {
    for (const [query, status] of /** @type {[string, number][]} */ ([
      ["feature=sms", 204],
      ["feature=fax", 403],
    ])) {
      assert.equal((await requestBoth(`/v1/authorize?customer=cus_ada&${query}`)).status, status, query);
      assert.equal((await requestBoth(`/v1/authorize?${query}`, { key: token })).status, status, query);
    }
  });

  test("lists have the same response on both paths", async () => {
    const list = "/v1/entitlements/active_entitlements";
    const { data } = JSON.parse((await requestBoth(`${list}?customer=cus_ada`)).text);
    assert.deepEqual(
      data.map(({ lookup_key }) => lookup_key),
      ["sms", "sso"],
    );
    for (const [query, keys] of /** @type {[string, string[]][]} */ ([
      ["limit=1", ["sms"]],
      [`starting_after=${data[0].id}`, ["sso"]],
      [`ending_before=${data[1].id}`, ["sms"]],
      ["limit=100&at_least=1", ["sms", "sso"]],
    ])) {
      const page = JSON.parse((await requestBoth(`${list}?customer=cus_ada&${query}`)).text);
      assert.deepEqual(
        page.data.map(({ lookup_key }) => lookup_key),
        keys,
        query,
      );
    }
    assert.equal(JSON.parse((await requestBoth(list, { key: token })).text).data.length, 2);
    for (const [query, status] of /** @type {[string, number][]} */ ([
      ["limit=101", 400],
      ["starting_after=ent_none", 400],
      ["at_least=2", 503],
    ])) {
      assert.equal((await requestBoth(`${list}?customer=cus_ada&${query}`)).status, status, query);
    }
  });

  test("a request that the fast path cannot answer takes the slow path", async () => {
    for (const [path, status, key] of /** @type {[string, number, string?][]} */ ([
      ["/v1/check?customer=cus_unknown&feature=sms", 200],
      ["/v1/check?customer=cus_ada&feature=sms&at_least=2", 503],
      ["/v1/check?customer=cus_ada", 400],
      ["/v1/check?customer=cus_ada&feature=sms", 401, "sk_test_other"],
      ["/v1/check?customer=cus_bob&feature=sms", 403, token],
    ])) {
      assert.equal((await requestBoth(path, { key })).status, status, path);
    }
  });

  test("an event has the same response with and without Content-Length", async () => {
    const sendBoth = async (body, signature) => {
      const headers = { "stripe-signature": signature };
      // A stream has no Content-Length.
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(body));
          controller.close();
        },
      });
      const responses = [];
      for (const options of [{ body }, { body: stream, duplex: "half" }]) {
        const response = await fetch(new URL("/webhooks/stripe", service.url), { method: "POST", headers, ...options });
        const { status } = response;
        const { "request-id": id, date, "content-length": length, ...rest } = Object.fromEntries(response.headers);
        responses.push({ status, headers: rest, json: await response.json() });
      }
      return responses;
    };
    const other = JSON.stringify(summary("cus_ada", ["sms"], { type: "invoice.paid" }));
    const complete = JSON.stringify(summary("cus_fast", ["sms"]));
    for (const [body, signature, status] of /** @type {[string, string, number][]} */ ([
      [other, sign(other), 200],
      [other, sign(complete), 400],
      ["{", sign("{"), 400],
      [other, "", 400],
    ])) {
      const [withLength, withoutLength] = await sendBoth(body, signature);
      assert.deepEqual(withLength, withoutLength, body);
      assert.equal(withLength.status, status);
    }
    const [first, second] = await sendBoth(complete, sign(complete));
    assert.deepEqual([first.json.outcome, second.json.outcome, first.json.version, second.json.version], ["applied", "duplicate", 1, 1]);
  });
});

describe("the path of the webhook", { timeout: 60_000 }, () => {
  const post = (service, path) => {
    const body = JSON.stringify(summary("cus_path", ["sms"]));
    return service.request(path, {
      method: "POST",
      body,
      headers: { "stripe-signature": sign(body), "content-type": "application/json" },
    });
  };

  test("an event is accepted on that path only, not on a path or query that ends with it", async () => {
    const service = await serve();
    try {
      assert.equal((await post(service, "/v1/webhooks/stripe")).status, 404);
      const tokens = await post(service, "/v1/tokens?x=/webhooks/stripe");
      assert.notEqual(tokens.json.object, "webhook_receipt");
      assert.equal((await service.check("cus_path", "sms")).json.reason, "unknown_customer");
      assert.equal((await post(service, "/webhooks/stripe")).json.outcome, "applied");
    } finally {
      await service.stop();
    }
  });

  test("an event is a 500 that names a malformed setting", async () => {
    const service = await serve({ settings: { ENTGATE_MEMORY_TTL: "61" }, log: [] });
    try {
      const { status, text } = await post(service, "/webhooks/stripe");
      assert.deepEqual([status, text.includes("ENTGATE_MEMORY_TTL is not a number of seconds from 0 to 60")], [500, true], text);
    } finally {
      await service.stop();
    }
  });
});

describe("the record cache of an isolate", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve({ settings: { ENTGATE_MEMORY_TTL: "5" }, clock: true });
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(() => service.stop());

  const check = async (feature, params = {}) => {
    const { entitled, version, served_by } = (await service.check("cus_ada", feature, params)).json;
    return [entitled, version, served_by];
  };

  test("a cached record grants, but never denies, and never answers for a newer version", async () => {
    assert.deepEqual(await check("sms"), [true, 1, "replica"]);
    assert.deepEqual(await check("sms"), [true, 1, "memory"]);
    // The replica is changed, as if another location had read a newer record.
    const record = await service.replicaRecord("cus_ada");
    const replica = await service.replica();
    const later = { ...record, version: 2, keys: ["sso"] };
    await replica.put("test:cus_ada", JSON.stringify(later));
    assert.deepEqual(await check("sms"), [true, 1, "memory"]);
    assert.deepEqual(await check("sms", { at_least: 1 }), [true, 1, "memory"]);
    assert.deepEqual(await check("sms", { at_least: 2 }), [false, 2, "replica"]);
    // The record that was read for that check is in the cache now.
    assert.deepEqual(await check("sms"), [false, 2, "replica"]);
    assert.deepEqual(await check("sso"), [true, 2, "memory"]);
    await replica.put("test:cus_ada", JSON.stringify({ ...later, version: 3, keys: [], features: [], ids: [] }));
    assert.deepEqual(await check("fax"), [false, 3, "replica"]);
    assert.deepEqual(await check("sso"), [false, 3, "replica"]);
  });

  test("a cached record expires", async () => {
    await service.send(summary("cus_bob", ["sms"]));
    const servedBy = async () => (await service.check("cus_bob", "sms")).json.served_by;
    assert.equal(await servedBy(), "replica");
    assert.equal(await servedBy(), "memory");
    await service.setClockOffset(5);
    assert.equal(await servedBy(), "replica");
    assert.equal(await servedBy(), "memory");
    await service.setClockOffset(0);
  });
});
