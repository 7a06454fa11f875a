// `entgate/slim`: the gate without an embedded core. Pass `entgate/entgate.wasm`, loaded and compiled in the way of
// your bundler. Without it the core in JavaScript is used.

import { jsCore } from "./core/js-core.js";
import { createWasmCore } from "./core/wasm-core.js";
import type { Gate } from "./gate.js";
import { createGateWithCore } from "./gate-impl.js";
import type { Options } from "./options.js";

export * from "./api.js";

/** Creates a gate. It reads the customer's entitlement set and keeps it up to date until it is closed. */
export function createGate({ wasm, ...options }: Options & { wasm?: WebAssembly.Module | undefined }): Gate {
  return createGateWithCore(wasm ? createWasmCore(() => wasm) : jsCore, options);
}
