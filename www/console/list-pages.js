// Reads the pages of a list one after another.

import { withQuery } from "./form.js";

const PAGE_SIZE = 100; // The maximum of the routes.
const MAX_PAGES = 10;

/**
 * Reads a list to its end, or ten pages of it; `isTruncated` says whether there are more. A failed reply has a `problem`.
 *
 * @param {import("./session.js").Session} session
 * @param {string} path
 * @param {{ params?: object, signal?: AbortSignal }} [options]
 * @returns {Promise<{ data: any[], isTruncated: boolean, problem?: string, status: number }>}
 */
export async function listPages(session, path, { params = {}, signal } = {}) {
  /** @type {any[]} */
  const data = [];
  let status = 0;
  for (let page = 1; page <= MAX_PAGES; page += 1) {
    const reply = await session.request(withQuery(path, { ...params, limit: PAGE_SIZE, starting_after: data.at(-1)?.id }), { signal });
    status = reply.status;
    if (reply.problem) return { data, isTruncated: false, problem: reply.problem, status };
    data.push(...(reply.body.data ?? []));
    if (reply.body.has_more !== true) return { data, isTruncated: false, status };
  }
  return { data, isTruncated: true, status };
}
