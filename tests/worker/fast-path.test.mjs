// The hot path, in workerd: what it answers is what the long way answers, header by header; and what an isolate remembers.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { KEY, SECRET, serve, summary } from "./support.mjs";

/** An answer without its name and its moment. */
const shown = ({ status, headers, text }) => {
  const { "request-id": id, date, ...rest } = Object.fromEntries(headers);
  assert.match(id, /^req_[0-9a-f]{16}$/);
  return { status, headers: rest, text };
};

describe("the hot path", { timeout: 60_000 }, () => {
  let service;
  let token;
  before(async () => {
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more" } });
    await service.send(summary("cus_ada", ["sms", "sso"]));
    const body = JSON.stringify({ customer: "cus_ada" });
    token = (await service.request("/v1/tokens", { method: "POST", body, headers: { "content-type": "application/json" } })).json.token;
  });
  after(() => service.stop());

  /** Asks twice: a request that names an origin goes the long way. */
  const both = async (path, { key = KEY } = {}) => {
    const answers = await Promise.all([
      service.request(path, { key }),
      service.request(path, { key, headers: { origin: "https://nobody.example" } }),
    ]);
    const [hot, long] = answers.map(shown);
    assert.deepEqual(hot, long, path);
    return hot;
  };

  test("answers checks as the long way does", async () => {
    for (const [query, entitled] of [
      ["feature=sms", true],
      ["feature=fax", false],
      ["feature=sms&at_least=1", true],
    ]) {
      const { status, text } = await both(`/v1/check?customer=cus_ada&${query}`);
      assert.deepEqual([status, JSON.parse(text).entitled], [200, entitled], query);
    }
    assert.equal(JSON.parse((await both("/v1/check?feature=sso", { key: token })).text).entitled, true);
  });

  test("answers a proxy as the long way does", async () => {
    for (const [query, status] of [
      ["feature=sms", 204],
      ["feature=fax", 403],
    ]) {
      assert.equal((await both(`/v1/authorize?customer=cus_ada&${query}`)).status, status, query);
      assert.equal((await both(`/v1/authorize?${query}`, { key: token })).status, status, query);
    }
  });

  test("answers lists as the long way does", async () => {
    const list = "/v1/entitlements/active_entitlements";
    const { data } = JSON.parse((await both(`${list}?customer=cus_ada`)).text);
    assert.deepEqual(
      data.map(({ lookup_key }) => lookup_key),
      ["sms", "sso"],
    );
    for (const [query, keys] of [
      ["limit=1", ["sms"]],
      [`starting_after=${data[0].id}`, ["sso"]],
      [`ending_before=${data[1].id}`, ["sms"]],
      ["limit=100&at_least=1", ["sms", "sso"]],
    ]) {
      const page = JSON.parse((await both(`${list}?customer=cus_ada&${query}`)).text);
      assert.deepEqual(
        page.data.map(({ lookup_key }) => lookup_key),
        keys,
        query,
      );
    }
    assert.equal(JSON.parse((await both(list, { key: token })).text).data.length, 2);
    for (const [query, status] of [
      ["limit=101", 400],
      ["starting_after=ent_none", 400],
      ["at_least=2", 503],
    ]) {
      assert.equal((await both(`${list}?customer=cus_ada&${query}`)).status, status, query);
    }
  });

  test("leaves to the long way what it has no answer to", async () => {
    for (const [path, status, key] of [
      ["/v1/check?customer=cus_nobody&feature=sms", 200],
      ["/v1/check?customer=cus_ada&feature=sms&at_least=2", 503],
      ["/v1/check?customer=cus_ada", 400],
      ["/v1/check?customer=cus_ada&feature=sms", 401, "sk_test_other"],
      ["/v1/check?customer=cus_bob&feature=sms", 403, token],
    ]) {
      assert.equal((await both(path, { key })).status, status, path);
    }
  });

  test("takes events with a length and without one alike", async () => {
    const send = async (body, signature) => {
      const headers = { "stripe-signature": signature };
      // A body that is a stream has no length.
      const stream = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(body));
          controller.close();
        },
      });
      const answers = [];
      for (const more of [{ body }, { body: stream, duplex: "half" }]) {
        const answer = await fetch(new URL("/webhooks/stripe", service.url), { method: "POST", headers, ...more });
        const { status } = answer;
        const { "request-id": id, date, "content-length": length, ...rest } = Object.fromEntries(answer.headers);
        answers.push({ status, headers: rest, json: await answer.json() });
      }
      return answers;
    };
    const signed = (body) => Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
    const other = JSON.stringify(summary("cus_ada", ["sms"], { type: "invoice.paid" }));
    const whole = JSON.stringify(summary("cus_hot", ["sms"]));
    for (const [body, signature, status] of [
      [other, signed(other), 200],
      [other, signed(whole), 400],
      ["{", signed("{"), 400],
      [other, "", 400],
    ]) {
      const [hot, long] = await send(body, signature);
      assert.deepEqual(hot, long, body);
      assert.equal(hot.status, status);
    }
    const [first, second] = await send(whole, signed(whole));
    assert.deepEqual([first.json.outcome, second.json.outcome, first.json.version, second.json.version], ["applied", "duplicate", 1, 1]);
  });
});

