// The compact form of a JWT, taken apart: https://www.rfc-editor.org/rfc/rfc7515#section-7.1

export interface Jwt {
  header: { alg?: unknown; typ?: unknown; kid?: unknown };
  /** The claims as they stand: whoever believes them reads them. */
  claims: string;
  message: Uint8Array<ArrayBuffer>;
  signature: Uint8Array<ArrayBuffer>;
}

/** The parts of a token; `undefined` if it is none. */
export function parse(token: string): Jwt | undefined {
  try {
    const [header = "", claims = "", signature = "", more] = token.split(".");
    if (more !== undefined) return undefined;
    return {
      header: JSON.parse(text(header)),
      claims: text(claims),
      message: new TextEncoder().encode(`${header}.${claims}`),
      signature: bytes(signature),
    };
  } catch {
    return undefined;
  }
}

export function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64url.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));
}

const text = (base64url: string) => new TextDecoder("utf-8", { fatal: true }).decode(bytes(base64url));
