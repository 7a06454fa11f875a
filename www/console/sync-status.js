// The entries of `/v1/sync_status` in words: the customers that need attention, and those with an override that ends soon.

import { badge, element } from "./elements.js";

/** An override that ends within this time ends soon. */
const SOON_SECONDS = 7 * 86_400;

/**
 * @typedef {object} SyncStatus
 * @property {string} id  Of the customer.
 * @property {number | null} confirmed_at
 * @property {number} pending
 * @property {number | null} pending_since
 * @property {string | null} problem
 * @property {number | null} problem_since
 * @property {number | null} next_override_end
 * @property {string} cursor
 */

/** @type {Record<string, string>} */
const PROBLEM_LABELS = { key_refused: "key rejected", unknown_customer: "unknown at the source" };

/** The parameters of the two selections; the value of each is that of its option in the customer list. */
export const SELECTIONS = {
  attention: () => ({ problem: "any" }),
  ending: () => ({ ends_before: Math.floor(Date.now() / 1000) + SOON_SECONDS }),
};

/**
 * What requires operator action, as badges.
 *
 * @param {SyncStatus} status
 */
export function problemBadges({ problem, pending }) {
  if (!problem && !pending) return badge("none");
  return element(
    "span",
    "actions",
    problem && badge(PROBLEM_LABELS[problem] ?? problem, "danger"),
    pending > 0 && badge(pending === 1 ? "1 pending task" : `${pending} pending tasks`, "warning"),
  );
}
