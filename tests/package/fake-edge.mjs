// An edge whose snapshots a test writes: for claims and failures that the Worker does not produce.

import { serveHttp } from "./pages.mjs";
import { createSigningKey, signSnapshot } from "./support.mjs";

export const unixNow = () => Math.floor(Date.now() / 1_000);

const key = createSigningKey("fake");
/** The public key of all snapshots of this module. */
export const publicKey = key.public;

/**
 * Signs a snapshot of `cus_ada` with the feature `sms`, for an hour.
 *
 * @param {object} [claims] Other claims.
 */
export const createSnapshot = (claims = {}) => {
  const iat = unixNow();
  const common = { iss: "fake", sub: "cus_ada", livemode: true, version: 1, as_of: iat, iat, exp: iat + 3_600 };
  return signSnapshot(key.private, { ...common, entitlements: ["sms"], ...claims });
};

/**
 * Creates a token as entgate issues it. Its signature is not valid.
 *
 * @param {object} [claims]
 */
export const createFakeToken = (claims = {}) =>
  signSnapshot(key.private, { aud: "entgate", sub: "cus_ada", livemode: true, iat: unixNow(), exp: unixNow() + 900, ...claims });

/** Starts the edge. `claims` returns the claims of the next snapshot, and `stream` handles a stream; by default there is none. */
export async function serveFakeEdge() {
  const edge = {
    /** @type {() => object} */
    claims: () => ({}),
    /** @type {import("node:http").RequestListener} */
    stream: (_, response) => void response.writeHead(404).end(),
    isDown: false,
    /** @type {string[]} The paths of all requests. */
    requests: [],
    url: "",
    stop: async () => {},
  };
  const { url, stop } = await serveHttp((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://edge");
    edge.requests.push(pathname);
    if (edge.isDown) response.destroy();
    else if (pathname === "/v1/stream") edge.stream(request, response);
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ snapshot: createSnapshot(edge.claims()) }));
  });
  return Object.assign(edge, { url: url.slice(0, -1), stop });
}
