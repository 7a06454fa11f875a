// The last known set, as a signed snapshot in storage. Whoever edits storage cannot sign: what is not
// genuine, of this customer and still good grants nothing.

import type { Core } from "./core/core.js";
import { bytes, parse } from "./jwt.js";
import type { Jwk, Options, Shelf } from "./options.js";

/** `localStorage`, where there is a page that may use it. */
export function shelf({ storage }: Options): Shelf | undefined {
  try {
    return storage === undefined && globalThis.document ? globalThis.localStorage : (storage ?? undefined);
  } catch {
    return undefined;
  }
}

/** The claims of a snapshot that one of these keys signed. */
export function claims(core: Core, snapshot: string, keys: readonly Jwk[]): string | undefined {
  const jwt = parse(snapshot);
  if (jwt?.header?.alg !== "EdDSA" || jwt.header.typ !== "entitlements+jwt") return undefined;
  const genuine = keys.some(({ crv, kid, x }) => {
    try {
      return crv === "Ed25519" && kid === jwt.header.kid && core.verify?.(bytes(x!), jwt.signature, jwt.message);
    } catch {
      return false;
    }
  });
  return genuine ? jwt.claims : undefined;
}
