// The token of a gate: fetches it, reads the customer from it, and renews it before it expires.

import type { Clock } from "./clock.js";
import { GateError } from "./error.js";
import { parseJwt } from "./jwt.js";
import type { Token } from "./options.js";
import { shared, withTimeout } from "./waiting.js";

export interface BearerToken {
  value: string;
  /** The customer in the token's claims; only for tokens that entgate issued. Other issuers use other ids. */
  customer?: string | undefined;
  /** The mode of the token, or of the server key. */
  livemode?: boolean | undefined;
}

/** A token is renewed this long before it expires, in seconds: a request takes time. */
const RENEWAL_MARGIN = 30;
/** The timeout of the application's function, in milliseconds. */
const TOKEN_TIMEOUT = 15_000;
/** How much of a value that is not a token an error contains. */
const MAX_QUOTED_LEN = 40;

/** Decodes a token. `renewAt` is measured by the gate's clock, from the lifetime in the token. */
export function decodeToken(value: string, now: Clock): BearerToken & { renewAt: number } {
  const mode = /^[rs]k_(live|test)_/.exec(value)?.[1];
  if (mode) return { value, livemode: mode === "live", renewAt: Infinity };
  const jwt = parseJwt(value);
  if (!jwt) throw new GateError(`\`token\` is not a JWT: ${String(value).slice(0, MAX_QUOTED_LEN)}`, "token_failed");
  const { aud, sub, livemode, iat, exp } = jwt.claims;
  const identity = aud === "entgate" ? { customer: sub, livemode } : {};
  const lifetime = exp - (iat ?? now());
  return { value, ...identity, renewAt: lifetime > 0 ? now() + lifetime - Math.min(RENEWAL_MARGIN, lifetime / 2) : Infinity };
}

/** Creates a function that returns the token. It fetches another one if the current one is due for renewal or was rejected. */
export function createTokenSource(token: Token, now: Clock): (isRejected?: boolean) => Promise<BearerToken> {
  if (typeof token !== "function") return async () => decodeToken(token, now);
  let current: ReturnType<typeof decodeToken> | undefined;
  const fetchToken = shared(async () => {
    current = decodeToken(await withTimeout(TOKEN_TIMEOUT, async () => token()), now);
    return current;
  });
  return async (isRejected) => (current && !isRejected && now() < current.renewAt ? current : fetchToken());
}
