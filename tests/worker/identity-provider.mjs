// An identity provider on this machine: it publishes a JWKS, signs tokens, and fails when a test asks for it.

import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { listenOnFreePort } from "./free-port.mjs";
import { unixNow } from "./support.mjs";

/** @import { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http" */

/** @typedef {Awaited<ReturnType<typeof createKeyPair>>} KeyPair */

/** The `iss` of the provider's tokens. */
export const ISSUER = "https://login.example";

/** Creates a key pair with an id. @param {string} algorithm @param {string} kid */
export async function createKeyPair(algorithm, kid) {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { algorithm, kid, publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" } };
}

/** Starts a provider that publishes these keys. @param {{ jwk: object }[]} pairs */
export async function startIdentityProvider(...pairs) {
  const provider = new IdentityProvider();
  provider.publish(...pairs);
  await provider.listen();
  return provider;
}

class IdentityProvider {
  /** The paths of all requests, in order. @type {string[]} */
  requestedPaths = [];
  /** The last request. @type {IncomingMessage | undefined} */
  lastRequest;
  /** Sends the response to each request. @type {(response: ServerResponse) => void} */
  respond = () => {};
  #server = createServer((request, response) => {
    this.requestedPaths.push(request.url ?? "");
    this.lastRequest = request;
    this.respond(response);
  });
  url = "";

  async listen() {
    this.url = `http://127.0.0.1:${await listenOnFreePort(this.#server)}/jwks.json`;
  }

  /** The settings with which the Worker accepts the provider's tokens. */
  get settings() {
    return { ENTGATE_JWKS_URL: this.url, ENTGATE_JWT_ISSUER: ISSUER, ENTGATE_JWT_LIVEMODE: "false" };
  }

  /** Publishes the public keys of these pairs from now on. @param {{ jwk: object }[]} pairs */
  publish(...pairs) {
    this.respondWith(JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) }));
  }

  /** Sends this response from now on. @param {string} body @param {number} [status] @param {OutgoingHttpHeaders} [headers] */
  respondWith(body, status = 200, headers = { "content-type": "application/json" }) {
    this.respond = (response) => response.writeHead(status, headers).end(body);
  }

  /**
   * Signs a token of the customer `cus_ada` with a JOSE library. `undefined` removes a claim or a header parameter.
   *
   * @param {Pick<KeyPair, "algorithm" | "kid" | "privateKey">} pair
   * @param {Record<string, unknown>} [claims]
   * @param {Record<string, unknown>} [header]
   */
  sign({ algorithm, kid, privateKey }, claims = {}, header = {}) {
    const all = { iss: ISSUER, sub: "cus_ada", iat: unixNow(), exp: unixNow() + 7_200, ...claims };
    return new SignJWT(all).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey);
  }

  async stop() {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
