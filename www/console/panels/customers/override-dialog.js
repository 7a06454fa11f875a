// The dialog that asks before an override ends, and for the reason of a deletion.

import { button, element, notice, tag, textField } from "../../elements.js";

/** @typedef {import("../../change-cause.js").Override} Override */

/**
 * Creates the dialog, closed.
 *
 * @param {import("../../session.js").Session} session
 * @param {{ customer: () => string, onDone: (text: string) => void }} options  `onDone` gets the result as a sentence.
 */
export function createOverrideDialog(session, { customer, onDone }) {
  const title = tag("h2", { id: "override-dialog-title" });
  const text = tag("p", { id: "override-dialog-text" });
  const reason = textField("override-deletion-reason", "Reason", { hint: "It is kept with the override." });
  const message = element("div", "");
  const confirm = tag("button", { type: "submit", class: "destructive" });
  const form = tag(
    "form",
    { novalidate: true },
    title,
    text,
    reason.root,
    message,
    element(
      "div",
      "actions",
      confirm,
      button("Cancel", () => root.close()),
    ),
  );
  const root = tag("dialog", { "aria-labelledby": title.id, "aria-describedby": text.id }, form);
  /** @type {Override} */
  let override;
  let deletes = false;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const reasonText = reason.input.value.trim();
    if (deletes && !reasonText) {
      reason.setError("Enter a reason. The explanation shows it.");
      reason.input.focus();
      return;
    }
    const path = `/v1/customers/${encodeURIComponent(customer())}/overrides/${encodeURIComponent(override.id)}`;
    confirm.disabled = true;
    const reply = await session.request(
      path,
      deletes ? { method: "DELETE", form: { reason: reasonText } } : { method: "POST", form: { expires_at: "now" } },
    );
    confirm.disabled = false;
    if (reply.problem) return message.replaceChildren(notice(reply.problem, "danger"));
    root.close();
    onDone(`${override.id} ${deletes ? "deleted" : "ended"}: version ${reply.body.version}.`);
  });

  return {
    root,
    /**
     * @param {Override} target
     * @param {{ deletes: boolean }} options
     */
    open(target, options) {
      override = target;
      deletes = options.deletes;
      const { feature, effect } = target;
      const result = effect === "grant" ? `It no longer grants ${feature}.` : `It no longer denies ${feature}.`;
      title.textContent = deletes ? "Delete override" : "End override now";
      text.textContent = `${result} ${deletes ? "The override stays in the list of ended ones, marked as deleted." : "A new override is needed to reverse this."}`;
      confirm.textContent = deletes ? "Delete override" : "End now";
      reason.root.hidden = !deletes;
      reason.input.value = "";
      reason.setError();
      message.replaceChildren();
      root.showModal();
    },
  };
}
