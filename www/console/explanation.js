// An explanation of `/v1/explain` as sentences: the answer, and what each part contributes to it. Pure functions.

import { describeCause, describeOverride } from "./change-cause.js";
import { formatTime } from "./dates.js";
import { describeCheck } from "./reasons.js";

/** @typedef {import("./change-cause.js").Cause} Cause */
/** @typedef {{ version: number, created: number, cause: Cause }} FeatureChange */
/** @typedef {{ type: string, effect: "grants" | "denies" | "none", [member: string]: any }} Contribution */

/**
 * @typedef {object} Explanation
 * @property {string} customer
 * @property {string} feature
 * @property {number} at  Seconds since 1970.
 * @property {boolean | null} entitled
 * @property {string | null} reason
 * @property {number} version
 * @property {boolean} strict
 * @property {FeatureChange | null} last_change
 * @property {Contribution[]} contributions
 *
 * @typedef {object} Description
 * @property {"entitled" | "denied" | "unknown"} state
 * @property {string} label
 * @property {string} answer
 * @property {{ effect: string, text: string }[]} contributions
 * @property {string[]} notes
 */

/** @type {Record<string, string>} */
const SOURCE_NAMES = { stripe: "Stripe", catalog: "The catalog" };

/**
 * Describes an explanation.
 *
 * @param {Explanation} explanation
 * @param {{ isPast: boolean, format?: (seconds: number) => string }} options
 * @returns {Description}
 */
export function describeExplanation(explanation, { isPast, format = formatTime }) {
  const { customer, feature, at, entitled, reason, last_change: change } = explanation;
  const notes = [];
  if (change) {
    const override = explanation.contributions.find((each) => each.type === "override" && each.override.id === change.cause.id)?.override;
    const cause = describeCause(change.cause, { ...change, override });
    notes.push(`${feature} last changed at ${format(change.created)}, with version ${change.version}. The cause: ${cause}.`);
  } else notes.push(`The history has no change of ${feature}.`);
  if (explanation.strict) notes.push(`${feature} is a strict feature: the ledger answers every check.`);
  const contributions = explanation.contributions.map((contribution) => ({
    effect: contribution.effect,
    text: describeContribution(contribution, explanation, format),
  }));
  if (entitled === null) {
    const answer = `It is not known whether ${customer} may use ${feature}. This does not mean “not entitled”.`;
    return { state: "unknown", label: isPast ? `Unknown at ${format(at)}` : "Unknown", answer, contributions, notes };
  }
  const label = entitled ? "Entitled" : "Not entitled";
  return {
    state: entitled ? "entitled" : "denied",
    label: isPast ? `${label} at ${format(at)}` : label,
    answer: `${isPast ? "The answer at that time: " : ""}${describeCheck({ customer, feature, entitled, reason: reason ?? "" })}`,
    contributions,
    notes,
  };
}

/**
 * @param {Contribution} contribution
 * @param {Explanation} explanation
 * @param {(seconds: number) => string} format
 * @returns {string}
 */
function describeContribution(contribution, { feature, version }, format) {
  const grants = contribution.effect === "grants";
  switch (contribution.type) {
    case "source_set":
      return describeSourceSet(contribution, feature, format);
    case "subscription": {
      const { subscription, product, status, setting } = contribution;
      const counts = grants ? "grants" : "does not grant";
      const policy = setting ? ` The setting ${setting.name}=${setting.value} decides this.` : "";
      return `Subscription ${subscription} is ${status} and ${counts} ${feature}, which product ${product} includes.${policy}`;
    }
    case "product": {
      const { product, name, subscribed } = contribution;
      const named = name ? `${name} (${product})` : product;
      return `Product ${named} includes ${feature}. The customer ${subscribed ? "subscribes" : "does not subscribe"} to it.`;
    }
    case "subscriptions_unavailable":
      return `Subscriptions and products cannot be shown: ${contribution.message}`;
    case "override": {
      const { override } = contribution;
      const status = /** @type {Record<string, string>} */ ({ scheduled: "has not started", active: "is active", ended: "has ended" });
      const text = `Override ${override.id} ${status[override.status] ?? `is ${override.status}`}. ${describeOverride(override, format)}`;
      const deletion = override.deletion
        ? ` ${override.deletion.actor} deleted it at ${format(override.deletion.created)}${override.deletion.reason ? `: “${override.deletion.reason}”` : ""}.`
        : "";
      return `${text} ${override.actor} gave the reason “${override.reason}”.${deletion}`;
    }
    case "default_feature":
      if (contribution.known === false) return `It is not known whether ${feature} was a default feature at that time.`;
      return grants
        ? `${feature} is a default feature: ${contribution.setting ?? "the setting"} grants it to every customer.`
        : `${feature} is not a default feature.`;
    case "replica":
      return describeReplica(contribution, version, format);
    default:
      return `${contribution.type}: ${JSON.stringify(contribution)}`;
  }
}

/**
 * @param {Contribution} contribution
 * @param {string} feature
 * @param {(seconds: number) => string} format
 */
function describeSourceSet({ source, completeness, active_entitlement, confirmed_at, since, cause, effect }, feature, format) {
  const name = SOURCE_NAMES[source] ?? source;
  const sentences = [];
  if (effect === "grants") sentences.push(`${name} grants ${feature}${active_entitlement ? ` (${active_entitlement})` : ""}.`);
  else if (completeness === "complete") sentences.push(`${name} does not grant ${feature}: the complete list is known, without it.`);
  else if (completeness === "partial") sentences.push(`${feature} is not in the known part of the list of ${inSentence(name)}.`);
  else if (completeness === null) sentences.push(`${name} did not grant ${feature}, as far as the history shows.`);
  else sentences.push(`The list of ${inSentence(name)} is not known for this customer.`);
  if (since !== null && since !== undefined) {
    sentences.push(`This has been so since ${format(since)}.${cause ? ` The cause: ${describeCause(cause)}.` : ""}`);
  }
  if (confirmed_at !== null && confirmed_at !== undefined) sentences.push(`Last confirmed at ${format(confirmed_at)}.`);
  return sentences.join(" ");
}

/** @param {string} name */
const inSentence = (name) => name.replace(/^The /, "the ");

/**
 * @param {Contribution} replica
 * @param {number} current  The version of the ledger.
 * @param {(seconds: number) => string} format
 */
function describeReplica({ state, version, entitled, as_of }, current, format) {
  const answers = entitled === null || entitled === undefined ? "has no answer" : `answers “${entitled ? "entitled" : "not entitled"}”`;
  switch (state) {
    case "current":
      return `The replica at the edge has version ${version} too, and ${answers}.`;
    case "behind":
      return `The replica at the edge is behind: it has version ${version} instead of ${current}${as_of ? `, as of ${format(as_of)}` : ""}, and ${answers}. It follows within a minute.`;
    case "absent":
      return "The replica at the edge has no record of this customer: the ledger answers checks.";
    default:
      return "The replica at the edge cannot be read at the moment.";
  }
}
