// Clients of `/v1/stream`: server-sent events, and a WebSocket.
//
// Both record what they receive and wait until a number of events has arrived. `versionMessage` and
// `changeMessage` build the expected data. `countStreams` reads the number of open streams from the ledger.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { eventually, KEY } from "./support.mjs";

/** @import { Service } from "./support.mjs" */

/**
 * @typedef {object} StreamOptions
 * @property {string} [key] The key or token, the test server key by default.
 * @property {boolean} [ofrep] Whether to open OpenFeature's stream, `/ofrep/v1/stream`.
 * @property {string | number} [last_event_id] The query parameter.
 */

/** @param {string} customer @param {Omit<StreamOptions, "key">} params */
const streamPath = (customer, { ofrep = false, ...params }) =>
  `${ofrep ? "/ofrep" : ""}/v1/stream?${new URLSearchParams({ customer, .../** @type {Record<string, string>} */ (params) })}`;

/** A client of server-sent events, parsed as https://html.spec.whatwg.org/#event-stream-interpretation specifies. */
export class SseClient {
  /**
   * Opens a stream.
   *
   * @param {Service} service
   * @param {string} customer
   * @param {StreamOptions & { lastEventId?: string }} [options] `lastEventId` is the header that a browser sends when it reconnects.
   */
  static async open(service, customer, { key = KEY, lastEventId, ...params } = {}) {
    const abort = new AbortController();
    const headers = { authorization: `Bearer ${key}`, ...(lastEventId !== undefined && { "last-event-id": lastEventId }) };
    const response = await fetch(new URL(streamPath(customer, params), service.url), { headers, signal: abort.signal });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return new SseClient(response, abort);
  }

  /** The events so far: the name, the last event id, and the data as JSON. @type {{ event: string, id: string, data: any }[]} */
  events = [];
  heartbeats = 0;
  /** @type {number | undefined} */
  retry;
  /** How the stream ended: with `"end"`, `"closed"` by this client, or an error. @type {unknown} */
  ended;
  #abort;
  /** @type {Map<string, () => void>} */
  #waiting = new Map();

  /** @param {Response} response @param {AbortController} abort */
  constructor(response, abort) {
    this.response = response;
    this.#abort = abort;
    this.#read().then((reason) => {
      this.ended = reason;
    });
  }

  async #read() {
    let [rest, event, id] = ["", "message", ""];
    /** @type {string[]} */
    let data = [];
    const decoder = new TextDecoder();
    try {
      for await (const chunk of this.response.body ?? []) {
        const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
          if (line === "") {
            if (data.length > 0) {
              this.events.push({ event, id, data: JSON.parse(data.join("\n")) });
              this.#waiting.get(id)?.();
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

  /** Waits until this many events have arrived, and returns their data. @param {number} count */
  async receive(count) {
    return eventually(() => {
      assert.ok(this.events.length >= count, `${this.events.length} of ${count} events arrived`);
      return this.events.slice(0, count).map(({ data }) => data);
    });
  }

  /** Waits for the event of a version, without a timeout. @param {number} version @returns {Promise<void>} */
  waitForVersion(version) {
    const id = `${version}`;
    if (this.events.some((event) => event.id === id)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  async waitForEnd() {
    return eventually(() => this.ended ?? assert.fail("the stream is still open"));
  }

  close() {
    this.#abort.abort();
    return this.waitForEnd();
  }
}

/** A client of a WebSocket. */
export class WebSocketClient {
  /**
   * Opens a WebSocket.
   *
   * @param {Service} service
   * @param {string} customer
   * @param {StreamOptions} [options]
   */
  static async open(service, customer, { key = KEY, ...params } = {}) {
    const url = new URL(streamPath(customer, params), service.url);
    url.protocol = "ws:";
    const client = new WebSocketClient(new WebSocket(url, { headers: { authorization: `Bearer ${key}` } }));
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        client.socket.once("error", reject);
        client.socket.once("open", resolve);
      })
    );
    return client;
  }

  /** The messages so far: strings, or Buffers if they are binary. @type {any[]} */
  messages = [];
  /** The headers of the response to the upgrade. @type {Record<string, string | string[] | undefined>} */
  headers = {};
  /** The code and the reason with which it was closed. @type {[number, string] | undefined} */
  ended;

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => this.messages.push(isBinary ? data : data.toString()));
    socket.on("close", (code, reason) => {
      this.ended = [code, reason.toString()];
    });
    socket.once("upgrade", (response) => {
      this.headers = response.headers;
    });
  }

  /** Waits until this many messages have arrived, and returns them as JSON. A `pong` is returned as it is. @param {number} count */
  async receive(count) {
    return eventually(() => {
      assert.ok(this.messages.length >= count, `${this.messages.length} of ${count} messages arrived`);
      return this.messages.slice(0, count).map((message) => (message === "pong" ? message : JSON.parse(message)));
    });
  }

  /** @param {string | Buffer} message */
  send(message) {
    this.socket.send(message);
  }

  async waitForEnd() {
    return eventually(() => this.ended ?? assert.fail("the WebSocket is still open"));
  }

  close() {
    this.socket.close(1000);
    return this.waitForEnd();
  }
}

/** The number of open streams of a customer, as the customer's ledger returns it. @param {Service} service @param {string} customer */
export async function countStreams(service, customer, mode = "test") {
  const ledger = await service.durableObject("LEDGERS", `${mode}:${customer}`);
  const response = await ledger.fetch("https://ledger/");
  return (await response.json()).listeners;
}

/** The message with a customer's current version. @param {string} customer @param {number} version */
export const versionMessage = (customer, version, livemode = false) => ({ object: "entitlement_version", customer, livemode, version });

/**
 * The message of a change.
 *
 * @param {string} customer
 * @param {number} version
 * @param {string[]} added
 * @param {string[]} [removed]
 */
export const changeMessage = (customer, version, added, removed = [], livemode = false) => ({
  object: "entitlement_change",
  customer,
  livemode,
  version,
  added,
  removed,
});
