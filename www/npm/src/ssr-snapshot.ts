// Answers checks from a snapshot that the server embedded in the page, without a core.
//
// The signature is not verified: the page and its snapshot come from the same server. Used for server-side rendering
// and hydration (`react/gate-store.ts`).

import type { Check } from "./gate.js";
import { parseJwt } from "./jwt.js";

export interface SsrSnapshot {
  /** The expiry, in Unix seconds. */
  expiresAt: number;
  /** Returns the answer of a gate that has loaded this snapshot. */
  check(feature: string): Check;
}

/** Returns `undefined` if there is no snapshot, or it cannot be parsed. */
export function parseSsrSnapshot(snapshot: string | undefined): SsrSnapshot | undefined {
  try {
    const { version, exp: expiresAt, as_of, entitlements } = JSON.parse(parseJwt(snapshot ?? "")?.payload ?? "");
    const granted = new Set<string>(entitlements);
    const denyReason = as_of === null ? "unknown_customer" : "not_entitled";
    return {
      expiresAt,
      check(feature) {
        const entitled = granted.has(feature);
        return { feature, entitled, reason: entitled ? "active_entitlement" : denyReason, version };
      },
    };
  } catch {
    return undefined;
  }
}
