// An identity provider on this machine: its keys, the tokens it makes, and the ways in which it fails.

import { createServer } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { seconds } from "./support.mjs";

/** What the provider calls itself. */
export const NAME = "https://login.example";

/** A pair of keys and their name. */
export async function keyPair(algorithm, kid) {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  return { algorithm, kid, publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: "sig" } };
}

/** Starts a provider that shows these pairs of keys. */
export async function issuer(...pairs) {
  const provider = new Issuer();
  provider.show(...pairs);
  await new Promise((resolve) => provider.server.listen(0, "127.0.0.1", resolve));
  return provider;
}

class Issuer {
  /** The paths that were asked for, in that order. */
  asked = [];
  answer = () => {};

  constructor() {
    this.server = createServer((request, response) => {
      this.asked.push(request.url);
      this.request = request;
      this.answer(response);
    });
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}/jwks.json`;
  }

  /** What the Worker has to know of it. */
  get settings() {
    return { ENTGATE_JWKS_URL: this.url, ENTGATE_JWT_ISSUER: NAME, ENTGATE_JWT_LIVEMODE: "false" };
  }

  /** Shows the public keys of these pairs from now on. */
  show(...pairs) {
    this.says(JSON.stringify({ keys: pairs.map(({ jwk }) => jwk) }));
  }

  /** Answers with this from now on. */
  says(body, status = 200, headers = { "content-type": "application/json" }) {
    this.answer = (response) => response.writeHead(status, headers).end(body);
  }

  /** A token of Ada by one of its keys, as a JOSE library makes it. */
  sign({ algorithm, kid, privateKey }, more = {}, header = {}) {
    const claims = { iss: NAME, sub: "cus_ada", iat: seconds(), exp: seconds() + 7_200, ...more };
    return new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid, ...header }).sign(privateKey);
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
