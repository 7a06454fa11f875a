// The panel "Overview": the Worker's health, the customers that need attention, recent events as a chart, the latency of this page's
// requests, the settings, and the routes.

import { createActivityFeed, OUTCOMES } from "../activity-feed.js";
import { barChart, legend, percentile } from "../charts.js";
import { poll } from "../concurrency.js";
import { button, element, emptyState, keyRequired, notice, tag } from "../elements.js";
import { withQuery } from "../form.js";
import { createAttentionCards } from "./overview/attention.js";
import { localHints, routesCard, settingItems, unknownItems } from "./overview/setup.js";

const POLL_INTERVAL_MS = 5_000;
const CHART_MINUTES = 30;
const CHART_REQUESTS = 60; // As many bars as a phone can show distinctly.
const SAMPLE_CHECKS = 25;

/** @type {Record<string, [label: string, description: string]>} */
const HEALTH_STATES = {
  ok: ["Ready", "Every required setting is present."],
  unconfigured: ["Setup required", "A setting is missing."],
  degraded: ["Degraded", "The Worker responds, but requires operator action."],
  error: ["Error", "The Worker responds with an error."],
  unreachable: ["Unreachable", "The Worker does not respond."],
};

/** @type {Record<string, string>} */
const HEALTH_TONES = { ok: "success", unconfigured: "warning", degraded: "warning" };

const NEEDS_KEY = "A secret key (sk_…) of this Worker shows it.";

/**
 * The poll of Stripe's events. `age` is the time since the last complete one, in seconds.
 *
 * @typedef {object} Poll
 * @property {number | null} age
 * @property {string | null} error
 * @property {string | null} missing_permission
 * @property {{ unread: number | null } | null} gap
 * @property {number} found_by_poll_only
 * @property {number} pending
 */

/** @typedef {{ pending: number, oldest: number } | null | undefined} Outbox  `oldest` is the age of the oldest task in seconds. */

