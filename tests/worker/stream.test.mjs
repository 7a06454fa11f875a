// Live changes, told to real clients.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SignJWT } from "jose";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, countStreams, SseClient, versionMessage, WebSocketClient } from "./stream-clients.mjs";
import { eventually, KEY, LIVE_KEY, serve, summary, unixNow } from "./support.mjs";
import { killWorkerProcess, startWorkerProcess } from "./worker-process.mjs";

let service;
before(async () => (service = await serve()));
after(() => service.stop());

/** Sends sets of a customer one after the other, each a second newer than the one before. */
const CREATED = unixNow() - 10_000;
const created = new Map();
async function holds(customer, ...sets) {
  for (const keys of sets) {
    created.set(customer, (created.get(customer) ?? CREATED) + 1);
    const { status, json } = await service.send(summary(customer, keys, { created: created.get(customer) }));
    assert.deepEqual([status, json.outcome], [200, "applied"]);
  }
}

test("the current version comes first, and then each change with what it added and removed", async () => {
  await holds("cus_first", ["sms"]);
  const listener = await SseClient.open(service, "cus_first");
  assert.deepEqual(await listener.receive(1), [versionMessage("cus_first", 1)]);
  await holds("cus_first", ["sso", "sms"], ["sso", "api"], []);
  assert.deepEqual(await listener.receive(4), [
    versionMessage("cus_first", 1),
    changeMessage("cus_first", 2, ["sso"]),
    changeMessage("cus_first", 3, ["api"], ["sms"]),
    changeMessage("cus_first", 4, [], ["api", "sso"]),
  ]);
  assert.deepEqual(
    listener.events.map(({ event, id }) => [event, id]),
    [
      ["version", "1"],
      ["change", "2"],
      ["change", "3"],
      ["change", "4"],
    ],
  );
  assert.equal(listener.retry, 2000);
  assert.equal(await listener.close(), "closed");
});

test("the head of a stream says what it is, and that nobody keeps it", async () => {
  const listener = await SseClient.open(service, "cus_head");
  const headers = ["content-type", "cache-control", "x-accel-buffering"].map((name) => listener.response.headers.get(name));
  assert.deepEqual(headers, ["text/event-stream", "no-store", "no"]);
  assert.match(listener.response.headers.get("request-id"), /^req_[0-9a-f]{16}$/);
  await listener.close();
  const { status, headers: head, text } = await service.request("/v1/stream?customer=cus_head", { method: "HEAD" });
  assert.deepEqual([status, head.get("content-type"), text], [200, "text/event-stream", ""]);
});

test("an event that changes nothing is not told", async () => {
  await holds("cus_same", ["sms"]);
  const listener = await SseClient.open(service, "cus_same");
  await listener.receive(1);
  const again = await service.send(summary("cus_same", ["sms"], { created: created.get("cus_same") + 10 }));
  assert.equal(again.json.outcome, "unchanged");
  created.set("cus_same", created.get("cus_same") + 10);
  await holds("cus_same", ["sso"]);
  assert.deepEqual(await listener.receive(2), [versionMessage("cus_same", 1), changeMessage("cus_same", 2, ["sso"], ["sms"])]);
  await listener.close();
});

test("a stranger has version 0, and is told of the first set", async () => {
  const listener = await SseClient.open(service, "cus_stranger");
  assert.deepEqual(await listener.receive(1), [versionMessage("cus_stranger", 0)]);
  await holds("cus_stranger", ["sms"]);
  assert.deepEqual(await listener.receive(2), [versionMessage("cus_stranger", 0), changeMessage("cus_stranger", 1, ["sms"])]);
  await listener.close();
});

test("who resumes gets the changes that were missed and no others, and then the version", async () => {
  await holds("cus_resume", ["a"], ["b"], ["c"], ["d"]);
  for (const [why, options] of [
    ["as a browser does", { lastEventId: "2" }],
    ["as a program does", { last_event_id: 2 }],
    ["the header is newer", { lastEventId: "2", last_event_id: 1 }],
  ]) {
    const listener = await SseClient.open(service, "cus_resume", options);
    const expected = [
      changeMessage("cus_resume", 3, ["c"], ["b"]),
      changeMessage("cus_resume", 4, ["d"], ["c"]),
      versionMessage("cus_resume", 4),
    ];
    assert.deepEqual(await listener.receive(3), expected, why);
    await listener.close();
  }
  for (const lastEventId of ["4", "9", "x"]) {
    const listener = await SseClient.open(service, "cus_resume", { lastEventId });
    await holds("cus_resume", [`after-${lastEventId}`]);
    const [first, second] = await listener.receive(2);
    assert.deepEqual([first.object, second.object, second.version], ["entitlement_version", "entitlement_change", first.version + 1]);
    await listener.close();
  }
});

