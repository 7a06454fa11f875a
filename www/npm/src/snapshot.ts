// Reads a snapshot into a set whose times are those of the gate's clock. Verifies no signature.
//
// The clocks of the edge and of this machine can differ by hours. A snapshot that the edge has just sent was issued now:
// its `iat` is the time of the edge's clock. Any other snapshot is at least that old.

import { parseJwt } from "./jwt.js";

/** A set as it is received, and sent to other tabs. */
export interface ReceivedSet {
  /** The JSON messages for `Core.load`, newest first. */
  messages: string[];
  /** In Unix seconds, by the gate's clock; `NaN` if the snapshot has no issue time or no expiry. */
  expiresAt: number;
  /** The next start or end of an entitlement of the set, by the gate's clock. */
  changesAt?: number;
  /** The mode of the snapshot. A list does not contain its mode. */
  livemode?: boolean | undefined;
  /** The signed snapshot that contains the whole set. */
  snapshot?: string;
}

/** Returns `undefined` if this is not a JWT. */
export function readSnapshot(snapshot: string, now: number, isFresh = false): ReceivedSet | undefined {
  const jwt = parseJwt(snapshot);
  if (!jwt) return undefined;
  const { iat, exp, changes_at, livemode } = jwt.claims;
  const clockSkew = iat > 0 ? (isFresh ? iat - now : Math.max(iat - now, 0)) : NaN;
  return { messages: [jwt.payload], expiresAt: exp - clockSkew, changesAt: changes_at - clockSkew, livemode, snapshot };
}
