// The entries of `/v1/activity`, and what their outcomes mean.
//
// The activity is a diagnostic aid: an entry may be missing although its event was applied.

import { createFeed } from "./feed.js";

/** @typedef {{ name: string, tone: string, description: string }} Outcome */

/**
 * The possible outcomes of an event or a source read, with their color.
 *
 * @type {Outcome[]}
 */
export const OUTCOMES = [
  { name: "applied", tone: "success", description: "The entitlements were set from the event." },
  { name: "confirmed", tone: "info", description: "A source read matched the stored entitlements." },
  { name: "unchanged", tone: "neutral", description: "The event matched the stored entitlements." },
  { name: "duplicate", tone: "violet", description: "The event was received before." },
  { name: "stale", tone: "warning", description: "The stored entitlements are newer than the event." },
  { name: "deferred", tone: "teal", description: "The event does not contain the complete list: the list is read at the source." },
  { name: "failed", tone: "danger", description: "The event cannot be read: the list is read at the source." },
  { name: "corrected", tone: "success", description: "A source read changed the entitlements, as was to be expected." },
  { name: "drift", tone: "danger", description: "A source read changed the entitlements, and no event had reported the difference." },
];

/**
 * Finds an outcome by its name; an unknown outcome is neutral.
 *
 * @param {string} name
 * @returns {Outcome}
 */
export function findOutcome(name) {
  return OUTCOMES.find((outcome) => outcome.name === name) ?? { name, tone: "neutral", description: "" };
}

/**
 * @typedef {object} ActivityEntry
 * @property {string} id
 * @property {number} at  Milliseconds since 1970.
 * @property {string} customer
 * @property {string} outcome
 * @property {number} [added_count]  How many lookup keys the decision added.
 * @property {number} [removed_count]  How many lookup keys the decision removed.
 * @property {number | null} [version]
 * @property {string | null} [event]  Null for a source read.
 * @property {number | null} [event_created]  Seconds since 1970.
 */

/** @typedef {import("./feed.js").Feed<ActivityEntry>} ActivityFeed */

/**
 * Creates a feed of one customer's entries, or of all entries.
 *
 * @param {import("./session.js").Session} session
 * @param {string} [customer]
 * @returns {ActivityFeed}
 */
export function createActivityFeed(session, customer) {
  return createFeed(session, "/v1/activity", customer ? { customer } : {});
}