test("past what is remembered only the version comes", async () => {
  await holds("cus_long", ...Array.from({ length: 101 }, (_, number) => [`f${number}`]));
  const all = await SseClient.open(service, "cus_long", { lastEventId: "1" });
  const told = await all.receive(101);
  assert.deepEqual(
    told.slice(0, 100),
    Array.from({ length: 100 }, (_, n) => changeMessage("cus_long", n + 2, [`f${n + 1}`], [`f${n}`])),
  );
  assert.deepEqual(told[100], versionMessage("cus_long", 101));
  const tooLate = await SseClient.open(service, "cus_long", { lastEventId: "0" });
  assert.deepEqual(await tooLate.receive(1), [versionMessage("cus_long", 101)]);
  await holds("cus_long", []);
  assert.deepEqual((await tooLate.receive(2))[1], changeMessage("cus_long", 102, [], ["f100"]));
  await Promise.all([all.close(), tooLate.close()]);
});

test("a change too large to be told comes as its version", async () => {
  const listener = await SseClient.open(service, "cus_large");
  await listener.receive(1);
  // 262,144 bytes of keys, and one more.
  const most64 = Array.from({ length: 64 }, (_, number) => `${number}`.padStart(4_096, "x"));
  for (const [number, keys] of [most64, [], [...most64, "y"]].entries()) {
    const event = summary("cus_large", [...keys.keys()], { created: CREATED + number });
    event.data.object.entitlements.data.forEach((item, place) => (item.lookup_key = keys[place]));
    assert.equal((await service.send(event)).json.outcome, "applied");
  }
  const [, most, , larger] = await listener.receive(4);
  assert.deepEqual([most.object, most.added.length], ["entitlement_change", 64]);
  assert.deepEqual(larger, versionMessage("cus_large", 3));
  assert.deepEqual(listener.events[3].id, "3");
  await listener.close();
});

test("a notice never reaches another customer or the other mode", async () => {
  const own = await SseClient.open(service, "cus_own");
  const others = await Promise.all([
    SseClient.open(service, "cus_own", { key: LIVE_KEY }),
    SseClient.open(service, "cus_own2"),
    SseClient.open(service, "cus_ow"),
    SseClient.open(service, "CUS_OWN"),
  ]);
  await holds("cus_own", ["sms"], ["sso"]);
  await own.receive(3);
  // What they are told of themselves comes after it, and is all that comes.
  await service.send(summary("cus_own", ["live"], { livemode: true }));
  for (const customer of ["cus_own2", "cus_ow", "CUS_OWN"]) await holds(customer, ["other"]);
  const live = await others[0].receive(2);
  assert.deepEqual(live, [versionMessage("cus_own", 0, true), changeMessage("cus_own", 1, ["live"], [], true)]);
  for (const [place, customer] of ["cus_own2", "cus_ow", "CUS_OWN"].entries()) {
    const listener = others[place + 1];
    await listener.receive(2);
    assert.deepEqual(
      listener.events.map(({ data }) => data),
      [versionMessage(customer, 0), changeMessage(customer, 1, ["other"])],
    );
  }
  assert.equal(own.events.length, 3);
  await Promise.all([own, ...others].map((listener) => listener.close()));
});

test("many listeners hear the same, whenever they came", async () => {
  const early = await Promise.all(Array.from({ length: 20 }, () => SseClient.open(service, "cus_many")));
  await Promise.all(early.map((listener) => listener.receive(1)));
  await holds("cus_many", ["a"]);
  const late = await Promise.all(Array.from({ length: 20 }, () => SseClient.open(service, "cus_many", { lastEventId: "0" })));
  await Promise.all(late.map((listener) => listener.receive(2)));
  assert.equal(await countStreams(service, "cus_many"), 40);
  await holds("cus_many", ["b"]);
  const changes = [changeMessage("cus_many", 1, ["a"]), changeMessage("cus_many", 2, ["b"], ["a"])];
  for (const listener of early) assert.deepEqual(await listener.receive(3), [versionMessage("cus_many", 0), ...changes]);
  for (const listener of late) assert.deepEqual(await listener.receive(3), [changes[0], versionMessage("cus_many", 1), changes[1]]);
  await Promise.all([...early, ...late].map((listener) => listener.close()));
});

test("a WebSocket and events say the same", async () => {
  await holds("cus_both", ["a"], ["b"]);
  const [events, socket] = [
    await SseClient.open(service, "cus_both", { last_event_id: 1 }),
    await WebSocketClient.open(service, "cus_both", { last_event_id: 1 }),
  ];
  await holds("cus_both", ["c"]);
  const heard = await events.receive(3);
  assert.deepEqual(heard, [
    changeMessage("cus_both", 2, ["b"], ["a"]),
    versionMessage("cus_both", 2),
    changeMessage("cus_both", 3, ["c"], ["b"]),
  ]);
  assert.deepEqual(await socket.receive(3), heard);
  assert.match(socket.headers["request-id"], /^req_[0-9a-f]{16}$/);
  await events.close();
  assert.deepEqual(await socket.close(), [1000, ""]);
});

