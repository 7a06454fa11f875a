// Live changes: the gate listens to the built Worker, and to a stream that a test speaks itself.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { eventually, KEY, summary } from "../worker/support.mjs";
import { between, edge, Shelf, Streams, token } from "./support.mjs";

describe("live changes", { timeout: 120_000 }, () => {
  let service;
  let proxy;
  const gates = [];
  before(async () => (service = await edge()));
  after(() => service.stop());
  afterEach(async () => {
    gates.splice(0).forEach((gate) => gate.close());
    await proxy?.stop();
    proxy = undefined;
  });

  async function open({ customer = "cus_ada", ...options } = {}) {
    proxy ??= await between(service);
    const gate = createGate({ endpoint: proxy.url, token: await token(service, customer), storage: null, ...options });
    gates.push(gate);
    return gate;
  }
  const becomes = (gate, state) => eventually(() => assert.equal(gate.state, state, gate.error?.message));
  const opened = (count = 1) => eventually(() => assert.equal(proxy.to("/v1/stream").length, count));
  /** A gate whose stream the test speaks. */
  async function spoken(version, options) {
    proxy = await between(service);
    const streams = new Streams();
    streams.version = version;
    proxy.answer("/v1/stream", streams.answer);
    const gate = await open(options);
    await becomes(gate, "ready");
    await eventually(() => assert.equal(streams.open.length, 1));
    return { gate, streams };
  }

  test("a signed event opens the gate, without another read, and closes it", async () => {
    const gate = await open({ customer: "cus_live" });
    await becomes(gate, "ready");
    await opened();
    const waiting = gate.waitFor("sms", { timeout: 10_000 });
    await service.send(summary("cus_live", ["sms"]));
    assert.equal(await waiting, true);
    assert.deepEqual(
      [gate.version, gate.state, gate.check("sms").reason, gate.check("sso").reason],
      [1, "ready", "active_entitlement", "not_entitled"],
    );
    await service.send(summary("cus_live", ["sso"]));
    await eventually(() => assert.deepEqual([gate.list(), gate.version], [["sso"], 2]));
    assert.equal(proxy.to("/v1/snapshot").length, 1, "changes were enough");
    const [stream] = proxy.to("/v1/stream");
    assert.deepEqual(
      [stream.params, stream.headers["last-event-id"], stream.headers.authorization.startsWith("Bearer eyJ")],
      [{}, "0", true],
    );
  });

  test("a stream that is cut goes on from where it was, and what happened meanwhile is told", async () => {
    const gate = await open({ customer: "cus_cut" });
    await becomes(gate, "ready");
    await opened();
    proxy.answer("/v1/stream", (response) => response.writeHead(503, { "retry-after": "1" }).end(), 1);
    proxy.cut();
    await service.send(summary("cus_cut", ["sms"]));
    await eventually(() => assert.equal(gate.has("sms"), true));
    assert.deepEqual(
      proxy.to("/v1/stream").map(({ headers }) => headers["last-event-id"]),
      ["0", "0", "0"],
    );
    assert.equal(proxy.to("/v1/snapshot").length, 1);
  });

  test("two attempts in vain make it stale, and the first word makes it ready again", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_none" });
    const states = [];
    gate.on("state", (state) => states.push(state));
    proxy.restore();
    proxy.answer("/v1/stream", (response) => response.destroy(), 3);
    proxy.answer("/v1/stream", streams.answer);
    streams.cut();
    await eventually(() => assert.deepEqual(states, ["stale", "ready"]));
  });

  test("a version that it did not arrive at by changes is read anew, as new as that", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_missed" });
    await service.send(summary("cus_missed", ["sms"]));
    await service.send(summary("cus_missed", ["sms", "sso"]));
    // The change to 2 comes, the one to 1 never did.
    streams.change(2, ["sso"]);
    await eventually(() => assert.deepEqual([gate.version, gate.list()], [2, ["sso", "sms"]]));
    assert.equal(proxy.to("/v1/snapshot").at(-1).params.at_least, "2");
  });

  test("a change that came before says nothing new, and one of the past takes nothing back", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_old" });
    streams.change(1, ["sms"]);
    await eventually(() => assert.equal(gate.has("sms"), true));
    streams.change(1, [], ["sms"]);
    streams.change(0, [], ["sms"]);
    streams.say("version", { version: 0 }, 0);
    streams.change(2, ["sso"]);
    await eventually(() => assert.equal(gate.has("sso"), true));
    assert.deepEqual([gate.has("sms"), gate.version, proxy.to("/v1/snapshot").length], [true, 2, 1]);
  });

  test("what is heard of while the set is read is read too", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_while" });
    const old = await service.request("/v1/snapshot?customer=cus_while&expires_in=3600");
    await service.send(summary("cus_while", ["sms"]));
    let release;
    proxy.answer(
      "/v1/snapshot",
      (response) => (release = () => response.writeHead(200, { "content-type": "application/json" }).end(old.text)),
      1,
    );
    const reading = gate.refresh();
    await eventually(() => assert.ok(release));
    streams.say("version", { version: 1 }, 1);
    // The stream is read in order: what follows has been heard with it.
    streams.say("change", { version: 0, added: [], removed: [] }, 0);
    await eventually(() => assert.equal(streams.open.length, 1));
    release();
    await reading;
    await eventually(() => assert.deepEqual([gate.version, gate.has("sms")], [1, true]));
  });

  test("what is told of another customer is not this one's", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_own" });
    streams.say("change", { customer: "cus_other", version: 1, added: ["sso"], removed: [] }, 1);
    streams.say("change", { customer: "cus_own", version: 1, added: ["sms"], removed: [] }, 1);
    await eventually(() => assert.deepEqual(gate.list(), ["sms"]));
  });

  test("what no one understands is passed over", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_odd" });
    for (const { response } of streams.open)
      response.write(
        ': heartbeat\n\nevent: news\ndata: {}\n\ndata\n\nid: 9\n\nevent: change\r\ndata: {"version":1,\r\ndata: "added":["sms"],"removed":[]}\r\n\r\n',
      );
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("a change in pieces, cut within a character, is one change", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_pieces" });
    const bytes = Buffer.from(`id: 1\nevent: change\ndata: {"version":1,"added":["größe😀"],"removed":[]}\n\n`);
    for (const byte of bytes) {
      streams.open[0].response.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    await eventually(() => assert.deepEqual(gate.list(), ["größe😀"]));
  });

  test("the end of a token is the beginning of the next one", async () => {
    const given = [];
    const { gate, streams } = await spoken(() => 0, {
      customer: "cus_ends",
      token: async () => {
        given.push(await token(service, "cus_ends", 20));
        return given.at(-1);
      },
    });
    const { now } = Date;
    try {
      Date.now = () => now() + 15_000;
      streams.say("expired", { object: "stream_end", reason: "token_expired" }, 0);
      for (const { response } of [...streams.open]) response.end();
      await opened(2);
    } finally {
      Date.now = now;
    }
    assert.equal(given.length, 2);
    assert.equal(streams.all[1].request.headers.authorization, `Bearer ${given[1]}`);
    await becomes(gate, "ready");
  });

  test("where there is no stream it is not asked for again", async () => {
    proxy = await between(service);
    proxy.answer("/v1/stream", (response) => response.writeHead(404).end());
    const gate = await open();
    await becomes(gate, "ready");
    await opened(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.deepEqual([proxy.to("/v1/stream").length, gate.state], [1, "ready"]);
  });

  test("what is stored follows what is held", async () => {
    const storage = new Shelf();
    const { gate, streams } = await spoken(() => 0, { customer: "cus_kept", storage });
    await service.send(summary("cus_kept", ["sms"]));
    streams.change(1, ["sms"]);
    await eventually(() => {
      const [, claims] = storage.getItem(`entgate:${proxy.url}:cus_kept`).split(".");
      assert.deepEqual(JSON.parse(Buffer.from(claims, "base64url")).entitlements, ["sms"]);
    });
    assert.equal(gate.version, 1);
  });

  test("a gate that is closed listens to nothing and asks nothing", async () => {
    const { gate, streams } = await spoken(() => 0, { customer: "cus_closed" });
    gate.close();
    await eventually(() => assert.equal(streams.open.length, 0));
    const asked = proxy.requests.length;
    await gate.refresh();
    assert.equal(proxy.requests.length, asked);
  });

  test("a server key listens to the customer that it names", async () => {
    proxy = await between(service);
    const gate = createGate({ endpoint: `${proxy.url}/`, token: KEY, customer: "cus_named", storage: null });
    gates.push(gate);
    await becomes(gate, "ready");
    await opened();
    await service.send(summary("cus_named", ["sms"]));
    await eventually(() => assert.equal(gate.has("sms"), true));
    assert.deepEqual(proxy.to("/v1/stream")[0].params, { customer: "cus_named" });
  });
});
