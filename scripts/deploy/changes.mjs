// What a deployment would change that cannot be undone by the next one: the source of entitlements, and the jurisdiction of the objects.
//
// Pure: accepts settings and the running Worker, returns the changes, each with its consequence.

/** @import { RunningWorker } from "./running-worker.mjs" */
/** @import { DeployOptions } from "./wrangler.mjs" */

export const SOURCE = "ENTGATE_SOURCE";
export const JURISDICTION = "ENTGATE_JURISDICTION";

/** The source without a setting. */
const DEFAULT_SOURCE = "stripe";

const CONFIRMATIONS = ["source", "jurisdiction"];

/** @typedef {{ confirmation: string, message: string }} Change */

/**
 * The value of a setting after the deployment; undefined for none.
 *
 * @param {string} name
 * @param {Pick<DeployOptions, "vars">} options
 * @param {Record<string, unknown>} vars  Variables of the configuration.
 */
export function configuredValue(name, options, vars) {
  const given = options.vars.findLast((item) => item.startsWith(`${name}:`));
  const value = given === undefined ? vars[name] : given.slice(name.length + 1);
  return value === undefined || value === "" ? undefined : String(value);
}

/**
 * The names in CONFIRM.
 *
 * @param {string | undefined} text
 * @throws {Error} if one is not known
 */
export function parseConfirmations(text = "") {
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.find((name) => !CONFIRMATIONS.includes(name));
  if (unknown !== undefined) throw new Error(`CONFIRM has \`${unknown}\`; expected source, jurisdiction, or both with a comma`);
  return names;
}

/**
 * What the deployment would change.
 *
 * @param {{ source: string | undefined, jurisdiction: string | undefined, keepsVars: boolean }} next  After the deployment.
 * @param {RunningWorker} running
 * @returns {Change[]}
 */
export function findChanges(next, running) {
  return [...findSourceChange(next, running), ...findJurisdictionChange(next, running)];
}

/** @param {Parameters<typeof findChanges>[0]} next @param {RunningWorker} running @returns {Change[]} */
function findSourceChange({ source, keepsVars }, running) {
  const confirmation = "source";
  const isSecret = running.source === undefined && running.variables.some((each) => SOURCE in each && each[SOURCE] === undefined);
  if (isSecret) {
    const message = `${SOURCE} of the running Worker is a secret, which cannot be read: it may differ from that of this deployment. Delete the secret (npx wrangler secret delete ${SOURCE}), or set ENTGATE_URL and ENTGATE_KEY, so that the Worker can be asked.`;
    return [{ confirmation, message }];
  }
  const stored = running.variables.map((each) => each[SOURCE] || DEFAULT_SOURCE);
  const current = [...new Set(running.source === undefined ? stored : [running.source, ...stored])];
  const after = source ?? (keepsVars ? stored[0] : DEFAULT_SOURCE);
  const other = current.find((each) => each !== after);
  if (other === undefined) return [];
  const message = `${SOURCE} would change from \`${other}\` to \`${after}\`. Each customer's entitlements are then read from ${sourceName(after)} before the next answer; what ${sourceName(after)} does not have is denied.`;
  return [{ confirmation, message }];
}

/** @param {string} source */
const sourceName = (source) => (source === "catalog" ? "the catalog" : "Stripe");

/** @param {Parameters<typeof findChanges>[0]} next @param {RunningWorker} running @returns {Change[]} */
function findJurisdictionChange({ jurisdiction, keepsVars }, running) {
  const confirmation = "jurisdiction";
  if (running.record === undefined) return [];
  let stored;
  try {
    stored = JSON.parse(running.record).jurisdiction ?? undefined;
  } catch {
    return [{ confirmation, message: `failed to parse the KV key entgate:deployment: ${running.record.slice(0, 100)}` }];
  }
  const after = jurisdiction ?? (keepsVars ? running.variables[0]?.[JURISDICTION] || undefined : undefined);
  if (stored === after) return [];
  const place = stored === undefined ? "in no jurisdiction" : `in \`${stored}\``;
  const setting = after === undefined ? "not set" : `\`${after}\``;
  const message = `${JURISDICTION} is ${setting}, and the objects of this deployment are ${place}. Every event, and every request that the replica does not answer, would be a 500 \`jurisdiction_changed\`. Set it back, or deploy under another name with another KV namespace.`;
  return [{ confirmation, message }];
}
