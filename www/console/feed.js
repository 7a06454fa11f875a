// The newest entries of a list: loads the first page, then only new entries, and older pages on request.
//
// The list is one of Stripe's form, newest first, with the ids of its entries as cursors.

import { withQuery } from "./form.js";

const PAGE_SIZE = 100; // The maximum of the routes.
const MAX_CATCH_UP_PAGES = 10;
const MAX_ENTRIES = PAGE_SIZE * MAX_CATCH_UP_PAGES;

/**
 * @template {{ id: string }} Entry
 * @typedef {object} Feed
 * @property {Entry[]} entries  Newest first.
 * @property {boolean} hasMore  Whether older entries can be loaded.
 * @property {(signal?: AbortSignal) => Promise<import("./session.js").Reply & { newEntries: Entry[] }>} refresh
 *   Loads new entries, or the first page. Returns the last reply.
 * @property {(signal?: AbortSignal) => Promise<import("./session.js").Reply>} loadOlder  Loads the next older page.
 */

/**
 * Creates a feed without entries.
 *
 * @template {{ id: string }} Entry
 * @param {import("./session.js").Session} session
 * @param {string} path  Of the list.
 * @param {object} [params]  Parameters of each request.
 * @returns {Feed<Entry>}
 */
export function createFeed(session, path, params = {}) {
  const requestPage = (/** @type {object} */ cursor, /** @type {AbortSignal | undefined} */ signal) =>
    session.request(withQuery(path, { ...params, limit: PAGE_SIZE, ...cursor }), { signal });
  /** @returns {Entry[]} */
  const entriesOf = (/** @type {import("./session.js").Reply} */ { body }) => (Array.isArray(body.data) ? body.data : []);
  /** @type {Feed<Entry>} */
  const feed = {
    entries: [],
    hasMore: false,

    async refresh(signal) {
      /** @type {Entry[]} */
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
