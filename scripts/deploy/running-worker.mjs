// The Worker that a deployment would replace: its settings as Cloudflare stores them, where its objects are, and what it says of itself.
//
// | question                             | who is asked                                                              |
// |--------------------------------------|---------------------------------------------------------------------------|
// | does it run, with which variables    | Cloudflare: each version of the current deployment                        |
// | where are its objects                | KV: the record `entgate:deployment` (src/api/deployment.rs)               |
// | which source does it use             | the Worker at ENTGATE_URL, with ENTGATE_KEY, if both are set              |

import { readJson, read as readText, WranglerError } from "./wrangler.mjs";

/** @import { DeployOptions } from "./wrangler.mjs" */

const HEALTH_TIMEOUT = 15_000; // Milliseconds.

/**
 * @typedef {object} RunningWorker
 * @property {Record<string, string | undefined>[]} variables  Of each version that gets requests. `undefined` is a value that cannot be read.
 * @property {string} [record]  The record in KV; undefined without one.
 * @property {string} [source]  What the Worker says; undefined if it was not asked.
 */

/**
 * Reads the running Worker; undefined if there is none.
 *
 * @param {string} name
 * @param {string | undefined} namespace  The id of the KV namespace in the configuration.
 * @param {DeployOptions} options
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<RunningWorker | undefined>}
 */
export async function readRunningWorker(name, namespace, options, env) {
  const named = ["--name", name];
  let deployment;
  try {
    deployment = await readJson("read the current deployment", ["deployments", "status", "--json", ...named], options);
  } catch (error) {
    if (error instanceof WranglerError && error.isNewWorker) return undefined;
    throw error;
  }
  const versions = [];
  for (const { version_id: id } of deployment.versions ?? []) {
    versions.push(await readJson(`read the version ${id}`, ["versions", "view", id, "--json", ...named], options));
  }
  /** @type {any[][]} */
  const bindings = versions.map(({ resources }) => resources?.bindings ?? []);
  if (!bindings.length) throw new Error(`failed to read the current deployment of ${name}: it names no version`);
  // Without an id in the configuration, a deployment keeps the namespace of the running Worker.
  const current = bindings.flat().find((binding) => binding.type === "kv_namespace" && binding.name === "ENTITLEMENTS");
  const id = namespace ?? current?.namespace_id;
  return {
    variables: bindings.map((each) => Object.fromEntries(each.map((binding) => [binding.name, toText(binding)]))),
    record: id && (await readRecord(id, options)),
    source: await askSource(env),
  };
}

/** The value of a variable; undefined for a secret, and for a binding of another kind. @param {any} binding */
function toText({ type, text, json }) {
  if (type === "plain_text") return text;
  if (type === "json") return typeof json === "string" ? json : JSON.stringify(json);
  return undefined;
}

/** The record in KV; undefined without one. @param {string} namespace @param {DeployOptions} options */
async function readRecord(namespace, options) {
  const command = ["kv", "key", "get", "entgate:deployment", "--namespace-id", namespace, "--remote", "--text"];
  try {
    return (await readText("read the KV key entgate:deployment", command, options)).trim();
  } catch (error) {
    if (error instanceof WranglerError && /(key|value) not found|- 404: Not Found/i.test(error.output)) return undefined;
    throw error;
  }
}

/** What the Worker says of its source; undefined if it is not asked. @param {NodeJS.ProcessEnv} env */
export async function askSource({ ENTGATE_URL: url, ENTGATE_KEY: key }) {
  if (!url || !key) return undefined;
  const response = await fetch(new URL("/healthz", url), {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(HEALTH_TIMEOUT),
  }).catch((error) => {
    throw new Error(`failed to ask ${url}: ${error.cause?.code ?? error.message}. Correct ENTGATE_URL, or unset it`);
  });
  const health = await response.json().catch(() => undefined);
  // A malformed setting stops the Worker: it then says nothing of its source, and a deployment may be the remedy.
  if (response.status === 500 && health?.error) return undefined;
  if (health?.object !== "health")
    throw new Error(`failed to ask ${url}: ${response.status}, and not an answer of entgate. Correct ENTGATE_URL, or unset it`);
  if (!health.source)
    throw new Error(`failed to ask ${url}: ENTGATE_KEY is not a secret key (sk_…) of this Worker. Correct it, or unset it`);
  return health.source;
}
