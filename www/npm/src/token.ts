// The token that a gate shows: where it comes from, whose it is, and when another one is needed.

import { now } from "./clock.js";
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

/** What a token says of itself, and when it is to be replaced, by our clock and whatever that one shows. */
export function read(value: string): Bearer & { due: number } {
  try {
    const { aud, sub, livemode, iat, exp } = JSON.parse(parse(value)!.claims);
    const ours = aud === "entgate" ? { customer: sub, livemode } : {};
    const lifetime = exp - (iat ?? now());
    return { value, ...ours, due: lifetime > 0 ? now() + lifetime - Math.min(MARGIN, lifetime / 2) : Infinity };
  } catch {
    // A key of the operator's, or whatever the edge makes of it.
    return { value, due: Infinity };
  }
}

/** Gives the token, and asks for another one where it is at its end, or where the edge refused it. */
export function bearer(token: Token): (refused?: boolean) => Promise<Bearer> {
  if (typeof token === "string") return async () => read(token);
  let held: (Bearer & { due: number }) | undefined;
  let asked: Promise<Bearer> | undefined;
  return async (refused) => {
    if (held && !refused && now() < held.due) return held;
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
