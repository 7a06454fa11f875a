// The gate against the built Worker: its answers, its states and its stored set.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, mock, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually, summary } from "../worker/support.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { createSigningKey, createToken, decodeClaims, MemoryStorage, serveEdge, withClockAhead } from "./support.mjs";

/**
 * @typedef {import("entgate").Gate} Gate
 * @typedef {Partial<import("entgate").Options>} Options
 */

const encodeJson = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const waitForState = (gate, state) => eventually(() => assert.equal(gate.state, state, gate.error?.message));

describe("a gate", { timeout: 120_000 }, () => {
  let service;
  let proxy;
  /** @type {Gate[]} */
  const gates = [];
  before(async () => {
    service = await serveEdge();
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
  });
  after(() => service.stop());
  afterEach(async () => {
    for (const gate of gates.splice(0)) gate.close();
    await proxy?.stop();
    proxy = undefined;
  });

  /** @param {Options} [options] */
  async function openGate({ customer = "cus_ada", ...options } = {}) {
    proxy ??= await flakyProxy(service);
    const gate = createGate({ endpoint: proxy.url, token: await createToken(service, customer), storage: null, live: false, ...options });
    gates.push(gate);
    return gate;
  }

  /** Responds to the next read of the snapshot with this text. */
  const respondOnce = (text) =>
    proxy.respond("/v1/snapshot", (response) => response.writeHead(200, { "content-type": "application/json" }).end(text), 1);

  test("denies until a set is loaded, and then answers with the reason", async () => {
    const gate = await openGate({ fallback: { export: true, sms: false } });
    assert.deepEqual(
      [gate.state, gate.has("sms"), gate.has("export"), gate.has("sso"), gate.list(), gate.version],
      ["loading", false, true, false, [], 0],
    );
    assert.deepEqual(gate.check("export"), { feature: "export", entitled: true, reason: "fallback", version: 0 });
    assert.deepEqual(gate.check("sso"), { feature: "sso", entitled: false, reason: "not_known", version: 0 });
    const states = [];
    gate.on("state", (state) => states.push(state));
    await waitForState(gate, "ready");
    assert.deepEqual(
      [gate.has("sms"), gate.has("export"), gate.has("sso"), gate.list(), gate.version],
      [true, true, false, ["sms", "export"], 1],
    );
    assert.deepEqual(gate.check("sms"), { feature: "sms", entitled: true, reason: "active_entitlement", version: 1 });
    assert.deepEqual(gate.check("sso"), { feature: "sso", entitled: false, reason: "not_entitled", version: 1 });
    assert.deepEqual(states, ["ready"]);
    assert.deepEqual(
      proxy.requests.map(({ path }) => path),
      ["/v1/snapshot"],
    );
  });

  test("distinguishes an unknown customer from one without entitlements", async () => {
    const gate = await openGate({ customer: "cus_unknown" });
    await waitForState(gate, "ready");
    assert.equal(gate.check("sms").reason, "unknown_customer");
  });

  test("is not created without an endpoint, and the error names the setting", () => {
    const missing = { name: "GateError", code: "endpoint_missing", message: "`endpoint` has to be the URL of entgate" };
    for (const endpoint of [undefined, null, 1])
      assert.throws(() => createGate({ endpoint: /** @type {any} */ (endpoint), token: "t" }), missing);
  });

  test("denies any value that is not a lookup key, and never throws", async () => {
    const gate = await openGate();
    await waitForState(gate, "ready");
    for (const feature of [
      "",
      "\n",
      "\ud800",
      "x".repeat(30_000),
      undefined,
      null,
      1,
      {},
      Symbol("sms"),
      Object.create(null),
      "__proto__",
      "toString",
    ]) {
      assert.equal(gate.has(feature), false);
    }
  });

  test("calls a listener at each change until it is removed, and reports what a listener throws", async () => {
    const gate = await openGate({ customer: "cus_changes" });
    await waitForState(gate, "ready");
    const lists = [];
    const thrown = [];
    mock.method(console, "error", (error) => thrown.push(error.message));
    gate.on("change", () => {
      throw new Error("a listener's own");
    });
    const off = gate.on("change", (same) => lists.push(same.list().join()));
    await service.send(summary("cus_changes", ["sms"]));
    await gate.refresh();
    assert.deepEqual(lists, ["sms"]);
    await gate.refresh();
    off();
    await service.send(summary("cus_changes", []));
    await gate.refresh();
    mock.restoreAll();
    assert.deepEqual([lists, gate.list(), thrown], [["sms"], [], ["a listener's own", "a listener's own"]]);
  });

  test("waits for a feature until it is granted, the timeout is over or the gate is closed", async () => {
    const gate = await openGate({ customer: "cus_waits" });
    await waitForState(gate, "ready");
    assert.equal(await gate.waitFor("sms", { timeout: 20 }), false);
    const waiting = gate.waitFor("sms");
    await service.send(summary("cus_waits", ["sms"]));
    await gate.refresh();
    assert.deepEqual([await waiting, await gate.waitFor("sms"), await gate.waitFor("sms", { timeout: 0 })], [true, true, true]);
    const closed = gate.waitFor("sso");
    gate.close();
    assert.equal(await closed, false);
  });

  test("fetches another token before the first expires, and when one is rejected", async () => {
    const tokens = [await createToken(service, "cus_ada", 20), "eyJhbGciOiJIUzI1NiJ9.e30.AA", await createToken(service, "cus_ada")];
    const fetched = [];
    const gate = await openGate({
      token: async () => {
        const token = tokens[fetched.length];
        fetched.push(token);
        return token;
      },
    });
    await waitForState(gate, "ready");
    await gate.refresh();
    assert.equal(fetched.length, 1);
    // Half of the first token's lifetime is over. The second token is rejected, and the third is accepted.
    await withClockAhead(10_500, () => gate.refresh());
    assert.equal(gate.state, "ready");
    assert.deepEqual(fetched, tokens);
    const sent = proxy.requests.map(({ headers }) => headers.authorization.slice("Bearer ".length));
    assert.deepEqual(sent, [tokens[0], ...tokens]);
    assert.ok(
      proxy.requests.every(({ url }) => !url.includes("eyJ")),
      "no token is in a URL",
    );
  });

  test("denies with an error that has the cause, if the token is rejected or cannot be fetched", async () => {
    const rejected = await openGate({ token: "eyJhbGciOiJIUzI1NiJ9.e30.AA" });
    await waitForState(rejected, "error");
    assert.deepEqual([rejected.error?.code, rejected.error?.status, rejected.has("sms")], ["token_invalid", 401, false]);
    const failed = await openGate({ token: () => Promise.reject(new Error("not logged in")) });
    await waitForState(failed, "error");
    assert.deepEqual([failed.error?.code, failed.error?.message], ["unreachable", "not logged in"]);
  });

  test("keeps its set during an outage, and recovers without a request of the page", async () => {
    const gate = await openGate();
    await waitForState(gate, "ready");
    proxy.respond("/v1/snapshot", (response) => response.writeHead(503, { "retry-after": "1" }).end("{}"), 1);
    await gate.refresh();
    assert.deepEqual([gate.state, gate.has("sms"), gate.error?.status], ["stale", true, 503]);
    await waitForState(gate, "ready");
    assert.equal(gate.error, undefined);
  });

  test("ignores a set that is older than the current one", async () => {
    const gate = await openGate({ customer: "cus_back" });
    await waitForState(gate, "ready");
    const old = await service.request("/v1/snapshot?customer=cus_back&expires_in=3600");
    await service.send(summary("cus_back", ["sms"]));
    await gate.refresh();
    assert.equal(gate.version, 1);
    respondOnce(old.text);
    await gate.refresh();
    assert.deepEqual([gate.version, gate.has("sms")], [1, true]);
    assert.equal(proxy.requestsTo("/v1/snapshot").at(-1).params.at_least, "1");
  });

  test("no longer answers from a set that has expired", async () => {
    const { snapshot } = (await service.request("/v1/snapshot?customer=cus_ada&expires_in=60")).json;
    const { exp } = decodeClaims(snapshot);
    const gate = createGate({ endpoint: "https://entgate.invalid", snapshot, livemode: false, fallback: { sso: true } });
    gates.push(gate);
    assert.deepEqual([gate.state, gate.has("sms"), gate.has("sso"), gate.version], ["stale", true, false, 1]);
    const { now } = Date;
    try {
      Date.now = () => exp * 1000 - 1;
      assert.equal(gate.has("sms"), true);
      Date.now = () => exp * 1000;
      assert.deepEqual([gate.has("sms"), gate.has("sso"), gate.list()], [false, true, []]);
    } finally {
      Date.now = now;
    }
  });

  test("accepts an older set after the current one has expired", async () => {
    const old = await service.request("/v1/snapshot?customer=cus_reset&expires_in=3600");
    await service.send(summary("cus_reset", ["sms"]));
    const gate = await openGate({ customer: "cus_reset" });
    await waitForState(gate, "ready");
    await withClockAhead(3_601_000, async () => {
      const later = JSON.parse(old.text);
      const [header, , signature] = later.snapshot.split(".");
      const claims = decodeClaims(later.snapshot);
      later.expires_at = claims.exp += 3_601;
      later.snapshot = [header, encodeJson(claims), signature].join(".");
      respondOnce(JSON.stringify(later));
      await gate.refresh();
      assert.deepEqual([gate.state, gate.version, gate.has("sms")], ["ready", 0, false]);
    });
  });

  test("answers although the clock is wrong by two hours", async () => {
    for (const hours of [2, -2]) {
      await withClockAhead(hours * 3_600_000, async () => {
        // The expiry of the token is measured from its lifetime, and that of the set by the edge's clock.
        const gate = await openGate();
        await waitForState(gate, "ready");
        assert.equal(gate.has("sms"), true);
      });
    }
  });

  describe("with a storage", () => {
    const key = () => `entgate:${proxy.url}:cus_ada`;
    /**
     * Opens a gate that cannot reach the edge.
     *
     * @param {MemoryStorage} storage
     * @param {Options} [options]
     */
    const openOffline = async (storage, options = {}) => {
      proxy.respond("/v1/snapshot", (response) => response.destroy());
      const gate = await openGate({ storage, keys: [service.signer], ...options });
      proxy.forwardAll();
      return gate;
    };
    const filledStorage = async () => {
      const storage = new MemoryStorage();
      await waitForState(await openGate({ storage }), "ready");
      return storage;
    };

    test("answers at once from the stored set, if the keys are pinned", async () => {
      const storage = await filledStorage();
      assert.deepEqual([...storage.keys()], [key()]);
      const gate = createGate({
        endpoint: proxy.url,
        token: await createToken(service, "cus_ada"),
        storage,
        live: false,
        keys: [service.signer],
      });
      gates.push(gate);
      assert.deepEqual([gate.state, gate.has("sms"), gate.has("sso")], ["stale", true, false]);
      await waitForState(gate, "ready");
    });

    test("accepts the keys of the endpoint, and an asynchronous storage", async () => {
      const storage = await filledStorage();
      proxy.respond("/v1/snapshot", (response) => response.destroy());
      const asynchronous = { getItem: async (name) => storage.getItem(name), setItem: async () => {}, removeItem: async () => {} };
      const gate = await openGate({ storage: asynchronous });
      await waitForState(gate, "stale");
      assert.equal(gate.has("sms"), true);
      assert.equal(proxy.requestsTo("/.well-known/jwks.json").length, 1);
    });

    test("rejects and removes an edited set", async () => {
      const storage = await filledStorage();
      const good = storage.getItem(key());
      const [header, claims, signature] = good.split(".");
      const edit = (change) => encodeJson(change(decodeClaims(good)));
      const more = edit((set) => ({ ...set, entitlements: [...set.entitlements, "sso"] }));
      const longer = edit((set) => ({ ...set, exp: set.exp + 86_400 }));
      const none = encodeJson({ alg: "none", typ: "entitlements+jwt", kid: "one" });
      const others = (await service.request("/v1/snapshot?customer=cus_bob")).json.snapshot;
      const own = createSigningKey("one");
      for (const [why, stored] of [
        ["more entitlements", `${header}.${more}.${signature}`],
        ["a later expiry", `${header}.${longer}.${signature}`],
        ["no signature", `${none}.${claims}.`],
        ["half a signature", `${header}.${claims}.${signature.slice(0, 40)}`],
        ["another customer's", others],
        ["a token, which has another signature", await createToken(service, "cus_ada")],
        ["not a JWT", "rubbish"],
        ["dots", ".."],
        ["JSON", '{"entitlements":["sso"]}'],
      ]) {
        storage.setItem(key(), stored);
        const gate = await openOffline(storage);
        assert.deepEqual([gate.state, gate.has("sms"), gate.has("sso")], ["loading", false, false], why);
        assert.equal(storage.getItem(key()), null, `${why}: it is removed`);
        gate.close();
      }
      storage.setItem(key(), good);
      const gate = await openOffline(storage, { keys: [own.public] });
      assert.equal(gate.has("sms"), false, "another key with the same id");
    });

    test("ignores a set that has expired", async () => {
      const storage = await filledStorage();
      await withClockAhead(3_601_000, async () => {
        const gate = await openOffline(storage);
        assert.deepEqual([gate.state, gate.has("sms")], ["loading", false]);
      });
    });

    test("works without a stored set if the storage throws", async () => {
      const fail = () => {
        throw new Error("denied");
      };
      const gate = await openGate({ storage: { getItem: fail, setItem: fail, removeItem: fail } });
      await waitForState(gate, "ready");
      assert.equal(gate.has("sms"), true);
    });
  });
});

describe("a gate of an edge without a signing key", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serveEdge({ signs: false });
  });
  after(() => service.stop());

  test("reads all pages of the list, and its version", async () => {
    const keys = Array.from({ length: 230 }, (_, at) => `feature_${at}`);
    assert.equal((await service.send(summary("cus_many", keys))).status, 200);
    const proxy = await flakyProxy(service);
    const gate = createGate({ endpoint: proxy.url, token: await createToken(service, "cus_many"), live: false });
    try {
      await waitForState(gate, "ready");
      assert.deepEqual([gate.list().length, gate.has("feature_229"), gate.has("feature_230"), gate.version], [230, true, false, 1]);
      const paths = proxy.requests.map(({ path }) => path.split("/").at(-1));
      assert.deepEqual(paths, ["snapshot", "active_entitlements", "active_entitlements", "active_entitlements"]);
      await gate.refresh();
      assert.equal(proxy.requestsTo("/v1/snapshot").length, 1, "the snapshot is requested only once");
    } finally {
      gate.close();
      await proxy.stop();
    }
  });
});
