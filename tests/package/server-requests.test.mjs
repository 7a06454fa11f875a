// `entgate/server`: the requests that a client sends for lists, overrides, history and explanations, and how it reports errors.
// Their answers by the Worker are in server-overrides.test.mjs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient } from "../../www/npm/dist/server.js";
import { KEY } from "../worker/support.mjs";
import { recordingServer } from "./recording-server.mjs";

const OVERRIDES = "/v1/customers/cus_ada/overrides";
const OVERRIDE = { id: "ovr_1", object: "entitlement_override", version: 5 };

/** A page of a list. @param {string[]} ids */
const page = (ids, has_more = false) => ({ json: { object: "list", data: ids.map((id) => ({ id })), has_more, url: "/v1/list" } });

describe("a client of a backend", { timeout: 30_000 }, () => {
  let server;
  let client;
  before(async () => {
    server = await recordingServer();
    client = createClient({ endpoint: server.url, key: KEY });
  });
  after(() => server.stop());

  /** Runs a call that is answered with this JSON. Returns its result and its request: method, path, query and body. */
  async function exchange(call, json = /** @type {object} */ (OVERRIDE)) {
    server.respond({ json });
    const result = await call();
    const [{ method, url, headers, body }, ...others] = server.takeRequests();
    assert.deepEqual([others, headers.authorization], [[], `Bearer ${KEY}`]);
    return { result, request: [method, decodeURIComponent(url), body], headers };
  }

  test("it creates an override with the parameters' names of the API, and the idempotency key as a header", async () => {
    const override = {
      feature: "sms",
      effect: "grant",
      reason: "Trial & error",
      actor: "ada@example.com",
      startsAt: 1_800_000_000,
      expiresIn: 3_600,
      metadata: { camelCase: "stays" },
      idempotencyKey: "one",
    };
    const { result, request, headers } = await exchange(() => client.overrides.create("cus_ada", override));
    assert.deepEqual(result, OVERRIDE);
    const { startsAt: starts_at, expiresIn: expires_in, idempotencyKey: _, ...same } = override;
    assert.deepEqual(request, ["POST", OVERRIDES, { ...same, starts_at, expires_in }]);
    assert.deepEqual([headers["idempotency-key"], headers["content-type"]], ["one", "application/json"]);
    const second = await exchange(() => client.overrides.create("cus_ada", { feature: "sms", effect: "deny", reason: "Fraud" }));
    assert.equal(second.headers["idempotency-key"], undefined);
  });

  test("it retrieves, updates and deletes an override", async () => {
    for (const [call, expected] of /** @type {const} */ ([
      [() => client.overrides.retrieve("cus_ada", "ovr_1"), ["GET", `${OVERRIDES}/ovr_1`, ""]],
      [() => client.overrides.update("cus_ada", "ovr_1", { reason: "Longer" }), ["POST", `${OVERRIDES}/ovr_1`, { reason: "Longer" }]],
      [() => client.overrides.update("cus_ada", "ovr_1", { expiresAt: "now" }), ["POST", `${OVERRIDES}/ovr_1`, { expires_at: "now" }]],
      [() => client.overrides.delete("cus_ada", "ovr_1"), ["DELETE", `${OVERRIDES}/ovr_1`, {}]],
      [
        () => client.overrides.delete("cus_ada", "ovr_1", { reason: "Mistake", actor: "bob" }),
        ["DELETE", `${OVERRIDES}/ovr_1`, { reason: "Mistake", actor: "bob" }],
      ],
    ])) {
      const { result, request } = await exchange(call);
      assert.deepEqual([result, request], [OVERRIDE, expected]);
    }
  });

  test("`null` removes the end and the metadata of an override: it is sent as an empty string", async () => {
    const { request } = await exchange(() =>
      client.overrides.update("cus_ada", "ovr_1", { expiresAt: null, metadata: { ticket: null, seat: "7" } }),
    );
    assert.deepEqual(request[2], { expires_at: "", metadata: { ticket: "", seat: "7" } });
    assert.deepEqual((await exchange(() => client.overrides.update("cus_ada", "ovr_1", { metadata: null }))).request[2], { metadata: "" });
  });

  test("it lists with a page's options and each list's own ones", async () => {
    const pageOptions = { limit: 2, startingAfter: "a", endingBefore: "z" };
    const pageQuery = "limit=2&starting_after=a&ending_before=z";
    for (const [call, url] of /** @type {const} */ ([
      [() => client.overrides.list("cus_ada"), OVERRIDES],
      [() => client.overrides.list("cus_ada", { status: "all", ...pageOptions }), `${OVERRIDES}?status=all&${pageQuery}`],
      [() => client.history("cus_ada", { created: 5, ...pageOptions }), `/v1/customers/cus_ada/history?created=5&${pageQuery}`],
      [() => client.history("cus_ada", { created: { gte: 5, lt: 9 } }), "/v1/customers/cus_ada/history?created[gte]=5&created[lt]=9"],
      [
        () => client.list("cus_ada", { atLeast: 3, fresh: true, limit: 100 }),
        "/v1/entitlements/active_entitlements?customer=cus_ada&at_least=3&fresh=true&limit=100",
      ],
    ])) {
      const { result, request } = await exchange(call, page(["a"]).json);
      assert.deepEqual(result, page(["a"]).json);
      assert.deepEqual(request, ["GET", url, ""]);
    }
  });

  test("`for await` returns the items of all pages, and with `endingBefore` in reverse", async () => {
    const collect = async (list) => {
      const ids = [];
      for await (const { id } of list) ids.push(id);
      return { ids, queries: server.takeRequests().map(({ url }) => url.slice(url.indexOf("?"))) };
    };
    server.respond(page(["e", "d"], true), page(["c"]));
    assert.deepEqual(await collect(client.history("cus_ada", { limit: 2 })), {
      ids: ["e", "d", "c"],
      queries: ["?limit=2", "?limit=2&starting_after=d"],
    });
    server.respond(page(["c", "b"], true), page(["e", "d"]));
    assert.deepEqual(await collect(client.history("cus_ada", { endingBefore: "a" })), {
      ids: ["b", "c", "d", "e"],
      queries: ["?ending_before=a", "?ending_before=c"],
    });
    server.respond(page([], true));
    assert.deepEqual((await collect(client.list("cus_ada"))).ids, [], "an empty page ends a list");
    server.respond(page(["b"], true), { status: 503, json: { error: { code: "store_unavailable", message: "try again" } } });
    await assert.rejects(collect(client.list("cus_ada")), { name: "GateError", code: "store_unavailable" });
    server.takeRequests();
  });

  test("it asks for an explanation, now or at a past time", async () => {
    const explanation = { object: "explanation", entitled: null, contributions: [] };
    const query = { customer: "cus_ada", feature: "a b" };
    const { result, request } = await exchange(() => client.explain(query), explanation);
    assert.deepEqual([result, request[1]], [explanation, "/v1/explain?customer=cus_ada&feature=a+b"]);
    assert.equal((await exchange(() => client.explain({ ...query, at: 5 }))).request[1], "/v1/explain?customer=cus_ada&feature=a+b&at=5");
  });

  test("it reads a customer from the source, and can wait for a feature", async () => {
    assert.deepEqual((await exchange(() => client.sync("cus_ada"))).request, ["POST", "/v1/customers/cus_ada/sync", {}]);
    const { request } = await exchange(() => client.sync("cus_ada", { feature: "sms", wait: 10 }));
    assert.deepEqual(request, ["POST", "/v1/customers/cus_ada/sync", { feature: "sms", wait: 10 }]);
  });

  test("an id is one segment of the path, and an error names the one that is missing", async () => {
    assert.equal((await exchange(() => client.overrides.retrieve("a/b?c", "o#1"))).request[1], "/v1/customers/a/b?c/overrides/o#1");
    for (const invalid of ["", ".", "..", undefined, null, 1]) {
      const value = /** @type {any} */ (invalid);
      for (const [name, call] of /** @type {const} */ ([
        ["customer", () => client.overrides.create(value, { feature: "sms", effect: "grant", reason: "r" })],
        ["customer", () => client.overrides.list(value)],
        ["customer", () => client.history(value)],
        ["customer", () => client.sync(value)],
        ["id", () => client.overrides.retrieve("cus_ada", value)],
        ["id", () => client.overrides.update("cus_ada", value, {})],
        ["id", () => client.overrides.delete("cus_ada", value)],
      ])) {
        await assert.rejects(call(), { name: "GateError", code: "parameter_invalid", message: `\`${name}\` has to be an id` });
      }
    }
    assert.deepEqual(server.takeRequests(), []);
  });

  test("an error has the code, the status and the message of the response, and the URL", async () => {
    server.respond({ status: 400, json: { error: { code: "override_limit_exceeded", message: "100 overrides have not ended" } } });
    const url = `${server.url}${OVERRIDES}`;
    await assert.rejects(client.overrides.create("cus_ada", { feature: "sms", effect: "grant", reason: "r" }), {
      name: "GateError",
      code: "override_limit_exceeded",
      status: 400,
      url,
      message: `100 overrides have not ended (${url})`,
    });
    server.respond({ status: 400, json: { error: { code: "parameter_missing", message: "reason is missing", param: "reason" } } });
    await assert.rejects(client.overrides.retrieve("cus_ada", "ovr_1"), { code: "parameter_missing", param: "reason" });
    server.respond({ status: 503, headers: { "retry-after": "5" }, json: { error: { code: "store_unavailable" } } });
    await assert.rejects(client.history("cus_ada"), { code: "store_unavailable", status: 503, retryAfter: 5 });
  });
});

