// The options of `createGate`.

import type { Feature } from "./features.js";

/** A token of one customer, or a function that fetches one from your backend. */
export type Token = string | (() => string | Promise<string>);

/** An Ed25519 public key, as in `/.well-known/jwks.json`. */
export interface Jwk {
  kty?: string;
  crv?: string;
  kid?: string;
  x?: string;
}

/** Stores the last known set: `localStorage`, or an object with the same methods. `getItem` may return a promise. */
export interface SnapshotStorage {
  getItem(key: string): string | null | Promise<string | null>;
  setItem(key: string, value: string): unknown;
  removeItem(key: string): unknown;
}

export interface Options {
  /** The URL of entgate: `https://entgate.example.com`. */
  endpoint: string;
  /** Without a token the gate sends no requests, and answers from `snapshot` only. */
  token?: Token;
  /** The customer id. Not needed if the token contains it as `sub`. */
  customer?: string;
  /**
   * The mode of the customer: `true` by default. A token that entgate issued decides it. Embedded and stored sets of the
   * other mode are ignored.
   */
  livemode?: boolean;
  /** The answers of `has` while the set is not known; `false` for every feature that is not listed. */
  fallback?: { readonly [F in Feature]?: boolean };
  /** A signed snapshot that was embedded in the page: the first answers, before any request. */
  snapshot?: string;
  /** The storage of the last known set: `localStorage` by default, `null` for none. */
  storage?: SnapshotStorage | null;
  /**
   * The keys that may sign a stored set. With them, and with `customer` or a token as text, it is used at once: before the
   * first paint. Without them they are read from the endpoint first.
   */
  keys?: readonly Jwk[];
  /** `false` opens no stream: the set is read again on focus, on reconnection and before it expires. */
  live?: boolean;
  /** The lifetime of a set in seconds, 60 to 86,400; 3,600 by default. */
  expiresIn?: number;
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch;
}
