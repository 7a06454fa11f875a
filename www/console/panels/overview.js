// How the Worker does: what is set up, what it owes, what happened lately, and how fast it answers this page.

import { bars, legend, percentile } from "../charts.js";
import { pulse } from "../session.js";
import { badge, button, card, command, element, empty, keyless, notice, tag } from "../elements.js";
import { OUTCOMES, createFeed } from "../activity-feed.js";
import { ROUTES } from "../routes.js";

const PAUSE_MS = 5_000;
const MINUTES = 30;
const REQUESTS = 60; // As many as can be told apart on a phone.
const SAMPLE = 25;

/** What it means that a setting is missing. */
const MISSING = {
  ENTGATE_API_KEYS:
    "Until it is set, every server route answers 401. Choose a long random key that begins with sk_live_ or sk_test_; several stand between commas.",
  STRIPE_WEBHOOK_SECRETS:
    "Until it is set, the webhook route answers 503 and takes no event. Stripe shows the secret (whsec_…) beside your endpoint.",
  STRIPE_API_KEY:
    "Optional. With it every event is confirmed by a read of Stripe’s list, and customers nothing was heard of are found there. A restricted key (rk_…) that may read entitlements and customers will do.",
};

const WORDS = {
  ok: ["Ready", "Every setting that it needs is there."],
  unconfigured: ["Not ready", "A setting is missing."],
  degraded: ["Degraded", "It answers, and there is something to see to."],
  error: ["Error", "The Worker answers with an error."],
  unreachable: ["No answer", "Nothing came from the Worker."],
};

