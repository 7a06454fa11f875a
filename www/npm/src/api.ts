// The types and the error class that every entry with a gate exports.

export { GateError } from "./error.js";
export * from "./features.js";
export type { Check, Events, Gate, Reason, State } from "./gate.js";
export type { Jwk, Options, SnapshotStorage, Token } from "./options.js";
