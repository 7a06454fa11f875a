// The cards of the overview that do not change with activity: the settings of the Worker, and its routes.

import { badge, card, command, element, tag } from "../../elements.js";
import { isLocal, portOption } from "../../local-worker.js";
import { ROUTES } from "../../routes.js";

/**
 * What a missing setting means.
 *
 * @type {Record<string, string>}
 */
const MISSING_SETTINGS = {
  ENTGATE_API_KEYS:
    "Required. Until it is set, every server route returns 401. Choose a long random key that begins with sk_live_ or sk_test_. Separate several keys by commas.",
  STRIPE_WEBHOOK_SECRETS:
    "Required. Until it is set, the webhook route returns 503 and accepts no events. Stripe shows the secret (whsec_…) with your endpoint. If you serve both modes, write test:whsec_… and live:whsec_….",
  STRIPE_API_KEY:
    "Recommended. With it, every event is confirmed by a read of Stripe’s list, and unknown customers are looked up at Stripe. A restricted key (rk_…) with read access to entitlements and customers is sufficient.",
  ENTGATE_UNKNOWN_CUSTOMERS:
    "Required without STRIPE_API_KEY. Until one of both is set, a customer without any data is neither granted nor denied a feature: the response is a 503. Set it to deny if this Worker receives every event of Stripe.",
};

/** @type {Record<string, string>} */
const SETTING_TONES = { set: "success", missing: "warning" };

/**
 * The settings that the Worker reports. Before it has reported any, which it does for a secret key only: the state "unknown".
 *
 * @param {Record<string, string> | undefined} settings
 * @returns {HTMLElement[]}
 */
export function settingItems(settings) {
  // The Worker does not report settings that it does not use.
  const names = Object.keys(MISSING_SETTINGS).filter((name) => !settings || name in settings);
  return names.map((name) => settingItem(name, settings?.[name] || "unknown"));
}

/**
 * One setting. A missing one has a description and the command that sets it.
 *
 * @param {string} name
 * @param {string} state
 */
function settingItem(name, state) {
  const item = element("li", "", element("code", "", name), badge(state, SETTING_TONES[state]));
  if (state === "missing") item.append(element("p", "", MISSING_SETTINGS[name]), command(`npx wrangler secret put ${name}`));
  return item;
}

/**
 * Names with the prefix of a setting that are not settings.
 *
 * @param {string[]} unknown  A name, or a name and the setting that was probably meant: `ENTGATE_API_KEY: did you mean ENTGATE_API_KEYS?`.
 * @returns {HTMLElement[]}
 */
export function unknownItems(unknown) {
  return unknown.map((text) => {
    const [name, hint] = text.split(": ");
    const advice = hint ? `The Worker has no such setting: ${hint}` : "The Worker has no such setting, and ignores it.";
    return element("li", "", element("code", "", name), badge("unknown", "warning"), element("p", "", advice));
  });
}

/**
 * Next steps for a Worker on this machine; none for any other.
 *
 * @param {string | undefined} source
 * @returns {HTMLElement[]}
 */
export function localHints(source) {
  if (!isLocal) return [];
  const settingsHint = element("p", "", "A local Worker reads its settings from ", element("code", "", ".dev.vars"), ".");
  if (source === "catalog") {
    return [
      settingsHint,
      tag(
        "p",
        { "data-source": "catalog" },
        "Entitlements come from the built-in catalog. Create products and subscriptions with Stripe’s API, with the buttons of the ",
        tag("a", { href: "#playground" }, "playground"),
        ", or with the commands of the ",
        tag("a", { href: "#shell" }, "shell"),
        ".",
      ),
    ];
  }
  const sendEvent = ["node scripts/send-event.mjs", portOption, "cus_ada sms export"].filter(Boolean).join(" ");
  return [
    settingsHint,
    tag(
      "div",
      { "data-source": "stripe" },
      element(
        "p",
        "",
        "This command sends a first signed event. After it, ",
        element("code", "", "cus_ada"),
        " may use ",
        element("code", "", "sms"),
        " and ",
        element("code", "", "export"),
        ":",
      ),
      command(sendEvent),
    ),
  ];
}

/** The routes of the Worker as a table. */
export function routesCard() {
  const rows = ROUTES.map(([route, access, description]) =>
    element(
      "tr",
      "",
      tag("th", { scope: "row" }, element("code", "", route)),
      tag("td", { "data-title": "Access" }, access),
      element("td", "", description),
    ),
  );
  const head = element("tr", "", ...["Route", "Access", "Description"].map((title) => tag("th", { scope: "col" }, title)));
  const box = tag(
    "div",
    { class: "table routes", tabindex: "0", role: "region", "aria-label": "Routes" },
    element("table", "", element("thead", "", head), element("tbody", "", ...rows)),
  );
  const section = card(
    "Routes",
    box,
    element("p", "muted", "Parameters and objects of every route are in ", tag("a", { href: "/openapi.json" }, "openapi.json"), "."),
  );
  section.id = "routes";
  return section;
}
