// Serves with the storage of a folder until it is killed. Usage: kept.mjs <folder>

import { serve } from "./support.mjs";

const { url } = await serve({ folder: process.argv[2] });
console.log(url.origin);
