// What the tests of the npm package share: the built Worker with tokens and snapshots, signing keys, and a storage.
//
// The package is tested as `scripts/npm.sh` built it; `bundleSource` gives access to modules that no entry exports.
// Not here: the proxy between gate and Worker (`flaky-proxy.mjs`) and streams that a test writes (`fake-stream.mjs`).

import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { serve } from "../worker/support.mjs";

/**
 * @typedef {import("../worker/support.mjs").Service & { signer: import("entgate").Jwk }} Edge A running Worker, and the
 *   public key of its snapshots.
 */

/** @param {string} path A path from the root of the repository. */
export const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * Bundles and imports an internal module of the package.
 *
 * @param {string} path From `www/npm/src`.
 */
export async function importSource(path) {
  const outfile = root(`target/npm/${path.replace(/\W/g, "-")}.mjs`);
  await build({
    entryPoints: [root(`www/npm/src/${path}`)],
    outfile,
    bundle: true,
    format: "esm",
    logLevel: "silent",
    external: ["entgate.wasm"],
  });
  return import(pathToFileURL(outfile).href);
}

/**
 * Creates an Ed25519 key pair as JWKs.
 *
 * @param {string} kid
 */
export function createSigningKey(kid) {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return { private: { kty, crv, x, d, kid }, public: /** @type {import("entgate").Jwk} */ ({ kty, crv, x, kid }) };
}

/**
 * Starts a Worker that issues tokens and signs snapshots. With `signs: false` it only has the list.
 *
 * @param {{ signs?: boolean, settings?: Record<string, string> }} [options]
 * @returns {Promise<Edge>}
 */
export async function serveEdge({ signs = true, settings = {} } = {}) {
  const key = createSigningKey("one");
  const service = await serve({
    settings: {
      ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more",
      ENTGATE_ALLOWED_ORIGINS: "*",
      ...(signs && { ENTGATE_SIGNING_KEY: JSON.stringify(key.private) }),
      ...settings,
    },
  });
  return Object.assign(service, { signer: key.public });
}

/**
 * Creates a customer token.
 *
 * @param {Edge} service
 * @param {string} customer
 * @returns {Promise<string>}
 */
export async function createToken(service, customer, expires_in = 900) {
  const body = JSON.stringify({ customer, expires_in });
  const response = await service.request("/v1/tokens", { method: "POST", body, headers: { "content-type": "application/json" } });
  return response.json.token;
}

/**
 * Decodes the claims of a JWT.
 *
 * @param {string} jwt
 */
export const decodeClaims = (jwt) => JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString());

/**
 * Signs a snapshot.
 *
 * @param {ReturnType<typeof createSigningKey>["private"]} key
 * @param {object} claims
 * @param {object} [header] Members that are added to the header.
 */
export function signSnapshot(key, claims, header = {}) {
  const encode = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode({ alg: "EdDSA", typ: "entitlements+jwt", kid: key.kid, ...header })}.${encode(claims)}`;
  const signature = sign(null, Buffer.from(input), createPrivateKey({ key, format: "jwk" }));
  return `${input}.${signature.toString("base64url")}`;
}

/**
 * Runs a function while `Date.now` is a number of milliseconds ahead.
 *
 * @template T
 * @param {number} milliseconds
 * @param {() => Promise<T>} run
 */
export async function withClockAhead(milliseconds, run) {
  const { now } = Date;
  try {
    Date.now = () => now() + milliseconds;
    return await run();
  } finally {
    Date.now = now;
  }
}

/** A storage with the methods of `localStorage`. */
export class MemoryStorage extends Map {
  /** @param {string} key */
  getItem(key) {
    return this.get(key) ?? null;
  }
  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.set(key, value);
  }
  /** @param {string} key */
  removeItem(key) {
    this.delete(key);
  }
}