describe("the time of a request", () => {
  /** Calls a method whose request is never answered. Returns the message of its error once the clock has passed the limit. */
  async function failAfter(t, call, milliseconds, options = {}) {
    const client = createClient({ endpoint: "http://entgate", key: KEY, fetch: () => new Promise(() => {}), ...options });
    /** @type {string | undefined} */
    let message;
    call(client).catch((error) => {
      ({ message } = error);
    });
    const settle = () => new Promise((resolve) => setImmediate(resolve));
    await settle();
    t.mock.timers.tick(milliseconds - 1);
    await settle();
    assert.equal(message, undefined, "too early");
    t.mock.timers.tick(1);
    await settle();
    return String(message).replace(/ \(.*/, "");
  }

  for (const [what, call, milliseconds, options] of /** @type {const} */ ([
    ["an override", (client) => client.overrides.retrieve("cus_ada", "ovr_1"), 2_000],
    ["a history", (client) => client.history("cus_ada"), 2_000],
    ["an explanation, for which entgate reads from the source", (client) => client.explain({ customer: "c", feature: "f" }), 15_000],
    ["a read from the source", (client) => client.sync("cus_ada"), 15_000],
    ["a read that waits for a feature", (client) => client.sync("cus_ada", { feature: "sms", wait: 25 }), 40_000],
    ["a read with a timeout of its own", (client) => client.sync("cus_ada", { feature: "sms", wait: 1 }), 1_500, { timeout: 500 }],
  ])) {
    test(`${what} ends after ${milliseconds} ms`, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      assert.equal(await failAfter(t, call, milliseconds, options), `no response within ${milliseconds} ms`);
    });
  }
});
