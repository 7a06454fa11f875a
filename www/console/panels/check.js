// The question: may this customer use this feature? And the list of what the customer holds.

import { later, turns } from "../session.js";
import { button, command, element, field, tag, time } from "../elements.js";

const LIST_LIMIT = 100; // Stripe's own maximum a page.
const LIST_PAGES = 10;

const REASONS = {
  active_entitlement: "an active entitlement grants it.",
  not_entitled: "it is not among the customer’s active entitlements.",
  unknown_customer: "nothing is known of this customer.",
  unknown_feature: "no feature has this lookup key.",
};

/** One path for each answer, in a circle: tick, cross, question mark, exclamation mark. */
const MARKS = [
  ["entitled", "m14 25 7 7 13-15"],
  ["denied", "m16 16 16 16m0-16L16 32"],
  ["unknown", "M17 18a7 7 0 1 1 10 6.5c-2 1-3 2-3 4.5M24 35v.1"],
  ["error", "M24 13v14m0 7v.1"],
];

const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export default {
  id: "check",
  title: "Ask",
  lead: "May this customer use this feature? The edge answers; a backend asks in the same way.",

  mount(root, desk) {
    const turn = turns();
    const customer = field("customer", "Customer", { hint: "Stripe’s customer id.", placeholder: "cus_…" });
    const feature = field("feature", "Feature", { hint: "Its lookup key.", placeholder: "lookup key" });
    if (local) [customer.input.value, feature.input.value] = ["cus_ada", "sms"];
    const asked = () => ({ customer: customer.input.value.trim(), feature: feature.input.value.trim() });
    const checkPath = () => `/v1/check?${new URLSearchParams(asked())}`;

    const keyNote = tag("p", { class: "hint", id: "ask-key" });
    const form = tag(
      "form",
      { id: "question", class: "card", novalidate: true, "aria-labelledby": "question-title" },
      tag("h2", { id: "question-title" }, "Question"),
      customer.root,
      feature.root,
      keyNote,
      element(
        "div",
        "actions",
        tag("button", { id: "check", type: "submit", class: "primary" }, "Check"),
        tag("button", { id: "list", type: "button", onclick: list }, "List entitlements"),
      ),
    );

    const word = tag("p", { id: "verdict-word" }, "Yes or no?");
    const why = tag("p", { id: "verdict-why" }, "Fill in the form and press Check.");
    const facts = Object.fromEntries(["version", "as-of", "served-by", "took"].map((id) => [id, tag("dd", { id }, "–")]));
    const curl = command("");
    curl.querySelector("code").id = "curl";
    const rawTitle = tag("h3", { id: "raw-title" }, "What came back");
    const raw = tag("pre", { id: "raw", class: "json", tabindex: "0", role: "region", "aria-labelledby": "raw-title" });
    const verdict = tag("div", { id: "verdict" }, mark(), element("div", "", word, why));
    const answer = tag(
      "section",
      { id: "answer", class: "card", "data-state": "idle", "aria-live": "polite", "aria-labelledby": "answer-title" },
      tag("h2", { id: "answer-title", class: "unseen" }, "Answer"),
      verdict,
      tag(
        "div",
        { "aria-live": "off" },
        element(
          "dl",
          "facts",
          ...[
            ["Version", "version"],
            ["As of", "as-of"],
            ["Served by", "served-by"],
            ["Round trip", "took"],
          ].map(([term, id]) => element("div", "", element("dt", "", term), facts[id])),
        ),
        element("h3", "", "The same request, with curl"),
        curl,
        rawTitle,
        raw,
      ),
    );

    const held = tag("ul", { id: "holdings-list" });
    const heldStatus = tag("p", { id: "holdings-status", role: "status", class: "soft" }, "All that the customer holds.");
    const holdings = tag(
      "section",
      { id: "holdings", class: "card", "data-state": "idle" },
      tag("h2", { id: "holdings-title" }, "Entitlements"),
      heldStatus,
      tag("div", { id: "holdings-box", tabindex: "0", role: "region", "aria-labelledby": "holdings-title" }, held),
    );
    root.append(element("div", "ask", form, answer, holdings));

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      check();
    });
    form.addEventListener("input", showCurl);
    desk.onKey(showKey);
    showCurl();
    showKey();

    /** The question as a command. `URLSearchParams` escapes every quote, so the address can stand in single ones. */
    function showCurl() {
      curl.querySelector("code").textContent = `curl '${location.origin + checkPath()}' \\\n  -H "Authorization: Bearer $ENTGATE_KEY"`;
    }

    function showKey() {
      keyNote.textContent = desk.key ? "" : "Enter a server key at the top; without one the answer is 401.";
    }

    async function check() {
      const signal = turn("check");
      complain();
      show({ state: "loading", word: "Asking…" });
      const question = asked();
      const reply = await desk.ask(checkPath(), { signal });
      if (signal.aborted) return;
      show(judge(reply, question), reply);
      verdict.scrollIntoView({ block: "nearest" });
    }

    /** What a reply to a check means. Only `true` is a yes and only `false` is a no. */
    function judge(reply, question) {
      const { object, entitled, reason, customer: who = question.customer, feature: what = question.feature } = reply.body;
      if (reply.status === 200 && object === "entitlement_check" && typeof entitled === "boolean") {
        const because = REASONS[reason] ?? `the reason is “${reason}”.`;
        return entitled
          ? { state: "entitled", word: "Entitled", why: `${who} may use ${what}: ${because}` }
          : { state: "denied", word: "Not entitled", why: `${who} may not use ${what}: ${because}` };
      }
      if (reply.status === 503)
        return { state: "unknown", word: "Unknown", why: `Not known now – this is not a no. ${later(reply.headers)}` };
      const problem = reply.problem ?? "The answer is not one of entgate’s.";
      complain(reply.field, problem);
      return { state: "error", word: "No answer", why: problem };
    }

    /** Puts an answer on the page. */
    function show({ state, word: said, why: because = "" }, { status, body = {}, text = "", took } = {}) {
      const answered = state === "entitled" || state === "denied";
      answer.dataset.state = state;
      answer.setAttribute("aria-busy", state === "loading");
      word.textContent = said;
      why.textContent = because;
      if (state === "loading") return;

      facts.version.textContent = answered ? body.version : "–";
      facts["served-by"].textContent = answered ? body.served_by : "–";
      facts.took.textContent = took === undefined ? "–" : `${Math.ceil(took)} ms`;
      facts["as-of"].replaceChildren(time(answered ? body.as_of : undefined));
      raw.textContent = Object.keys(body).length ? JSON.stringify(body, null, 2) : text.slice(0, 2000);
      rawTitle.textContent = status ? `What came back (status ${status})` : "What came back";
    }

    /** Writes `message` beside the field it is about, and clears the others. */
    function complain(named, message) {
      customer.complain(named === "customer" ? message : undefined);
      feature.complain(named === "feature" ? message : undefined);
    }

    async function list() {
      const signal = turn("list");
      const who = asked().customer;
      complain();
      tell("loading", "Asking…");
      const all = [];
      let took = 0;
      let more = true;
      for (let page = 1; more && page <= LIST_PAGES; page += 1) {
        const query = new URLSearchParams({ customer: who, limit: LIST_LIMIT, ...(all.length && { starting_after: all.at(-1).id }) });
        const reply = await desk.ask(`/v1/entitlements/active_entitlements?${query}`, { signal });
        if (signal.aborted) return;
        const { data, has_more } = reply.body;
        if (reply.status !== 200 || !Array.isArray(data)) {
          refuse(reply);
          return;
        }
        all.push(...data);
        took += reply.took;
        more = has_more === true && data.length > 0;
      }
      const count = all.length === 1 ? "1 entitlement" : `${all.length || "no"} entitlements`;
      tell("done", `${who} holds ${more ? `more than ${count}; these are the first` : count}. Took ${Math.ceil(took)} ms.`, all);
    }

    /** Says why there is no list. */
    function refuse({ status, field: named, problem = "The answer is not one of entgate’s." }) {
      if (status === 503) {
        tell("unknown", `Not known now – this is not an empty list. ${problem}`);
        return;
      }
      complain(named, problem);
      tell("error", problem);
    }

    /** Puts the list, or why there is none, on the page. */
    function tell(state, text, entitlements = []) {
      holdings.dataset.state = state;
      heldStatus.textContent = text;
      held.replaceChildren(
        ...entitlements.map(({ lookup_key, feature: id }) =>
          element(
            "li",
            "",
            button(
              lookup_key,
              () => {
                feature.input.value = lookup_key;
                showCurl();
                check();
              },
              "small",
            ),
            element("code", "soft", id),
          ),
        ),
      );
    }

    return {
      show(params) {
        for (const { input } of [customer, feature]) {
          if (params.has(input.id)) input.value = params.get(input.id);
        }
        showCurl();
      },
      hide: turn.stop,
    };
  },
};

/** The sign of the answer; which of its parts is seen follows from the answer's state. */
function mark() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 48 48");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  const circle = document.createElementNS(svg.namespaceURI, "circle");
  for (const [name, value] of [
    ["cx", 24],
    ["cy", 24],
    ["r", 22],
  ])
    circle.setAttribute(name, value);
  svg.append(circle);
  for (const [state, d] of MARKS) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    path.setAttribute("class", `if-${state}`);
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
