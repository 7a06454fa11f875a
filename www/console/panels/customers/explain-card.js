// The card "Explain access": why the customer may or may not use a feature, now or at a past time.

import { latestOnly } from "../../concurrency.js";
import { parseInputTime } from "../../dates.js";
import { badge, element, field, notice, tag, textField } from "../../elements.js";
import { describeExplanation } from "../../explanation.js";
import { withQuery } from "../../form.js";

/** @type {Record<string, [label: string, tone: string]>} */
const EFFECTS = { grants: ["grants", "success"], denies: ["denies", "danger"], none: ["no effect", "neutral"] };

/** @type {Record<string, string>} */
const STATE_TONES = { entitled: "success", denied: "danger", unknown: "warning" };

/**
 * Creates the card.
 *
 * @param {import("../../session.js").Session} session
 * @param {{ suggestions: string }} options  The id of a list of lookup keys.
 */
export function createExplainCard(session, { suggestions }) {
  const latest = latestOnly();
  const feature = textField("explain-feature", "Feature", { placeholder: "lookup key" });
  feature.input.setAttribute("list", suggestions);
  const at = field("explain-at", "Time", tag("input", { type: "datetime-local", step: "1" }), "Empty: now. In your time zone.");
  const form = tag(
    "form",
    { class: "toolbar explain-form", novalidate: true },
    feature.root,
    at.root,
    tag("button", { type: "submit", class: "primary" }, "Explain"),
  );
  const result = tag("div", { class: "explanation", "aria-live": "polite", tabindex: "-1" });
  const root = element("section", "card", element("h2", "", "Explain access"), form, result);
  let customer = "";

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    explain();
  });

  async function explain() {
    const signal = latest.signal("explain");
    const time = parseInputTime(at.input.value);
    const params = { customer, feature: feature.input.value.trim(), at: time };
    for (const each of [feature, at]) each.setError();
    if (!params.feature) {
      feature.setError("Enter a lookup key.");
      return;
    }
    const reply = await session.request(withQuery("/v1/explain", params), { signal });
    if (signal.aborted) return;
    if (reply.problem) {
      const named = { feature, at }[reply.field ?? ""];
      named?.setError(reply.problem);
      result.replaceChildren(...(named ? [] : [notice(reply.problem, reply.status === 503 ? "warning" : "danger")]));
      return;
    }
    const { state, label, answer, contributions, notes } = describeExplanation(reply.body, { isPast: time !== undefined });
    result.dataset.state = state;
    result.replaceChildren(
      element("p", "explanation-answer", badge(label, STATE_TONES[state]), ` ${answer}`),
      element("ul", "contributions", ...contributions.map(contributionItem)),
      ...notes.map((text) => element("p", "muted", text)),
    );
  }

  return {
    root,
    /**
     * Explains a feature as of now.
     *
     * @param {string} key
     */
    async explain(key) {
      feature.input.value = key;
      at.input.value = "";
      await explain();
    },
    /** Moves the focus to the explanation. */
    focus() {
      result.scrollIntoView({ block: "nearest" });
      result.focus({ preventScroll: true });
    },
    /** @param {string} id */
    reset(id) {
      latest.abortAll();
      customer = id;
      feature.input.value = "";
      at.input.value = "";
      for (const each of [feature, at]) each.setError();
      result.replaceChildren();
    },
  };
}

/** @param {{ effect: string, text: string }} contribution */
function contributionItem({ effect, text }) {
  const [label, tone] = EFFECTS[effect] ?? [effect, "neutral"];
  return element("li", "", badge(label, tone), element("span", "", text));
}
