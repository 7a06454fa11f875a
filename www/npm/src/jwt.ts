// Splits and decodes a JWT in compact serialization: https://www.rfc-editor.org/rfc/rfc7515#section-7.1
//
// It verifies nothing: the caller verifies `signature` over `signingInput` before it trusts the claims.

export interface Jwt {
  header: { alg?: unknown; typ?: unknown; kid?: unknown };
  /** The claims as JSON, not parsed. */
  claims: string;
  signingInput: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** Returns `undefined` if the token is not a valid JWT. */
export function parseJwt(token: string): Jwt | undefined {
  try {
    const [header = "", claims = "", signature = "", rest] = token.split(".");
    if (rest !== undefined) return undefined;
    return {
      header: JSON.parse(decodeText(header)),
      claims: decodeText(claims),
      signingInput: new TextEncoder().encode(`${header}.${claims}`),
      signature: decodeBase64Url(signature),
    };
  } catch {
    return undefined;
  }
}

export function decodeBase64Url(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
}

const decodeText = (base64url: string) => new TextDecoder("utf-8", { fatal: true }).decode(decodeBase64Url(base64url));
