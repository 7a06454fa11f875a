// The token that a gate shows: where it comes from, whose it is, and when another one is needed.

import { parse } from "./jwt.js";
import type { Token } from "./options.js";

export interface Bearer {
  value: string;
  /** Whose it is, as far as it says: who signs tokens elsewhere names customers elsewhere. */
  customer?: string | undefined;
  livemode?: boolean | undefined;
}

/** How long before its end a token is not shown any more, in seconds: a request takes a moment. */
const MARGIN = 30;

export function read(value: string): Bearer & { until: number } {
  try {
    const { aud, sub, livemode, exp } = JSON.parse(parse(value)!.claims);
    const ours = aud === "entgate" ? { customer: sub, livemode } : {};
    return { value, ...ours, until: typeof exp === "number" ? exp : Infinity };
  } catch {
    // A key of the operator's, or whatever the edge makes of it.
    return { value, until: Infinity };
  }
}

/** Gives the token, and asks for another one where it is at its end, or where the edge refused it. */
export function bearer(token: Token): (refused?: boolean) => Promise<Bearer> {
  if (typeof token === "string") return async () => read(token);
  let held: (Bearer & { until: number }) | undefined;
  let asked: Promise<Bearer> | undefined;
  return async (refused) => {
    if (held && !refused && Date.now() / 1000 < held.until - MARGIN) return held;
    asked ??= (async () => {
      try {
        return (held = read(await token()));
      } finally {
        asked = undefined;
      }
    })();
    return asked;
  };
}
