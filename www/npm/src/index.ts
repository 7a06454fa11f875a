// `entgate`: the gate, with the Rust core embedded in the bundle.

import packed from "entgate.wasm";
import type { Core } from "./core/core.js";
import { unpack } from "./core/packed-bytes.js";
import { createWasmCore } from "./core/wasm-core.js";
import type { Gate } from "./gate.js";
import { createGateWithCore } from "./gate-impl.js";
import type { Options } from "./options.js";

export * from "./api.js";

let core: Core | undefined;

/** Creates a gate. It reads the customer's entitlement set and keeps it up to date until it is closed. */
export function createGate(options: Options): Gate {
  core ??= createWasmCore(() => new WebAssembly.Module(unpack(packed)));
  return createGateWithCore(core, options);
}
