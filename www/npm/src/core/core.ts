// What answers: the Rust core in wasm, or its twin in JavaScript where no wasm can be compiled.

/** The lines of a set, as `src/client/held.rs` has them. */
export type Lines = string;

/** What a core says of a feature. */
export const NO = 0;
export const YES = 1;
export const UNHEARD_OF = 2;
export const NOT_KNOWN = 3;
export type Answer = typeof NO | typeof YES | typeof UNHEARD_OF | typeof NOT_KNOWN;

export interface Core {
  /** Reads what the edge has said, newest first, as `src/client/said.rs` has it. */
  read(said: string): Lines | undefined;
  /** May the customer use the feature, at this Unix second? */
  check(lines: Lines, feature: string, now: number): Answer;
  /** Whether an Ed25519 signature is genuine. A core without this believes nothing that was stored. */
  verify?(key: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean;
}
