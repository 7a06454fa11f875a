// The reasons of a check in words.

/** @type {Record<string, { label: string, tone: string, sentence: string }>} */
const REASONS = {
  active_entitlement: { label: "active entitlement", tone: "success", sentence: "an active entitlement grants it." },
  override: { label: "override", tone: "info", sentence: "an override grants it." },
  default_feature: { label: "default feature", tone: "neutral", sentence: "it is a default feature, which every customer has." },
  denied_by_override: { label: "denied by override", tone: "danger", sentence: "an override denies it." },
  not_entitled: { label: "not entitled", tone: "neutral", sentence: "it is not among the customer’s active entitlements." },
  unknown_customer: { label: "unknown customer", tone: "warning", sentence: "the customer is unknown." },
  unknown_feature: { label: "unknown feature", tone: "warning", sentence: "no feature has this lookup key." },
};

/**
 * A reason in two or three words, with the tone of its badge.
 *
 * @param {string} code
 * @returns {{ label: string, tone: string }}
 */
export function labelReason(code) {
  return Object.hasOwn(REASONS, code) ? REASONS[code] : { label: code, tone: "neutral" };
}

/**
 * Whether a customer may use a feature, and why: “cus_ada may use sms: an active entitlement grants it.”
 *
 * @param {{ customer: string, feature: string, entitled: boolean, reason: string }} check
 * @returns {string}
 */
export function describeCheck({ customer, feature, entitled, reason }) {
  const because = Object.hasOwn(REASONS, reason) ? REASONS[reason].sentence : `the reason is “${reason}”.`;
  return `${customer} ${entitled ? "may" : "may not"} use ${feature}: ${because}`;
}
