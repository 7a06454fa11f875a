// `/v1/stream` and `/ofrep/v1/stream`: changes that real clients of server-sent events and WebSockets receive.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SignJWT } from "jose";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, countStreams, SseClient, versionMessage, WebSocketClient } from "./stream-clients.mjs";
import { eventually, LIVE_KEY, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

let service;
before(async () => {
  service = await serve();
});
after(() => service.stop());

const CREATED = unixNow() - 10_000;
/** The date of the last event of each customer. */
const created = new Map();

/** Sends an event for each set of a customer, one after the other. Each event is a second newer than the previous one. */
async function sendSets(customer, ...sets) {
  for (const keys of sets) {
    created.set(customer, (created.get(customer) ?? CREATED) + 1);
    const { status, json } = await service.send(summary(customer, keys, { created: created.get(customer) }));
    assert.deepEqual([status, json.outcome], [200, "applied"]);
  }
}

test("a stream starts with the current version and continues with the added and removed features of each change", async () => {
  await sendSets("cus_first", ["sms"]);
  const client = await SseClient.open(service, "cus_first");
  assert.deepEqual(await client.receive(1), [versionMessage("cus_first", 1)]);
  await sendSets("cus_first", ["sso", "sms"], ["sso", "api"], []);
  assert.deepEqual(await client.receive(4), [
    versionMessage("cus_first", 1),
    changeMessage("cus_first", 2, ["sso"]),
    changeMessage("cus_first", 3, ["api"], ["sms"]),
    changeMessage("cus_first", 4, [], ["api", "sso"]),
  ]);
  assert.deepEqual(
    client.events.map(({ event, id }) => [event, id]),
    [
      ["version", "1"],
      ["change", "2"],
      ["change", "3"],
      ["change", "4"],
    ],
  );
  assert.equal(client.retry, 2000);
  assert.equal(await client.close(), "closed");
});

test("the headers of a stream have its content type and forbid caching and buffering", async () => {
  const client = await SseClient.open(service, "cus_head");
  const headers = ["content-type", "cache-control", "x-accel-buffering"].map((name) => client.response.headers.get(name));
  assert.deepEqual(headers, ["text/event-stream", "no-store", "no"]);
  assert.match(client.response.headers.get("request-id") ?? "", /^req_[0-9a-f]{16}$/);
  await client.close();
  const { status, headers: head, text } = await service.request("/v1/stream?customer=cus_head", { method: "HEAD" });
  assert.deepEqual([status, head.get("content-type"), text], [200, "text/event-stream", ""]);
});

test("an event that does not change the set sends no message", async () => {
  await sendSets("cus_same", ["sms"]);
  const client = await SseClient.open(service, "cus_same");
  await client.receive(1);
  const again = await service.send(summary("cus_same", ["sms"], { created: created.get("cus_same") + 10 }));
  assert.equal(again.json.outcome, "unchanged");
  created.set("cus_same", created.get("cus_same") + 10);
  await sendSets("cus_same", ["sso"]);
  assert.deepEqual(await client.receive(2), [versionMessage("cus_same", 1), changeMessage("cus_same", 2, ["sso"], ["sms"])]);
  await client.close();
});

test("an unknown customer has version 0, and the first set is sent as a change", async () => {
  const client = await SseClient.open(service, "cus_unknown");
  assert.deepEqual(await client.receive(1), [versionMessage("cus_unknown", 0)]);
  await sendSets("cus_unknown", ["sms"]);
  assert.deepEqual(await client.receive(2), [versionMessage("cus_unknown", 0), changeMessage("cus_unknown", 1, ["sms"])]);
  await client.close();
});

test("a client that resumes receives the missed changes only, and then the version", async () => {
  await sendSets("cus_resume", ["a"], ["b"], ["c"], ["d"]);
  for (const [why, options] of /** @type {[string, Parameters<typeof SseClient.open>[2]][]} */ ([
    ["by the header, as a browser", { lastEventId: "2" }],
    ["by the parameter, as a program", { last_event_id: 2 }],
    ["by both, where the header is newer", { lastEventId: "2", last_event_id: 1 }],
  ])) {
    const client = await SseClient.open(service, "cus_resume", options);
    const expected = [
      changeMessage("cus_resume", 3, ["c"], ["b"]),
      changeMessage("cus_resume", 4, ["d"], ["c"]),
      versionMessage("cus_resume", 4),
    ];
    assert.deepEqual(await client.receive(3), expected, why);
    await client.close();
  }
  for (const lastEventId of ["4", "9", "x"]) {
    const client = await SseClient.open(service, "cus_resume", { lastEventId });
    await sendSets("cus_resume", [`after-${lastEventId}`]);
    const [first, second] = await client.receive(2);
    assert.deepEqual([first.object, second.object, second.version], ["entitlement_version", "entitlement_change", first.version + 1]);
    await client.close();
  }
});

test("a client that missed more than the last 100 changes receives the version only", async () => {
  await sendSets("cus_long", ...Array.from({ length: 101 }, (_, number) => [`f${number}`]));
  const all = await SseClient.open(service, "cus_long", { lastEventId: "1" });
  const messages = await all.receive(101);
  assert.deepEqual(
    messages.slice(0, 100),
    Array.from({ length: 100 }, (_, n) => changeMessage("cus_long", n + 2, [`f${n + 1}`], [`f${n}`])),
  );
  assert.deepEqual(messages[100], versionMessage("cus_long", 101));
  const tooLate = await SseClient.open(service, "cus_long", { lastEventId: "0" });
  assert.deepEqual(await tooLate.receive(1), [versionMessage("cus_long", 101)]);
  await sendSets("cus_long", []);
  assert.deepEqual((await tooLate.receive(2))[1], changeMessage("cus_long", 102, [], ["f100"]));
  await Promise.all([all.close(), tooLate.close()]);
});

test("a change that is too large for a message is sent as its version", async () => {
  const client = await SseClient.open(service, "cus_large");
  await client.receive(1);
  // 262,144 bytes of keys, the maximum; the last set has one byte more.
  const largest = Array.from({ length: 64 }, (_, number) => `${number}`.padStart(4_096, "x"));
  for (const [number, keys] of [largest, [], [...largest, "y"]].entries()) {
    const event = summary(
      "cus_large",
      keys.map((_, index) => `f${index}`),
      { created: CREATED + number },
    );
    for (const [index, item] of event.data.object.entitlements.data.entries()) item.lookup_key = keys[index];
    assert.equal((await service.send(event)).json.outcome, "applied");
  }
  const [, atLimit, , pastLimit] = await client.receive(4);
  assert.deepEqual([atLimit.object, atLimit.added.length], ["entitlement_change", 64]);
  assert.deepEqual(pastLimit, versionMessage("cus_large", 3));
  assert.deepEqual(client.events[3].id, "3");
  await client.close();
});

test("a message never reaches a stream of another customer or of the other mode", async () => {
  const own = await SseClient.open(service, "cus_own");
  const others = await Promise.all([
    SseClient.open(service, "cus_own", { key: LIVE_KEY }),
    SseClient.open(service, "cus_own2"),
    SseClient.open(service, "cus_ow"),
    SseClient.open(service, "CUS_OWN"),
  ]);
  await sendSets("cus_own", ["sms"], ["sso"]);
  await own.receive(3);
  // Their own messages arrive later, and they receive nothing else.
  await service.send(summary("cus_own", ["live"], { livemode: true }));
  for (const customer of ["cus_own2", "cus_ow", "CUS_OWN"]) await sendSets(customer, ["other"]);
  const live = await others[0].receive(2);
  assert.deepEqual(live, [versionMessage("cus_own", 0, true), changeMessage("cus_own", 1, ["live"], [], true)]);
  for (const [index, customer] of ["cus_own2", "cus_ow", "CUS_OWN"].entries()) {
    const client = others[index + 1];
    await client.receive(2);
    assert.deepEqual(
      client.events.map(({ data }) => data),
      [versionMessage(customer, 0), changeMessage(customer, 1, ["other"])],
    );
  }
  assert.equal(own.events.length, 3);
  await Promise.all([own, ...others].map((client) => client.close()));
});

test("forty streams of one customer receive the same changes, whenever they were opened", async () => {
  const early = await Promise.all(Array.from({ length: 20 }, () => SseClient.open(service, "cus_many")));
  await Promise.all(early.map((client) => client.receive(1)));
  await sendSets("cus_many", ["a"]);
  const late = await Promise.all(Array.from({ length: 20 }, () => SseClient.open(service, "cus_many", { lastEventId: "0" })));
  await Promise.all(late.map((client) => client.receive(2)));
  assert.equal(await countStreams(service, "cus_many"), 40);
  await sendSets("cus_many", ["b"]);
  const changes = [changeMessage("cus_many", 1, ["a"]), changeMessage("cus_many", 2, ["b"], ["a"])];
  for (const client of early) assert.deepEqual(await client.receive(3), [versionMessage("cus_many", 0), ...changes]);
  for (const client of late) assert.deepEqual(await client.receive(3), [changes[0], versionMessage("cus_many", 1), changes[1]]);
  await Promise.all([...early, ...late].map((client) => client.close()));
});

test("a WebSocket and server-sent events have the same data", async () => {
  await sendSets("cus_both", ["a"], ["b"]);
  const [events, socket] = [
    await SseClient.open(service, "cus_both", { last_event_id: 1 }),
    await WebSocketClient.open(service, "cus_both", { last_event_id: 1 }),
  ];
  await sendSets("cus_both", ["c"]);
  const messages = await events.receive(3);
  assert.deepEqual(messages, [
    changeMessage("cus_both", 2, ["b"], ["a"]),
    versionMessage("cus_both", 2),
    changeMessage("cus_both", 3, ["c"], ["b"]),
  ]);
  assert.deepEqual(await socket.receive(3), messages);
  assert.match(`${socket.headers["request-id"]}`, /^req_[0-9a-f]{16}$/);
  await events.close();
  assert.deepEqual(await socket.close(), [1000, ""]);
});

test("a ping returns a pong, and any other message of a client is ignored up to 4 KiB", async () => {
  const socket = await WebSocketClient.open(service, "cus_ping");
  await socket.receive(1);
  for (const message of ["PING", "x".repeat(4_096), Buffer.alloc(4_096), '{"object":"heartbeat"}', "é".repeat(2_048)]) socket.send(message);
  socket.send("ping");
  assert.deepEqual(await socket.receive(2), [versionMessage("cus_ping", 0), "pong"]);
  await sendSets("cus_ping", ["sms"]);
  assert.deepEqual((await socket.receive(3))[2], changeMessage("cus_ping", 1, ["sms"]));
  socket.send("x".repeat(4_097));
  assert.equal((await socket.waitForEnd())[0], 1009);
  for (const message of [Buffer.alloc(4_097), `${"é".repeat(2_048)}x`]) {
    const other = await WebSocketClient.open(service, "cus_ping");
    other.send(message);
    assert.equal((await other.waitForEnd())[0], 1009);
  }
  await eventually(async () => assert.equal(await countStreams(service, "cus_ping"), 0));
});

test("the ledger removes a stream whose client disconnects", async () => {
  const stays = await SseClient.open(service, "cus_gone");
  const [events, socket] = [await SseClient.open(service, "cus_gone"), await WebSocketClient.open(service, "cus_gone")];
  const terminated = await WebSocketClient.open(service, "cus_gone");
  await Promise.all([stays, events, socket, terminated].map((client) => client.receive(1)));
  assert.equal(await countStreams(service, "cus_gone"), 4);
  await socket.close();
  await eventually(async () => assert.equal(await countStreams(service, "cus_gone"), 3));
  await events.close();
  terminated.socket.terminate();
  // The runtime notices that a client is gone when it sends the next message, at the latest a heartbeat. It then aborts the
  // request of server-sent events; a WebSocket closes.
  await sendSets("cus_gone", ["f1"]);
  await eventually(async () => assert.ok((await countStreams(service, "cus_gone")) <= 2));
  let number = 1;
  await eventually(async () => {
    number += 1;
    await sendSets("cus_gone", [`f${number}`]);
    assert.equal(await countStreams(service, "cus_gone"), 1);
  });
  assert.equal((await stays.receive(1 + number)).at(-1).version, number);
  await stays.close();
});

test("an OpenFeature client receives a message to evaluate its flags again", async () => {
  await sendSets("cus_flags", ["a"], ["b"]);
  const refetch = (etag) => ({ event: "message", id: etag, data: { type: "refetchEvaluation", etag } });
  const [fresh, missed, missedNothing] = await Promise.all(
    [undefined, "1", "2"].map((lastEventId) => SseClient.open(service, "cus_flags", { ofrep: true, lastEventId })),
  );
  await Promise.all([
    fresh.receive(1),
    missed.receive(1),
    eventually(async () => assert.equal(await countStreams(service, "cus_flags"), 3)),
  ]);
  await sendSets("cus_flags", ["c"]);
  await Promise.all([fresh.receive(2), missed.receive(2), missedNothing.receive(1)]);
  assert.deepEqual(fresh.events, [refetch("2"), refetch("3")]);
  assert.deepEqual(missed.events, [refetch("2"), refetch("3")]);
  assert.deepEqual(missedNothing.events, [refetch("3")]);
  await Promise.all([fresh, missed, missedNothing].map((client) => client.close()));
});

test("an unauthorized client gets an error and leaves no stream open", async () => {
  assert.equal((await service.request("/v1/stream?customer=cus_no", { key: "" })).status, 401);
  await assert.rejects(WebSocketClient.open(service, "cus_no", { key: "sk_test_wrong" }), /401/);
  await assert.rejects(WebSocketClient.open(service, ""), /400/);
  assert.equal(await countStreams(service, "cus_no"), 0);
});

test("a change that was found by reading the source is sent too", { timeout: 60_000 }, async (t) => {
  const stripe = await fakeStripe();
  const ownService = await serve({ settings: stripe.settings });
  t.after(() => Promise.all([ownService.stop(), stripe.stop()]));
  const client = await SseClient.open(ownService, "cus_ada");
  assert.deepEqual(await client.receive(1), [versionMessage("cus_ada", 0)]);
  assert.equal(stripe.listCalls("cus_ada").length, 0, "opening a stream does not read the source");
  stripe.setEntitlements("cus_ada", ["sms", "sso"]);
  assert.equal((await ownService.sync("cus_ada")).status, 200);
  assert.deepEqual((await client.receive(2))[1], changeMessage("cus_ada", 1, ["sms", "sso"]));
  // The truncated page is newer than the last read: its features are sent at once, the rest after the next read.
  stripe.setEntitlements("cus_ada", ["api", "sms"]);
  await ownService.send(summary("cus_ada", ["api"], { created: unixNow() + 2, hasMore: true }));
  await eventually(() => assert.deepEqual(client.events.at(-1)?.data.removed, ["sso"]));
  const messages = client.events.slice(2).map(({ data }) => data);
  assert.deepEqual(messages, [changeMessage("cus_ada", 2, ["api"]), changeMessage("cus_ada", 3, [], ["sso"])]);
  await client.close();
});

test("an idle stream receives heartbeats, and a change after the ledger hibernated", { timeout: 120_000 }, async (t) => {
  const stripe = await fakeStripe();
  const ownService = await serve({ settings: stripe.settings });
  t.after(() => Promise.all([ownService.stop(), stripe.stop()]));
  const [events, socket, refetches] = await Promise.all([
    SseClient.open(ownService, "cus_idle"),
    WebSocketClient.open(ownService, "cus_idle"),
    SseClient.open(ownService, "cus_idle", { ofrep: true }),
  ]);
  await Promise.all([events, socket, refetches].map((client) => client.receive(1)));
  // The ledger keeps in memory only that the customer is unknown at Stripe.
  const checkAndCountCalls = async () => {
    assert.equal((await ownService.check("cus_idle", "sms")).json.reason, "unknown_customer");
    return stripe.listCalls("cus_idle").length;
  };
  const first = await checkAndCountCalls();
  assert.equal(await checkAndCountCalls(), first, "the result in memory is used");

  await eventually(() => assert.deepEqual([events.heartbeats, socket.messages.length, refetches.heartbeats], [1, 2, 1]), 40_000);
  assert.deepEqual(JSON.parse(socket.messages[1]), { object: "heartbeat" });
  assert.ok((await checkAndCountCalls()) > first, "the memory was lost by hibernation");
  assert.deepEqual([events.events.length, refetches.events.length], [1, 1], "no event was sent meanwhile");

  stripe.setEntitlements("cus_idle", ["sms"]);
  await ownService.send(summary("cus_idle", ["sms"]));
  assert.deepEqual((await events.receive(2))[1], changeMessage("cus_idle", 1, ["sms"]));
  assert.deepEqual((await socket.receive(3))[2], changeMessage("cus_idle", 1, ["sms"]));
  assert.deepEqual((await refetches.receive(2))[1], { type: "refetchEvaluation", etag: "1" });
  await Promise.all([events, socket, refetches].map((client) => client.close()));
});

test("a client that reconnects after SIGKILL receives every missed change", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const at = unixNow() - 100;
    let running = await startWorkerProcess(folder);
    const client = await SseClient.open(running.service, "cus_ada");
    await running.service.send(summary("cus_ada", ["a"], { created: at }));
    await client.receive(2);
    await running.service.send(summary("cus_ada", ["b"], { created: at + 1 }));
    await killWorkerProcess(running);
    assert.notEqual(await client.waitForEnd(), "closed", "the stream was not closed by the client");

    running = await startWorkerProcess(folder);
    try {
      await running.service.send(summary("cus_ada", ["c"], { created: at + 2 }));
      const reconnected = await SseClient.open(running.service, "cus_ada", { lastEventId: "1" });
      const missed = [changeMessage("cus_ada", 2, ["b"], ["a"]), changeMessage("cus_ada", 3, ["c"], ["b"])];
      assert.deepEqual(await reconnected.receive(3), [...missed, versionMessage("cus_ada", 3)]);
    } finally {
      await killWorkerProcess(running);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a stream ends when its token expires", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const deployment = await serve({ settings: { ENTGATE_TOKEN_SECRETS: secret } });
  try {
    const now = unixNow();
    const claims = { sub: "cus_brief", aud: "entgate", iat: now, exp: now + 3, jti: "brief", livemode: false };
    const key = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));
    const [client, socket] = [
      await SseClient.open(deployment, "cus_brief", { key }),
      await WebSocketClient.open(deployment, "cus_brief", { key }),
    ];
    const end = { object: "stream_end", reason: "token_expired" };
    assert.deepEqual(await client.receive(2), [versionMessage("cus_brief", 0), end]);
    assert.equal(client.events.at(-1)?.event, "expired");
    assert.equal(await client.waitForEnd(), "end");
    assert.deepEqual(await socket.receive(2), [versionMessage("cus_brief", 0), end]);
    assert.deepEqual(await socket.waitForEnd(), [4401, "token_expired"]);
    await assert.rejects(SseClient.open(deployment, "cus_brief", { key }), /^Error: 401 .*token_expired/);
  } finally {
    await deployment.stop();
  }
});
