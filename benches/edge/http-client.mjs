// A minimal HTTP client: sends prepared requests over a few keep-alive connections, sequentially on each.
//
// Accepts the port and the bytes of each request, fails unless every response has the expected status. Not here: which requests are sent
// (workloads.mjs), and what they cost (interleave.mjs).

import { connect } from "node:net";

const CONNECTIONS = 8;

/** Maximum time for a response, in milliseconds. A busy machine may be slow, but a run must end. */
const RESPONSE_TIMEOUT = 60_000;

/**
 * Encodes a request as bytes.
 *
 * @param {{ method?: string, path: string, headers?: Record<string, string>, body?: string }} request
 */
export function encodeRequest({ method = "GET", path, headers = {}, body = "" }) {
  const lines = [`${method} ${path} HTTP/1.1`, "host: bench", ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (method !== "GET") lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/**
 * Sends requests. Fails unless every response has this status.
 *
 * @param {number} port
 * @param {Buffer[]} requests
 * @param {number} status
 */
export async function sendRequests(port, requests, status) {
  const queue = requests.values();
  const runConnection = () =>
    /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: "127.0.0.1", noDelay: true });
        let received = "";
        const sendNext = () => {
          const { done, value } = queue.next();
          if (done) return socket.destroy();
          received = "";
          socket.write(value);
        };
        socket.setEncoding("latin1");
        socket.setTimeout(RESPONSE_TIMEOUT, () => socket.destroy(new Error(`no response within ${RESPONSE_TIMEOUT} ms`)));
        socket.on("connect", sendNext);
        socket.on("data", (data) => {
          received += data;
          if (!isComplete(received)) return;
          if (received.slice(9, 12) !== `${status}`) return socket.destroy(new Error(`expected status ${status}, received: ${received}`));
          sendNext();
        });
        socket.on("error", reject);
        socket.on("close", (hadError) => hadError || resolve());
      })
    );
  await Promise.all(Array.from({ length: CONNECTIONS }, runConnection));
}

/**
 * Whether a response is complete.
 *
 * @param {string} received
 */
function isComplete(received) {
  const headersEnd = received.indexOf("\r\n\r\n");
  if (headersEnd < 0) return false;
  const length = /\r\ncontent-length: (\d+)/i.exec(received);
  const isChunked = !length && /\r\ntransfer-encoding: chunked/i.test(received.slice(0, headersEnd));
  return isChunked ? received.endsWith("0\r\n\r\n") : received.length >= headersEnd + 4 + Number(length?.[1] ?? 0);
}
