// The public interface of a gate. The implementation is `gate-impl.ts`; `testing.ts` has one for tests.

import type { GateError } from "./error.js";
import type { Feature } from "./features.js";

/**
 * | state     | means                                                                      |
 * |-----------|----------------------------------------------------------------------------|
 * | `loading` | no set is loaded yet                                                       |
 * | `ready`   | the current set is loaded                                                  |
 * | `stale`   | a set is loaded, but may be out of date                                    |
 * | `error`   | no set is loaded, and the last attempt failed: see `error`                 |
 */
export type State = "loading" | "ready" | "stale" | "error";

export type Reason = "active_entitlement" | "not_entitled" | "unknown_customer" | "not_known" | "fallback";

export interface Check {
  feature: string;
  entitled: boolean;
  /** With `fallback` and `not_known` the answer is not known now: `entitled` is the configured fallback, or `false`. */
  reason: Reason;
  /** The version of the set; 0 if none is loaded. */
  version: number;
}

export interface Events {
  /** Answers may have changed. */
  change: (gate: Gate) => void;
  state: (state: State) => void;
}

export interface Gate {
  /** Checks whether the customer may use the feature. Returns the fallback, or `false`, while that is not known. Never throws. */
  has(feature: Feature): boolean;
  /** The same check, with the reason. */
  check(feature: Feature): Check;
  /** Returns the lookup keys of all features of the customer, newest first; an empty array while they are not known. */
  list(): string[];
  readonly version: number;
  readonly state: State;
  /** The last failure, in the states `error` and `stale`. */
  readonly error: GateError | undefined;
  /** Adds a listener, and returns a function that removes it. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void;
  /** Resolves to `true` when the customer has the feature, or to `false` after `timeout` milliseconds or when the gate is closed. */
  waitFor(feature: Feature, options?: { timeout?: number }): Promise<boolean>;
  /** Reads the set from the ledger. Resolves when the attempt is over, and never rejects. */
  refresh(): Promise<void>;
  /** Closes the stream, stops all timers and removes all listeners. */
  close(): void;
}