const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export default {
  id: "overview",
  title: "Overview",
  lead: "entgate stands between billing and your product: a signed event tells it whenever a customer’s entitlements change, and your code asks it who may use what.",

  mount(root, desk) {
    const figures = element("div", "cards figures");
    const note = element("div", "");
    const list = tag("ul", { id: "settings-list" });
    const hints = element("div", "hints");
    const settings = tag(
      "section",
      { id: "settings", class: "card", "data-state": "loading" },
      element(
        "div",
        "bar",
        element("h2", "", "Setup"),
        button("Check again", () => desk.examine(), "small"),
      ),
      list,
      hints,
    );
    const eventsPlace = element("div", "");
    const answersPlace = element("div", "");
    const asker = button(`Ask ${SAMPLE} checks`, sample, "small");
    const events = element(
      "section",
      "card",
      element("div", "bar", element("h2", "", "Events, by minute and outcome"), tag("a", { href: "#activity" }, "All activity")),
      eventsPlace,
    );
    const answers = element("section", "card", element("div", "bar", element("h2", "", "Requests of this page"), asker), answersPlace);
    root.append(note, figures, element("div", "cards halves", events, answers), element("div", "cards", settings, routes()));

    let feed = createFeed(desk);
    let feedProblem;
    let drawn;

    const beat = pulse(PAUSE_MS, async () => {
      await Promise.all([desk.examine(), desk.key && refresh()]);
      drawEvents();
    });

    async function refresh() {
      const asked = feed;
      const { problem } = await feed.refresh();
      if (asked !== feed) return;
      feedProblem = problem;
      while (!problem && asked.more && asked.entries.at(-1).at > Date.now() - MINUTES * 60_000) {
        if ((await asked.older()).problem) break;
      }
    }

    function drawHealth(reply) {
      const { object, status, outbox, message } = reply.body;
      const known = object === "health";
      const state = known ? status : reply.status ? "error" : "unreachable";
      const [word, meaning] = WORDS[state] ?? [state, ""];
      settings.dataset.state = state;
      note.replaceChildren();
      if (!known) note.append(notice(reply.problem ?? meaning, "no"));
      else if (message) note.append(notice(message, "maybe"));
      figures.replaceChildren(
        figure("Status", word, meaning, { ok: "yes", unconfigured: "maybe", degraded: "maybe" }[state] ?? "no"),
        figure(
          "Source",
          desk.source === "catalog" ? "Catalog" : desk.source === "stripe" ? "Stripe" : "–",
          desk.source === "catalog" ? "entgate’s own, on this origin." : "Its webhooks, and reads of its lists.",
        ),
        figure("Outbox", known && outbox ? String(outbox.pending) : "–", owed(known, outbox), outbox?.pending ? "maybe" : undefined),
        figure("Checks, median", ...latency()),
      );
      drawSettings(known);
    }

    /** Only where something is another than it was: who is at a command keeps the focus. */
    function drawSettings(known) {
      const now = JSON.stringify([known, desk.source, desk.settings]);
      if (drawn === now) return;
      drawn = now;
      // What the Worker does not speak of it has no use for.
      const named = Object.keys(MISSING).filter((name) => !known || name in desk.settings);
      list.replaceChildren(...named.map((name) => setting(name, (known && desk.settings[name]) || "unknown")));
      hints.replaceChildren(...(local ? localHints(desk.source) : []));
    }

    function latency() {
      const taken = checks().map(({ took }) => took);
      if (!taken.length) return ["–", "None was asked from this page yet."];
      return [
        `${percentile(taken, 0.5).toFixed(1)} ms`,
        `99 of 100 within ${percentile(taken, 0.99).toFixed(1)} ms, of ${taken.length} asked from this page.`,
      ];
    }

    const checks = () => desk.log.filter(({ path, status }) => path === "/v1/check" && status);

    function drawEvents() {
      if (!desk.key) return eventsPlace.replaceChildren(keyless("Activity is told to those who have one."));
      if (feedProblem) return eventsPlace.replaceChildren(notice(feedProblem, "no"));
      const last = Math.floor(Date.now() / 60_000);
      const slots = Array.from({ length: MINUTES }, (_, at) => {
        const minute = last - MINUTES + 1 + at;
        return { label: clock(minute * 60_000), values: {}, minute };
      });
      let total = 0;
      const sums = {};
      for (const { at, outcome } of feed.entries) {
        const slot = slots[Math.floor(at / 60_000) - slots[0].minute];
        if (!slot) continue;
        slot.values[outcome] = (slot.values[outcome] ?? 0) + 1;
        sums[outcome] = (sums[outcome] ?? 0) + 1;
        total += 1;
      }
      for (const slot of slots)
        slot.tip = [slot.label, ...Object.entries(slot.values).map(([name, count]) => `${count} ${name}`)].join("\n");
      if (!total) {
        const next = button(desk.source === "catalog" ? "Sell something" : "See all activity", () =>
          desk.go(desk.source === "catalog" ? "playground" : "activity"),
        );
        return eventsPlace.replaceChildren(empty("Quiet", `Nothing happened in the last ${MINUTES} minutes.`, next));
      }
      const series = OUTCOMES.filter(({ name }) => sums[name]);
      const sum = `${total} ${total === 1 ? "decision" : "decisions"} in the last ${MINUTES} minutes: ${series.map(({ name }) => `${sums[name]} ${name}`).join(", ")}.`;
      const chart = bars({ series, slots, sum, ends: [slots[0].label, slots[MINUTES / 2].label, "now"] });
      redraw(eventsPlace, legend(series.map(({ name, tone }) => ({ name, tone, value: sums[name] }))), chart);
    }

    function drawAnswers() {
      asker.hidden = !desk.key;
      const shown = desk.log.slice(-REQUESTS);
      if (!shown.length) return answersPlace.replaceChildren(empty("Nothing asked yet", "Each request of this page is a bar here."));
      const series = [
        { name: "check", tone: "note" },
        { name: "other", tone: "pale" },
        { name: "failed", tone: "no" },
      ];
      const kind = ({ path, status }) => (status === 0 || status >= 500 ? "failed" : path === "/v1/check" ? "check" : "other");
      const slots = shown.map((request) => ({
        label: clock(request.at, "medium"),
        values: { [kind(request)]: Math.ceil(request.took) },
        tip: `${request.method} ${request.path}\n${request.status || "no answer"}, ${request.took.toFixed(1)} ms`,
      }));
      // The newest stands at the right from the first one on.
      while (slots.length < REQUESTS) slots.unshift({ label: "", values: {}, tip: "" });
      const taken = shown.map(({ took }) => took);
      const [half, most] = [percentile(taken, 0.5), percentile(taken, 0.95)];
      const sum = `The last ${shown.length} requests: half within ${half.toFixed(1)} ms, 95 of 100 within ${most.toFixed(1)} ms.`;
      const kinds = series
        .map(({ name, tone }) => ({ name, tone, value: shown.filter((each) => kind(each) === name).length }))
        .filter(({ value }) => value);
      redraw(
        answersPlace,
        legend([
          ...kinds,
          { name: "half within", tone: "mark", value: `${half.toFixed(1)} ms` },
          { name: "95 of 100 within", tone: "mark", value: `${most.toFixed(1)} ms` },
        ]),
        bars({
          series,
          slots,
          sum,
          unit: " ms",
          ends: [`the last ${REQUESTS}`, "now"],
          lines: [{ at: half }, { at: most }],
          cap: most * 1.5,
        }),
      );
    }

    /** Asks a few checks one after another, of a customer that something was heard of. */
    async function sample() {
      const customer = feed.entries[0]?.customer ?? "cus_ada";
      for (let asked = 0; asked < SAMPLE; asked += 1) {
        const reply = await desk.ask(`/v1/check?${new URLSearchParams({ customer, feature: "sms" })}`);
        if (reply.status !== 200) break;
      }
      if (desk.health) drawHealth(desk.health);
    }

    let shown = false;
    desk.onHealth(drawHealth);
    desk.onLog(() => shown && drawAnswers());
    desk.onKey(() => {
      feed = createFeed(desk);
      feedProblem = undefined;
      if (shown) {
        beat.stop();
        beat.start();
      }
    });
    return {
      show() {
        shown = true;
        drawEvents();
        drawAnswers();
        beat.start();
      },
      hide() {
        shown = false;
        beat.stop();
      },
    };
  },
};

