// The mode of a set, and the token that decides it.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually } from "../worker/support.mjs";
import { createFakeToken, createSnapshot, publicKey, serveFakeEdge } from "./fake-edge.mjs";
import { MemoryStorage } from "./support.mjs";

describe("a gate", { timeout: 60_000 }, () => {
  let edge;
  /** @type {import("entgate").Gate[]} */
  const gates = [];
  beforeEach(async () => {
    edge = await serveFakeEdge();
  });
  afterEach(async () => {
    for (const gate of gates.splice(0)) gate.close();
    await edge.stop();
  });
  /** @param {Partial<import("entgate").Options>} options */
  const open = (options) => {
    const gate = createGate({ endpoint: edge.url, storage: null, live: false, ...options });
    gates.push(gate);
    return gate;
  };
  const live = createSnapshot({ livemode: true });
  const test_ = createSnapshot({ livemode: false });
  /** A token function that the test resolves. */
  const delayed = () => {
    /** @type {(token: string) => void} */
    let resolve = () => {};
    const promise = new Promise((settle) => {
      resolve = settle;
    });
    return { token: () => promise, resolve: (token) => resolve(token) };
  };

  test("accepts an embedded snapshot of live mode only, unless its options or its token are of test mode", () => {
    edge.isDown = true;
    const liveToken = createFakeToken();
    const testToken = createFakeToken({ livemode: false });
    for (const [why, options, expected] of /** @type {[string, object, boolean][]} */ ([
      ["live mode is the default", { snapshot: live }, true],
      ["test mode is not", { snapshot: test_ }, false],
      ["a test gate", { snapshot: test_, livemode: false }, true],
      ["a live snapshot in a test gate", { snapshot: live, livemode: false }, false],
      ["a live token", { snapshot: live, token: liveToken }, true],
      ["a live token, and a test snapshot", { snapshot: test_, token: liveToken }, false],
      ["the token decides", { snapshot: test_, token: liveToken, livemode: false }, false],
      ["a test token", { snapshot: test_, token: testToken }, true],
      ["a test token, and a live snapshot", { snapshot: live, token: testToken }, false],
      ["a test key", { snapshot: test_, token: "sk_test_key", customer: "cus_ada" }, true],
      ["a live key", { snapshot: test_, token: "sk_live_key", customer: "cus_ada" }, false],
      ["no mode", { snapshot: createSnapshot({ livemode: undefined }) }, false],
      ["a mode that is no boolean", { snapshot: createSnapshot({ livemode: 0 }), livemode: false }, false],
      ["another customer", { snapshot: live, token: createFakeToken({ sub: "cus_bob" }) }, false],
      ["an extension", { snapshot: live.replace(/^[^.]*/, () => header({ crit: ["b64"] })) }, false],
    ])) {
      assert.equal(open(options).has("sms"), expected, why);
    }
    const rejected = open({ snapshot: test_ });
    assert.deepEqual([rejected.state, rejected.error?.code], ["error", "unreadable"]);
  });
  const header = (more) =>
    Buffer.from(JSON.stringify({ alg: "EdDSA", typ: "entitlements+jwt", kid: "fake", ...more })).toString("base64url");

  test("accepts a snapshot of test mode once its token function returned a test token, and then drops one of live mode", async () => {
    edge.isDown = true;
    for (const [snapshot, before, after] of /** @type {const} */ ([
      [test_, false, true],
      [live, true, false],
    ])) {
      const { token, resolve } = delayed();
      const gate = open({ snapshot, token });
      assert.equal(gate.has("sms"), before);
      resolve(createFakeToken({ livemode: false }));
      await eventually(() => assert.equal(gate.has("sms"), after));
    }
  });

  test("uses a stored set of its mode only", async () => {
    edge.isDown = true;
    const keys = [publicKey];
    const openStored = (snapshot, options) => {
      const storage = new MemoryStorage([[`entgate:${edge.url}:cus_ada`, snapshot]]);
      return open({ storage, keys, customer: "cus_ada", ...options });
    };
    const never = () => new Promise(() => {});
    for (const [why, snapshot, options, expected] of /** @type {[string, string, object, boolean][]} */ ([
      ["a token function", live, { token: never }, true],
      ["a token function, and a test set", test_, { token: never }, false],
      ["a test gate", test_, { token: never, livemode: false }, true],
      ["a live token", test_, { token: createFakeToken() }, false],
      ["a test token", test_, { token: createFakeToken({ livemode: false }) }, true],
    ]))
      assert.equal(openStored(snapshot, options).has("sms"), expected, why);
    const { token, resolve } = delayed();
    const gate = openStored(test_, { token });
    assert.equal(gate.has("sms"), false);
    resolve(createFakeToken({ livemode: false }));
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("never trusts keys from the storage", () => {
    edge.isDown = true;
    const entries = [
      [`entgate:${edge.url}:cus_ada`, live],
      ["keys", JSON.stringify([publicKey])],
    ];
    const gate = open({ storage: new MemoryStorage(/** @type {any} */ (entries)), customer: "cus_ada", token: createFakeToken() });
    assert.equal(gate.has("sms"), false);
  });

  test("rejects a response of the other mode than its token", async () => {
    edge.claims = () => ({ livemode: false });
    const gate = open({ token: createFakeToken() });
    await eventually(() => assert.equal(gate.state, "error"));
    assert.deepEqual([gate.error?.code, gate.has("sms")], ["unreadable", false]);
    // A token of another issuer has no mode: the edge knows it.
    const other = open({ token: createFakeToken({ aud: "shop" }) });
    await eventually(() => assert.equal(other.has("sms"), true));
  });

  test("reports once what its token function returned instead of a JWT, and sends nothing", async () => {
    const page = `<!doctype html><title>Log in</title>${"x".repeat(500)}`;
    for (const [value, text] of [
      [page, "<!doctype html><title>Log in</title>xxxx"],
      ['{"token":"eyJ"}', '{"token":"eyJ"}'],
      ["", ""],
      [undefined, "undefined"],
      [null, "null"],
      [{ token: "eyJ" }, "[object Object]"],
      ["a.b.c", "a.b.c"],
    ]) {
      edge.requests.length = 0;
      let calls = 0;
      const token = /** @type {any} */ (
        () => {
          calls += 1;
          return value;
        }
      );
      const gate = open({ token, live: true });
      await eventually(() => assert.equal(gate.state, "error"));
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.deepEqual([gate.error?.code, gate.error?.message], ["token_failed", `\`token\` is not a JWT: ${text}`]);
      assert.deepEqual([calls, edge.requests], [1, []], String(text));
    }
  });

  test("recovers after its token function returned no JWT", async () => {
    let value = "<html>";
    const gate = open({ token: () => value });
    await eventually(() => assert.equal(gate.state, "error"));
    value = createFakeToken();
    await gate.refresh();
    assert.deepEqual([gate.state, gate.has("sms"), gate.error], ["ready", true, undefined]);
  });
});
