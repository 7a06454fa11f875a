// The `worker` core with its module, loaded when it is needed.

import module from "./worker.wasm";
import { initSync } from "entgate-worker";

initSync({ module });

export * from "entgate-worker";
