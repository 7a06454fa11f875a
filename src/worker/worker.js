// The `worker` core with its WebAssembly module. entry.js loads it when it is first needed.

import module from "./worker.wasm";
import { initSync } from "entgate-worker";

initSync({ module });

export * from "entgate-worker";
