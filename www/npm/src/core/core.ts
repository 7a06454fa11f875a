// The decision core: builds a customer's entitlement set from the messages of the edge, and answers checks on it.
//
// | implementation | file           | used                                                                   |
// |----------------|----------------|------------------------------------------------------------------------|
// | Rust, in wasm  | `wasm-core.ts` | wherever wasm can be compiled                                          |
// | JavaScript     | `js-core.ts`   | where it cannot: a strict content security policy, React Native        |
//
// Both implementations pass the same test vectors. A core keeps no state: the caller stores the set that `load`
// returns. Not here: HTTP, storage and the states of a gate (`gate-impl.ts`).

/** A loaded set: text lines in the format of `src/gate/line_set.rs`. */
export type LineSet = string;

/** The codes that `check` returns. The Rust core returns the same numbers. */
export const DENY = 0;
export const GRANT = 1;
export const DENY_UNKNOWN_CUSTOMER = 2;
export const INDETERMINATE = 3;
export type Decision = typeof DENY | typeof GRANT | typeof DENY_UNKNOWN_CUSTOMER | typeof INDETERMINATE;

export interface Core {
  /**
   * Replays messages over a snapshot or a list: a JSON array, newest message first, as in `src/gate/replay.rs`.
   * Returns `undefined` if they do not result in a valid set.
   */
  load(messages: string): LineSet | undefined;
  /** Checks whether the customer may use the feature at this time, in Unix seconds. */
  check(set: LineSet, feature: string, now: number): Decision;
  /** Verifies an Ed25519 signature. A core without this function accepts no stored set. */
  verify?(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean;
}
