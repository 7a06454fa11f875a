// One customer: what they hold, what the edge answers, what they pay for, and what happened to them lately.

import { pulse, turns } from "../../session.js";
import { badge, button, element, empty, facts, identifier, keyless, notice, table, tag, time } from "../../elements.js";
import { createFeed, outcomeNamed } from "../../activity-feed.js";

const PAUSE_MS = 2_000;
const LIST_LIMIT = 100;
const LIST_PAGES = 10;
const CHECKED = 100; // Features a check is asked of at once.
const RECENT = 10;
const NO_FEATURE = "entgate"; // What to ask about where nothing is held, to be told the version.

/** The page of one customer; `show(id)` and `hide()`. */
export function createHolder(desk) {
  const turn = turns();
  const heading = element("div", "holder-head");
  const status = tag("p", { role: "status", class: "soft" });
  const summary = element("section", "card");
  const set = element("section", "card");
  const bought = element("section", "card");
  const recent = element("section", "card");
  const body = element("div", "cards holder", summary, set, bought, recent);
  const place = element("div", "");
  const root = tag(
    "div",
    { hidden: true },
    element("p", "", tag("a", { href: "#customers" }, "← All customers")),
    heading,
    status,
    place,
    body,
  );

  let id;
  let feed;

  const holdings = table("Entitlements", [
    {
      title: "Feature",
      cell: ({ lookup_key, feature }) =>
        element("span", "", element("code", "", lookup_key), feature.name ? element("span", "soft", ` ${feature.name}`) : null),
    },
    {
      title: "The edge answers",
      cell: ({ answer }) =>
        answer === undefined ? badge("not known", "maybe") : badge(answer ? "entitled" : "not entitled", answer ? "yes" : "no"),
    },
    { title: "Entitlement", cell: ({ id: entitlement }) => identifier(entitlement) },
  ]);
  const subscriptions = table("Subscriptions", [
    { title: "Subscription", cell: ({ id: subscription }) => identifier(subscription) },
    { title: "Status", cell: ({ status: state }) => badge(state, { active: "yes", trialing: "note", canceled: "none" }[state] ?? "maybe") },
    { title: "Products", cell: ({ items }) => element("code", "", items.data.map(({ price }) => price.product).join(", ")) },
    { title: "Period ends", cell: ({ items }) => time(items.data[0]?.current_period_end) },
  ]);
  const entries = table("Recent activity", [
    { title: "When", cell: ({ at }) => time(at / 1000) },
    { title: "Outcome", cell: ({ outcome }) => badge(outcome, outcomeNamed(outcome).tone) },
    { title: "Version", className: "number", cell: ({ version }) => String(version ?? "–") },
    { title: "Event", cell: ({ event }) => (event ? identifier(event) : element("span", "soft", "a look at the source")) },
  ]);
  for (const { root: box } of [holdings, subscriptions, entries]) box.firstChild.classList.add("stacked");

  const beat = pulse(PAUSE_MS, async () => {
    const asked = feed;
    const signal = turn("feed");
    const reply = await feed.refresh(signal);
    if (asked !== feed || signal.aborted) return;
    const first = !recent.hasChildNodes();
    if (first || reply.problem || reply.news.length) drawRecent(reply.problem);
    if (!first && reply.news.length) load();
  });

  /** All that the customer holds, with the reply that a failure came with. */
  async function held(signal) {
    const all = [];
    for (let page = 1; page <= LIST_PAGES; page += 1) {
      const query = new URLSearchParams({ customer: id, limit: LIST_LIMIT, ...(all.length && { starting_after: all.at(-1).id }) });
      if (desk.source === "catalog" || desk.settings.STRIPE_API_KEY === "set") query.set("expand[]", "data.feature");
      const reply = await desk.ask(`/v1/entitlements/active_entitlements?${query}`, { signal });
      if (reply.problem) return { reply, all };
      all.push(...(reply.body.data ?? []));
      if (reply.body.has_more !== true) return { reply, all };
    }
    return { all, reply: {}, cut: true };
  }

  /** What the edge says of these features: by key, and the version and date of the set it says it from. */
  async function answers(keys, signal) {
    const query = new URLSearchParams({ customer: id });
    for (const key of keys.length ? keys.slice(0, CHECKED) : [NO_FEATURE]) query.append("feature", key);
    const reply = await desk.ask(`/v1/check?${query}`, { signal });
    const checks = reply.body.data ?? [reply.body];
    return { reply, first: checks[0], by: new Map(checks.map(({ feature, entitled }) => [feature, entitled])) };
  }

  async function load() {
    const signal = turn("set");
    const { reply, all, cut } = await held(signal);
    if (signal.aborted) return;
    place.replaceChildren();
    if (reply.problem) {
      place.append(notice(reply.problem, reply.status === 503 ? "maybe" : "no"));
      body.hidden = true;
      return;
    }
    const said = await answers(
      all.map(({ lookup_key }) => lookup_key),
      signal,
    );
    if (signal.aborted) return;
    body.hidden = false;
    const known = said.reply.status === 200;
    summary.replaceChildren(
      element("h2", "", "At the edge"),
      facts([
        ["Version", known ? String(said.first.version ?? "–") : "–"],
        ["As of", known ? time(said.first.as_of) : "–"],
        ["Served by", known ? said.first.served_by : "–"],
        ["Entitlements", `${all.length}${cut ? "+" : ""}`],
        ["Round trip", said.reply.took === undefined ? "–" : `${Math.ceil(said.reply.took)} ms`],
      ]),
    );
    if (!known) summary.append(notice(said.reply.problem ?? "What the edge says of this customer is not known.", "maybe"));
    holdings.fill(all.map((entitlement) => ({ ...entitlement, answer: said.by.get(entitlement.lookup_key) })));
    set.replaceChildren(
      element("h2", "", "Entitlements"),
      all.length
        ? holdings.root
        : empty(
            "Nothing is held",
            "What the customer buys appears here.",
            desk.source === "catalog" && button("Sell something", () => desk.go(`playground?${new URLSearchParams({ customer: id })}`)),
          ),
    );
    await loadBought(signal);
  }

  /** The subscriptions; only the catalog tells of them. */
  async function loadBought(signal) {
    bought.hidden = desk.source !== "catalog";
    if (bought.hidden) return;
    const reply = await desk.ask(`/v1/subscriptions?${new URLSearchParams({ customer: id, status: "all", limit: LIST_LIMIT })}`, {
      signal,
    });
    if (signal.aborted) return;
    const rows = reply.body.data ?? [];
    subscriptions.fill(rows);
    bought.replaceChildren(
      element("h2", "", "Subscriptions"),
      reply.problem ? notice(reply.problem, "no") : rows.length ? subscriptions.root : element("p", "soft", "None."),
    );
  }

  function drawRecent(problem) {
    entries.fill(feed.entries.slice(0, RECENT));
    const all = tag("a", { href: `#activity?${new URLSearchParams({ customer: id })}` }, "All of it");
    const shown = problem
      ? notice(problem, "maybe")
      : feed.entries.length
        ? entries.root
        : element("p", "soft", "None that the journal still has.");
    recent.replaceChildren(element("div", "bar", element("h2", "", "Recent activity"), all), shown);
  }

  async function sync(pressed) {
    pressed.disabled = true;
    status.textContent = "Reading the set at its source…";
    const reply = await desk.ask(`/v1/customers/${encodeURIComponent(id)}/sync`, { method: "POST", signal: turn("sync") });
    pressed.disabled = false;
    const count = reply.body.entitlements?.data?.length;
    status.textContent =
      reply.problem ?? `Read anew: version ${reply.body.version}, ${count === 1 ? "1 entitlement" : `${count} entitlements`}.`;
    if (!reply.problem) load();
  }

  async function start() {
    turn.stop();
    beat.stop();
    feed = createFeed(desk, id);
    for (const part of [summary, set, bought, recent]) part.replaceChildren();
    body.hidden = true;
    status.textContent = "";
    if (!desk.key) {
      place.replaceChildren(keyless("What a customer holds is told to those who have one."));
      return;
    }
    place.replaceChildren();
    const syncs = button("Sync now", () => sync(syncs), "primary");
    const asks = button("Ask about a feature", () => desk.go(`check?${new URLSearchParams({ customer: id })}`));
    const shop = button("Open their shop", () => desk.go(`shop?${new URLSearchParams({ customer: id })}`));
    heading.replaceChildren(element("h2", "", identifier(id)), element("div", "actions", syncs, asks, shop));
    if (!desk.source) await desk.examine();
    await load();
    if (!root.hidden) beat.start();
  }

  desk.onKey(() => !root.hidden && start());
  return {
    root,
    show(customer) {
      const same = customer === id && !body.hidden;
      id = customer;
      root.hidden = false;
      if (same) {
        load();
        beat.start();
      } else start();
    },
    hide() {
      root.hidden = true;
      beat.stop();
      turn.stop();
    },
  };
}
