// The entries of `/v1/activity`: loads the first page, then only new entries, and older pages on request.
//
// The activity is a diagnostic aid: an entry may be missing although its event was applied.

import { withQuery } from "./form.js";

const PAGE_SIZE = 100; // The route's maximum.
const MAX_CATCH_UP_PAGES = 10; // The log keeps at most this many pages.
const MAX_ENTRIES = PAGE_SIZE * MAX_CATCH_UP_PAGES;

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

/**
 * @typedef {object} ActivityFeed
 * @property {ActivityEntry[]} entries  Newest first.
 * @property {boolean} hasMore  Whether older entries can be loaded.
 * @property {(signal?: AbortSignal) => Promise<import("./session.js").Reply & { newEntries: ActivityEntry[] }>} refresh
 *   Loads new entries, or the first page. Returns the last reply.
 * @property {(signal?: AbortSignal) => Promise<import("./session.js").Reply>} loadOlder  Loads the next older page.
 */

/**
 * Creates a feed of one customer's entries, or of all entries.
 *
 * @param {import("./session.js").Session} session
 * @param {string} [customer]
 * @returns {ActivityFeed}
 */
export function createActivityFeed(session, customer) {
  const requestPage = (/** @type {object} */ cursor, /** @type {AbortSignal | undefined} */ signal) =>
    session.request(withQuery("/v1/activity", { ...(customer && { customer }), limit: PAGE_SIZE, ...cursor }), { signal });
  /** @returns {ActivityEntry[]} */
  const entriesOf = (/** @type {import("./session.js").Reply} */ { body }) => (Array.isArray(body.data) ? body.data : []);
  /** @type {ActivityFeed} */
  const feed = {
    entries: [],
    hasMore: false,

    async refresh(signal) {
      /** @type {ActivityEntry[]} */
      const newEntries = [];
      for (let pages = 0; pages < MAX_CATCH_UP_PAGES; pages += 1) {
        const newest = newEntries[0] ?? feed.entries[0];
        const reply = await requestPage(newest ? { ending_before: newest.id } : {}, signal);
        if (newest && reply.field === "ending_before") break;
        if (reply.problem) return { ...reply, newEntries: [] };
        if (!newest) feed.hasMore = reply.body.has_more === true;
        newEntries.unshift(...entriesOf(reply));
        if (!newest || reply.body.has_more !== true) {
          feed.entries = [...newEntries, ...feed.entries].slice(0, MAX_ENTRIES);
          return { ...reply, newEntries };
        }
      }
      // The feed is too far behind, or the log was replaced: start again with the first page.
      feed.entries = [];
      return feed.refresh(signal);
    },

    async loadOlder(signal) {
      const reply = await requestPage({ starting_after: feed.entries.at(-1)?.id }, signal);
      if (reply.problem) return reply;
      feed.hasMore = reply.body.has_more === true;
      feed.entries.push(...entriesOf(reply));
      return reply;
    },
  };
  return feed;
}
