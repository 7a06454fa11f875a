// Refuses a deployment that would change the source or the jurisdiction of the running Worker, unless CONFIRM names the change.
//
//   node scripts/deploy/check.mjs [options of `wrangler deploy`]
//
// Exits with 1 if it refuses, and if it cannot find out what runs. A Worker that was never deployed has nothing to lose.

import { configuredValue, findChanges, JURISDICTION, parseConfirmations, SOURCE } from "./changes.mjs";
import { readRunningWorker } from "./running-worker.mjs";
import { readDeployOptions } from "./wrangler.mjs";

try {
  await check(process.argv.slice(2), process.env);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

/** @param {string[]} args @param {NodeJS.ProcessEnv} env */
async function check(args, env) {
  const confirmed = parseConfirmations(env.CONFIRM);
  const options = readDeployOptions(args);
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const { name, kv_namespaces, vars, keep_vars } = readConfig({ config: options.config, env: options.env });
  const source = configuredValue(SOURCE, options, vars);
  if (source === "catalog" && env.ENTGATE_CATALOG === "no") {
    throw new Error(`${SOURCE} is \`catalog\`, and ENTGATE_CATALOG=no builds a Worker without the catalog. Change one of them.`);
  }

  const worker = options.name ?? name;
  if (!worker) throw new Error(`${options.config} has no \`name\`: the Worker needs one`);
  const namespace = kv_namespaces.find(({ binding }) => binding === "ENTITLEMENTS")?.id;
  const running = await readRunningWorker(worker, namespace, options, env);
  if (!running) return console.log(`deploy: ${worker} is new`);
  const next = { source, jurisdiction: configuredValue(JURISDICTION, options, vars), keepsVars: options.keepsVars || keep_vars === true };
  const changes = findChanges(next, running);
  const open = changes.filter(({ confirmation }) => !confirmed.includes(confirmation));
  for (const { message } of changes) console.error(`${open.length ? "error" : "deploy"}: ${message}`);
  if (!open.length) return;
  console.error(`If that is intended: make deploy CONFIRM=${changes.map(({ confirmation }) => confirmation).join(",")}`);
  process.exitCode = 1;
}
