// Serves the Worker with the storage of a folder until it is killed, and prints its origin.
//
// Usage: serve-until-killed.mjs <folder> [<options of serve, as JSON>]
// The extra option `failEachPut` names a fault of every put to KV.

import { serve } from "./support.mjs";

const [folder, options = "{}"] = process.argv.slice(2);
const { failEachPut, ...more } = JSON.parse(options);
const service = await serve({ folder, ...more });
if (failEachPut) await service.failEachPut(failEachPut);
console.log(service.url.origin);
