// What every entry with a gate tells of.

export * from "./features.js";
export { GateError } from "./error.js";
export type { Check, Events, Gate, Reason, State } from "./gate.js";
export type { Jwk, Options, Shelf, Token } from "./options.js";
