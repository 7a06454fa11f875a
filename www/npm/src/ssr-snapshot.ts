// Answers checks from a snapshot that the server embedded in the page, without a core.
//
// The signature is not verified: the page and its snapshot come from the same server. Used for server-side rendering
// and hydration (`react/gate-store.ts`).

import type { Check } from "./gate.js";
import { parseJwt } from "./jwt.js";

export interface SsrSnapshot {
  version: number;
  /** The time from its receipt to its expiry, in milliseconds. */
  timeLeft: number;
  /** Returns the answer of a gate that has loaded this snapshot. */
  check(feature: string): Check;
}

/** Returns `undefined` if there is no snapshot of this mode, or it cannot be parsed. */
export function parseSsrSnapshot(snapshot: string | undefined, expectedMode: boolean): SsrSnapshot | undefined {
  const jwt = parseJwt(snapshot ?? "");
  if (!jwt) return undefined;
  const { version, iat, exp, as_of, livemode, entitlements } = jwt.claims;
  try {
    if (livemode !== expectedMode) {
      console.warn(`entgate: ignored a snapshot that is not of ${expectedMode ? "live" : "test"} mode: see \`livemode\``);
      return undefined;
    }
    const granted = new Set<string>(entitlements);
    const denyReason = as_of === null ? "unknown_customer" : "not_entitled";
    return {
      version,
      // This machine's clock can be slow, but the snapshot was not issued in the future.
      timeLeft: exp * 1_000 - Math.max(Date.now(), iat * 1_000),
      check(feature) {
        const entitled = granted.has(feature);
        return { feature, entitled, reason: entitled ? "active_entitlement" : denyReason, version };
      },
    };
  } catch {
    return undefined;
  }
}
