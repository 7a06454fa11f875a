// Serves with the storage of a folder until it is killed. Usage: serve-until-killed.mjs <folder> [<options of serve, as JSON>]

import { serve } from "./support.mjs";

const [folder, options = "{}"] = process.argv.slice(2);
const { failing, ...more } = JSON.parse(options);
const service = await serve({ folder, ...more });
// From the first put on.
if (failing) await service.failEachPut(failing);
console.log(service.url.origin);