/** Draws a chart anew, but not under the eyes of somebody who reads its numbers. */
function redraw(place, ...parts) {
  const numbers = place.querySelector("details");
  if (numbers?.open && numbers.contains(document.activeElement)) return;
  place.replaceChildren(...parts);
  if (numbers?.open) place.querySelector("details").open = true;
}

/** One number, and what it means. */
function figure(title, value, meaning, tone) {
  return element(
    "section",
    "card figure",
    element("h2", "", title),
    element("p", `value ${tone ? `ink-${tone}` : ""}`, value),
    element("p", "soft", meaning),
  );
}

/** What a Worker that answers has to catch up with. */
function owed(known, outbox) {
  if (!known) return "";
  if (outbox === null) return "What is owed cannot be told at the moment.";
  return outbox?.pending ? `Pending, the oldest for ${outbox.oldest} s; tried again until done.` : "Nothing is owed to replica or source.";
}

/** The row of one setting; one that is missing says what that means and how to set it. */
function setting(name, state) {
  const row = element("li", "", element("code", "", name), badge(state, { set: "yes", missing: "maybe" }[state]));
  if (state === "missing") row.append(element("p", "", MISSING[name]), command(`npx wrangler secret put ${name}`));
  return row;
}

/** On the machine where the Worker runs: how to make something happen. */
function localHints(source) {
  const port = location.port && location.port !== "8787" ? ` --port ${location.port}` : "";
  const settings = element("p", "", "Locally, settings are lines in ", element("code", "", ".dev.vars"), ".");
  if (source === "catalog") {
    return [
      settings,
      tag(
        "p",
        { "data-source": "catalog" },
        "Entitlements come from the built-in catalog: what is sold, and to whom, is set up with Stripe’s API on this very origin. The ",
        tag("a", { href: "#playground" }, "playground"),
        " does it with buttons, the ",
        tag("a", { href: "#shell" }, "shell"),
        " with commands.",
      ),
    ];
  }
  return [
    settings,
    tag(
      "div",
      { "data-source": "stripe" },
      element(
        "p",
        "",
        "To send a first signed event, after which ",
        element("code", "", "cus_ada"),
        " may use ",
        element("code", "", "sms"),
        " and ",
        element("code", "", "export"),
        ":",
      ),
      command(`node scripts/send-event.mjs${port} cus_ada sms export`),
    ),
  ];
}

function clock(at, timeStyle = "short") {
  return new Date(at).toLocaleTimeString(undefined, { timeStyle });
}

function routes() {
  const rows = ROUTES.map(([route, who, what]) =>
    element(
      "tr",
      "",
      tag("th", { scope: "row" }, element("code", "", route)),
      tag("td", { "data-title": "Key" }, who),
      element("td", "", what),
    ),
  );
  const head = element("tr", "", ...["Route", "Who", "What it does"].map((title) => tag("th", { scope: "col" }, title)));
  const box = tag(
    "div",
    { class: "table routes", tabindex: "0", role: "region", "aria-label": "Routes" },
    element("table", "", element("thead", "", head), element("tbody", "", ...rows)),
  );
  const section = card(
    "Routes",
    box,
    element("p", "soft", "All of them, with parameters and objects, are in ", tag("a", { href: "/openapi.json" }, "openapi.json"), "."),
  );
  section.id = "routes";
  return section;
}
