// The card "Overrides": the features that an operator granted or denied to this customer, and the form for a new one.

import { badge, button, element, identifier, notice, table, tag, time } from "../../elements.js";
import { listPages } from "../../list-pages.js";
import { createOverrideDialog } from "./override-dialog.js";
import { createOverrideForm } from "./override-form.js";

/** @typedef {import("../../change-cause.js").Override} Override */

/** @type {Record<string, string>} */
const STATUS_TONES = { active: "info", scheduled: "warning", ended: "neutral" };

/**
 * Creates the card.
 *
 * @param {import("../../session.js").Session} session
 * @param {object} options
 * @param {string} options.suggestions  The id of a list of lookup keys.
 * @param {() => void} options.onChange  Called after an override was created, ended or deleted.
 */
export function createOverridesCard(session, { suggestions, onChange }) {
  let customer = "";
  /** @type {Override[]} */
  let overrides = [];
  /** @type {string | undefined} */
  let problem;
  let drawn = "";
  const status = tag("p", { role: "status", class: "muted" });
  const content = element("div", "");
  const warnings = element("div", "");
  const showEnded = tag("input", { type: "checkbox", id: "overrides-ended", onchange: draw });
  const form = createOverrideForm(session, {
    suggestions,
    customer: () => customer,
    onCreated(created) {
      status.textContent = `${created.id} created: version ${created.version}.`;
      warnings.replaceChildren(...(created.warnings ?? []).map((/** @type {any} */ warning) => notice(warning.message, "warning")));
      onChange();
    },
  });
  const dialog = createOverrideDialog(session, {
    customer: () => customer,
    onDone(text) {
      status.textContent = text;
      warnings.replaceChildren();
      onChange();
    },
  });
  const ended = element("p", "checkbox", showEnded, tag("label", { for: showEnded.id }, "Show ended"));
  const root = element(
    "section",
    "card overrides",
    element("div", "card-header", element("h2", "", "Overrides"), ended),
    status,
    warnings,
    content,
    form.root,
    dialog.root,
  );
  const rows = table("Overrides", [
    { title: "Feature", cell: (/** @type {Override} */ { feature }) => element("code", "", feature) },
    { title: "Effect", cell: effectCell },
    { title: "Reason", cell: reasonCell },
    { title: "Period", cell: periodCell },
    { title: "Actions", cell: actionsCell },
  ]).stacked();

  /** @param {Override} override */
  function reasonCell({ id, reason, actor, deletion }) {
    return element(
      "div",
      "override-reason",
      element("p", "", reason),
      element("p", "muted", actor),
      deletion && element("p", "muted", `Deleted by ${deletion.actor}${deletion.reason ? `: ${deletion.reason}` : ""}`),
      element("p", "muted", identifier(id)),
    );
  }

  /** @param {Override} override */
  function actionsCell(override) {
    if (override.status === "ended") return "–";
    const action = (/** @type {string} */ label, /** @type {boolean} */ deletes) => {
      const open = button(label, () => dialog.open(override, { deletes }), "small");
      open.setAttribute("aria-label", `${label}: ${override.id}`);
      return open;
    };
    return element("div", "actions", override.status === "active" && action("End now", false), action("Delete", true));
  }

  /** Draws the rows if they changed, so that a focused button keeps the focus. */
  function draw() {
    const drawing = JSON.stringify([overrides, problem, showEnded.checked]);
    if (drawing === drawn) return;
    drawn = drawing;
    const shown = showEnded.checked ? overrides : overrides.filter(({ status: state }) => state !== "ended");
    const hiddenCount = overrides.length - shown.length;
    rows.fill(shown);
    ended.hidden = !overrides.some(({ status: state }) => state === "ended");
    if (problem) content.replaceChildren(notice(problem, "warning"));
    else if (shown.length) content.replaceChildren(rows.root);
    else content.replaceChildren(element("p", "muted", hiddenCount ? `No current overrides, ${hiddenCount} ended.` : "No overrides."));
  }

  return {
    root,
    /**
     * Loads the overrides of the last year, newest first.
     *
     * @param {AbortSignal} signal
     */
    async load(signal) {
      const reply = await listPages(session, `/v1/customers/${encodeURIComponent(customer)}/overrides`, {
        params: { status: "all" },
        signal,
      });
      if (signal.aborted) return { overrides, problem };
      if (!reply.problem) overrides = reply.data;
      problem = reply.problem;
      draw();
      return { overrides, problem };
    },
    /** @param {string} id */
    reset(id) {
      customer = id;
      overrides = [];
      problem = undefined;
      drawn = "";
      showEnded.checked = false;
      status.textContent = "";
      warnings.replaceChildren();
      content.replaceChildren();
      form.close();
    },
  };
}

/** @param {Override} override */
function effectCell({ effect, status }) {
  return element("div", "actions", badge(effect, effect === "grant" ? "success" : "danger"), badge(status, STATUS_TONES[status]));
}

/** @param {Override} override */
function periodCell({ starts_at, expires_at }) {
  const end = expires_at === null ? "no end" : element("span", "", "to ", time(expires_at));
  return element("div", "period", element("span", "", "from ", time(starts_at)), end);
}
