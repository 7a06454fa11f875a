// The card "Timeline": the changes of the customer's features, newest first, each with its cause.

import { describeCause, describeOverride } from "../../change-cause.js";
import { badge, button, element, notice, tag, time } from "../../elements.js";

const PAGE_SIZE = 20;
const MAX_KEYS = 12; // Lookup keys that are listed of one change, of each kind.

/** @typedef {import("../../change-cause.js").Change} Change */
/** @typedef {import("../../change-cause.js").Override} Override */

/** Creates the card. */
export function createTimelineCard() {
  const root = element("section", "card");
  const list = tag("ol", { class: "timeline", "aria-label": "Timeline" });
  const message = element("div", "");
  const olderButton = button("Show older", showOlder);
  root.append(
    element("div", "card-header", element("h2", "", "Timeline"), element("p", "muted", "Every change of this customer’s features.")),
    message,
    list,
    olderButton,
  );
  /** @type {import("../../feed.js").Feed<Change>} */
  let history;
  /** @type {Map<string | null, Override>} */
  let overridesById = new Map();
  let shown = PAGE_SIZE;

  function draw() {
    const entries = history.entries.slice(0, shown);
    list.replaceChildren(...entries.map(changeItem));
    list.hidden = !entries.length;
    olderButton.hidden = !history.hasMore && shown >= history.entries.length;
  }

  async function showOlder() {
    olderButton.disabled = true;
    const reply = shown >= history.entries.length ? await history.loadOlder() : undefined;
    olderButton.disabled = false;
    if (reply?.problem) return message.replaceChildren(notice(reply.problem, "warning"));
    shown += PAGE_SIZE;
    draw();
  }

  /** @param {Change} change */
  function changeItem(change) {
    const override = overridesById.get(change.cause.id);
    const cause = describeCause(change.cause, { ...change, override });
    return element(
      "li",
      "",
      element("p", "timeline-time", time(change.created), element("span", "muted", ` version ${change.version}`)),
      element("p", "timeline-cause", cause[0].toUpperCase() + cause.slice(1)),
      override && element("p", "muted", `${describeOverride(override)} Reason: “${override.reason}”`),
      override?.deletion?.reason &&
        change.version === override.version &&
        element("p", "muted", `Deleted because: “${override.deletion.reason}”`),
      element(
        "ul",
        "timeline-keys",
        ...keyItems("+", "success", change.added, change.added_count),
        ...keyItems("−", "danger", change.removed, change.removed_count),
      ),
      !change.added_count && !change.removed_count && element("p", "muted", "No feature was added or removed."),
    );
  }

  return {
    root,
    /**
     * @param {import("../../feed.js").Feed<Change>} feed
     * @param {Override[]} overrides
     * @param {string} [problem]  Why the history could not be read.
     */
    update(feed, overrides, problem) {
      if (feed !== history) shown = PAGE_SIZE;
      history = feed;
      overridesById = new Map(overrides.map((override) => [override.id, override]));
      message.replaceChildren();
      if (problem) message.append(notice(problem, "warning"));
      else if (!feed.entries.length) message.append(element("p", "muted", "No changes yet."));
      draw();
    },
  };
}

/**
 * The lookup keys that a change added or removed, or their number.
 *
 * @param {"+" | "−"} sign
 * @param {string} tone
 * @param {string[] | null} keys
 * @param {number} count
 */
function keyItems(sign, tone, keys, count) {
  if (!keys) return count ? [element("li", "", badge(`${sign} ${count.toLocaleString("en")} features`, tone))] : [];
  const items = keys.slice(0, MAX_KEYS).map((key) => element("li", "", badge(`${sign} ${key}`, tone)));
  if (keys.length > MAX_KEYS) items.push(element("li", "", badge(`${sign} ${keys.length - MAX_KEYS} more`, tone)));
  return items;
}
