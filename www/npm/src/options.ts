// What a gate is told when it is made.

import type { Feature } from "./features.js";

/** A token that names one customer, or what fetches one from your backend. */
export type Token = string | (() => string | Promise<string>);

/** A public key of Ed25519, as `/.well-known/jwks.json` shows it. */
export interface Jwk {
  kty?: string;
  crv?: string;
  kid?: string;
  x?: string;
}

/** Where the last known set is kept: `localStorage`, or anything like it. */
export interface Shelf {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

export interface Options {
  /** Where entgate is: `https://entgate.example.com`. */
  endpoint: string;
  /** Without one nothing is fetched, and `snapshot` is all that is known. */
  token?: Token;
  /** Whose gate it is. It may be left out if the token says so in `sub`. */
  customer?: string;
  /** What `has` answers while it is not known; `false` for every other feature. */
  fallback?: { readonly [F in Feature]?: boolean };
  /** A snapshot that came with the page: the first answer, before anything is fetched. */
  snapshot?: string;
  /** Where the last known set is kept; `localStorage` if nothing is said, and `null` for nowhere. */
  storage?: Shelf | null;
  /** Who may have signed a stored set. Pinned here, it counts at once; else the endpoint is asked for its keys. */
  keys?: readonly Jwk[];
  /** `false` opens no stream: the set is read anew on focus, on coming online and before it expires. */
  live?: boolean;
  /** How long a set is good, in seconds, 60 to 86,400; 3,600 if nothing is said. */
  expiresIn?: number;
  /** Another `fetch`. */
  fetch?: typeof fetch;
}
