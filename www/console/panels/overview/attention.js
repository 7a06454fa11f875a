// The cards of the overview that name customers: those that need attention, and those with an override that ends soon.

import { poll } from "../../concurrency.js";
import { timeUntil } from "../../dates.js";
import { element, notice, tag, time } from "../../elements.js";
import { withQuery } from "../../form.js";
import { problemBadges, SELECTIONS } from "../../sync-status.js";

const POLL_INTERVAL_MS = 30_000; // Each list asks all shards of the customer index.
const MAX_CUSTOMERS = 8;

/** @typedef {import("../../sync-status.js").SyncStatus} SyncStatus */

/**
 * Creates the two cards.
 *
 * @param {import("../../session.js").Session} session
 */
export function createAttentionCards(session) {
  const attention = customersCard(session, {
    title: "Needs attention",
    selection: "attention",
    empty: "No customer has a problem or a pending task that failed.",
    details: (status) => [
      problemBadges(status),
      status.problem_since !== null && element("span", "muted", "since ", time(status.problem_since)),
    ],
  });
  const ending = customersCard(session, {
    title: "Overrides ending soon",
    selection: "ending",
    empty: "No override ends within seven days.",
    details: ({ next_override_end: end }) => [end !== null && element("span", "", `${timeUntil(end)}, `, time(end))],
  });
  const root = element("div", "cards two-columns", attention.root, ending.root);
  const poller = poll(POLL_INTERVAL_MS, async () => {
    await Promise.all([attention.load(), ending.load()]);
  });

  function restart() {
    poller.stop();
    root.hidden = !session.key || session.isReadOnly;
    if (!root.hidden) poller.start();
  }
  return { root, show: restart, hide: poller.stop };
}

/**
 * A card with the first customers of a selection.
 *
 * @param {import("../../session.js").Session} session
 * @param {object} options
 * @param {string} options.title
 * @param {keyof typeof SELECTIONS} options.selection
 * @param {string} options.empty
 * @param {(status: SyncStatus) => import("../../elements.js").Child[]} options.details
 */
function customersCard(session, { title, selection, empty, details }) {
  const content = element("div", "");
  const all = tag("a", { href: withQuery("#customers", { show: selection }) }, "View all");
  return {
    root: element("section", "card", element("div", "card-header", element("h2", "", title), all), content),
    async load() {
      const { key } = session;
      const reply = await session.request(withQuery("/v1/sync_status", { ...SELECTIONS[selection](), limit: MAX_CUSTOMERS }));
      if (key !== session.key) return;
      /** @type {SyncStatus[]} */
      const rows = reply.body.data ?? [];
      if (reply.problem) content.replaceChildren(notice(reply.problem, "warning"));
      else if (!rows.length) content.replaceChildren(element("p", "muted", empty));
      else
        content.replaceChildren(element("ul", "customer-list", ...rows.map((row) => customerItem(row, details(row)))), ...more(reply.body));
    },
  };
}

/** @param {SyncStatus} status @param {import("../../elements.js").Child[]} details */
function customerItem({ id }, details) {
  return element(
    "li",
    "",
    tag("a", { href: withQuery("#customers", { customer: id }) }, element("code", "", id)),
    element("span", "actions", ...details),
  );
}

/** @param {{ has_more?: boolean }} list */
const more = ({ has_more: hasMore }) => (hasMore ? [element("p", "muted", "There are more.")] : []);
