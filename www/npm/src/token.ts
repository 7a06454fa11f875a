// The token of a gate: fetches it, reads the customer from it, and renews it before it expires.

import { now } from "./clock.js";
import { parseJwt } from "./jwt.js";
import type { Token } from "./options.js";

export interface BearerToken {
  value: string;
  /** The customer and mode in the token's claims; only for tokens that entgate issued. Other issuers use other ids. */
  customer?: string | undefined;
  livemode?: boolean | undefined;
}

/** A token is renewed this long before it expires, in seconds: a request takes time. */
const RENEWAL_MARGIN = 30;

/** Decodes a token. `renewAt` is measured by this machine's clock, from the lifetime in the token. */
export function decodeToken(value: string): BearerToken & { renewAt: number } {
  try {
    const { aud, sub, livemode, iat, exp } = JSON.parse(parseJwt(value)?.claims ?? "");
    const identity = aud === "entgate" ? { customer: sub, livemode } : {};
    const lifetime = exp - (iat ?? now());
    return { value, ...identity, renewAt: lifetime > 0 ? now() + lifetime - Math.min(RENEWAL_MARGIN, lifetime / 2) : Infinity };
  } catch {
    // Not a JWT: a server key, for example.
    return { value, renewAt: Infinity };
  }
}

/** Creates a function that returns the token. It fetches another one if the current one is due for renewal or was rejected. */
export function createTokenSource(token: Token): (isRejected?: boolean) => Promise<BearerToken> {
  if (typeof token === "string") return async () => decodeToken(token);
  let current: ReturnType<typeof decodeToken> | undefined;
  let inFlight: Promise<BearerToken> | undefined;
  return async (isRejected) => {
    if (current && !isRejected && now() < current.renewAt) return current;
    inFlight ??= (async () => {
      try {
        current = decodeToken(await token());
        return current;
      } finally {
        inFlight = undefined;
      }
    })();
    return inFlight;
  };
}
