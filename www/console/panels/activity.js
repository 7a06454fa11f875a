// What happened: every event that came in and every look at the source, with what was decided.

import { pulse, turns } from "../session.js";
import { ago, arrange, badge, button, element, empty, field, identifier, json, keyless, notice, tag, time } from "../elements.js";
import { OUTCOMES, createFeed, outcomeNamed } from "../activity-feed.js";

const PAUSE_MS = 1_000;
const SHOWN = 500; // Rows; there are no more than 1,000 entries.

export default {
  id: "activity",
  title: "Activity",
  lead: "Events as they arrive, looks at the source, and what was decided. The journal keeps the last 1,000, for people to look at; it is no record.",

  mount(root, desk) {
    const turn = turns();
    const customer = field("activity-customer", "Customer", { placeholder: "cus_… (all)" });
    const chosen = tag(
      "select",
      {},
      tag("option", { value: "" }, "All outcomes"),
      ...OUTCOMES.map(({ name }) => tag("option", { value: name }, name)),
    );
    const outcome = field("activity-outcome", "Outcome", { input: chosen });
    const live = tag(
      "button",
      { type: "button", class: "live", "aria-pressed": "true", onclick: () => setLive(live.getAttribute("aria-pressed") !== "true") },
      "Live",
    );
    const status = tag("p", { role: "status", id: "activity-status", class: "soft" });
    const form = tag("form", { class: "tools", novalidate: true }, customer.root, outcome.root, element("div", "end actions", live));
    const body = element("tbody");
    const head = element(
      "tr",
      "",
      ...["When", "Customer", "Outcome", "Version", "Event", "On its way"].map((title) =>
        tag("th", { scope: "col", class: ["Version", "On its way"].includes(title) && "number" }, title),
      ),
    );
    const box = tag(
      "div",
      { class: "table", id: "activity-table", tabindex: "0", role: "region", "aria-label": "Activity" },
      element("table", "stacked", element("caption", "unseen", "Activity, the newest first"), element("thead", "", head), body),
    );
    const older = button("Older", more);
    const place = element("div", "");
    root.append(form, status, place, box, older);

    let feed;
    let problem;
    let started = false;
    const opened = new Map();
    const lines = new Map();

    const beat = pulse(PAUSE_MS, async () => {
      const asked = feed;
      const signal = turn("refresh");
      const reply = await feed.refresh(signal);
      if (asked !== feed || signal.aborted) return;
      const news = reply.news.filter(wanted).length;
      const changed = news || !started || problem !== reply.problem;
      if (started && news) status.textContent = `${news} new ${news === 1 ? "entry" : "entries"}.`;
      problem = reply.problem;
      if (changed) draw();
      started = true;
    });

    const wanted = (entry) => !chosen.value || entry.outcome === chosen.value;

    function restart() {
      turn.stop();
      feed = createFeed(desk, customer.input.value.trim() || undefined);
      [problem, started] = [undefined, false];
      lines.clear();
      opened.clear();
      beat.stop();
      live.setAttribute("aria-pressed", true);
      draw();
      if (desk.key) beat.start();
    }

    function setLive(on) {
      live.setAttribute("aria-pressed", on);
      if (on && desk.key) beat.start();
      else beat.stop();
      status.textContent = on ? "Live: asks every second." : "Paused.";
    }

    async function more() {
      older.disabled = true;
      const reply = await feed.older(turn("older"));
      older.disabled = false;
      if (reply.problem) status.textContent = reply.problem;
      draw();
    }

    function draw() {
      const rows = feed.entries.filter(wanted).slice(0, SHOWN);
      place.replaceChildren();
      if (!desk.key) place.append(keyless("Activity tells of all customers."));
      else if (problem) place.append(notice(problem, "no"));
      else if (started && !rows.length) place.append(nothing());
      box.hidden = !desk.key || !rows.length;
      older.hidden = box.hidden || !feed.more || rows.length >= SHOWN;
      arrange(
        body,
        rows.flatMap((entry) => {
          if (!lines.has(entry.id)) lines.set(entry.id, line(entry));
          return [lines.get(entry.id), ...(opened.has(entry.id) ? [opened.get(entry.id)] : [])];
        }),
      );
      if (lines.size > 2 * SHOWN) for (const [id, made] of lines) if (!made.isConnected) lines.delete(id);
    }

    /** What to do where there is nothing to see. */
    function nothing() {
      if (customer.input.value.trim() || chosen.value)
        return empty("Nothing like that", "No entry fits the customer and the outcome. It may also be older than the journal.");
      return desk.source === "catalog"
        ? empty(
            "Nothing happened yet",
            "Sell something: each change of what somebody holds is an event.",
            button("To the playground", () => desk.go("playground")),
          )
        : empty(
            "Nothing happened yet",
            "Events of your webhook endpoint appear here as they arrive.",
            button("See the setup", () => desk.go("overview")),
          );
    }

    function line(entry) {
      const { name, tone, means } = outcomeNamed(entry.outcome);
      const label = badge(name, tone);
      label.title = means;
      const seconds = entry.at / 1000;
      const opens = tag("button", {
        type: "button",
        class: "opener",
        "aria-expanded": "false",
        "aria-label": `Details of ${entry.id}`,
        onclick: () => toggle(entry, opens),
      });
      const moment = time(seconds, { dateStyle: "short", timeStyle: "medium" });
      moment.title = `${ago(seconds)}, ${moment.title}`;
      return element(
        "tr",
        started ? "fresh" : "",
        tag("th", { scope: "row" }, element("span", "when", opens, moment)),
        tag(
          "td",
          { "data-title": "Customer" },
          tag("a", { href: `#customers?${new URLSearchParams({ customer: entry.customer })}` }, element("code", "", entry.customer)),
        ),
        tag("td", { "data-title": "Outcome" }, label),
        tag("td", { "data-title": "Version", class: "number" }, String(entry.version ?? "–")),
        tag("td", { "data-title": "Event" }, entry.event ? identifier(entry.event) : element("span", "soft", "a look at the source")),
        tag("td", { "data-title": "On its way", class: "number" }, way(entry)),
      );
    }

    function toggle(entry, opens) {
      const open = !opened.has(entry.id);
      opens.setAttribute("aria-expanded", open);
      if (open) opened.set(entry.id, details(entry));
      else opened.delete(entry.id);
      draw();
    }

    /** All of an entry, and of its event what the catalog has. */
    function details(entry) {
      const parts = element("div", "details", element("p", "", outcomeNamed(entry.outcome).means), json(entry, "The entry"));
      if (entry.event && desk.source === "catalog") showEvent(entry.event, parts);
      else if (entry.event) parts.append(element("p", "soft", "The event itself is in Stripe’s dashboard, under Developers → Events."));
      return element("tr", "opened", tag("td", { colspan: "6" }, parts));
    }

    async function showEvent(id, parts) {
      const place = element("div", "cards", element("p", "soft", "Asking the catalog…"));
      parts.append(place);
      const [event, sent] = await Promise.all([desk.ask(`/v1/events/${encodeURIComponent(id)}`), deliveries(id)]);
      if (event.problem) {
        place.replaceChildren(notice(event.problem, "maybe"));
        return;
      }
      place.replaceChildren(
        element(
          "div",
          "",
          element("h2", "", "Deliveries"),
          sent.length
            ? element("ul", "deliveries", ...sent.map(delivery))
            : element("p", "soft", "None among the last hundred of each endpoint."),
        ),
        element("div", "", element("h2", "", event.body.type), json(event.body, "The event")),
      );
    }

    /** The attempts to deliver an event, at every endpoint. */
    async function deliveries(id) {
      const { body: endpoints } = await desk.ask("/v1/webhook_endpoints?limit=100");
      const lists = await Promise.all(
        (endpoints.data ?? []).map(async (endpoint) => {
          const { body: list } = await desk.ask(`/v1/webhook_endpoints/${encodeURIComponent(endpoint.id)}/deliveries?limit=100`);
          return (list.data ?? []).filter(({ event }) => event === id).map((attempt) => ({ ...attempt, endpoint }));
        }),
      );
      return lists.flat();
    }

    function delivery({ event, endpoint, attempt, outcome: became, status: code, error, created, next_attempt }) {
      const again = button(
        "Send again",
        async () => {
          again.disabled = true;
          const reply = await desk.ask(`/v1/events/${encodeURIComponent(event)}/retry`, {
            method: "POST",
            form: { webhook_endpoint: endpoint.id },
          });
          again.disabled = false;
          status.textContent = reply.problem ?? `${event} is sent again.`;
        },
        "small",
      );
      return element(
        "li",
        "",
        badge(became, became === "succeeded" ? "yes" : "no"),
        element("code", "", endpoint.url),
        element("span", "soft", `attempt ${attempt}, ${code ?? error ?? "no answer"}, `, time(created)),
        next_attempt && element("span", "soft", "next ", time(next_attempt)),
        again,
      );
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    customer.input.addEventListener("change", restart);
    chosen.addEventListener("change", draw);
    desk.onKey(restart);
    feed = createFeed(desk);
    return {
      show(params) {
        const named = params.get("customer") ?? "";
        if (!started || named !== customer.input.value) {
          customer.input.value = named;
          restart();
        } else if (live.getAttribute("aria-pressed") === "true") {
          beat.start();
        }
      },
      hide() {
        beat.stop();
        turn.stop();
      },
    };
  },
};

/** How long an event took from when it was made until it was decided; `created` has whole seconds. */
function way({ event_created: created, at }) {
  if (created === null || created === undefined) return "–";
  const seconds = Math.max(0, Math.floor(at / 1000) - created);
  if (seconds < 2) return "< 2 s";
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}
