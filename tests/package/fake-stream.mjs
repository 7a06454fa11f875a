// Streams in the format of `GET /v1/stream` whose events a test writes.

/** @typedef {import("./flaky-proxy.mjs").RecordedRequest} RecordedRequest */
/** @typedef {{ response: import("node:http").ServerResponse, request: RecordedRequest }} Connection */

/** The server's end of all streams. Pass `handle` to `proxy.respond`. */
export class FakeStream {
  /** @type {Connection[]} The open connections. */
  open = [];
  /** @type {Connection[]} All connections, open or closed. */
  all = [];
  /** @type {(() => number) | undefined} Returns the version that each connection receives first. */
  version;

  /** @type {import("./flaky-proxy.mjs").Handler} */
  handle = (response, request) => {
    const connection = { response, request };
    this.all.push(connection);
    this.open.push(connection);
    response.on("close", () => this.open.splice(this.open.indexOf(connection), 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("retry: 20\n\n");
    const version = this.version?.();
    if (version !== undefined) this.send("version", { object: "entitlement_version", version }, version);
  };

  /** @param {string} event @param {object} data @param {number} id */
  send(event, data, id) {
    for (const { response } of this.open) response.write(`id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** @param {number} version @param {string[]} added @param {string[]} removed */
  sendChange(version, added, removed = []) {
    this.send("change", { object: "entitlement_change", livemode: false, version, added, removed }, version);
  }

  disconnect() {
    for (const { response } of [...this.open]) response.destroy();
  }
}
