// A snapshot that came with a page, read without a core: whoever wrote the page wrote the snapshot into it.

import type { Check } from "./gate.js";
import { parse } from "./jwt.js";

export interface Brought {
  /** When it is over, in Unix seconds. */
  until: number;
  /** The answers of a gate that holds this snapshot. */
  check(feature: string): Check;
}

/** What a snapshot says; `undefined` if it says nothing that can be read. */
export function brought(snapshot: string | undefined): Brought | undefined {
  try {
    const { version, exp: until, as_of, entitlements } = JSON.parse(parse(snapshot!)!.claims);
    const granted = new Set<string>(entitlements);
    const otherwise = as_of === null ? "unknown_customer" : "not_entitled";
    return {
      until,
      check(feature) {
        const entitled = granted.has(feature);
        return { feature, entitled, reason: entitled ? "active_entitlement" : otherwise, version };
      },
    };
  } catch {
    return undefined;
  }
}
