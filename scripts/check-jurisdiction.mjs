// Refuses a deployment whose ENTGATE_JURISDICTION differs from that of the stored objects: they would all be left behind.
//
//   node scripts/check-jurisdiction.mjs [options of `wrangler deploy`]
//
// The record of the deployment is in KV, under `entgate:deployment` (src/api/deployment.rs). Exits with 1 if it names another
// jurisdiction, or if it cannot be read. A deployment without a namespace, or without the record, is new.

import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const NAME = "ENTGATE_JURISDICTION";

/**
 * The jurisdiction that these options and variables set; undefined for none.
 *
 * @param {string[]} args Options of `wrangler deploy`.
 * @param {Record<string, unknown>} vars Variables of the configuration.
 */
export function configuredJurisdiction(args, vars) {
  const options = /** @type {const} */ ({ var: { type: "string", multiple: true } });
  const { values } = parseArgs({ args, options, strict: false });
  const given = [values.var ?? []].flat().findLast((item) => String(item).startsWith(`${NAME}:`));
  const value = given === undefined ? vars[NAME] : String(given).slice(NAME.length + 1);
  return value === undefined || value === "" ? undefined : String(value);
}

/**
 * Why a deployment is refused; undefined if it is not.
 *
 * @param {string | undefined} record The record in KV; undefined without one.
 * @param {string | undefined} jurisdiction
 */
export function refusal(record, jurisdiction) {
  if (record === undefined) return undefined;
  let stored;
  try {
    stored = JSON.parse(record).jurisdiction ?? undefined;
  } catch {
    return `failed to parse the KV key entgate:deployment: ${record.slice(0, 100)}`;
  }
  if (stored === jurisdiction) return undefined;
  const place = stored === undefined ? "in no jurisdiction" : `in \`${stored}\``;
  const setting = jurisdiction === undefined ? "not set" : `\`${jurisdiction}\``;
  return `${NAME} is ${setting}, and the objects of this deployment are ${place}. Set it back, or deploy under another name with another KV namespace.`;
}

/** The record in KV; undefined without one. @param {string} namespace */
function readRecord(namespace) {
  try {
    return execFileSync("wrangler", ["kv", "key", "get", "entgate:deployment", "--namespace-id", namespace, "--remote", "--text"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  } catch (error) {
    const output = `${error.stdout ?? ""}${error.stderr ?? ""}`;
    if (/(key|value) not found/i.test(output)) return undefined;
    throw new Error(`failed to read the KV key entgate:deployment:\n${output || error.message}`, { cause: error });
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { unstable_readConfig: readConfig } = await import("wrangler");
  const { kv_namespaces, vars } = readConfig({ config: "wrangler.toml" });
  const id = kv_namespaces.find(({ binding }) => binding === "ENTITLEMENTS")?.id;
  const problem = id && refusal(readRecord(id), configuredJurisdiction(process.argv.slice(2), vars));
  if (problem) {
    console.error(`error: ${problem}`);
    process.exit(1);
  }
}
