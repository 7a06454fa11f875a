// Reports what is wrong with the settings of a Worker that runs on this machine: a malformed setting, and names that are not settings.
//
// Accepts the Worker's URL, prints nothing if all is well. Reads a secret key with dev-vars.mjs.

import { settingItems } from "./dev-vars.mjs";

const [url] = process.argv.slice(2);
const key = settingItems("ENTGATE_API_KEYS").find((item) => item.startsWith("sk_"));
const response = await fetch(`${url}/healthz`, key ? { headers: { authorization: `Bearer ${key}` } } : {});
const { error, unknown_settings: unknown = [] } = await response.json();
if (error) console.log(`\n${error.message}\nChange it in .dev.vars. New settings are in .dev.vars.example.`);
for (const name of unknown) console.log(`\n.dev.vars has a name that is not a setting: ${name}`);
