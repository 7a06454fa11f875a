// The card "Recent activity": the latest events and source reads of the customer, with their outcome.

import { findOutcome } from "../../activity-feed.js";
import { badge, element, identifier, notice, table, tag, time } from "../../elements.js";
import { withQuery } from "../../form.js";

const RECENT_ENTRIES = 10;

/** Creates the card. */
export function createRecentActivityCard() {
  const root = element("section", "card");
  const activity = table("Recent activity", [
    { title: "Time", cell: ({ at }) => time(at / 1000) },
    { title: "Outcome", cell: ({ outcome }) => badge(outcome, findOutcome(outcome).tone) },
    { title: "Version", className: "number", cell: ({ version }) => String(version ?? "–") },
    { title: "Event", cell: ({ event }) => (event ? identifier(event) : element("span", "muted", "source read")) },
  ]).stacked();
  return {
    root,
    /**
     * @param {string} customer
     * @param {import("../../activity-feed.js").ActivityFeed} feed
     * @param {string} [problem]  Why the activity could not be read.
     */
    update(customer, feed, problem) {
      activity.fill(feed.entries.slice(0, RECENT_ENTRIES));
      const link = tag("a", { href: withQuery("#activity", { customer }) }, "View all");
      const content = problem
        ? notice(problem, "warning")
        : feed.entries.length
          ? activity.root
          : element("p", "muted", "No recent activity.");
      root.replaceChildren(element("div", "card-header", element("h2", "", "Recent activity"), link), content);
    },
  };
}