export default {
  id: "overview",
  title: "Overview",
  lead: "entgate connects billing to your product. Signed events update a customer’s entitlements, and your code checks who may use which feature.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const metrics = element("div", "cards metrics");
    const message = element("div", "");
    const settingsList = tag("ul", { id: "settings-list" });
    const hints = element("div", "hints");
    const settingsCard = tag(
      "section",
      { id: "settings", class: "card", "data-state": "loading" },
      element(
        "div",
        "card-header",
        element("h2", "", "Setup"),
        button("Refresh", () => session.fetchHealth(), "small"),
      ),
      settingsList,
      hints,
    );
    const eventsContent = element("div", "");
    const requestsContent = element("div", "");
    const sampleButton = button(`Run ${SAMPLE_CHECKS} checks`, runSampleChecks, "small");
    const eventsCard = element(
      "section",
      "card",
      element("div", "card-header", element("h2", "", "Events per minute"), tag("a", { href: "#activity" }, "View activity")),
      eventsContent,
    );
    const requestsCard = element(
      "section",
      "card",
      element("div", "card-header", element("h2", "", "Request latency"), sampleButton),
      requestsContent,
    );
    const attention = createAttentionCards(session);
    root.append(
      message,
      metrics,
      attention.root,
      element("div", "cards two-columns", eventsCard, requestsCard),
      element("div", "cards", settingsCard, routesCard()),
    );

    let feed = createActivityFeed(session);
    /** @type {string | undefined} */
    let feedProblem;
    /** @type {string | undefined} */
    let drawnSettings;
    let visible = false;

    const poller = poll(POLL_INTERVAL_MS, async () => {
      await Promise.all([session.fetchHealth(), session.key && !session.isReadOnly && refreshFeed()]);
      drawEvents();
    });

    /** Loads new entries, and older ones until the feed covers the chart. */
    async function refreshFeed() {
      const polledFeed = feed;
      const { problem } = await feed.refresh();
      if (polledFeed !== feed) return;
      feedProblem = problem;
      while (!problem && polledFeed.hasMore && (polledFeed.entries.at(-1)?.at ?? 0) > Date.now() - CHART_MINUTES * 60_000) {
        if ((await polledFeed.loadOlder()).problem) break;
      }
    }

    /** @param {import("../session.js").Reply} reply */
    function drawHealth(reply) {
      const { object, status, settings, outbox, poll, message: healthMessage } = reply.body;
      const isHealth = object === "health";
      const state = isHealth ? status : reply.status ? "error" : "unreachable";
      const [label, description] = HEALTH_STATES[state] ?? [state, ""];
      settingsCard.dataset.state = state;
      message.replaceChildren();
      if (!isHealth) message.append(notice(reply.problem ?? description, "danger"));
      else if (healthMessage) message.append(notice(healthMessage, "warning"));
      metrics.replaceChildren(
        metricCard("Status", label, description, HEALTH_TONES[state] ?? "danger"),
        metricCard(
          "Source",
          session.source === "catalog" ? "Catalog" : session.source === "stripe" ? "Stripe" : "–",
          session.source === "catalog" ? "The built-in catalog of this Worker." : session.source ? "Stripe’s webhooks and API." : NEEDS_KEY,
        ),
        metricCard(
          "Pending tasks",
          isHealth && outbox ? String(outbox.pending) : "–",
          !isHealth ? "" : outbox === undefined ? NEEDS_KEY : describeOutbox(outbox),
          outbox?.pending ? "warning" : undefined,
        ),
        ...(isHealth && poll ? [metricCard("Event poll", ...describePoll(poll))] : []),
        metricCard("Median check latency", ...checkLatency()),
      );
      drawSettings(isHealth ? settings : undefined);
    }

    /**
     * Draws the settings if they changed, so that a focused command keeps the focus.
     *
     * @param {Record<string, string> | undefined} settings
     */
    function drawSettings(settings) {
      const unknown = settings ? (session.health?.body.unknown_settings ?? []) : [];
      const drawing = JSON.stringify([settings, session.source, unknown]);
      if (drawnSettings === drawing) return;
      drawnSettings = drawing;
      settingsList.replaceChildren(...settingItems(settings), ...unknownItems(unknown));
      hints.replaceChildren(...localHints(session.source));
    }

    /** @returns {[value: string, description: string]} */
    function checkLatency() {
      const durations = session.requestLog.filter(({ path, status }) => path === "/v1/check" && status).map(({ durationMs }) => durationMs);
      if (!durations.length) return ["–", "No checks from this page yet."];
      return [
        `${percentile(durations, 0.5).toFixed(1)} ms`,
        `p99 ${percentile(durations, 0.99).toFixed(1)} ms, over ${durations.length} checks from this page.`,
      ];
    }

    function drawEvents() {
      eventsCard.hidden = session.isReadOnly;
      if (!session.key) return eventsContent.replaceChildren(keyRequired("The activity of all customers requires a key."));
      if (feedProblem) return eventsContent.replaceChildren(notice(feedProblem, "danger"));
      const lastMinute = Math.floor(Date.now() / 60_000);
      const firstMinute = lastMinute - CHART_MINUTES + 1;
      const slots = Array.from({ length: CHART_MINUTES }, (_, at) => {
        /** @type {import("../charts.js").Slot} */
        const slot = { label: formatTime((firstMinute + at) * 60_000), values: {}, tooltip: "" };
        return slot;
      });
      let total = 0;
      /** @type {Record<string, number>} */
      const totals = {};
      for (const { at, outcome } of feed.entries) {
        const slot = slots[Math.floor(at / 60_000) - firstMinute];
        if (!slot) continue;
        slot.values[outcome] = (slot.values[outcome] ?? 0) + 1;
        totals[outcome] = (totals[outcome] ?? 0) + 1;
        total += 1;
      }
      for (const slot of slots)
        slot.tooltip = [slot.label, ...Object.entries(slot.values).map(([name, count]) => `${count} ${name}`)].join("\n");
      if (!total) {
        const inCatalog = session.source === "catalog";
        const action = button(inCatalog ? "Create subscription" : "View activity", () =>
          session.navigate(inCatalog ? "playground" : "activity"),
        );
        return eventsContent.replaceChildren(emptyState("No events", `No events in the last ${CHART_MINUTES} minutes.`, action));
      }
      const series = OUTCOMES.filter(({ name }) => totals[name]);
      const counts = series.map(({ name }) => `${totals[name]} ${name}`).join(", ");
      const summary = `${total} ${total === 1 ? "decision" : "decisions"} in the last ${CHART_MINUTES} minutes: ${counts}.`;
      const chart = barChart({ series, slots, summary, axisLabels: [slots[0].label, slots[CHART_MINUTES / 2].label, "now"] });
      replaceChart(eventsContent, legend(series.map(({ name, tone }) => ({ name, tone, value: totals[name] }))), chart);
    }

    function drawRequests() {
      sampleButton.hidden = !session.key;
      const requests = session.requestLog.slice(-CHART_REQUESTS);
      if (!requests.length)
        return requestsContent.replaceChildren(emptyState("No requests yet", "Each request of this page becomes a bar here."));
      const series = [
        { name: "check", tone: "info" },
        { name: "other", tone: "violet" },
        { name: "failed", tone: "danger" },
      ];
      const seriesOf = (/** @type {import("../session.js").LoggedRequest} */ { path, status }) =>
        status === 0 || status >= 500 ? "failed" : path === "/v1/check" ? "check" : "other";
      /** @type {import("../charts.js").Slot[]} */
      const slots = requests.map((request) => ({
        label: formatTime(request.at, "medium"),
        values: { [seriesOf(request)]: Math.ceil(request.durationMs) },
        tooltip: `${request.method} ${request.path}\n${request.status || "no response"}, ${request.durationMs.toFixed(1)} ms`,
      }));
      // The newest request is always the rightmost bar.
      while (slots.length < CHART_REQUESTS) slots.unshift({ label: "", values: {}, tooltip: "" });
      const durations = requests.map(({ durationMs }) => durationMs);
      const p50 = percentile(durations, 0.5);
      const p95 = percentile(durations, 0.95);
      const summary = `Last ${requests.length} requests: p50 ${p50.toFixed(1)} ms, p95 ${p95.toFixed(1)} ms.`;
      const counts = series
        .map(({ name, tone }) => ({ name, tone, value: requests.filter((request) => seriesOf(request) === name).length }))
        .filter(({ value }) => value);
      replaceChart(
        requestsContent,
        legend([
          ...counts,
          { name: "p50", tone: "reference", value: `${p50.toFixed(1)} ms` },
          { name: "p95", tone: "reference", value: `${p95.toFixed(1)} ms` },
        ]),
        barChart({
          series,
          slots,
          summary,
          unit: " ms",
          axisLabels: [`last ${CHART_REQUESTS}`, "now"],
          referenceLines: [p50, p95],
          cap: p95 * 1.5,
        }),
      );
    }

    /** Sends a few checks one after another, for the customer of the newest entry. */
    async function runSampleChecks() {
      const customer = feed.entries[0]?.customer ?? "cus_ada";
      for (let sent = 0; sent < SAMPLE_CHECKS; sent += 1) {
        const reply = await session.request(withQuery("/v1/check", { customer, feature: "sms" }));
        if (reply.status !== 200) break;
      }
      if (session.health) drawHealth(session.health);
    }

    session.onHealth(drawHealth);
    session.onRequest(() => {
      if (visible) drawRequests();
    });
    session.onKeyChange(() => {
      feed = createActivityFeed(session);
      feedProblem = undefined;
      if (visible) {
        poller.stop();
        poller.start();
        attention.show();
      }
    });
    return {
      show() {
        visible = true;
        drawEvents();
        drawRequests();
        poller.start();
        attention.show();
      },
      hide() {
        visible = false;
        poller.stop();
        attention.hide();
      },
    };
  },
};

