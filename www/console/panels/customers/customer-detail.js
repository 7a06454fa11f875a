// The page of one customer: who they are, what they may use and why, overrides, the timeline of changes, and recent activity.
//
// The page follows changes: it asks for new entries of the history and of the activity, and reloads after one.

import { createActivityFeed } from "../../activity-feed.js";
import { latestOnly, poll } from "../../concurrency.js";
import { button, element, identifier, keyRequired, notice, tag } from "../../elements.js";
import { createFeed } from "../../feed.js";
import { withQuery } from "../../form.js";
import { createBillingCards } from "./billing-cards.js";
import { createEdgeCard } from "./edge-card.js";
import { createExplainCard } from "./explain-card.js";
import { createFeaturesCard } from "./features-card.js";
import { createOverridesCard } from "./overrides-card.js";
import { createRecentActivityCard } from "./recent-activity-card.js";
import { createTimelineCard } from "./timeline-card.js";

const POLL_INTERVAL_MS = 2_000;
const SUGGESTED_FEATURES = 100;
const SUGGESTIONS_ID = "customer-features";

/** @typedef {import("../../change-cause.js").Change} Change */
/** @typedef {import("../../change-cause.js").Override} Override */

/**
 * Creates the page, hidden.
 *
 * @param {import("../../session.js").Session} session
 */
