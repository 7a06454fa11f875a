// The panel "Check access": checks one feature of one customer, and lists the customer's active entitlements.

import { latestOnly } from "../concurrency.js";
import { quoted } from "../curl.js";
import { button, command, element, svgElement, tag, textField, time } from "../elements.js";
import { withQuery } from "../form.js";
import { retryHint } from "../http-client.js";
import { isLocal } from "../local-worker.js";
import { describeCheck } from "../reasons.js";

const PAGE_SIZE = 100; // Stripe's maximum.
const MAX_PAGES = 10;
const MAX_RAW_LENGTH = 2000; // Characters shown of a body that is not JSON.

/** The icon's path for each state: tick, cross, question mark, exclamation mark. */
const ICON_PATHS = [
  ["entitled", "m14 25 7 7 13-15"],
  ["denied", "m16 16 16 16m0-16L16 32"],
  ["unknown", "M17 18a7 7 0 1 1 10 6.5c-2 1-3 2-3 4.5M24 35v.1"],
  ["error", "M24 13v14m0 7v.1"],
];

/** @typedef {import("../session.js").Reply} Reply */
/** @typedef {{ state: string, label: string, reason?: string }} Result */

export default {
  id: "check",
  title: "Check access",
  lead: "Check whether a customer may use a feature. A backend sends the same request to the edge.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const latest = latestOnly();
    const customer = textField("customer", "Customer", { hint: "Stripe’s customer id.", placeholder: "cus_…" });
    const feature = textField("feature", "Feature", { hint: "Its lookup key.", placeholder: "lookup key" });
    if (isLocal) [customer.input.value, feature.input.value] = ["cus_ada", "sms"];
    const formValues = () => ({ customer: customer.input.value.trim(), feature: feature.input.value.trim() });
    const checkPath = () => withQuery("/v1/check", formValues());

    const keyHint = tag("p", { class: "hint", id: "check-key-hint" });
    const form = tag(
      "form",
      { id: "check-form", class: "card", novalidate: true, "aria-labelledby": "check-form-title" },
      tag("h2", { id: "check-form-title" }, "Request"),
      customer.root,
      feature.root,
      keyHint,
      element(
        "div",
        "actions",
        tag("button", { id: "check", type: "submit", class: "primary" }, "Check"),
        tag("button", { id: "list", type: "button", onclick: listEntitlements }, "List entitlements"),
      ),
    );

    const label = tag("p", { id: "result-label" }, "No result yet");
    const reason = tag("p", { id: "result-reason" }, "Enter a customer and a feature, then select Check.");
    const explain = tag("a", { id: "result-explain", hidden: true }, "Explain this answer");
    const details = {
      version: tag("dd", { id: "version" }, "–"),
      asOf: tag("dd", { id: "as-of" }, "–"),
      servedBy: tag("dd", { id: "served-by" }, "–"),
      roundTrip: tag("dd", { id: "round-trip" }, "–"),
    };
    const curl = command("");
    const curlCode = /** @type {HTMLElement} */ (curl.querySelector("code"));
    curlCode.id = "curl";
    const responseTitle = tag("h3", { id: "response-title" }, "Response");
    const responseBody = tag("pre", {
      id: "response-body",
      class: "json",
      tabindex: "0",
      role: "region",
      "aria-labelledby": "response-title",
    });
    const result = tag("div", { id: "result" }, resultIcon(), element("div", "", label, reason, explain));
    const detailRow = (/** @type {string} */ term, /** @type {HTMLElement} */ value) => element("div", "", element("dt", "", term), value);
    const resultCard = tag(
      "section",
      { id: "check-result", class: "card", "data-state": "idle", "aria-live": "polite", "aria-labelledby": "check-result-title" },
      tag("h2", { id: "check-result-title", class: "visually-hidden" }, "Result"),
      result,
      tag(
        "div",
        { "aria-live": "off" },
        element(
          "dl",
          "description-list",
          detailRow("Version", details.version),
          detailRow("As of", details.asOf),
          detailRow("Served by", details.servedBy),
          detailRow("Round trip", details.roundTrip),
        ),
        element("h3", "", "The same request with curl"),
        curl,
        responseTitle,
        responseBody,
      ),
    );

    const entitlementList = tag("ul", { id: "entitlements-list" });
    const listStatus = tag("p", { id: "entitlements-status", role: "status", class: "muted" }, "Every active entitlement of the customer.");
    const entitlementsCard = tag(
      "section",
      { id: "entitlements", class: "card", "data-state": "idle" },
      tag("h2", { id: "entitlements-title" }, "Entitlements"),
      listStatus,
      tag("div", { id: "entitlements-box", tabindex: "0", role: "region", "aria-labelledby": "entitlements-title" }, entitlementList),
    );
    root.append(element("div", "check-layout", form, resultCard, entitlementsCard));

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      check();
    });
    form.addEventListener("input", showCurl);
    session.onKeyChange(showKeyHint);
    showCurl();
    showKeyHint();

    /** Renders the check as a command. `URLSearchParams` escapes every quote, so that the URL is valid inside single quotes. */
    function showCurl() {
      curlCode.textContent = `curl ${quoted(location.origin + checkPath())} \\\n  -H "Authorization: Bearer $ENTGATE_KEY"`;
    }

    function showKeyHint() {
      keyHint.textContent = session.key ? "" : "Enter a server key at the top. Without one, the response is 401.";
    }

    async function check() {
      const signal = latest.signal("check");
      setFieldError();
      showResult({ state: "loading", label: "Checking…" });
      const values = formValues();
      const reply = await session.request(checkPath(), { signal });
      if (signal.aborted) return;
      showResult(resultOf(reply, values), reply);
      result.scrollIntoView({ block: "nearest" });
    }

    /**
     * Interprets the reply of a check. Only `true` means entitled, and only `false` means not entitled.
     *
     * @param {Reply} reply
     * @param {{ customer: string, feature: string }} values
     * @returns {Result}
     */
    function resultOf(reply, values) {
      const { object, entitled, reason: code, customer: id = values.customer, feature: lookupKey = values.feature } = reply.body;
      if (reply.status === 200 && object === "entitlement_check" && typeof entitled === "boolean") {
        const description = describeCheck({ customer: id, feature: lookupKey, entitled, reason: code });
        return { state: entitled ? "entitled" : "denied", label: entitled ? "Entitled" : "Not entitled", reason: description };
      }
      if (reply.status === 503) {
        return {
          state: "unknown",
          label: "Unknown",
          reason: `The answer is currently unknown; this does not mean “not entitled”. ${retryHint(reply.headers)}`,
        };
      }
      const problem = reply.problem ?? "Unexpected response.";
      setFieldError(reply.field, problem);
      return { state: "error", label: "Error", reason: problem };
    }

    /**
     * @param {Result} shown
     * @param {Partial<Reply>} [reply]
     */
    function showResult({ state, label: labelText, reason: reasonText = "" }, { status, body = {}, text = "", durationMs } = {}) {
      const answered = state === "entitled" || state === "denied";
      resultCard.dataset.state = state;
      resultCard.setAttribute("aria-busy", String(state === "loading"));
      label.textContent = labelText;
      reason.textContent = reasonText;
      explain.hidden = !answered || session.isReadOnly;
      explain.setAttribute("href", withQuery("#customers", { customer: body.customer, explain: body.feature }));
      if (state === "loading") return;

      details.version.textContent = answered ? body.version : "–";
      details.servedBy.textContent = answered ? body.served_by : "–";
      details.roundTrip.textContent = durationMs === undefined ? "–" : `${Math.ceil(durationMs)} ms`;
      details.asOf.replaceChildren(time(answered ? body.as_of : undefined));
      responseBody.textContent = Object.keys(body).length ? JSON.stringify(body, null, 2) : text.slice(0, MAX_RAW_LENGTH);
      responseTitle.textContent = status ? `Response (status ${status})` : "Response";
    }

    /**
     * Shows `message` at the field it is about, and clears the error of the other field.
     *
     * @param {string} [name]
     * @param {string} [message]
     */
    function setFieldError(name, message) {
      customer.setError(name === "customer" ? message : undefined);
      feature.setError(name === "feature" ? message : undefined);
    }

    async function listEntitlements() {
      const signal = latest.signal("list");
      const id = formValues().customer;
      setFieldError();
      showEntitlements("loading", "Loading…");
      const entitlements = [];
      let durationMs = 0;
      let hasMore = true;
      for (let page = 1; hasMore && page <= MAX_PAGES; page += 1) {
        const path = withQuery("/v1/entitlements/active_entitlements", {
          customer: id,
          limit: PAGE_SIZE,
          starting_after: entitlements.at(-1)?.id,
        });
        const reply = await session.request(path, { signal });
        if (signal.aborted) return;
        const { data, has_more } = reply.body;
        if (reply.status !== 200 || !Array.isArray(data)) {
          showListError(reply);
          return;
        }
        entitlements.push(...data);
        durationMs += reply.durationMs ?? 0;
        hasMore = has_more === true && data.length > 0;
      }
      const count = entitlements.length === 1 ? "1 entitlement" : `${entitlements.length || "no"} entitlements`;
      const summary = hasMore ? `more than ${count}; the first ${entitlements.length} are listed` : count;
      showEntitlements("done", `${id} has ${summary}. Loaded in ${Math.ceil(durationMs)} ms.`, entitlements);
    }

    /** @param {Reply} reply */
    function showListError({ status, field, problem = "Unexpected response." }) {
      if (status === 503) {
        showEntitlements("unknown", `The list is currently unknown; this does not mean that it is empty. ${problem}`);
        return;
      }
      setFieldError(field, problem);
      showEntitlements("error", problem);
    }

    /**
     * @param {string} state
     * @param {string} text
     * @param {{ lookup_key: string, feature: string }[]} [entitlements]
     */
    function showEntitlements(state, text, entitlements = []) {
      entitlementsCard.dataset.state = state;
      listStatus.textContent = text;
      entitlementList.replaceChildren(
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
            element("code", "muted", id),
          ),
        ),
      );
    }

    return {
      /** @param {URLSearchParams} params */
      show(params) {
        for (const { input } of [customer, feature]) {
          if (params.has(input.id)) input.value = params.get(input.id) ?? "";
        }
        showCurl();
      },
      hide: latest.abortAll,
    };
  },
};

/** The icon of the result. The state of the result card selects which of its paths is visible. */
function resultIcon() {
  return svgElement(
    "svg",
    { viewBox: "0 0 48 48", class: "result-icon", "aria-hidden": "true" },
    svgElement("circle", { cx: 24, cy: 24, r: 22 }),
    ...ICON_PATHS.map(([state, d]) => svgElement("path", { class: `if-${state}`, d })),
  );
}
