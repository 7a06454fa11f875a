// A gate on platforms where something is missing or fails: channels and locks, text decoders, jsdom, and proxies that cut streams.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createGate } from "../../www/npm/dist/index.js";
import { createGate as createSlimGate } from "../../www/npm/dist/slim.js";
import { eventually } from "../worker/support.mjs";
import { createFakeToken, createSnapshot, serveFakeEdge } from "./fake-edge.mjs";

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const deny = () => {
  throw new DOMException("The operation is insecure.", "SecurityError");
};

describe("a gate", { timeout: 60_000 }, () => {
  let edge;
  /** @type {import("entgate").Gate} */
  let gate;
  /** @type {(() => void)[]} */
  const restore = [];
  const rejections = [];
  const onRejection = (error) => rejections.push(error);
  beforeEach(async () => {
    edge = await serveFakeEdge();
    process.on("unhandledRejection", onRejection);
  });
  afterEach(async () => {
    gate?.close();
    for (const undo of restore.splice(0).reverse()) undo();
    await edge.stop();
    process.off("unhandledRejection", onRejection);
    assert.deepEqual(rejections.splice(0), []);
  });
  /** Replaces a global until the end of the test. */
  const setGlobal = (name, descriptor) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    restore.push(() => (before ? Object.defineProperty(globalThis, name, before) : Reflect.deleteProperty(globalThis, name)));
    Object.defineProperty(globalThis, name, { configurable: true, ...descriptor });
  };
  const setPage = () => setGlobal("document", { value: Object.assign(new EventTarget(), { hidden: false }) });
  const open = (options = {}) => {
    gate = createGate({ endpoint: edge.url, token: createFakeToken(), storage: null, ...options });
    return gate;
  };
  const waitForStream = (count = 1) => eventually(() => assert.equal(edge.requests.filter((path) => path === "/v1/stream").length, count));

  test("opens its own stream wherever channels or locks are denied, missing or useless", async () => {
    const request = { value: { locks: { request: async (_, lead) => lead() } } };
    const Channel = class {
      postMessage() {}
      close() {}
    };
    for (const [why, navigator, BroadcastChannel] of /** @type {[string, PropertyDescriptor, PropertyDescriptor][]} */ ([
      [
        "the channel throws",
        request,
        {
          value: class {
            constructor() {
              deny();
            }
          },
        },
      ],
      ["there is no channel", request, { value: undefined }],
      ["there are no locks", { value: {} }, { value: Channel }],
      ["there is no navigator", { value: undefined }, { value: Channel }],
      [
        "reading the locks throws",
        {
          value: {
            get locks() {
              return deny();
            },
          },
        },
        { value: Channel },
      ],
      ["a lock is denied", { value: { locks: { request: async () => deny() } } }, { value: Channel }],
      ["a request throws at once", { value: { locks: { request: deny } } }, { value: Channel }],
      ["a request returns nothing", { value: { locks: { request: () => undefined } } }, { value: Channel }],
      ["a lock is granted", request, { value: Channel }],
    ])) {
      setPage();
      setGlobal("navigator", navigator);
      setGlobal("BroadcastChannel", BroadcastChannel);
      edge.requests.length = 0;
      open();
      await waitForStream();
      assert.deepEqual([gate.state, gate.has("sms")], ["ready", true], why);
      gate.close();
      for (const undo of restore.splice(0).reverse()) undo();
    }
  });

  test("works without a storage that can be read", async () => {
    setPage();
    setGlobal("localStorage", { get: deny });
    open({ storage: undefined });
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("starts on a page whose listeners throw", async () => {
    setGlobal("document", { value: { addEventListener: deny, removeEventListener: deny } });
    setGlobal("addEventListener", { value: deny });
    open();
    await eventually(() => assert.equal(gate.has("sms"), true));
  });

  test("decodes a set without TextEncoder and TextDecoder, and with one that knows no `fatal`", async () => {
    const entitlements = ["größe😀", "sms"];
    const snapshot = createSnapshot({ entitlements });
    const fetch = /** @type {any} */ (
      async () => ({ ok: true, status: 200, headers: new Map(), text: async () => JSON.stringify({ snapshot }) })
    );
    for (const decoder of [
      undefined,
      class {
        constructor(_, options) {
          if (options?.fatal) throw new RangeError("fatal");
        }
      },
    ]) {
      setGlobal("TextDecoder", { value: decoder });
      setGlobal("TextEncoder", { value: undefined });
      for (const create of [createGate, createSlimGate]) {
        gate = create({ endpoint: edge.url, token: createFakeToken(), storage: null, live: false, fetch });
        await eventually(() => assert.deepEqual([gate.state, gate.list()], ["ready", entitlements]));
        gate.close();
      }
    }
  });

  test("answers from a snapshot although there is no fetch", () => {
    setGlobal("fetch", { value: undefined });
    gate = createGate({ endpoint: edge.url, snapshot: createSnapshot() });
    assert.equal(gate.has("sms"), true);
  });

  test("fails with a timeout, and reads again, if a request or the token function never settles", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const never = () => new Promise(() => {});
    for (const options of [{ token: never }, { fetch: never }]) {
      open({ live: false, .../** @type {any} */ (options) });
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      const refreshed = gate.refresh();
      t.mock.timers.tick(15_000);
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      assert.deepEqual([gate.state, gate.error?.code, gate.error?.message], ["error", "timeout", "no response within 15000 ms"]);
      t.mock.timers.tick(15_000);
      await refreshed;
      gate.close();
    }
  });

  test("waits longer after each failed stream", async () => {
    const { random } = Math;
    restore.push(() => {
      Math.random = random;
    });
    Math.random = () => 0.5;
    for (const [why, type, body, expected] of /** @type {[string, string, string, number][]} */ ([
      ["a page in place of the stream", "text/html", "<!doctype html>", 4],
      ["no type", "", "", 4],
      ["JSON", "application/json", "{}", 4],
      ["a stream that ends at once", "text/event-stream", "", 4],
      ["a stream that ends after an event", "Text/Event-Stream; charset=utf-8", 'event: version\ndata: {"version":1}\n\n', 4],
      // Only the first pause is that of the stream.
      ["a stream whose `retry` is short", "text/event-stream", "retry: 1\n\n", 5],
      ["an event that is not JSON", "text/event-stream", "event: version\ndata: {\n\n", 4],
    ])) {
      edge.requests.length = 0;
      edge.stream = (_, response) => response.writeHead(200, type ? { "content-type": type } : {}).end(body);
      open();
      await eventually(() => assert.equal(gate.has("sms"), true));
      // The pauses are 0.5 s, 0.5 s, 1 s, 2 s and 4 s.
      await sleep(2_800);
      const count = edge.requests.filter((path) => path === "/v1/stream").length;
      assert.ok(count >= expected - 1 && count <= expected, `${why}: ${count} streams`);
      assert.equal(gate.has("sms"), true, why);
      gate.close();
    }
  });

  test("waits as long as the `Retry-After` of a failed stream says, also if no timer is that long", async () => {
    for (const seconds of ["60", "3000000"]) {
      edge.requests.length = 0;
      edge.stream = (_, response) => response.writeHead(503, { "retry-after": seconds }).end();
      open();
      await waitForStream();
      await sleep(1_200);
      await waitForStream(1);
      gate.close();
    }
  });
});
