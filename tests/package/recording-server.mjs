// An HTTP server that records requests and returns the responses that a test gives it.

import { createServer } from "node:http";
import { text } from "node:stream/consumers";

/** @typedef {{ method: string, url: string, headers: import("node:http").IncomingHttpHeaders, body: unknown }} RecordedRequest */
/** @typedef {{ status?: number, headers?: Record<string, string>, json: unknown }} GivenResponse */

/** Starts a server. Each request takes the next response; without one it is a 500. */
export async function recordingServer() {
  /** @type {RecordedRequest[]} */
  const requests = [];
  /** @type {GivenResponse[]} */
  const responses = [];
  const server = createServer(async (request, response) => {
    const { method = "GET", url = "/", headers } = request;
    const body = await text(request);
    requests.push({ method, url, headers, body: body && JSON.parse(body) });
    const {
      status = 200,
      headers: more = {},
      json,
    } = responses.shift() ?? { status: 500, json: { error: { message: "no response given" } } };
    response.writeHead(status, { "content-type": "application/json", ...more }).end(JSON.stringify(json));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    /** The requests since the last call. */
    takeRequests: () => requests.splice(0),
    /** @param {...GivenResponse} given */
    respond: (...given) => responses.push(...given),
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
