// What a gate is: the questions that it answers, and what it tells by itself.

import type { GateError } from "./error.js";
import type { Feature } from "./features.js";

/** What the gate knows: nothing yet; the set as it is; one that may be older; nothing, and why is in `error`. */
export type State = "loading" | "ready" | "stale" | "error";

export type Reason = "active_entitlement" | "not_entitled" | "unknown_customer" | "not_known" | "fallback";

export interface Check {
  feature: string;
  entitled: boolean;
  /** `fallback` and `not_known`: nobody can tell now, and `entitled` is what you chose for that. */
  reason: Reason;
  /** The version of the set; 0 while none is known. */
  version: number;
}

export interface Events {
  /** Answers may differ from what they were. */
  change: (gate: Gate) => void;
  state: (state: State) => void;
}

export interface Gate {
  /** May the customer use the feature? `fallback` while it is not known, and `false` without one. Never throws. */
  has(feature: Feature): boolean;
  /** The same, and why. */
  check(feature: Feature): Check;
  /** The lookup keys of all that the customer has, newest first; none while that is not known. */
  list(): string[];
  readonly version: number;
  readonly state: State;
  /** What went wrong last, while the state is `error` or `stale`. */
  readonly error: GateError | undefined;
  /** Calls back at each change; what it returns ends that. */
  on<E extends keyof Events>(event: E, heard: Events[E]): () => void;
  /** `true` as soon as the customer has the feature, `false` after `timeout` milliseconds or once closed. */
  waitFor(feature: Feature, options?: { timeout?: number }): Promise<boolean>;
  /** Reads the set anew from the ledger; done when that has come to an end, whatever the end was. */
  refresh(): Promise<void>;
  close(): void;
}
