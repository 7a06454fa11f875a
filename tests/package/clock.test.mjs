// The times of a set: how a gate answers while this machine's clock is wrong or is corrected, and which snapshots have no valid times.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually } from "../worker/support.mjs";
import { createFakeToken, createSnapshot, serveFakeEdge, unixNow } from "./fake-edge.mjs";

const { now } = Date;
/** Sets how far this machine's clock is ahead, in seconds. */
const setClock = (seconds) => {
  Date.now = () => now() + seconds * 1_000;
};
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("the clock of a gate", { timeout: 60_000 }, () => {
  let edge;
  /** @type {import("entgate").Gate} */
  let gate;
  beforeEach(async () => {
    edge = await serveFakeEdge();
    // The clock of the edge is right.
    edge.claims = () => {
      const iat = Math.floor(now() / 1_000);
      return { iat, exp: iat + 3_600 };
    };
  });
  afterEach(async () => {
    Date.now = now;
    gate?.close();
    await edge.stop();
  });
  const open = async (options = {}) => {
    gate = createGate({ endpoint: edge.url, token: createFakeToken(), storage: null, live: false, ...options });
    await eventually(() => assert.notEqual(gate.state, "loading"));
    return gate;
  };

  test("is that of the edge, although this machine's is wrong by hours", async () => {
    for (const hours of [-30, -2, 2, 30]) {
      setClock(hours * 3_600);
      await open();
      assert.deepEqual([gate.state, gate.has("sms")], ["ready", true], `${hours} hours`);
      gate.close();
    }
  });

  test("after a step forwards the state fits the answers, and the set is read again at once", async () => {
    setClock(-7_200);
    await open();
    assert.equal(gate.state, "ready");
    setClock(0);
    assert.deepEqual([gate.check("sms").reason, gate.state], ["not_known", "loading"]);
    await eventually(() => assert.deepEqual([gate.has("sms"), gate.state], [true, "ready"]));
    assert.equal(edge.requests.length, 2);
  });

  test("a step forwards is noticed within five seconds without a check", async () => {
    await open();
    const changes = [];
    gate.on("change", ({ state }) => changes.push(state));
    setClock(7_200);
    await eventually(() => assert.equal(changes.at(-1), "ready"), 5_000);
    assert.equal(edge.requests.length, 2);
  });

  test("a step forwards by less than the rest of the lifetime changes nothing", async () => {
    await open();
    setClock(3_590);
    assert.deepEqual([gate.has("sms"), gate.state, edge.requests.length], [true, "ready", 1]);
  });

  test("a step backwards does not extend the lifetime", async () => {
    edge.claims = () => ({ iat: unixNow(), exp: unixNow() + 3 });
    await open();
    edge.isDown = true;
    setClock(-7_200);
    assert.equal(gate.has("sms"), true);
    await eventually(() => assert.deepEqual([gate.has("sms"), gate.state], [false, "error"]));
    edge.isDown = false;
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("an embedded snapshot is valid for its lifetime at most, also if this machine's clock is slow", async () => {
    const snapshot = createSnapshot({ iat: unixNow(), exp: unixNow() + 60 });
    setClock(-7_200);
    gate = createGate({ endpoint: edge.url, snapshot });
    assert.equal(gate.has("sms"), true);
    setClock(-7_200 + 58);
    assert.equal(gate.has("sms"), true);
    setClock(-7_200 + 60);
    assert.equal(gate.has("sms"), false);
  });

  test("a set is read again when an entitlement of it starts or ends", async () => {
    let reads = 0;
    edge.claims = () => {
      const iat = Math.floor(now() / 1_000);
      reads += 1;
      return { iat, exp: iat + 60, ...(reads === 1 ? { changes_at: iat + 2 } : { version: 2, entitlements: ["sso"] }) };
    };
    setClock(7_200);
    await open();
    assert.deepEqual(gate.list(), ["sms"]);
    await eventually(() => assert.deepEqual([gate.list(), gate.version], [["sso"], 2]));
    assert.equal(reads, 2);
  });

  test("a time of the next change that is past or not a number is ignored", async () => {
    for (const changes_at of [null, "never", 0, unixNow() - 10, {}]) {
      edge.requests.length = 0;
      edge.claims = () => ({ changes_at });
      await open();
      await sleep(50);
      assert.deepEqual([gate.state, edge.requests.length], ["ready", 1], JSON.stringify(changes_at));
      gate.close();
    }
  });

  test("a snapshot without a valid issue time and expiry is rejected, wherever it is from", async () => {
    for (const [claims, why] of /** @type {[object, string][]} */ ([
      [{ exp: undefined }, "no expiry"],
      [{ exp: "never" }, "an expiry that is text"],
      [{ exp: "9999999999" }, "an expiry that is a number as text"],
      [{ exp: null }, "an expiry that is null"],
      [{ iat: undefined }, "no issue time"],
      [{ iat: null }, "an issue time that is null"],
      [{ iat: "now" }, "an issue time that is text"],
      [{ exp: unixNow() - 1, iat: unixNow() }, "an expiry before the issue time"],
    ])) {
      edge.claims = () => claims;
      await open();
      assert.deepEqual([gate.state, gate.error?.code, gate.has("sms"), gate.list()], ["error", "unreadable", false, []], why);
      gate.close();
      const embedded = createGate({ endpoint: edge.url, snapshot: createSnapshot(claims) });
      assert.deepEqual([embedded.has("sms"), embedded.list()], [false, []], `${why}, embedded`);
    }
  });
});
