// `entgate/slim`: the gate without the Rust core in it. Hand in `entgate/entgate.wasm`, compiled in the way of
// your bundler; without one the twin in JavaScript answers.

import { core } from "./core/wasm-core.js";
import { twin } from "./core/js-core.js";
import type { Gate } from "./gate.js";
import { open } from "./gate-impl.js";
import type { Options } from "./options.js";

export * from "./api.js";

export function createGate({ wasm, ...options }: Options & { wasm?: WebAssembly.Module | undefined }): Gate {
  return open(wasm ? core(() => wasm) : twin, options);
}
