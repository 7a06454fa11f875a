// Live changes: the gate receives the stream of the built Worker, and one that a test writes.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually, KEY, summary } from "../worker/support.mjs";
import { FakeStream } from "./fake-stream.mjs";
import { flakyProxy } from "./flaky-proxy.mjs";
import { createToken, decodeClaims, MemoryStorage, serveEdge, withClockAhead } from "./support.mjs";

/**
 * @typedef {import("entgate").Gate} Gate
 * @typedef {Partial<import("entgate").Options>} Options
 */

describe("live changes", { timeout: 120_000 }, () => {
  let service;
  let proxy;
  /** @type {Gate[]} */
  const gates = [];
  before(async () => {
    service = await serveEdge();
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
    const gate = createGate({ endpoint: proxy.url, token: await createToken(service, customer), storage: null, ...options });
    gates.push(gate);
    return gate;
  }
  const waitForState = (gate, state) => eventually(() => assert.equal(gate.state, state, gate.error?.message));
  const waitForStreams = (count = 1) => eventually(() => assert.equal(proxy.requestsTo("/v1/stream").length, count));
  /**
   * Opens a gate whose stream the test writes.
   *
   * @param {Options} options
   */
  async function openWithFakeStream(options) {
    proxy = await flakyProxy(service);
    const stream = new FakeStream();
    stream.version = () => 0;
    proxy.respond("/v1/stream", stream.handle);
    const gate = await openGate(options);
    await waitForState(gate, "ready");
    await eventually(() => assert.equal(stream.open.length, 1));
    return { gate, stream };
  }

  test("a webhook grants and revokes features without another read", async () => {
    const gate = await openGate({ customer: "cus_live" });
    await waitForState(gate, "ready");
    await waitForStreams();
    const waiting = gate.waitFor("sms", { timeout: 10_000 });
    await service.send(summary("cus_live", ["sms"]));
    assert.equal(await waiting, true);
    assert.deepEqual(
      [gate.version, gate.state, gate.check("sms").reason, gate.check("sso").reason],
      [1, "ready", "active_entitlement", "not_entitled"],
    );
    await service.send(summary("cus_live", ["sso"]));
    await eventually(() => assert.deepEqual([gate.list(), gate.version], [["sso"], 2]));
    assert.equal(proxy.requestsTo("/v1/snapshot").length, 1, "the changes are enough");
    const [stream] = proxy.requestsTo("/v1/stream");
    assert.deepEqual(
      [stream.params, stream.headers["last-event-id"], stream.headers.authorization.startsWith("Bearer eyJ")],
      [{}, "0", true],
    );
  });

  test("a stream reconnects after a disconnect, and receives the changes that it missed", async () => {
    const gate = await openGate({ customer: "cus_cut" });
    await waitForState(gate, "ready");
    await waitForStreams();
    proxy.respond("/v1/stream", (response) => response.writeHead(503, { "retry-after": "1" }).end(), 1);
    proxy.disconnect();
    await service.send(summary("cus_cut", ["sms"]));
    await eventually(() => assert.equal(gate.has("sms"), true));
    assert.deepEqual(
      proxy.requestsTo("/v1/stream").map(({ headers }) => headers["last-event-id"]),
      ["0", "0", "0"],
    );
    assert.equal(proxy.requestsTo("/v1/snapshot").length, 1);
  });

  test("two failed attempts make the gate stale, and the next event makes it ready", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_none" });
    const states = [];
    gate.on("state", (state) => states.push(state));
    proxy.forwardAll();
    proxy.respond("/v1/stream", (response) => response.destroy(), 3);
    proxy.respond("/v1/stream", stream.handle);
    stream.disconnect();
    await eventually(() => assert.deepEqual(states, ["stale", "ready"]));
  });

  test("a gap in the versions causes a read of the announced version", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_missed" });
    await service.send(summary("cus_missed", ["sms"]));
    await service.send(summary("cus_missed", ["sms", "sso"]));
    // The change to version 1 is missing.
    stream.sendChange(2, ["sso"]);
    await eventually(() => assert.deepEqual([gate.version, gate.list()], [2, ["sso", "sms"]]));
    assert.equal(proxy.requestsTo("/v1/snapshot").at(-1).params.at_least, "2");
  });

  test("a repeated or older change is ignored", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_old" });
    stream.sendChange(1, ["sms"]);
    await eventually(() => assert.equal(gate.has("sms"), true));
    stream.sendChange(1, [], ["sms"]);
    stream.sendChange(0, [], ["sms"]);
    stream.send("version", { version: 0 }, 0);
    stream.sendChange(2, ["sso"]);
    await eventually(() => assert.equal(gate.has("sso"), true));
    assert.deepEqual([gate.has("sms"), gate.version, proxy.requestsTo("/v1/snapshot").length], [true, 2, 1]);
  });

  test("a version that is announced during a read is read after it", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_while" });
    const old = await service.request("/v1/snapshot?customer=cus_while&expires_in=3600");
    await service.send(summary("cus_while", ["sms"]));
    /** @type {(() => void) | undefined} */
    let release;
    proxy.respond(
      "/v1/snapshot",
      (response) => {
        release = () => response.writeHead(200, { "content-type": "application/json" }).end(old.text);
      },
      1,
    );
    const reading = gate.refresh();
    await eventually(() => assert.ok(release));
    stream.send("version", { version: 1 }, 1);
    // The stream is read in order, so this event follows the announcement.
    stream.send("change", { version: 0, added: [], removed: [] }, 0);
    await eventually(() => assert.equal(stream.open.length, 1));
    release?.();
    await reading;
    await eventually(() => assert.deepEqual([gate.version, gate.has("sms")], [1, true]));
  });

  test("a change of another customer is ignored", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_own" });
    stream.send("change", { customer: "cus_other", version: 1, added: ["sso"], removed: [] }, 1);
    stream.send("change", { customer: "cus_own", version: 1, added: ["sms"], removed: [] }, 1);
    await eventually(() => assert.deepEqual(gate.list(), ["sms"]));
  });

  test("comments, unknown events and events without data are ignored", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_odd" });
    for (const { response } of stream.open)
      response.write(
        ': heartbeat\n\nevent: news\ndata: {}\n\ndata\n\nid: 9\n\nevent: change\r\ndata: {"version":1,\r\ndata: "added":["sms"],"removed":[]}\r\n\r\n',
      );
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("a change is read although each byte arrives alone", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_pieces" });
    const bytes = Buffer.from(`id: 1\nevent: change\ndata: {"version":1,"added":["größe😀"],"removed":[]}\n\n`);
    for (const byte of bytes) {
      stream.open[0].response.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    await eventually(() => assert.deepEqual(gate.list(), ["größe😀"]));
  });

  test("a stream whose token expired reconnects with another token", async () => {
    const tokens = [];
    const { gate, stream } = await openWithFakeStream({
      customer: "cus_ends",
      token: async () => {
        const token = await createToken(service, "cus_ends", 20);
        tokens.push(token);
        return token;
      },
    });
    await withClockAhead(15_000, async () => {
      stream.send("expired", { object: "stream_end", reason: "token_expired" }, 0);
      for (const { response } of [...stream.open]) response.end();
      await waitForStreams(2);
    });
    assert.equal(tokens.length, 2);
    assert.equal(stream.all[1].request.headers.authorization, `Bearer ${tokens[1]}`);
    await waitForState(gate, "ready");
  });

  test("a gate does not retry a stream that is not found", async () => {
    proxy = await flakyProxy(service);
    proxy.respond("/v1/stream", (response) => response.writeHead(404).end());
    const gate = await openGate();
    await waitForState(gate, "ready");
    await waitForStreams(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual([proxy.requestsTo("/v1/stream").length, gate.state], [1, "ready"]);
  });

  test("the stored set is updated after a change", async () => {
    const storage = new MemoryStorage();
    const { gate, stream } = await openWithFakeStream({ customer: "cus_kept", storage });
    await service.send(summary("cus_kept", ["sms"]));
    stream.sendChange(1, ["sms"]);
    await eventually(() => {
      const snapshot = storage.getItem(`entgate:${proxy.url}:cus_kept`);
      assert.deepEqual(decodeClaims(snapshot).entitlements, ["sms"]);
    });
    assert.equal(gate.version, 1);
  });

  test("a closed gate closes its stream and sends no requests", async () => {
    const { gate, stream } = await openWithFakeStream({ customer: "cus_closed" });
    gate.close();
    await eventually(() => assert.equal(stream.open.length, 0));
    const count = proxy.requests.length;
    await gate.refresh();
    assert.equal(proxy.requests.length, count);
  });

  test("a server key receives the stream of the customer that the gate names", async () => {
    proxy = await flakyProxy(service);
    const gate = createGate({ endpoint: `${proxy.url}/`, token: KEY, customer: "cus_named", storage: null });
    gates.push(gate);
    await waitForState(gate, "ready");
    await waitForStreams();
    await service.send(summary("cus_named", ["sms"]));
    await eventually(() => assert.equal(gate.has("sms"), true));
    assert.deepEqual(proxy.requestsTo("/v1/stream")[0].params, { customer: "cus_named" });
  });
});
