// Fixtures for tests of customers' tokens: claims, tokens signed byte by byte, settings, and expected errors.

import { createHmac, sign } from "node:crypto";
import { ISSUER } from "./identity-provider.mjs";
import { unixNow } from "./support.mjs";

/** @import { KeyObject } from "node:crypto" */

/** A part of a token as JSON, or as it is. @typedef {string | Buffer | object} TokenPart */

/** Status, code and message of an error. @typedef {[number, (string | undefined)?, (string | RegExp)?]} Outcome */

export const CHECK = "/v1/check?feature=sms";
export const SECRET = "secret-of-32-characters-number-1";
export const OLD_SECRET = "secret-of-32-characters-number-0";
const SIGNING_KEY =
  '{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}';

/** Settings with token secrets and a signing key. @param {{ settings: Record<string, string> }} [provider] */
export const tokenSettings = (provider) => ({
  ENTGATE_TOKEN_SECRETS: `${SECRET},${OLD_SECRET}`,
  ENTGATE_SIGNING_KEY: SIGNING_KEY,
  ...provider?.settings,
});

/** Claims of entgate's own tokens. @param {Record<string, unknown>} [claims] */
export const ownClaims = (claims = {}) => ({
  sub: "cus_ada",
  aud: "entgate",
  iat: unixNow(),
  exp: unixNow() + 900,
  livemode: false,
  ...claims,
});

/** Claims of the identity provider's tokens. @param {Record<string, unknown>} [claims] */
export const issuerClaims = (claims = {}) => ({ iss: ISSUER, sub: "cus_ada", iat: unixNow(), exp: unixNow() + 900, ...claims });

/** A part of a token in base64url. @param {TokenPart} part */
export const encodePart = (part) =>
  Buffer.from(typeof part === "string" || Buffer.isBuffer(part) ? part : JSON.stringify(part)).toString("base64url");

/**
 * A token with an HMAC. No library checks its parts.
 *
 * @param {TokenPart} [claims]
 * @param {TokenPart} [header]
 * @param {string | Buffer} [secret]
 */
export function signHs256(claims = ownClaims(), header = { alg: "HS256" }, secret = SECRET) {
  const signingInput = `${encodePart(header)}.${encodePart(claims)}`;
  return `${signingInput}.${createHmac("sha256", secret).update(signingInput).digest("base64url")}`;
}

/**
 * A token with a signature by Node's `sign`. No library checks its parts.
 *
 * @param {CryptoKey} key
 * @param {TokenPart} header
 * @param {TokenPart} [claims]
 * @param {{ hash?: string | null, dsaEncoding?: "der" | "ieee-p1363", padding?: number, saltLength?: number }} [options]
 */
export function signWithKey(key, header, claims = issuerClaims(), { hash = "sha256", ...options } = {}) {
  const signingInput = `${encodePart(header)}.${encodePart(claims)}`;
  const signature = sign(hash, Buffer.from(signingInput), { key: /** @type {KeyObject} */ (/** @type {unknown} */ (key)), ...options });
  return `${signingInput}.${signature.toString("base64url")}`;
}

/** The status of a response and, if it is an error, its code and message. */
export const outcome = ({ status, json }) => (json?.error ? [status, json.error.code, json.error.message] : [status]);

/** The error of an invalid token. @param {string | RegExp} message @returns {Outcome} */
export const invalid = (message) => [401, "token_invalid", message];

export const UNKNOWN_KEY = invalid("The token is signed with an unknown key.");
export const BAD_SIGNATURE = invalid("The token's signature does not match.");
