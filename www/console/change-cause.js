// Changes of a customer's entitlements in words. Pure functions.

import { formatTime } from "./dates.js";

/**
 * @typedef {object} Cause
 * @property {string} type
 * @property {string | null} id  Of the event or of the override.
 * @property {string | null} actor
 *
 * @typedef {object} Change  An entry of the history.
 * @property {string} id
 * @property {number} version
 * @property {number} created  Seconds since 1970.
 * @property {Cause} cause
 * @property {string[] | null} added  Null if more than 1,000 lookup keys changed.
 * @property {string[] | null} removed
 * @property {number} added_count
 * @property {number} removed_count
 *
 * @typedef {object} Override
 * @property {string} id
 * @property {string} feature
 * @property {"grant" | "deny"} effect
 * @property {string} reason
 * @property {string} actor
 * @property {"scheduled" | "active" | "ended"} status
 * @property {number} starts_at
 * @property {number | null} expires_at
 * @property {number} created
 * @property {number} version  After the last change of the override.
 * @property {{ created: number, reason: string | null, actor: string } | null} deletion
 */

/**
 * A cause as a noun phrase: “event evt_1”, “deletion of override ovr_1 by Ada”.
 *
 * @param {Cause} cause
 * @param {{ version?: number, created?: number, override?: Override }} [change]  What tells a creation from an update and a deletion.
 * @returns {string}
 */
export function describeCause({ type, id, actor }, change = {}) {
  const by = actor ? ` by ${actor}` : "";
  switch (type) {
    case "event":
      return `event ${id}`;
    case "poll":
      return `event ${id}, found by the event poll`;
    case "read":
      return "read of the source";
    case "reconcile":
      return "reconciliation with the source";
    case "override":
      return `${overrideAction(change)} of override ${id}${by}`;
    case "override_start":
      return `start of override ${id}`;
    case "override_end":
      return `end of override ${id}`;
    case "setting":
      return "change of the default features";
    default:
      return `${type}${id ? ` ${id}` : ""}${by}`;
  }
}

/** @param {{ version?: number, created?: number, override?: Override }} change */
function overrideAction({ version, created, override }) {
  if (!override) return "change";
  if (override.deletion && version === override.version) return "deletion";
  return created === override.created ? "creation" : "update";
}

/**
 * What an override does, as a sentence: “Grants sms until Jan 1, 2027, 8:00:00 AM.”
 *
 * @param {Override} override
 * @param {(seconds: number) => string} [format]
 * @returns {string}
 */
export function describeOverride({ feature, effect, starts_at, expires_at, created }, format = formatTime) {
  const start = starts_at > created ? ` from ${format(starts_at)}` : "";
  const end = expires_at === null ? (start ? "" : " without an end") : ` until ${format(expires_at)}`;
  return `${effect === "grant" ? "Grants" : "Denies"} ${feature}${start}${end}.`;
}

/**
 * The newest change that added or removed a lookup key.
 *
 * @param {Change[]} changes  Newest first.
 * @param {string} lookupKey
 * @returns {{ change: Change, isAdded: boolean } | undefined}
 */
export function lastChangeOf(changes, lookupKey) {
  for (const change of changes) {
    if (change.added?.includes(lookupKey)) return { change, isAdded: true };
    if (change.removed?.includes(lookupKey)) return { change, isAdded: false };
    // Its keys are not kept, and this one may be among them.
    if (change.added === null || change.removed === null) return undefined;
  }
  return undefined;
}
