// Verifies snapshots locally, with WebCrypto.

import { normalizeEndpoint } from "../endpoint.js";
import { GateError } from "../error.js";
import type { Feature } from "../features.js";
import { parseJwt } from "../jwt.js";
import type { Jwk } from "../options.js";
import { decodeBase64Url, toBytes } from "../text.js";
import { shared } from "../waiting.js";
import { DEFAULT_TIMEOUT, fetchJson } from "./http.js";

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

/**
 * Creates a function that fetches `/.well-known/jwks.json` of an endpoint. It caches the keys for five minutes, and fetches
 * again for an unknown `kid`. While the endpoint cannot be reached, cached keys stay valid.
 */
export function remoteKeys(
  endpoint: string,
  { fetch: send = fetch, timeout = DEFAULT_TIMEOUT } = {},
): (kid: string) => Promise<readonly Jwk[]> {
  const url = `${normalizeEndpoint(endpoint)}/.well-known/jwks.json`;
  let keys: readonly Jwk[] = [];
  let fetchedAt = -Infinity;
  const fetchKeys = shared(async () => {
    keys = (await fetchJson(send, url, timeout)).keys;
    fetchedAt = performance.now();
  });
  return async (kid) => {
    const age = performance.now() - fetchedAt;
    const isKnown = keys.some((key) => key.kid === kid);
    if (age > CACHE_TTL || (!isKnown && age > MIN_REFETCH_INTERVAL)) {
      try {
        await fetchKeys();
      } catch (error) {
        if (!isKnown) throw error;
        fetchedAt = performance.now() - CACHE_TTL + MIN_REFETCH_INTERVAL;
      }
    }
    return keys;
  };
}

export interface VerifyOptions {
  keys: Keys;
  /** The customer that the snapshot has to be of. */
  customer?: string;
  /** The mode that the snapshot has to be of: `true` by default. Both modes are signed with one key. */
  livemode?: boolean;
  /** The time in Unix seconds. */
  now?: number;
}

/**
 * Verifies a snapshot: its signature, its expiry, its mode and, if `customer` is given, its customer. Returns its claims.
 *
 * Throws a `GateError` with a code: `snapshot_malformed`, `snapshot_key_unknown`, `snapshot_signature`, `snapshot_expired`,
 * `livemode_mismatch`, `customer_mismatch`.
 */
export async function verifySnapshot(
  snapshot: string,
  { keys, customer, livemode = true, now = Date.now() / 1000 }: VerifyOptions,
): Promise<Snapshot> {
  const malformed = new GateError("this is not a valid snapshot", "snapshot_malformed");
  const jwt = parseJwt(snapshot);
  const { alg, typ, kid } = jwt?.header ?? {};
  if (!jwt || alg !== "EdDSA" || typ !== "entitlements+jwt" || typeof kid !== "string") throw malformed;
  const jwk = (typeof keys === "function" ? await keys(kid) : keys).find((key) => key.kid === kid && key.crv === "Ed25519");
  if (!jwk?.x) throw new GateError("the snapshot is signed with an unknown key", "snapshot_key_unknown");
  const key = await crypto.subtle.importKey("raw", toBytes(decodeBase64Url(jwk.x)), "Ed25519", false, ["verify"]);
  if (!(await crypto.subtle.verify("Ed25519", key, jwt.signature, jwt.signingInput))) {
    throw new GateError("the snapshot's signature does not match", "snapshot_signature");
  }
  const { claims } = jwt;
  const { sub, exp, iat, version, entitlements } = claims;
  if (![exp, iat, version].every(Number.isFinite) || typeof sub !== "string" || !Array.isArray(entitlements)) throw malformed;
  if (!(now < exp)) throw new GateError(`the snapshot expired at ${exp}`, "snapshot_expired");
  if (claims.livemode !== livemode) {
    throw new GateError(`the snapshot is not of ${livemode ? "live" : "test"} mode: see \`livemode\``, "livemode_mismatch");
  }
  if (customer !== undefined && sub !== customer) throw new GateError("the snapshot is of another customer", "customer_mismatch");
  const granted = new Set<string>(entitlements);
  return {
    customer: sub,
    livemode,
    version,
    asOf: claims.as_of,
    issuedAt: iat,
    expiresAt: exp,
    entitlements: [...granted],
    has: (feature) => granted.has(feature),
  };
}
