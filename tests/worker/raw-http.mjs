// HTTP/1.1 over a plain socket: for requests whose body is slow, cut, or never ends.

import { connect } from "node:net";

/**
 * @typedef {object} RawRequest
 * @property {string} [method] `POST` by default.
 * @property {Record<string, string | number>} [headers]
 * @property {string | Uint8Array} [body] What is sent of the body at once; more can be written to the socket.
 */

/**
 * Sends a request, and leaves the connection open. `response` is the first response; it rejects if the connection ends before.
 *
 * @param {URL} url
 * @param {string} path
 * @param {RawRequest} [request]
 */
export function sendRaw({ hostname, port }, path, { method = "POST", headers = {}, body = "" } = {}) {
  const socket = connect(Number(port), hostname);
  const head = Object.entries({ host: "localhost", ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`${method} ${path} HTTP/1.1\r\n${head.join("")}\r\n`);
  socket.write(body);
  const startedAt = performance.now();
  /** @type {Promise<{ status: number, headers: Record<string, string>, json: any, took: number }>} */
  const response = new Promise((resolve, reject) => {
    let received = "";
    // A character a byte, as `Content-Length` counts.
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      received += text;
      const parsed = parseResponse(received);
      if (parsed) resolve({ ...parsed, took: performance.now() - startedAt });
    });
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`the connection ended: ${received}`)));
  });
  return { socket, response };
}

/** The chunk of a chunked body. @param {string} data */
export const chunk = (data) => `${data.length.toString(16)}\r\n${data}\r\n`;

/** Parses a complete response with `Content-Length` or chunks. @param {string} received */
function parseResponse(received) {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine, ...lines] = received.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const rest = received.slice(end + 4);
  const status = Number(statusLine.split(" ")[1]);
  const length = headers["content-length"];
  if (length === undefined && status !== 204 && !rest.endsWith("0\r\n\r\n")) return undefined;
  if (length !== undefined && rest.length < Number(length)) return undefined;
  const text = length === undefined ? rest.replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, "") : rest;
  return { status, headers, json: text.trim() ? JSON.parse(Buffer.from(text, "latin1").toString()) : undefined };
}
