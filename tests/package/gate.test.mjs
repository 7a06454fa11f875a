// The gate against the built Worker: what it answers, and when.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, mock, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually, summary } from "../worker/support.mjs";
import { between, edge, Shelf, signingKey, token } from "./support.mjs";

describe("a gate", { timeout: 120_000 }, () => {
  let service;
  let proxy;
  const gates = [];
  before(async () => {
    service = await edge();
    assert.equal((await service.send(summary("cus_ada", ["sms", "export"]))).status, 200);
  });
  after(() => service.stop());
  afterEach(async () => {
    gates.splice(0).forEach((gate) => gate.close());
    await proxy?.stop();
    proxy = undefined;
  });

  async function open({ customer = "cus_ada", ...options } = {}) {
    proxy ??= await between(service);
    const gate = createGate({ endpoint: proxy.url, token: await token(service, customer), storage: null, live: false, ...options });
    gates.push(gate);
    return gate;
  }

  const becomes = (gate, state) => eventually(() => assert.equal(gate.state, state, gate.error?.message));

  test("denies until it knows, and then answers at once, with the reason", async () => {
    const gate = await open({ fallback: { export: true, sms: false } });
    assert.deepEqual(
      [gate.state, gate.has("sms"), gate.has("export"), gate.has("sso"), gate.list(), gate.version],
      ["loading", false, true, false, [], 0],
    );
    assert.deepEqual(gate.check("export"), { feature: "export", entitled: true, reason: "fallback", version: 0 });
    assert.deepEqual(gate.check("sso"), { feature: "sso", entitled: false, reason: "not_known", version: 0 });
    const states = [];
    gate.on("state", (state) => states.push(state));
    await becomes(gate, "ready");
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

  test("tells a customer never heard of from one who has nothing", async () => {
    const gate = await open({ customer: "cus_stranger" });
    await becomes(gate, "ready");
    assert.equal(gate.check("sms").reason, "unknown_customer");
  });

  test("is not made without an endpoint, and says so", () => {
    const missing = { name: "GateError", code: "endpoint_missing", message: "`endpoint` has to be the URL of entgate" };
    for (const endpoint of [undefined, null, 1]) assert.throws(() => createGate({ endpoint, token: "t" }), missing);
  });

  test("never throws, whatever it is asked", async () => {
    const gate = await open();
    await becomes(gate, "ready");
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

  test("calls back at each change, until told not to, and one listener's failure is its own", async () => {
    const gate = await open({ customer: "cus_changes" });
    await becomes(gate, "ready");
    const heard = [];
    const thrown = [];
    mock.method(console, "error", (error) => thrown.push(error.message));
    gate.on("change", () => {
      throw new Error("a listener's own");
    });
    const off = gate.on("change", (same) => heard.push(same.list().join()));
    await service.send(summary("cus_changes", ["sms"]));
    await gate.refresh();
    assert.deepEqual(heard, ["sms"]);
    await gate.refresh();
    off();
    await service.send(summary("cus_changes", []));
    await gate.refresh();
    mock.restoreAll();
    assert.deepEqual([heard, gate.list(), thrown], [["sms"], [], ["a listener's own", "a listener's own"]]);
  });

  test("waits for a feature: at once if it is there, and no longer than it is told", async () => {
    const gate = await open({ customer: "cus_waits" });
    await becomes(gate, "ready");
    assert.equal(await gate.waitFor("sms", { timeout: 20 }), false);
    const waiting = gate.waitFor("sms");
    await service.send(summary("cus_waits", ["sms"]));
    await gate.refresh();
    assert.deepEqual([await waiting, await gate.waitFor("sms"), await gate.waitFor("sms", { timeout: 0 })], [true, true, true]);
    const closed = gate.waitFor("sso");
    gate.close();
    assert.equal(await closed, false);
  });

  test("asks for another token before its end, and when the edge refuses one", async () => {
    const tokens = [await token(service, "cus_ada", 20), "eyJhbGciOiJIUzI1NiJ9.e30.AA", await token(service, "cus_ada")];
    const given = [];
    const gate = await open({ token: async () => given.push(tokens[given.length]) && tokens[given.length - 1] });
    await becomes(gate, "ready");
    await gate.refresh();
    assert.equal(given.length, 1);
    const { now } = Date;
    try {
      // Half of the first one's time is over. The second one is refused, and the third is good.
      Date.now = () => now() + 10_500;
      await gate.refresh();
    } finally {
      Date.now = now;
    }
    assert.equal(gate.state, "ready");
    assert.deepEqual(given, tokens);
    const shown = proxy.requests.map(({ headers }) => headers.authorization.slice("Bearer ".length));
    assert.deepEqual(shown, [tokens[0], ...tokens]);
    assert.ok(
      proxy.requests.every(({ url }) => !url.includes("eyJ")),
      "no token stands in a URL",
    );
  });

  test("a token that cannot be had, or opens nothing, is an error that says why, and an answer of no", async () => {
    const refused = await open({ token: "eyJhbGciOiJIUzI1NiJ9.e30.AA" });
    await becomes(refused, "error");
    assert.deepEqual([refused.error.code, refused.error.status, refused.has("sms")], ["token_invalid", 401, false]);
    const none = await open({
      token: () => Promise.reject(new Error("nobody is logged in")),
    });
    await becomes(none, "error");
    assert.deepEqual([none.error.code, none.error.message], ["unreachable", "nobody is logged in"]);
  });

  test("an outage leaves what is known, and heals by itself", async () => {
    const gate = await open();
    await becomes(gate, "ready");
    proxy.answer("/v1/snapshot", (response) => response.writeHead(503, { "retry-after": "1" }).end("{}"), 1);
    await gate.refresh();
    assert.deepEqual([gate.state, gate.has("sms"), gate.error.status], ["stale", true, 503]);
    await becomes(gate, "ready");
    assert.equal(gate.error, undefined);
  });

  test("never goes backwards: what is older than what is held is not taken", async () => {
    const gate = await open({ customer: "cus_back" });
    await becomes(gate, "ready");
    const old = await service.request("/v1/snapshot?customer=cus_back&expires_in=3600");
    await service.send(summary("cus_back", ["sms"]));
    await gate.refresh();
    assert.equal(gate.version, 1);
    proxy.answer("/v1/snapshot", (response) => response.writeHead(200, { "content-type": "application/json" }).end(old.text), 1);
    await gate.refresh();
    assert.deepEqual([gate.version, gate.has("sms")], [1, true]);
    assert.equal(proxy.to("/v1/snapshot").at(-1).params.at_least, "1");
  });

  test("a set is not known any more at its end", async () => {
    const snapshot = (await service.request("/v1/snapshot?customer=cus_ada&expires_in=60")).json.snapshot;
    const { exp } = JSON.parse(Buffer.from(snapshot.split(".")[1], "base64url"));
    const gate = createGate({ endpoint: "https://entgate.invalid", snapshot, fallback: { sso: true } });
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

  test("after its end an older set is taken too: whatever was known is over", async () => {
    const old = await service.request("/v1/snapshot?customer=cus_reset&expires_in=3600");
    await service.send(summary("cus_reset", ["sms"]));
    const gate = await open({ customer: "cus_reset" });
    await becomes(gate, "ready");
    const { now } = Date;
    try {
      Date.now = () => now() + 3_601_000;
      const later = JSON.parse(old.text);
      const [header, claims, signature] = later.snapshot.split(".");
      const said = JSON.parse(Buffer.from(claims, "base64url"));
      later.expires_at = said.exp += 3_601;
      later.snapshot = [header, Buffer.from(JSON.stringify(said)).toString("base64url"), signature].join(".");
      proxy.answer(
        "/v1/snapshot",
        (response) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(later)),
        1,
      );
      await gate.refresh();
      assert.deepEqual([gate.state, gate.version, gate.has("sms")], ["ready", 0, false]);
    } finally {
      Date.now = now;
    }
  });

  test("a clock that is two hours wrong makes nothing over", async () => {
    const { now } = Date;
    try {
      for (const hours of [2, -2]) {
        Date.now = () => now() + hours * 3_600_000;
        // The token is not looked at before it is shown; the edge's clock decides.
        const gate = await open();
        await becomes(gate, "ready");
        assert.equal(gate.has("sms"), true);
      }
    } finally {
      Date.now = now;
    }
  });

  describe("its storage", () => {
    const key = () => `entgate:${proxy.url}:cus_ada`;
    const stale = async (storage, options = {}) => {
      proxy.answer("/v1/snapshot", (response) => response.destroy());
      const gate = await open({ storage, keys: [service.signer], ...options });
      proxy.restore();
      return gate;
    };
    const filled = async () => {
      const storage = new Shelf();
      await becomes(await open({ storage }), "ready");
      return storage;
    };

    test("has the last known set, which counts at once where the keys are pinned", async () => {
      const storage = await filled();
      assert.deepEqual([...storage.keys()], [key()]);
      const gate = createGate({
        endpoint: proxy.url,
        token: await token(service, "cus_ada"),
        storage,
        live: false,
        keys: [service.signer],
      });
      gates.push(gate);
      assert.deepEqual([gate.state, gate.has("sms"), gate.has("sso")], ["stale", true, false]);
      await becomes(gate, "ready");
    });

    test("counts with the endpoint's keys too, and in a storage that answers later", async () => {
      const storage = await filled();
      proxy.answer("/v1/snapshot", (response) => response.destroy());
      const later = { getItem: async (at) => storage.getItem(at), setItem: async () => {}, removeItem: async () => {} };
      const gate = await open({ storage: later });
      await becomes(gate, "stale");
      assert.equal(gate.has("sms"), true);
      assert.equal(proxy.to("/.well-known/jwks.json").length, 1);
    });

    test("grants nothing by being edited", async () => {
      const storage = await filled();
      const good = storage.getItem(key());
      const [header, claims, signature] = good.split(".");
      const edited = (change) => Buffer.from(JSON.stringify(change(JSON.parse(Buffer.from(claims, "base64url"))))).toString("base64url");
      const more = edited((said) => ({ ...said, entitlements: [...said.entitlements, "sso"] }));
      const longer = edited((said) => ({ ...said, exp: said.exp + 86_400 }));
      const none = Buffer.from(JSON.stringify({ alg: "none", typ: "entitlements+jwt", kid: "one" })).toString("base64url");
      const others = (await service.request("/v1/snapshot?customer=cus_bob")).json.snapshot;
      const own = signingKey("one");
      for (const [why, stored] of [
        ["more entitlements", `${header}.${more}.${signature}`],
        ["a later end", `${header}.${longer}.${signature}`],
        ["no signature", `${none}.${claims}.`],
        ["half a signature", `${header}.${claims}.${signature.slice(0, 40)}`],
        ["another customer's", others],
        ["a token, which is signed otherwise", await token(service, "cus_ada")],
        ["rubbish", "rubbish"],
        ["dots", ".."],
        ["JSON", '{"entitlements":["sso"]}'],
      ]) {
        storage.setItem(key(), stored);
        const gate = await stale(storage);
        assert.deepEqual([gate.state, gate.has("sms"), gate.has("sso")], ["loading", false, false], why);
        assert.equal(storage.getItem(key()), null, `${why}: it is thrown away`);
        gate.close();
      }
      storage.setItem(key(), good);
      const gate = await stale(storage, { keys: [own.public] });
      assert.equal(gate.has("sms"), false, "another key of that name");
    });

    test("is not believed after its end", async () => {
      const storage = await filled();
      const { now } = Date;
      try {
        Date.now = () => now() + 3_601_000;
        const gate = await stale(storage);
        assert.deepEqual([gate.state, gate.has("sms")], ["loading", false]);
      } finally {
        Date.now = now;
      }
    });

    test("that throws is none", async () => {
      const broken = () => {
        throw new Error("denied");
      };
      const gate = await open({ storage: { getItem: broken, setItem: broken, removeItem: broken } });
      await becomes(gate, "ready");
      assert.equal(gate.has("sms"), true);
    });
  });
});

describe("a gate where the edge signs nothing", { timeout: 60_000 }, () => {
  let service;
  before(async () => (service = await edge({ signs: false })));
  after(() => service.stop());

  test("reads the list, all of its pages, and has its version", async () => {
    const keys = Array.from({ length: 230 }, (_, at) => `feature_${at}`);
    assert.equal((await service.send(summary("cus_many", keys))).status, 200);
    const proxy = await between(service);
    const gate = createGate({ endpoint: proxy.url, token: await token(service, "cus_many"), live: false });
    try {
      await eventually(() => assert.equal(gate.state, "ready", gate.error?.message));
      assert.deepEqual([gate.list().length, gate.has("feature_229"), gate.has("feature_230"), gate.version], [230, true, false, 1]);
      const paths = proxy.requests.map(({ path }) => path.split("/").at(-1));
      assert.deepEqual(paths, ["snapshot", "active_entitlements", "active_entitlements", "active_entitlements"]);
      await gate.refresh();
      assert.equal(proxy.to("/v1/snapshot").length, 1, "it was told once that nothing is signed here");
    } finally {
      gate.close();
      await proxy.stop();
    }
  });
});