/**
 * Replaces a chart, unless the focus is in its open data table.
 *
 * @param {HTMLElement} parent
 * @param {...HTMLElement} parts
 */
function replaceChart(parent, ...parts) {
  const details = parent.querySelector("details");
  if (details?.open && details.contains(document.activeElement)) return;
  parent.replaceChildren(...parts);
  const replaced = parent.querySelector("details");
  if (details?.open && replaced) replaced.open = true;
}

/**
 * @param {string} title
 * @param {string} value
 * @param {string} description
 * @param {string} [tone]
 */
function metricCard(title, value, description, tone) {
  return element(
    "section",
    "card metric",
    element("h2", "", title),
    element("p", `value ${tone ? `text-${tone}` : ""}`, value),
    element("p", "muted", description),
  );
}

/**
 * @param {Poll} poll
 * @returns {[value: string, description: string, tone: "warning" | undefined]}
 */
function describePoll(poll) {
  const value = poll.age === null ? "–" : `${poll.age} s ago`;
  const found = `${poll.found_by_poll_only} events of the last day arrived by the poll only.`;
  if (poll.missing_permission) return [value, `The key lacks the permission ${poll.missing_permission}.`, "warning"];
  if (poll.error) return [value, `The last poll failed: ${poll.error}.`, "warning"];
  if (poll.gap) return [value, `Events may be missing: ${poll.gap.unread ?? "all"} customers are still to be read.`, "warning"];
  return [value, poll.pending ? `${poll.pending} events are retried. ${found}` : found, poll.pending ? "warning" : undefined];
}

/** @param {Outbox} outbox */
function describeOutbox(outbox) {
  if (outbox === null) return "The number of pending tasks is currently unavailable.";
  return outbox?.pending
    ? `The oldest is ${outbox.oldest} s old. Tasks are retried until they succeed.`
    : "No writes or source reads are pending.";
}

/**
 * @param {number} at  Milliseconds since 1970.
 * @param {"short" | "medium"} [timeStyle]
 */
function formatTime(at, timeStyle = "short") {
  return new Date(at).toLocaleTimeString(undefined, { timeStyle });
}
