// Verifies snapshots locally, with WebCrypto.

import { normalizeEndpoint } from "../endpoint.js";
import { GateError } from "../error.js";
import type { Feature } from "../features.js";
import { decodeBase64Url, parseJwt } from "../jwt.js";
import type { Jwk } from "../options.js";

export interface Snapshot {
  customer: string;
  livemode: boolean;
  version: number;
  /** When the source last confirmed the set, in Unix seconds; `null` for an unknown customer. */
  asOf: number | null;
  issuedAt: number;
  expiresAt: number;
  entitlements: string[];
  has(feature: Feature): boolean;
}

/** The public keys, or a function that returns them for the `kid` of a snapshot. */
export type Keys = readonly Jwk[] | ((kid: string) => Promise<readonly Jwk[]>);

/** The shortest time between two fetches because of an unknown `kid`, in milliseconds: any client can send one. */
const MIN_REFETCH_INTERVAL = 60_000;
/** The lifetime of cached keys, in milliseconds: the `max-age` of the response. */
const CACHE_TTL = 300_000;

/** Creates a function that fetches `/.well-known/jwks.json` of an endpoint. It caches the keys for five minutes, and fetches again for an unknown `kid`. */
export function remoteKeys(endpoint: string, { fetch: send = fetch } = {}): (kid: string) => Promise<readonly Jwk[]> {
  const url = `${normalizeEndpoint(endpoint)}/.well-known/jwks.json`;
  let keys: readonly Jwk[] = [];
  let fetchedAt = -Infinity;
  let inFlight: Promise<void> | undefined;
  return async (kid) => {
    const age = Date.now() - fetchedAt;
    const isKnown = keys.some((key) => key.kid === kid);
    if (age > CACHE_TTL || (!isKnown && age > MIN_REFETCH_INTERVAL)) {
      inFlight ??= (async () => {
        try {
          const response = await send(url);
          if (!response.ok) throw await GateError.of(response);
          keys = ((await response.json()) as { keys: Jwk[] }).keys;
          fetchedAt = Date.now();
        } finally {
          inFlight = undefined;
        }
      })();
      await inFlight;
    }
    return keys;
  };
}

/**
 * Verifies a snapshot: its signature, its expiry and, if `customer` is given, its customer. Returns its claims.
 *
 * Throws a `GateError` with a code: `snapshot_malformed`, `snapshot_key_unknown`, `snapshot_signature`, `snapshot_expired`, `customer_mismatch`.
 */
export async function verifySnapshot(
  snapshot: string,
  { keys, customer, now = Date.now() / 1000 }: { keys: Keys; customer?: string; now?: number },
): Promise<Snapshot> {
  const jwt = parseJwt(snapshot);
  const { alg, typ, kid } = jwt?.header ?? {};
  if (!jwt || alg !== "EdDSA" || typ !== "entitlements+jwt" || typeof kid !== "string") {
    throw new GateError("this is not a valid snapshot", "snapshot_malformed");
  }
  const jwk = (typeof keys === "function" ? await keys(kid) : keys).find((key) => key.kid === kid && key.crv === "Ed25519");
  if (!jwk?.x) throw new GateError("the snapshot is signed with an unknown key", "snapshot_key_unknown");
  const key = await crypto.subtle.importKey("raw", decodeBase64Url(jwk.x), "Ed25519", false, ["verify"]);
  if (!(await crypto.subtle.verify("Ed25519", key, jwt.signature, jwt.signingInput))) {
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
