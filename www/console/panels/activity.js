// The panel "Activity": recent events and reads as they arrive, with filters. An entry expands to its details. With the catalog
// as the source, these include its event and the deliveries, which can be resent.

import { createActivityFeed, findOutcome, OUTCOMES } from "../activity-feed.js";
import { latestOnly, poll } from "../concurrency.js";
import { relativeTime } from "../dates.js";
import {
  badge,
  button,
  element,
  emptyState,
  field,
  identifier,
  json,
  keyRequired,
  notice,
  setChildren,
  tag,
  textField,
  time,
} from "../elements.js";
import { withQuery } from "../form.js";

const POLL_INTERVAL_MS = 1_000;
const MAX_ROWS = 500; // The feed has at most 1,000 entries.

/** @typedef {import("../activity-feed.js").ActivityEntry} ActivityEntry */

export default {
  id: "activity",
  title: "Activity",
  lead: "Events and source reads as they arrive, each with its outcome. Entries are kept for up to 30 days, and are a diagnostic aid. The record of every change is the timeline of each customer.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const latest = latestOnly();
    const customer = textField("activity-customer", "Customer", { placeholder: "cus_… (all)" });
    const outcomeSelect = tag(
      "select",
      {},
      tag("option", { value: "" }, "All outcomes"),
      ...OUTCOMES.map(({ name }) => tag("option", { value: name }, name)),
    );
    const outcome = field("activity-outcome", "Outcome", outcomeSelect);
    const liveButton = tag("button", { type: "button", class: "live", "aria-pressed": "true", onclick: () => setLive(!isLive()) }, "Live");
    const isLive = () => liveButton.getAttribute("aria-pressed") === "true";
    const status = tag("p", { role: "status", id: "activity-status", class: "muted" });
    const form = tag(
      "form",
      { class: "toolbar", novalidate: true },
      customer.root,
      outcome.root,
      element("div", "toolbar-end actions", liveButton),
    );
    const body = element("tbody");
    const head = element(
      "tr",
      "",
      ...["Time", "Customer", "Outcome", "Version", "Event", "Latency"].map((title) =>
        tag("th", { scope: "col", class: ["Version", "Latency"].includes(title) && "number" }, title),
      ),
    );
    const tableBox = tag(
      "div",
      { class: "table", id: "activity-table", tabindex: "0", role: "region", "aria-label": "Activity" },
      element("table", "stacked", element("caption", "visually-hidden", "Activity, newest first"), element("thead", "", head), body),
    );
    const olderButton = button("Load older", loadOlder);
    const message = element("div", "");
    root.append(form, status, message, tableBox, olderButton);

    let feed = createActivityFeed(session);
    /** @type {string | undefined} */
    let problem;
    let loaded = false;
    /** @type {Map<string, HTMLTableRowElement>} */
    const expandedRows = new Map();
    /** @type {Map<string, HTMLTableRowElement>} */
    const rows = new Map();

    const poller = poll(POLL_INTERVAL_MS, async () => {
      const polledFeed = feed;
      const signal = latest.signal("refresh");
      const reply = await feed.refresh(signal);
      if (polledFeed !== feed || signal.aborted) return;
      const count = reply.newEntries.filter(matchesFilter).length;
      const changed = count || !loaded || problem !== reply.problem;
      if (loaded && count) status.textContent = `${count} new ${count === 1 ? "entry" : "entries"}.`;
      problem = reply.problem;
      if (changed) draw();
      loaded = true;
    });

    const matchesFilter = (/** @type {ActivityEntry} */ entry) => !outcomeSelect.value || entry.outcome === outcomeSelect.value;

    function restart() {
      latest.abortAll();
      feed = createActivityFeed(session, customer.input.value.trim() || undefined);
      problem = undefined;
      loaded = false;
      rows.clear();
      expandedRows.clear();
      poller.stop();
      liveButton.setAttribute("aria-pressed", "true");
      draw();
      if (session.key) poller.start();
    }

    /** @param {boolean} live */
    function setLive(live) {
      liveButton.setAttribute("aria-pressed", String(live));
      if (live && session.key) poller.start();
      else poller.stop();
      status.textContent = live ? "Live: refreshes every second." : "Paused.";
    }

    async function loadOlder() {
      olderButton.disabled = true;
      const reply = await feed.loadOlder(latest.signal("older"));
      olderButton.disabled = false;
      if (reply.problem) status.textContent = reply.problem;
      draw();
    }

    function draw() {
      const entries = feed.entries.filter(matchesFilter).slice(0, MAX_ROWS);
      message.replaceChildren();
      if (!session.key) message.append(keyRequired("The activity of all customers requires a key."));
      else if (problem) message.append(notice(problem, "danger"));
      else if (loaded && !entries.length) message.append(noEntries());
      tableBox.hidden = !session.key || !entries.length;
      olderButton.hidden = tableBox.hidden || !feed.hasMore || entries.length >= MAX_ROWS;
      setChildren(
        body,
        entries.flatMap((entry) => {
          const row = rows.get(entry.id) ?? entryRow(entry);
          rows.set(entry.id, row);
          const expanded = expandedRows.get(entry.id);
          return expanded ? [row, expanded] : [row];
        }),
      );
      if (rows.size > 2 * MAX_ROWS) for (const [id, row] of rows) if (!row.isConnected) rows.delete(id);
    }

    function noEntries() {
      if (customer.input.value.trim() || outcomeSelect.value)
        return emptyState(
          "No matching entries",
          "No entry matches the customer and the outcome. Older entries may have been dropped from the log.",
        );
      return session.source === "catalog"
        ? emptyState(
            "No activity yet",
            "Each change of a customer’s entitlements is an event. Create a subscription to trigger one.",
            button("Open playground", () => session.navigate("playground")),
          )
        : emptyState(
            "No activity yet",
            "Events of your webhook endpoint appear here as they arrive.",
            button("View setup", () => session.navigate("overview")),
          );
    }

    /** @param {ActivityEntry} entry */
    function entryRow(entry) {
      const { name, tone, description } = findOutcome(entry.outcome);
      const outcomeBadge = badge(name, tone);
      outcomeBadge.title = description;
      const seconds = entry.at / 1000;
      const expander = tag("button", {
        type: "button",
        class: "expander",
        "aria-expanded": "false",
        "aria-label": `Details of ${entry.id}`,
        onclick: () => toggleDetails(entry, expander),
      });
      const timestamp = time(seconds, { dateStyle: "short", timeStyle: "medium" });
      timestamp.title = `${relativeTime(seconds)}, ${timestamp.title}`;
      return element(
        "tr",
        loaded ? "new-row" : "",
        tag("th", { scope: "row" }, element("span", "timestamp", expander, timestamp)),
        tag(
          "td",
          { "data-title": "Customer" },
          tag("a", { href: withQuery("#customers", { customer: entry.customer }) }, element("code", "", entry.customer)),
        ),
        tag("td", { "data-title": "Outcome" }, outcomeBadge),
        tag("td", { "data-title": "Version", class: "number" }, String(entry.version ?? "–")),
        tag("td", { "data-title": "Event" }, entry.event ? identifier(entry.event) : element("span", "muted", "source read")),
        tag("td", { "data-title": "Latency", class: "number" }, latency(entry)),
      );
    }

    /**
     * @param {ActivityEntry} entry
     * @param {HTMLButtonElement} expander
     */
    function toggleDetails(entry, expander) {
      const expand = !expandedRows.has(entry.id);
      expander.setAttribute("aria-expanded", String(expand));
      if (expand) expandedRows.set(entry.id, detailsRow(entry));
      else expandedRows.delete(entry.id);
      draw();
    }

    /**
     * The row with the whole entry, and with its event if the catalog has it.
     *
     * @param {ActivityEntry} entry
     */
    function detailsRow(entry) {
      const description = element("p", "", findOutcome(entry.outcome).description);
      const details = element("div", "details", description, json(entry, "Activity entry"));
      if (entry.added_count || entry.removed_count) {
        description.append(` Features added: ${entry.added_count}, removed: ${entry.removed_count}.`);
      }
      details.append(
        element("p", "", tag("a", { href: withQuery("#customers", { customer: entry.customer }) }, `Timeline of ${entry.customer}`)),
      );
      if (entry.event && session.source === "catalog") loadEvent(entry.event, details);
      else if (entry.event) details.append(element("p", "muted", "The event is in Stripe’s dashboard, under Developers → Events."));
      return element("tr", "expanded-row", tag("td", { colspan: "6" }, details));
    }

    /**
     * @param {string} id
     * @param {HTMLElement} details
     */
    async function loadEvent(id, details) {
      const content = element("div", "cards", element("p", "muted", "Loading the event…"));
      details.append(content);
      const [event, deliveries] = await Promise.all([session.request(`/v1/events/${encodeURIComponent(id)}`), listDeliveries(id)]);
      if (event.problem) {
        content.replaceChildren(notice(event.problem, "warning"));
        return;
      }
      content.replaceChildren(
        element(
          "div",
          "",
          element("h2", "", "Deliveries"),
          deliveries.length
            ? element("ul", "deliveries", ...deliveries.map(deliveryItem))
            : element("p", "muted", "None among the last 100 deliveries of each endpoint."),
        ),
        element("div", "", element("h2", "", event.body.type), json(event.body, "Event")),
      );
    }

    /**
     * Lists the delivery attempts of an event at every endpoint.
     *
     * @param {string} id
     */
    async function listDeliveries(id) {
      const { body: endpoints } = await session.request(withQuery("/v1/webhook_endpoints", { limit: 100 }));
      const lists = await Promise.all(
        (endpoints.data ?? []).map(async (/** @type {{ id: string, url: string }} */ endpoint) => {
          const path = `/v1/webhook_endpoints/${encodeURIComponent(endpoint.id)}/deliveries`;
          const { body: list } = await session.request(withQuery(path, { limit: 100 }));
          return (list.data ?? [])
            .filter((/** @type {{ event: string }} */ { event }) => event === id)
            .map((/** @type {object} */ attempt) => ({ ...attempt, endpoint }));
        }),
      );
      return lists.flat();
    }

    /**
     * One delivery attempt with a button that resends the event.
     *
     * @param {{ event: string, endpoint: { id: string, url: string }, attempt: number, outcome: string, status: number | null, error: string | null, created: number, next_attempt: number | null }} delivery
     */
    function deliveryItem({ event, endpoint, attempt, outcome: deliveryOutcome, status: code, error, created, next_attempt }) {
      const resend = button(
        "Resend",
        async () => {
          resend.disabled = true;
          const reply = await session.request(`/v1/events/${encodeURIComponent(event)}/retry`, {
            method: "POST",
            form: { webhook_endpoint: endpoint.id },
          });
          resend.disabled = false;
          status.textContent = reply.problem ?? `Resending ${event}.`;
        },
        "small",
      );
      return element(
        "li",
        "",
        badge(deliveryOutcome, deliveryOutcome === "succeeded" ? "success" : "danger"),
        element("code", "", endpoint.url),
        element("span", "muted", `attempt ${attempt}, ${code ?? error ?? "no response"}, `, time(created)),
        Boolean(next_attempt) && element("span", "muted", "next ", time(next_attempt)),
        resend,
      );
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    customer.input.addEventListener("change", restart);
    outcomeSelect.addEventListener("change", draw);
    session.onKeyChange(restart);
    return {
      /** @param {URLSearchParams} params */
      show(params) {
        const requested = params.get("customer") ?? "";
        if (!loaded || requested !== customer.input.value) {
          customer.input.value = requested;
          restart();
        } else if (isLive()) {
          poller.start();
        }
      },
      hide() {
        poller.stop();
        latest.abortAll();
      },
    };
  },
};

/**
 * The time from the creation of an event to its outcome. `event_created` has whole seconds.
 *
 * @param {ActivityEntry} entry
 * @returns {string}
 */
function latency({ event_created: created, at }) {
  if (created === null || created === undefined) return "–";
  const seconds = Math.max(0, Math.floor(at / 1000) - created);
  if (seconds < 2) return "< 2 s";
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}
