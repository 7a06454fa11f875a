// The `worker` core with its WebAssembly module. entry.js loads it when it is first needed.

import { initSync } from "entgate-worker";
import module from "./worker.wasm";

initSync({ module });

export * from "entgate-worker";
