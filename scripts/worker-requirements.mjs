// What a configuration of the Worker has to contain, from wrangler.toml: the packages and the self-hosted Worker need it too.
//
// Returns the members below as in `wrangler.jsonc`. `node scripts/worker-requirements.mjs` prints them as JSON. Not here: the name, the
// paths and the settings, which each user decides.

import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Requirements
 * @property {string} compatibility_date
 * @property {{ type: string, globs: string[] }[]} rules
 * @property {{ binding: string }[]} kv_namespaces
 * @property {{ bindings: { name: string, class_name: string }[] }} durable_objects
 * @property {{ tag: string, new_sqlite_classes?: string[] }[]} migrations
 * @property {{ crons: string[] }} triggers
 * @property {{ enabled: boolean }} observability
 */

/** @returns {Promise<Requirements>} */
export async function readRequirements() {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const config = readConfig({ config: fileURLToPath(new URL("../wrangler.toml", import.meta.url)) });
  const { compatibility_date, rules, kv_namespaces, durable_objects, migrations, triggers, observability } = config;
  return /** @type {Requirements} */ ({
    compatibility_date,
    rules: rules.map(({ type, globs }) => ({ type, globs })),
    kv_namespaces: kv_namespaces.map(({ binding }) => ({ binding })),
    durable_objects: { bindings: durable_objects.bindings.map(({ name, class_name }) => ({ name, class_name })) },
    migrations: migrations.map((migration) => ({ ...migration })),
    triggers: { crons: triggers.crons },
    observability: { enabled: observability?.enabled },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await readRequirements(), null, 2));