export function createCustomerDetail(session) {
  const latest = latestOnly();
  const heading = element("div", "customer-header");
  const status = tag("p", { role: "status", class: "muted" });
  const message = element("div", "");
  const suggestions = tag("datalist", { id: SUGGESTIONS_ID });
  const billing = createBillingCards(session);
  const edge = createEdgeCard(session);
  const features = createFeaturesCard(session, { onExplain: (key) => explain.explain(key).then(explain.focus) });
  const explain = createExplainCard(session, { suggestions: SUGGESTIONS_ID });
  const overrides = createOverridesCard(session, { suggestions: SUGGESTIONS_ID, onChange: refresh });
  const timeline = createTimelineCard();
  const activity = createRecentActivityCard();
  const summaries = element("div", "cards two-columns", billing.profile, edge.root);
  const body = element(
    "div",
    "cards customer-detail",
    summaries,
    features.root,
    explain.root,
    overrides.root,
    timeline.root,
    billing.subscriptions,
    activity.root,
  );
  const root = tag(
    "div",
    { hidden: true },
    element("p", "", tag("a", { href: "#customers" }, "← All customers")),
    heading,
    status,
    message,
    body,
    suggestions,
  );

  /** @type {string} */
  let id;
  /** @type {import("../../activity-feed.js").ActivityFeed} */
  let activityFeed;
  /** @type {import("../../feed.js").Feed<Change>} */
  let history;
  /** @type {string[]} */
  let catalogFeatures = [];
  /** The newest entries that the page shows; undefined if it has to be loaded. @type {{ change?: string, activity?: string } | undefined} */
  let shown;

  const poller = poll(POLL_INTERVAL_MS, refresh);

  /** Loads new entries of the history and the activity, and the rest of the page if there are any. */
  async function refresh() {
    const signal = latest.signal("feeds");
    const [polledHistory, polledActivity] = [history, activityFeed];
    const [historyReply, activityReply] = await Promise.all([history.refresh(signal), activityFeed.refresh(signal)]);
    if (polledHistory !== history || polledActivity !== activityFeed || signal.aborted) return;
    const isNew = activityFeed.entries[0]?.id !== shown?.activity;
    if (activityReply.problem || isNew || !activity.root.hasChildNodes()) activity.update(id, activityFeed, activityReply.problem);
    if (historyReply.problem || isNew || history.entries[0]?.id !== shown?.change || !shown) await load(historyReply.problem);
  }

  /** @param {string} [historyProblem] */
  async function load(historyProblem) {
    const signal = latest.signal("load");
    const newest = { change: history.entries[0]?.id, activity: activityFeed.entries[0]?.id };
    const { overrides: list } = await overrides.load(signal);
    if (signal.aborted) return;
    timeline.update(history, list, historyProblem);
    const { problem, status: code, held, count } = await features.load({ id, history, overrides: list }, signal);
    if (signal.aborted) return;
    // Without a response, the next poll tries again.
    shown = code ? newest : undefined;
    body.hidden = code === 401 || code === 403;
    message.replaceChildren(...(problem ? [notice(problem, code === 503 ? "warning" : "danger")] : []));
    for (const card of [summaries, features.root]) card.hidden = problem !== undefined;
    suggest([...held.map(({ key }) => key), ...list.map(({ feature }) => feature)]);
    if (problem) return;
    const fromSource = held.find(({ isFromSource }) => isFromSource)?.key;
    await Promise.all([
      edge.load(id, held[0]?.key, count, signal),
      billing.load({ id, feature: fromSource, version: history.entries[0]?.version }, signal),
    ]);
  }

  /** Suggests lookup keys: those of this customer, and those of the catalog. @param {string[]} keys */
  function suggest(keys) {
    const changed = history.entries.flatMap(({ added, removed }) => [...(added ?? []), ...(removed ?? [])]);
    const all = [...new Set([...keys, ...changed, ...catalogFeatures])];
    suggestions.replaceChildren(...all.map((value) => tag("option", { value })));
  }

  async function loadCatalogFeatures() {
    if (session.source !== "catalog") return;
    const { body: list } = await session.request(withQuery("/v1/entitlements/features", { limit: SUGGESTED_FEATURES }));
    catalogFeatures = (list.data ?? []).map((/** @type {any} */ { lookup_key }) => lookup_key);
  }

  /** @param {HTMLButtonElement} pressed */
  async function sync(pressed) {
    pressed.disabled = true;
    status.textContent = "Reading the entitlements at the source…";
    const reply = await session.request(`/v1/customers/${encodeURIComponent(id)}/sync`, {
      method: "POST",
      signal: latest.signal("sync"),
    });
    pressed.disabled = false;
    const count = reply.body.entitlements?.data?.length;
    status.textContent =
      reply.problem ?? `Synced: version ${reply.body.version}, ${count === 1 ? "1 entitlement" : `${count} entitlements`}.`;
    if (!reply.problem) load();
  }

  async function start() {
    latest.abortAll();
    poller.stop();
    activityFeed = createActivityFeed(session, id);
    history = createFeed(session, `/v1/customers/${encodeURIComponent(id)}/history`);
    for (const part of [edge.root, activity.root]) part.replaceChildren();
    features.reset();
    billing.reset();
    explain.reset(id);
    overrides.reset(id);
    body.hidden = true;
    shown = undefined;
    status.textContent = "";
    if (!session.key) {
      message.replaceChildren(keyRequired("The entitlements of a customer require a key."));
      return;
    }
    message.replaceChildren();
    const syncButton = button("Sync now", () => sync(syncButton), "primary");
    const checkButton = button("Check access", () => session.navigate(withQuery("check", { customer: id })));
    const shopButton = button("Open demo shop", () => session.navigate(withQuery("shop", { customer: id })));
    heading.replaceChildren(element("h2", "", identifier(id)), element("div", "actions", syncButton, checkButton, shopButton));
    if (!session.source) await session.fetchHealth();
    await loadCatalogFeatures();
    if (!root.hidden) poller.start();
  }

  session.onKeyChange(() => {
    if (!root.hidden) start();
  });
  return {
    root,
    /** @param {string} customer @param {string | null} explainedFeature */
    show(customer, explainedFeature) {
      const unchanged = customer === id && !body.hidden;
      id = customer;
      root.hidden = false;
      if (unchanged) {
        load();
        poller.start();
      } else start();
      if (explainedFeature !== null && session.key) explain.explain(explainedFeature);
    },
    hide() {
      root.hidden = true;
      poller.stop();
      latest.abortAll();
    },
  };
}
