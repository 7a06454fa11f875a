// `entgate`: the gate, with the Rust core in it.

import packed from "entgate.wasm";
import type { Core } from "./core/core.js";
import { unpack } from "./core/packed-bytes.js";
import { core } from "./core/wasm-core.js";
import type { Gate } from "./gate.js";
import { open } from "./gate-impl.js";
import type { Options } from "./options.js";

export * from "./api.js";

let shared: Core | undefined;

/** Makes a gate, which fetches what its customer has and keeps it true until it is closed. */
export function createGate(options: Options): Gate {
  return open((shared ??= core(() => new WebAssembly.Module(unpack(packed)))), options);
}