test("a ping gives a pong, and whatever else a client says is ignored up to 4 KiB", async () => {
  const socket = await WebSocketClient.open(service, "cus_ping");
  await socket.receive(1);
  for (const message of ["PING", "x".repeat(4_096), Buffer.alloc(4_096), '{"object":"heartbeat"}', "é".repeat(2_048)]) socket.send(message);
  socket.send("ping");
  assert.deepEqual(await socket.receive(2), [versionMessage("cus_ping", 0), "pong"]);
  await holds("cus_ping", ["sms"]);
  assert.deepEqual((await socket.receive(3))[2], changeMessage("cus_ping", 1, ["sms"]));
  socket.send("x".repeat(4_097));
  assert.equal((await socket.waitForEnd())[0], 1009);
  for (const message of [Buffer.alloc(4_097), "é".repeat(2_048) + "x"]) {
    const other = await WebSocketClient.open(service, "cus_ping");
    other.send(message);
    assert.equal((await other.waitForEnd())[0], 1009);
  }
  await eventually(async () => assert.equal(await countStreams(service, "cus_ping"), 0));
});

test("a listener that goes away is forgotten by the object", async () => {
  const stays = await SseClient.open(service, "cus_gone");
  const [events, socket] = [await SseClient.open(service, "cus_gone"), await WebSocketClient.open(service, "cus_gone")];
  const killed = await WebSocketClient.open(service, "cus_gone");
  await Promise.all([stays, events, socket, killed].map((listener) => listener.receive(1)));
  assert.equal(await countStreams(service, "cus_gone"), 4);
  await socket.close();
  await eventually(async () => assert.equal(await countStreams(service, "cus_gone"), 3));
  killed.socket.terminate();
  await events.close();
  // That a client is gone shows when it is told something.
  let number = 0;
  await eventually(async () => {
    await holds("cus_gone", [`f${(number += 1)}`]);
    assert.equal(await countStreams(service, "cus_gone"), 1);
  });
  assert.equal((await stays.receive(1 + number)).at(-1).version, number);
  await stays.close();
});

test("OpenFeature's clients hear that they should evaluate anew", async () => {
  await holds("cus_flags", ["a"], ["b"]);
  const refetch = (etag) => ({ event: "message", id: etag, data: { type: "refetchEvaluation", etag } });
  const [fresh, missed, missedNothing] = await Promise.all(
    [undefined, "1", "2"].map((lastEventId) => SseClient.open(service, "cus_flags", { ofrep: true, lastEventId })),
  );
  await Promise.all([
    fresh.receive(1),
    missed.receive(1),
    eventually(async () => assert.equal(await countStreams(service, "cus_flags"), 3)),
  ]);
  await holds("cus_flags", ["c"]);
  await Promise.all([fresh.receive(2), missed.receive(2), missedNothing.receive(1)]);
  assert.deepEqual(fresh.events, [refetch("2"), refetch("3")]);
  assert.deepEqual(missed.events, [refetch("2"), refetch("3")]);
  assert.deepEqual(missedNothing.events, [refetch("3")]);
  await Promise.all([fresh, missed, missedNothing].map((listener) => listener.close()));
});

test("who may not listen is told so, and holds nothing open", async () => {
  assert.equal((await service.request("/v1/stream?customer=cus_no", { key: "" })).status, 401);
  await assert.rejects(WebSocketClient.open(service, "cus_no", { key: "sk_test_wrong" }), /401/);
  await assert.rejects(WebSocketClient.open(service, ""), /400/);
  assert.equal(await countStreams(service, "cus_no"), 0);
});

test("a change that a read of the source found is told too", { timeout: 60_000 }, async (t) => {
  const stripe = await fakeStripe();
  const other = await serve({ settings: stripe.settings });
  t.after(() => Promise.all([other.stop(), stripe.stop()]));
  const listener = await SseClient.open(other, "cus_ada");
  assert.deepEqual(await listener.receive(1), [versionMessage("cus_ada", 0)]);
  assert.equal(stripe.listCalls("cus_ada").length, 0, "to listen asks no source");
  stripe.setEntitlements("cus_ada", ["sms", "sso"]);
  assert.equal((await other.sync("cus_ada")).status, 200);
  assert.deepEqual((await listener.receive(2))[1], changeMessage("cus_ada", 1, ["sms", "sso"]));
  // What a page shows is told at once, and the rest when it is read. The page is newer than what was read.
  stripe.setEntitlements("cus_ada", ["api", "sms"]);
  await other.send(summary("cus_ada", ["api"], { created: unixNow() + 2, hasMore: true }));
  await eventually(() => assert.deepEqual(listener.events.at(-1).data.removed, ["sso"]));
  const heard = listener.events.slice(2).map(({ data }) => data);
  assert.deepEqual(heard, [changeMessage("cus_ada", 2, ["api"]), changeMessage("cus_ada", 3, [], ["sso"])]);
  await listener.close();
});