describe("an event's path", { timeout: 60_000 }, () => {
  const signed = (body) => Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
  const post = (service, path) => {
    const body = JSON.stringify(summary("cus_path", ["sms"]));
    return service.request(path, {
      method: "POST",
      body,
      headers: { "stripe-signature": signed(body), "content-type": "application/json" },
    });
  };

  test("is that path alone, and not the end of another one or of a query", async () => {
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

  test("tells which setting is malformed", async () => {
    const service = await serve({ settings: { ENTGATE_MEMORY_TTL: "61" }, log: [] });
    try {
      const { status, text } = await post(service, "/webhooks/stripe");
      assert.deepEqual([status, text.includes("ENTGATE_MEMORY_TTL is not a number of seconds from 0 to 60")], [500, true], text);
    } finally {
      await service.stop();
    }
  });
});

describe("what an isolate remembers", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve({ settings: { ENTGATE_MEMORY_TTL: "5" }, clock: true });
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(() => service.stop());

  const asked = async (feature, more) => {
    const { entitled, version, served_by } = (await service.check("cus_ada", feature, more)).json;
    return [entitled, version, served_by];
  };

  test("says yes for its time and not longer, never no, and nothing older than it is asked for", async () => {
    assert.deepEqual(await asked("sms"), [true, 1, "replica"]);
    assert.deepEqual(await asked("sms"), [true, 1, "memory"]);
    // The replica goes on, as another location would see it.
    const copy = await service.replicaRecord("cus_ada");
    const replica = await service.replica();
    const later = { ...copy, version: 2, keys: ["sso"] };
    await replica.put("test:cus_ada", JSON.stringify(later));
    assert.deepEqual(await asked("sms"), [true, 1, "memory"]);
    assert.deepEqual(await asked("sms", { at_least: 1 }), [true, 1, "memory"]);
    assert.deepEqual(await asked("sms", { at_least: 2 }), [false, 2, "replica"]);
    // What was read for that is what is remembered now.
    assert.deepEqual(await asked("sms"), [false, 2, "replica"]);
    assert.deepEqual(await asked("sso"), [true, 2, "memory"]);
    await replica.put("test:cus_ada", JSON.stringify({ ...later, version: 3, keys: [], features: [], ids: [] }));
    assert.deepEqual(await asked("fax"), [false, 3, "replica"]);
    assert.deepEqual(await asked("sso"), [false, 3, "replica"]);
  });

  test("is over when its time is", async () => {
    await service.send(summary("cus_bob", ["sms"]));
    const bob = async () => (await service.check("cus_bob", "sms")).json.served_by;
    assert.equal(await bob(), "replica");
    assert.equal(await bob(), "memory");
    await service.setClockOffset(5);
    assert.equal(await bob(), "replica");
    assert.equal(await bob(), "memory");
    await service.setClockOffset(0);
  });
});
