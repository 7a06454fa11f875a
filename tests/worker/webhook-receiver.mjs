// A server that receives webhooks, records them, and fails when a test asks for it.

import { createServer } from "node:http";
import { listenOnFreePort } from "./free-port.mjs";

/**
 * @typedef {object} Delivery
 * @property {string | undefined} path
 * @property {string | undefined} method
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {string} body
 * @property {any} event The body as JSON.
 * @property {number} receivedAt Milliseconds of `performance.now()`.
 */

/**
 * Starts a receiver on a free port. It records each delivery in `deliveries` and takes its response from
 * `responses`: a status, or `"none"` to send none. Once that list is empty, it responds with 200.
 */
export async function startWebhookReceiver() {
  /** @type {Delivery[]} */
  const deliveries = [];
  /** @type {(number | "none")[]} */
  const responses = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    deliveries.push({
      path: request.url,
      method: request.method,
      headers: request.headers,
      body,
      event: JSON.parse(body),
      receivedAt: performance.now(),
    });
    const status = responses.shift() ?? 200;
    if (status === "none") return;
    // A sender that follows redirects would request this path.
    response.writeHead(status, status === 302 ? { location: "/elsewhere" } : {}).end();
  });
  const close = () => {
    /** @type {Promise<void>} */
    const closed = new Promise((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    return closed;
  };
  const port = await listenOnFreePort(server);
  return {
    deliveries,
    responses,
    url: `http://127.0.0.1:${port}/hook`,
    /** The deliveries of one event. @param {string} id */
    deliveriesOf: (id) => deliveries.filter(({ event }) => event.id === id),
    /** Closes the connections of deliveries without a response. */
    disconnect: () => server.closeAllConnections(),
    /** Rejects connections until `reopen` is called. */
    close,
    /** @returns {Promise<void>} */
    reopen: () => new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve())),
  };
}
