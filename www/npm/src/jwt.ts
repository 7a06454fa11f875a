// Splits and decodes a JWT in compact serialization: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
//
// It verifies nothing: the caller verifies `signature` over `signingInput` before it trusts the claims.

import { decodeBase64Url, decodeUtf8, toBytes } from "./text.js";

export interface Jwt {
  header: { alg?: unknown; typ?: unknown; kid?: unknown };
  /** The claims, and the JSON that contains them. */
  // biome-ignore lint/suspicious/noExplicitAny: nothing is known about the claims
  claims: any;
  payload: string;
  signingInput: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** Returns `undefined` if the token is not a valid JWT, or has an extension: none is supported. */
export function parseJwt(token: string): Jwt | undefined {
  try {
    const [first = "", second = "", signature = "", rest] = token.split(".");
    const [header, payload] = [first, second].map((part) => decodeUtf8(decodeBase64Url(part))) as [string, string];
    const jwt = {
      header: JSON.parse(header),
      claims: Object(JSON.parse(payload)),
      payload,
      signingInput: toBytes(`${first}.${second}`),
      signature: toBytes(decodeBase64Url(signature)),
    };
    // https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    return rest !== undefined || "crit" in jwt.header ? undefined : jwt;
  } catch {
    return undefined;
  }
}