test("who is idle hears heartbeats, and hears of a change after the object slept", { timeout: 120_000 }, async (t) => {
  const stripe = await fakeStripe();
  const other = await serve({ settings: stripe.settings });
  t.after(() => Promise.all([other.stop(), stripe.stop()]));
  const [events, socket] = [await SseClient.open(other, "cus_idle"), await WebSocketClient.open(other, "cus_idle")];
  const refetches = await SseClient.open(other, "cus_idle", { ofrep: true });
  const gone = await SseClient.open(other, "cus_idle");
  await Promise.all([events, socket, refetches, gone].map((listener) => listener.receive(1)));
  // In memory alone the object knows that Stripe knows no such customer.
  const asks = async () => {
    assert.equal((await other.check("cus_idle", "sms")).json.reason, "unknown_customer");
    return stripe.listCalls("cus_idle").length;
  };
  const first = await asks();
  assert.equal(await asks(), first, "what is in memory is not asked again");
  await gone.close();

  await eventually(() => assert.deepEqual([events.heartbeats, socket.messages.length, refetches.heartbeats], [1, 2, 1]), 40_000);
  assert.deepEqual(JSON.parse(socket.messages[1]), { object: "heartbeat" });
  assert.ok((await asks()) > first, "what was in memory is gone");
  assert.deepEqual([events.events.length, refetches.events.length], [1, 1], "nothing was told meanwhile");

  stripe.setEntitlements("cus_idle", ["sms"]);
  await other.send(summary("cus_idle", ["sms"]));
  assert.deepEqual((await events.receive(2))[1], changeMessage("cus_idle", 1, ["sms"]));
  assert.deepEqual((await socket.receive(3))[2], changeMessage("cus_idle", 1, ["sms"]));
  assert.deepEqual((await refetches.receive(2))[1], { type: "refetchEvaluation", etag: "1" });
  // A client that is gone is found so by its heartbeats alone.
  await eventually(async () => assert.equal(await countStreams(other, "cus_idle"), 3), 60_000);
  await Promise.all([events, socket, refetches].map((listener) => listener.close()));
});

test("after SIGKILL a listener comes again and misses nothing", { timeout: 120_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  try {
    const at = unixNow() - 100;
    let running = await startWorkerProcess(folder);
    const listener = await SseClient.open(running.service, "cus_ada");
    await running.service.send(summary("cus_ada", ["a"], { created: at }));
    await listener.receive(2);
    await running.service.send(summary("cus_ada", ["b"], { created: at + 1 }));
    await killWorkerProcess(running);
    assert.notEqual(await listener.waitForEnd(), "closed", "the stream ended by itself");

    running = await startWorkerProcess(folder);
    try {
      await running.service.send(summary("cus_ada", ["c"], { created: at + 2 }));
      const again = await SseClient.open(running.service, "cus_ada", { lastEventId: "1" });
      const missed = [changeMessage("cus_ada", 2, ["b"], ["a"]), changeMessage("cus_ada", 3, ["c"], ["b"])];
      assert.deepEqual(await again.receive(3), [...missed, versionMessage("cus_ada", 3)]);
    } finally {
      await killWorkerProcess(running);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a stream ends with the token that opened it", async () => {
  const secret = "0123456789abcdef0123456789abcdef";
  const deployment = await serve({ settings: { ENTGATE_TOKEN_SECRETS: secret } });
  try {
    // A minute of leeway comes on top: it is over in three seconds.
    const now = unixNow();
    const claims = { sub: "cus_brief", aud: "entgate", iat: now - 60, exp: now - 57, jti: "brief", livemode: false };
    const key = await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(secret));
    const [listener, socket] = [
      await SseClient.open(deployment, "cus_brief", { key }),
      await WebSocketClient.open(deployment, "cus_brief", { key }),
    ];
    const end = { object: "stream_end", reason: "token_expired" };
    assert.deepEqual(await listener.receive(2), [versionMessage("cus_brief", 0), end]);
    assert.equal(listener.events.at(-1).event, "expired");
    assert.equal(await listener.waitForEnd(), "end");
    assert.deepEqual(await socket.receive(2), [versionMessage("cus_brief", 0), end]);
    assert.deepEqual(await socket.waitForEnd(), [4401, "token_expired"]);
    await assert.rejects(SseClient.open(deployment, "cus_brief", { key }), /^Error: 401 .*token_expired/);
  } finally {
    await deployment.stop();
  }
});
