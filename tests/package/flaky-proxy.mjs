// An HTTP proxy between a gate and the Worker: records every request, and can respond instead of the Worker or
// disconnect its clients.

import { createServer } from "node:http";
import { Readable } from "node:stream";

/** @typedef {import("node:http").ServerResponse} ServerResponse */
/**
 * @typedef {object} RecordedRequest
 * @property {string} method
 * @property {string} path
 * @property {Record<string, string>} params
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {string} url Path and query.
 */
/** @typedef {(response: ServerResponse, request: RecordedRequest) => void} Handler */

/**
 * Starts a proxy to the Worker.
 *
 * @param {{ url: URL }} service
 */
export async function flakyProxy(service) {
  /** @type {RecordedRequest[]} */
  const requests = [];
  /** @type {{ path: string, handler: Handler, times: number }[]} */
  const handlers = [];
  const server = createServer(async (request, response) => {
    const { method = "GET", headers, url: path = "/" } = request;
    const url = new URL(path, service.url);
    const recorded = { method, path: url.pathname, params: Object.fromEntries(url.searchParams), headers, url: path };
    requests.push(recorded);
    response.setHeader("access-control-allow-origin", "*");
    const chosen = handlers.find(({ path, times }) => path === url.pathname && times > 0);
    if (chosen) {
      chosen.times -= 1;
      chosen.handler(response, recorded);
    } else await forward(request, response, url);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    /** @param {string} path */
    requestsTo: (path) => requests.filter((request) => request.path === path),
    /**
     * Responds to the next requests of a path instead of the Worker.
     *
     * @param {string} path
     * @param {Handler} handler
     */
    respond: (path, handler, times = Infinity) => handlers.push({ path, handler, times }),
    /** Forwards all paths to the Worker again. */
    forwardAll: () => handlers.splice(0),
    /** Closes every connection, as a network failure does. */
    disconnect: () => server.closeAllConnections(),
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {ServerResponse} response
 * @param {URL} url
 */
async function forward(request, response, url) {
  const { method = "GET" } = request;
  const body = ["GET", "HEAD"].includes(method) ? undefined : Readable.toWeb(request);
  const { host: _host, connection: _connection, "transfer-encoding": _encoding, ...headers } = request.headers;
  const abort = new AbortController();
  response.on("close", () => abort.abort());
  try {
    const init = { method, headers, body, duplex: "half", signal: abort.signal };
    const upstream = await fetch(url, /** @type {RequestInit} */ (init));
    response.writeHead(
      upstream.status,
      Object.fromEntries([...upstream.headers].filter(([name]) => !/^(content-encoding|transfer-encoding|content-length)$/.test(name))),
    );
    if (upstream.body)
      Readable.fromWeb(/** @type {import("node:stream/web").ReadableStream} */ (upstream.body))
        .on("error", () => response.destroy())
        .pipe(response);
    else response.end();
  } catch {
    response.destroy();
  }
}
