// Snapshots, verified without asking: by WebCrypto, which every server has.

import { base } from "../endpoint.js";
import { GateError } from "../error.js";
import type { Feature } from "../features.js";
import { bytes, parse } from "../jwt.js";
import type { Jwk } from "../options.js";

export interface Snapshot {
  customer: string;
  livemode: boolean;
  version: number;
  /** When the source last said so, in Unix seconds; `null` for a customer never heard of. */
  asOf: number | null;
  issuedAt: number;
  expiresAt: number;
  entitlements: string[];
  has(feature: Feature): boolean;
}

/** The public keys, or how to come by the one that a snapshot names. */
export type Keys = readonly Jwk[] | ((kid: string) => Promise<readonly Jwk[]>);

/** How often keys are asked for because of one that is not known, in milliseconds: anybody can name one. */
const PAUSE = 60_000;
/** How long keys are believed, in milliseconds, as their answer says. */
const BELIEVED = 300_000;

/** The keys at `/.well-known/jwks.json` of an endpoint, kept for five minutes, and asked for anew where one is not known. */
export function remoteKeys(endpoint: string, { fetch: send = fetch } = {}): (kid: string) => Promise<readonly Jwk[]> {
  const at = `${base(endpoint)}/.well-known/jwks.json`;
  let keys: readonly Jwk[] = [];
  let read = -Infinity;
  let asked: Promise<void> | undefined;
  return async (kid) => {
    const age = Date.now() - read;
    const known = keys.some((key) => key.kid === kid);
    if (age > BELIEVED || (!known && age > PAUSE)) {
      asked ??= (async () => {
        try {
          const response = await send(at);
          if (!response.ok) throw await GateError.of(response);
          keys = ((await response.json()) as { keys: Jwk[] }).keys;
          read = Date.now();
        } finally {
          asked = undefined;
        }
      })();
      await asked;
    }
    return keys;
  };
}

/**
 * What a snapshot says, if one of the keys signed it, it is of this customer (if one is named), and not over.
 *
 * Throws a `GateError` with a code: `snapshot_malformed`, `snapshot_key_unknown`, `snapshot_signature`, `snapshot_expired`, `customer_mismatch`.
 */
export async function verifySnapshot(
  snapshot: string,
  { keys, customer, now = Date.now() / 1000 }: { keys: Keys; customer?: string; now?: number },
): Promise<Snapshot> {
  const jwt = parse(snapshot);
  const { alg, typ, kid } = jwt?.header ?? {};
  if (!jwt || alg !== "EdDSA" || typ !== "entitlements+jwt" || typeof kid !== "string") {
    throw new GateError("this is no snapshot of entgate", "snapshot_malformed");
  }
  const found = (typeof keys === "function" ? await keys(kid) : keys).find((key) => key.kid === kid && key.crv === "Ed25519");
  if (!found?.x) throw new GateError("the snapshot is signed with a key that is not known here", "snapshot_key_unknown");
  const key = await crypto.subtle.importKey("raw", bytes(found.x), "Ed25519", false, ["verify"]);
  if (!(await crypto.subtle.verify("Ed25519", key, jwt.signature, jwt.message))) {
    throw new GateError("the snapshot's signature does not match", "snapshot_signature");
  }
  const claims = JSON.parse(jwt.claims);
  if (now >= claims.exp) throw new GateError(`the snapshot expired at ${claims.exp}`, "snapshot_expired");
  if (customer !== undefined && claims.sub !== customer) throw new GateError("the snapshot is of another customer", "customer_mismatch");
  const granted = new Set<string>(claims.entitlements);
  return {
    customer: claims.sub,
    livemode: claims.livemode,
    version: claims.version,
    asOf: claims.as_of,
    issuedAt: claims.iat,
    expiresAt: claims.exp,
    entitlements: [...granted],
    has: (feature) => granted.has(feature),
  };
}
