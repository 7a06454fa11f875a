// The card "Features": what the customer may use and why, and what an override denies.

import { describeCause, lastChangeOf } from "../../change-cause.js";
import { badge, button, element, emptyState, table, time } from "../../elements.js";
import { withQuery } from "../../form.js";
import { listPages } from "../../list-pages.js";
import { labelReason } from "../../reasons.js";

const FEATURES_PER_CHECK = 100; // The maximum of one check.

/** @typedef {import("../../change-cause.js").Change} Change */
/** @typedef {import("../../change-cause.js").Override} Override */
/** @typedef {{ feature: string, entitled: boolean, reason: string }} Check */

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} [name]
 * @property {Check} [check]  Undefined if the answer is not known.
 * @property {Change} [change]  The change since which it is so, if the history has it.
 * @property {Override} [override]  That caused the change.
 */

/**
 * Creates the card.
 *
 * @param {import("../../session.js").Session} session
 * @param {{ onExplain: (feature: string) => void }} options
 */
export function createFeaturesCard(session, { onExplain }) {
  const root = element("section", "card");
  const features = table("Features", [
    {
      title: "Feature",
      cell: (/** @type {Row} */ { key, name }) =>
        element("span", "", element("code", "", key), name && name !== key ? element("span", "muted", ` ${name}`) : null),
    },
    { title: "Reason", cell: (/** @type {Row} */ { check }) => reasonBadge(check) },
    { title: "Since", cell: sinceCell },
    {
      title: "Explanation",
      cell: (/** @type {Row} */ { key }) => {
        const explain = button("Explain", () => onExplain(key), "small");
        explain.setAttribute("aria-label", `Explain ${key}`);
        return explain;
      },
    },
  ]).stacked();

  let drawn = "";

  /**
   * Checks features of a customer.
   *
   * @param {string} customer
   * @param {string[]} keys
   * @param {{ version?: number, signal: AbortSignal }} options
   */
  async function checkFeatures(customer, keys, { version, signal }) {
    /** @type {Map<string, Check>} */
    const checks = new Map();
    for (let at = 0; at < keys.length; at += FEATURES_PER_CHECK) {
      const feature = keys.slice(at, at + FEATURES_PER_CHECK);
      const path = withQuery("/v1/check", { customer, feature, at_least: version });
      const { status, body } = await session.request(path, { signal });
      if (status === 200) for (const check of body.data ?? [body]) checks.set(check.feature, check);
    }
    return checks;
  }

  /**
   * Draws the rows if they changed, so that a focused button keeps the focus.
   *
   * @param {Row[]} rows
   * @param {string} customer
   */
  function draw(rows, customer) {
    // The time of the set is not shown, and changes with each read of the source.
    const drawing = JSON.stringify([customer, rows.map(({ check, ...row }) => ({ ...row, reason: check?.reason }))]);
    if (drawing === drawn) return;
    drawn = drawing;
    features.fill(rows);
    root.replaceChildren(
      element("h2", "", "Features"),
      rows.length
        ? features.root
        : emptyState(
            "No features",
            "Features appear here after a purchase, or with an override.",
            session.source === "catalog" && button("Create subscription", () => session.navigate(withQuery("playground", { customer }))),
          ),
    );
  }

  return {
    root,
    reset() {
      drawn = "";
      root.replaceChildren();
    },
    /**
     * Loads the features. Returns those that the customer has, or the problem.
     *
     * @param {object} customer
     * @param {string} customer.id
     * @param {import("../../feed.js").Feed<Change>} customer.history
     * @param {Override[]} customer.overrides
     * @param {AbortSignal} signal
     */
    async load({ id, history, overrides }, signal) {
      // The page shows what the ledger has: the replica may be behind a change that was just made here.
      const version = history.entries[0]?.version;
      const expandable = session.source === "catalog" || session.settings.STRIPE_API_KEY === "set";
      const params = { customer: id, at_least: version, "expand[]": expandable ? "data.feature" : undefined };
      const { data, isTruncated, ...list } = await listPages(session, "/v1/entitlements/active_entitlements", { params, signal });
      if (signal.aborted || list.problem) return { ...list, held: [], count: "" };
      const names = new Map(data.map((/** @type {any} */ { lookup_key, feature }) => [lookup_key, feature.name]));
      const denied = overrides.filter(({ status, effect }) => status === "active" && effect === "deny").map(({ feature }) => feature);
      const keys = [...new Set([...names.keys(), ...denied])];
      while (history.hasMore && keys.some((key) => !lastChangeOf(history.entries, key))) {
        if ((await history.loadOlder(signal)).problem) break;
      }
      const checks = await checkFeatures(id, keys, { version, signal });
      if (signal.aborted) return { ...list, held: [], count: "" };
      draw(
        keys.map((key) => ({
          key,
          name: names.get(key),
          check: checks.get(key),
          ...sinceWhen(key, checks.get(key), history.entries, overrides),
        })),
        id,
      );
      const held = [...names.keys()].map((key) => ({ key, isFromSource: checks.get(key)?.reason === "active_entitlement" }));
      return { ...list, held, count: `${names.size}${isTruncated ? "+" : ""}` };
    },
  };
}

/**
 * The change that led to the answer of a check.
 *
 * @param {string} key
 * @param {Check | undefined} check
 * @param {Change[]} changes
 * @param {Override[]} overrides
 * @returns {Pick<Row, "change" | "override">}
 */
function sinceWhen(key, check, changes, overrides) {
  const last = lastChangeOf(changes, key);
  if (!last || last.isAdded !== check?.entitled) return {};
  return { change: last.change, override: overrides.find(({ id }) => id === last.change.cause.id) };
}

/** @param {Row} row */
function sinceCell({ change, override }) {
  if (!change) return "–";
  return element("div", "since", time(change.created), element("p", "muted cause", describeCause(change.cause, { ...change, override })));
}

/** @param {Check | undefined} check */
function reasonBadge(check) {
  if (!check) return badge("unknown", "warning");
  const { label, tone } = labelReason(check.reason);
  return badge(label, tone);
}
