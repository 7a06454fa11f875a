// `entgate` for Cloudflare Workers, which cannot compile wasm from bytes: the core is imported as a module.

import type { Core } from "./core/core.js";
import { createWasmCore } from "./core/wasm-core.js";
import module from "./entgate.wasm";
import type { Gate } from "./gate.js";
import { createGateWithCore } from "./gate-impl.js";
import type { Options } from "./options.js";

export * from "./api.js";

let core: Core | undefined;

/** Creates a gate. It reads the customer's entitlement set and keeps it up to date until it is closed. */
export function createGate(options: Options): Gate {
  core ??= createWasmCore(() => module);
  return createGateWithCore(core, options);
}
