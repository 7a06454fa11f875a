// The detail view of one customer: the entitlements and what the edge answers, the subscriptions, and recent activity.
//
// Subscriptions are shown only if the catalog is the source: with Stripe, the Worker does not know them.

import { createActivityFeed, findOutcome } from "../../activity-feed.js";
import { latestOnly, poll } from "../../concurrency.js";
import { badge, button, descriptionList, element, emptyState, identifier, keyRequired, notice, table, tag, time } from "../../elements.js";
import { withQuery } from "../../form.js";

const POLL_INTERVAL_MS = 2_000;
const PAGE_SIZE = 100;
const MAX_PAGES = 10;
const MAX_CHECKED_FEATURES = 100; // The maximum of one check.
const RECENT_ENTRIES = 10;
const PLACEHOLDER_FEATURE = "entgate"; // Checked if there are no entitlements, because the response contains the version.

/** @typedef {{ id: string, lookup_key: string, feature: { name?: string } }} Entitlement */

/** @type {Record<string, string>} */
const STATUS_TONES = { active: "success", trialing: "info", canceled: "neutral" };

/**
 * Creates the detail view, hidden.
 *
 * @param {import("../../session.js").Session} session
 */
export function createCustomerDetail(session) {
  const latest = latestOnly();
  const heading = element("div", "customer-header");
  const status = tag("p", { role: "status", class: "muted" });
  const summaryCard = element("section", "card");
  const entitlementsCard = element("section", "card");
  const subscriptionsCard = element("section", "card");
  const activityCard = element("section", "card");
  const body = element("div", "cards customer-detail", summaryCard, entitlementsCard, subscriptionsCard, activityCard);
  const message = element("div", "");
  const root = tag(
    "div",
    { hidden: true },
    element("p", "", tag("a", { href: "#customers" }, "← All customers")),
    heading,
    status,
    message,
    body,
  );

  /** @type {string} */
  let id;
  /** @type {import("../../activity-feed.js").ActivityFeed} */
  let feed;

  const entitlementsTable = table("Entitlements", [
    {
      title: "Feature",
      cell: ({ lookup_key, feature }) =>
        element("span", "", element("code", "", lookup_key), feature.name ? element("span", "muted", ` ${feature.name}`) : null),
    },
    {
      title: "Edge response",
      cell: ({ entitled }) =>
        entitled === undefined
          ? badge("unknown", "warning")
          : badge(entitled ? "entitled" : "not entitled", entitled ? "success" : "danger"),
    },
    { title: "Entitlement", cell: ({ id: entitlement }) => identifier(entitlement) },
  ]).stacked();
  const subscriptionsTable = table("Subscriptions", [
    { title: "Subscription", cell: ({ id: subscription }) => identifier(subscription) },
    { title: "Status", cell: ({ status: state }) => badge(state, STATUS_TONES[state] ?? "warning") },
    { title: "Products", cell: ({ items }) => element("code", "", productsOf(items)) },
    { title: "Period ends", cell: ({ items }) => time(items.data[0]?.current_period_end) },
  ]).stacked();
  const activityTable = table("Recent activity", [
    { title: "Time", cell: ({ at }) => time(at / 1000) },
    { title: "Outcome", cell: ({ outcome }) => badge(outcome, findOutcome(outcome).tone) },
    { title: "Version", className: "number", cell: ({ version }) => String(version ?? "–") },
    { title: "Event", cell: ({ event }) => (event ? identifier(event) : element("span", "muted", "source read")) },
  ]).stacked();

  const poller = poll(POLL_INTERVAL_MS, async () => {
    const polledFeed = feed;
    const signal = latest.signal("feed");
    const reply = await feed.refresh(signal);
    if (polledFeed !== feed || signal.aborted) return;
    const first = !activityCard.hasChildNodes();
    if (first || reply.problem || reply.newEntries.length) showActivity(reply.problem);
    if (!first && reply.newEntries.length) load();
  });

  /**
   * Lists the active entitlements of the customer; `truncated` means that there are more. A failed reply has a `problem`.
   *
   * @param {AbortSignal} signal
   */
  async function listEntitlements(signal) {
    /** @type {Entitlement[]} */
    const entitlements = [];
    const expandable = session.source === "catalog" || session.settings.STRIPE_API_KEY === "set";
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const path = withQuery("/v1/entitlements/active_entitlements", {
        customer: id,
        limit: PAGE_SIZE,
        starting_after: entitlements.at(-1)?.id,
        "expand[]": expandable ? "data.feature" : undefined,
      });
      const reply = await session.request(path, { signal });
      if (reply.problem) return { problem: reply.problem, status: reply.status, entitlements, truncated: false };
      entitlements.push(...(reply.body.data ?? []));
      if (reply.body.has_more !== true) return { problem: undefined, status: reply.status, entitlements, truncated: false };
    }
    return { problem: undefined, status: undefined, entitlements, truncated: true };
  }

  /**
   * Checks these features at the edge. Returns the reply, its first check, and `entitled` by lookup key.
   *
   * @param {string[]} lookupKeys
   * @param {AbortSignal} signal
   */
  async function checkFeatures(lookupKeys, signal) {
    const query = new URLSearchParams({ customer: id });
    for (const key of lookupKeys.length ? lookupKeys.slice(0, MAX_CHECKED_FEATURES) : [PLACEHOLDER_FEATURE]) query.append("feature", key);
    const reply = await session.request(`/v1/check?${query}`, { signal });
    /** @type {{ feature: string, entitled: boolean, version?: number, as_of: number, served_by: string }[]} */
    const checks = reply.body.data ?? [reply.body];
    return { reply, first: checks[0], entitledByKey: new Map(checks.map(({ feature, entitled }) => [feature, entitled])) };
  }

  async function load() {
    const signal = latest.signal("entitlements");
    const { problem, status: listStatus, entitlements, truncated } = await listEntitlements(signal);
    if (signal.aborted) return;
    message.replaceChildren();
    if (problem) {
      message.append(notice(problem, listStatus === 503 ? "warning" : "danger"));
      body.hidden = true;
      return;
    }
    const { reply, first, entitledByKey } = await checkFeatures(
      entitlements.map(({ lookup_key }) => lookup_key),
      signal,
    );
    if (signal.aborted) return;
    body.hidden = false;
    const known = reply.status === 200;
    summaryCard.replaceChildren(
      element("h2", "", "State at the edge"),
      descriptionList([
        ["Version", known ? String(first.version ?? "–") : "–"],
        ["As of", known ? time(first.as_of) : "–"],
        ["Served by", known ? first.served_by : "–"],
        ["Entitlements", `${entitlements.length}${truncated ? "+" : ""}`],
        ["Round trip", reply.durationMs === undefined ? "–" : `${Math.ceil(reply.durationMs)} ms`],
      ]),
    );
    if (!known) summaryCard.append(notice(reply.problem ?? "The edge response for this customer is unknown.", "warning"));
    entitlementsTable.fill(entitlements.map((entitlement) => ({ ...entitlement, entitled: entitledByKey.get(entitlement.lookup_key) })));
    entitlementsCard.replaceChildren(
      element("h2", "", "Entitlements"),
      entitlements.length
        ? entitlementsTable.root
        : emptyState(
            "No entitlements",
            "Entitlements appear here after a purchase.",
            session.source === "catalog" &&
              button("Create subscription", () => session.navigate(withQuery("playground", { customer: id }))),
          ),
    );
    await loadSubscriptions(signal);
  }

  /** @param {AbortSignal} signal */
  async function loadSubscriptions(signal) {
    subscriptionsCard.hidden = session.source !== "catalog";
    if (subscriptionsCard.hidden) return;
    const reply = await session.request(withQuery("/v1/subscriptions", { customer: id, status: "all", limit: PAGE_SIZE }), { signal });
    if (signal.aborted) return;
    const rows = reply.body.data ?? [];
    subscriptionsTable.fill(rows);
    subscriptionsCard.replaceChildren(
      element("h2", "", "Subscriptions"),
      reply.problem ? notice(reply.problem, "danger") : rows.length ? subscriptionsTable.root : element("p", "muted", "No subscriptions."),
    );
  }

  /** @param {string | undefined} problem */
  function showActivity(problem) {
    activityTable.fill(feed.entries.slice(0, RECENT_ENTRIES));
    const link = tag("a", { href: withQuery("#activity", { customer: id }) }, "View all");
    const content = problem
      ? notice(problem, "warning")
      : feed.entries.length
        ? activityTable.root
        : element("p", "muted", "No recent activity.");
    activityCard.replaceChildren(element("div", "card-header", element("h2", "", "Recent activity"), link), content);
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
    feed = createActivityFeed(session, id);
    for (const part of [summaryCard, entitlementsCard, subscriptionsCard, activityCard]) part.replaceChildren();
    body.hidden = true;
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
    await load();
    if (!root.hidden) poller.start();
  }

  session.onKeyChange(() => {
    if (!root.hidden) start();
  });
  return {
    root,
    /** @param {string} customer */
    show(customer) {
      const unchanged = customer === id && !body.hidden;
      id = customer;
      root.hidden = false;
      if (unchanged) {
        load();
        poller.start();
      } else start();
    },
    hide() {
      root.hidden = true;
      poller.stop();
      latest.abortAll();
    },
  };
}

/**
 * The ids of the products in a subscription, as a list.
 *
 * @param {{ data: { price: { product: string } }[] }} items
 */
function productsOf(items) {
  return items.data.map(({ price }) => price.product).join(", ");
}
