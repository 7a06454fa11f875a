// Clients of a stream, as they are written for browsers and for Node.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { eventually, KEY } from "./support.mjs";

const path = (customer, { ofrep = false, ...params } = {}) =>
  `${ofrep ? "/ofrep" : ""}/v1/stream?${new URLSearchParams({ customer, ...params })}`;

/** One who listens by server-sent events, and reads them as https://html.spec.whatwg.org/#event-stream-interpretation says. */
export class Listener {
  static async open(service, customer, { key = KEY, lastEventId, ...params } = {}) {
    const listener = new Listener();
    const headers = { authorization: `Bearer ${key}`, ...(lastEventId !== undefined && { "last-event-id": lastEventId }) };
    listener.response = await fetch(new URL(path(customer, params), service.url), { headers, signal: listener.abort.signal });
    if (listener.response.status !== 200) throw new Error(`${listener.response.status} ${await listener.response.text()}`);
    listener.#read().then((how) => (listener.ended = how));
    return listener;
  }

  abort = new AbortController();
  /** What was dispatched: the name, the last event id, and the data read as JSON. */
  events = [];
  heartbeats = 0;
  retry = undefined;
  /** How it ended: with an `"end"`, `"closed"` from this side, or an error. */
  ended = undefined;
  #awaited = new Map();

  async #read() {
    let [rest, event, data, id] = ["", "message", [], ""];
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
          if (line === "") {
            if (data.length > 0) {
              this.events.push({ event, id, data: JSON.parse(data.join("\n")) });
              this.#awaited.get(id)?.();
            }
            [event, data] = ["message", []];
          } else if (field === "") this.heartbeats += 1;
          else if (field === "id") id = value;
          else if (field === "event") event = value;
          else if (field === "data") data.push(value);
          else if (field === "retry") this.retry = Number(value);
          else throw new Error(`an unknown field: ${line}`);
        }
      }
      return "end";
    } catch (error) {
      return error.name === "AbortError" ? "closed" : error;
    }
  }

  /** The data of the first so many events, as soon as they are there. */
  async hears(count) {
    return eventually(() => {
      assert.ok(this.events.length >= count, `${this.events.length} of ${count} events came`);
      return this.events.slice(0, count).map(({ data }) => data);
    });
  }

  /** Waits for an event of this version, as long as it takes. */
  heard(version) {
    const id = `${version}`;
    if (this.events.some((event) => event.id === id)) return Promise.resolve();
    return new Promise((resolve) => this.#awaited.set(id, resolve));
  }

  async ends() {
    return eventually(() => this.ended ?? assert.fail("the stream goes on"));
  }

  close() {
    this.abort.abort();
    return this.ends();
  }
}

/** One who listens by a WebSocket. */
export class Socket {
  static async open(service, customer, { key = KEY, ...params } = {}) {
    const socket = new Socket();
    const url = new URL(path(customer, params), service.url);
    url.protocol = "ws:";
    socket.socket = new WebSocket(url, { headers: { authorization: `Bearer ${key}` } });
    socket.socket.on("message", (text, isBinary) => socket.texts.push(isBinary ? text : text.toString()));
    socket.socket.on("close", (code, reason) => (socket.ended = [code, reason.toString()]));
    await new Promise((resolve, reject) => {
      socket.socket.once("error", reject);
      socket.socket.once("upgrade", (response) => (socket.headers = response.headers));
      socket.socket.once("open", resolve);
    });
    return socket;
  }

  texts = [];
  /** The code and the reason of its end. */
  ended = undefined;

  async hears(count) {
    return eventually(() => {
      assert.ok(this.texts.length >= count, `${this.texts.length} of ${count} messages came`);
      return this.texts.slice(0, count).map((text) => (text === "pong" ? text : JSON.parse(text)));
    });
  }

  say(message) {
    this.socket.send(message);
  }

  async ends() {
    return eventually(() => this.ended ?? assert.fail("the WebSocket stays open"));
  }

  close() {
    this.socket.close(1000);
    return this.ends();
  }
}

/** How many listen, as the customer's object itself says. */
export async function listeners(service, customer, mode = "test") {
  const objects = await service.workerd.getDurableObjectNamespace("CUSTOMERS", "entgate");
  const response = await objects.get(objects.idFromName(`${mode}:${customer}`)).fetch("https://customer/");
  return (await response.json()).listeners;
}

/** What is told of a version and of a change. */
export const version = (customer, version, livemode = false) => ({ object: "entitlement_version", customer, livemode, version });
export const change = (customer, version, added, removed = [], livemode = false) => ({
  object: "entitlement_change",
  customer,
  livemode,
  version,
  added,
  removed,
});
