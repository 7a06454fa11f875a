// `entgate`: the gate, with the Rust core in it.

import wasm from "entgate.wasm";
import type { Core } from "./core/core.js";
import { core } from "./core/wasm.js";
import { open, type Gate } from "./gate.js";
import type { Options } from "./options.js";

export * from "./api.js";

let shared: Core | undefined;

/** Makes a gate, which fetches what its customer has and keeps it true until it is closed. */
export function createGate(options: Options): Gate {
  return open((shared ??= core(() => new WebAssembly.Module(bytes(wasm)))), options);
}

/** Written in hex: gzip makes less of it than of base64, in which no byte stands where it stood before. */
function bytes(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, at) => parseInt(hex.substr(at * 2, 2), 16));
}
