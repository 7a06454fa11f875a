// Names the secrets that a deployed Worker does not have, and what follows from that.
//
//   node scripts/deploy/missing.mjs [options of `wrangler deploy`]
//
// The Worker runs by now: a failure to list its secrets is a warning.

import { configuredValue, SOURCE } from "./changes.mjs";
import { describeMissing } from "./secrets.mjs";
import { readDeployOptions, readJson } from "./wrangler.mjs";

try {
  await report(process.argv.slice(2));
} catch (error) {
  console.error(`warning: the Worker is deployed, but its secrets are not known: ${error.message}`);
}

/** @param {string[]} args */
async function report(args) {
  const options = readDeployOptions(args);
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const { name, vars } = readConfig({ config: options.config, env: options.env });
  const worker = options.name ?? name ?? "";
  /** @type {{ name: string }[]} */
  const secrets = await readJson("list the secrets", ["secret", "list", "--name", worker], options);
  const set = new Set([...secrets.map(({ name }) => name), ...Object.keys(vars)]);
  const consequences = describeMissing(configuredValue(SOURCE, options, vars) ?? "stripe", set);
  if (!consequences.length) return console.log("deploy: every secret is set");
  const target = [options.name && ` --name ${options.name}`, options.env && ` --env ${options.env}`].filter(Boolean).join("");
  for (const { name, consequence } of consequences) {
    console.log(`${name} is not set: ${consequence}.\n  npx wrangler secret put ${name}${target}`);
  }
}
