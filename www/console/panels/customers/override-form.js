// The form that creates an override.

import { parseInputTime } from "../../dates.js";
import { element, field, notice, tag, textField } from "../../elements.js";

const MAX_REASON_LENGTH = 500;

/** Seconds by unit. @type {[unit: string, seconds: number][]} */
const UNITS = [
  ["hours", 3_600],
  ["days", 86_400],
  ["weeks", 604_800],
];

/**
 * Creates the form, closed.
 *
 * @param {import("../../session.js").Session} session
 * @param {object} options
 * @param {string} options.suggestions  The id of a list of lookup keys.
 * @param {() => string} options.customer
 * @param {(created: any) => void} options.onCreated  Called with the new override.
 */
export function createOverrideForm(session, { suggestions, customer, onCreated }) {
  const feature = textField("override-feature", "Feature", { placeholder: "lookup key" });
  feature.input.setAttribute("list", suggestions);
  const effect = selectField("override-effect", "Effect", [
    ["grant", "Grant"],
    ["deny", "Deny"],
  ]);
  const reason = textField("override-reason", "Reason", { hint: "The explanation shows it." });
  reason.input.maxLength = MAX_REASON_LENGTH;
  const end = selectField("override-end", "Ends", [
    ["in", "After a duration"],
    ["at", "On a date"],
    ["never", "Never"],
  ]);
  const amount = field(
    "override-amount",
    "Duration",
    tag("input", { type: "number", min: "1", step: "1", value: "2", inputmode: "numeric" }),
  );
  const unit = selectField(
    "override-unit",
    "Unit",
    UNITS.map(([name, seconds]) => [String(seconds), name]),
  );
  unit.input.value = "86400";
  const expiresAt = field("override-expires-at", "End", tag("input", { type: "datetime-local", step: "1" }), "In your time zone.");
  const startsAt = field("override-starts-at", "Start", tag("input", { type: "datetime-local", step: "1" }), "Empty: now.");
  const actor = textField("override-actor", "Made by", { hint: "Empty: the name of the server key.", placeholder: "ada@example.com" });
  const submit = tag("button", { type: "submit", class: "primary" }, "Create override");
  const message = element("div", "");
  const form = tag(
    "form",
    { class: "override-form", novalidate: true, "aria-label": "New override" },
    element("div", "fields", feature.root, effect.root, reason.root),
    element("div", "fields", end.root, amount.root, unit.root, expiresAt.root, startsAt.root, actor.root),
    message,
    element("div", "actions", submit),
  );
  const root = tag("details", { class: "override-new" }, tag("summary", { class: "button" }, "New override"), form);
  const fieldsByParam = {
    feature,
    effect,
    reason,
    actor,
    starts_at: startsAt,
    get expires_at() {
      return end.input.value === "at" ? expiresAt : end;
    },
    expires_in: amount,
  };
  /** The request that the idempotency key belongs to. */
  let request = { text: "", key: "" };

  function showEnd() {
    amount.root.hidden = end.input.value !== "in";
    unit.root.hidden = amount.root.hidden;
    expiresAt.root.hidden = end.input.value !== "at";
  }

  function readForm() {
    const kind = end.input.value;
    return {
      feature: feature.input.value.trim(),
      effect: effect.input.value,
      reason: reason.input.value.trim(),
      actor: actor.input.value.trim() || undefined,
      starts_at: parseInputTime(startsAt.input.value),
      expires_in: kind === "in" ? Math.round(amount.input.valueAsNumber * Number(unit.input.value)) || 0 : undefined,
      expires_at: kind === "at" ? parseInputTime(expiresAt.input.value) : undefined,
    };
  }

  async function create() {
    const values = readForm();
    for (const each of [feature, effect, reason, end, amount, expiresAt, startsAt, actor]) each.setError();
    message.replaceChildren();
    if (end.input.value === "at" && values.expires_at === undefined) {
      expiresAt.setError("Choose a date and a time.");
      expiresAt.input.focus();
      return;
    }
    const path = `/v1/customers/${encodeURIComponent(customer())}/overrides`;
    const text = `${path} ${JSON.stringify(values)}`;
    // The same request again, such as after a lost response, has the same key.
    if (text !== request.text) request = { text, key: randomKey() };
    submit.disabled = true;
    const reply = await session.request(path, { method: "POST", form: values, idempotencyKey: request.key });
    submit.disabled = false;
    if (reply.problem) {
      const named = /** @type {Record<string, import("../../elements.js").Field<HTMLElement>>} */ (fieldsByParam)[reply.field ?? ""];
      if (!named) return message.replaceChildren(notice(reply.problem, "danger"));
      named.setError(reply.problem);
      named.input.focus();
      return;
    }
    close();
    onCreated(reply.body);
  }

  /** Closes the form, with its first values. */
  function close() {
    root.open = false;
    request = { text: "", key: "" };
    form.reset();
    unit.input.value = "86400";
    message.replaceChildren();
    for (const each of [feature, effect, reason, end, amount, expiresAt, startsAt, actor]) each.setError();
    showEnd();
  }

  end.input.addEventListener("change", showEnd);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    create();
  });
  showEnd();
  return { root, close };
}

/**
 * @param {string} id
 * @param {string} label
 * @param {[value: string, text: string][]} options
 */
function selectField(id, label, options) {
  return field(id, label, tag("select", {}, ...options.map(([value, text]) => tag("option", { value }, text))));
}

/** A random key; `crypto.randomUUID` is missing in pages without HTTPS. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
