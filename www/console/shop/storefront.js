// The demo shop as its customer sees it: the plans, and the sections that the npm package's gate unlocks and locks.

import { badge, button, element, identifier, tag } from "../elements.js";
import { FEATURES, PLANS } from "./demo-products.js";
import { GATED_SECTIONS, lockIcon } from "./gated-sections.js";
import { cancelAction, planOf, subscribeAction } from "./plan-actions.js";

/** @typedef {import("./demo-customer.js").DemoCustomer} DemoCustomer */
/** @typedef {{ root: HTMLElement, update: (demo: DemoCustomer) => void }} View */

/** @type {Record<string, [label: string, tone: string]>} */
const GATE_STATES = {
  loading: ["Loading…", "neutral"],
  ready: ["Live", "success"],
  stale: ["Reconnecting…", "warning"],
  error: ["Unknown", "danger"],
};
const RECENT_CHANGE_MS = 60_000; // How long the delay of an unlocked section is shown.

/**
 * Renders a duration in milliseconds or seconds.
 *
 * @param {number} ms
 */
export const formatDuration = (ms) => (ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`);

/**
 * Creates the shop: `plans` adds the plans with their buttons, `announcements` a status for screen readers.
 *
 * @param {{ plans: boolean, announcements: boolean }} parts
 * @returns {View}
 */
export function createStorefront({ plans, announcements }) {
  const customerLine = element("p", "shop-customer");
  const announcer = tag("p", { class: "visually-hidden", role: "status" });
  const errorLine = element("p", "shop-error");
  const planCards = plans ? [undefined, ...PLANS].map(planCard) : [];
  const sections = FEATURES.map(({ key }) => gatedSection(key));
  const otherFeatures = element("p", "shop-other-features muted");
  const root = tag(
    "section",
    { class: "shop", "aria-label": "Demo shop" },
    element("header", "shop-header", element("h2", "shop-name", "Acme Store"), customerLine),
    errorLine,
    plans && element("div", "plans", ...planCards.map(({ root: card }) => card)),
    element("div", "gated-sections", ...sections.map(({ root: section }) => section)),
    otherFeatures,
    announcements && announcer,
  );
  /** @type {import("./demo-customer.js").EntitlementChange | undefined} */
  let announced;

  /** @param {DemoCustomer} demo */
  function update(demo) {
    const { gate, actions, customer } = demo;
    const [label, tone] = GATE_STATES[gate?.state ?? "loading"];
    customerLine.replaceChildren(
      ...(customer ? [identifier(customer), badge(`version ${gate?.version ?? 0}`), badge(gate ? label : "Loading…", tone)] : []),
    );
    errorLine.textContent = gate?.error ? `Gate error: ${gate.error.message}` : "";
    errorLine.hidden = !errorLine.textContent;
    for (const view of [...planCards, ...sections]) view.update(demo);
    const otherKeys = (gate?.list() ?? []).filter((key) => !GATED_SECTIONS[key]);
    otherFeatures.replaceChildren(
      ...(otherKeys.length
        ? ["Other features of the customer: ", ...otherKeys.flatMap((key, at) => [at ? ", " : "", element("code", "", key)]), "."]
        : []),
    );
    const action = actions.find(({ changes }) => changes.length);
    const change = action?.changes.at(-1);
    if (action && change && change !== announced) {
      announced = change;
      announcer.textContent = describeChange(action.title, change);
    }
  }
  return { root, update };
}

/**
 * Describes a change as a sentence.
 *
 * @param {string} title  Of the action.
 * @param {import("./demo-customer.js").EntitlementChange} change
 */
export function describeChange(title, { granted, revoked, delayMs }) {
  const list = (/** @type {string[]} */ keys, /** @type {string} */ verb) =>
    keys.length > 0 && `${keys.map((key) => GATED_SECTIONS[key]?.name ?? key).join(", ")} ${verb}`;
  const parts = [list(granted, "unlocked"), list(revoked, "locked")].filter(Boolean).join("; ");
  return delayMs === undefined ? `${title}: ${parts}.` : `${parts}, ${formatDuration(delayMs)} after “${title}”.`;
}

/**
 * A section of the shop. Locked, it names the plans that unlock it; unlocked, it shows its content.
 *
 * @param {string} key
 * @returns {View}
 */
function gatedSection(key) {
  const { name, description, icon, content } = GATED_SECTIONS[key];
  const state = badge("Locked");
  const delay = element("p", "gated-delay");
  const body = element("div", "gated-body");
  const root = tag(
    "article",
    { class: "gated-section", "data-feature": key, "data-entitled": "false" },
    element("div", "gated-header", icon(), element("h3", "", name), state),
    body,
    delay,
  );
  /** @type {boolean | undefined} */
  let shown;

  /** @param {DemoCustomer} demo */
  function update({ gate, actions, products }) {
    const entitled = gate?.has(key) ?? false;
    const known = gate !== undefined && gate.check(key).reason !== "not_known";
    if (shown !== entitled) {
      shown = entitled;
      root.dataset.entitled = String(entitled);
      if (entitled) body.replaceChildren(element("p", "muted", description), content());
    }
    state.textContent = entitled ? "Unlocked" : known ? "Locked" : "Unknown";
    state.className = `badge ${entitled ? "success" : "neutral"}`;
    if (!entitled) body.replaceChildren(element("p", "locked", lockIcon(), element("span", "", availability(key, products))));
    const change = entitled ? recentGrant(actions, key) : undefined;
    delay.textContent = change?.delayMs !== undefined ? `Unlocked after ${formatDuration(change.delayMs)}` : "";
    delay.hidden = !delay.textContent;
  }
  return { root, update };
}

/**
 * Finds the latest change that granted a feature, if it is recent.
 *
 * @param {import("./demo-customer.js").RunAction[]} actions
 * @param {string} key
 */
function recentGrant(actions, key) {
  const recent = actions.filter(({ at }) => Date.now() - at < RECENT_CHANGE_MS);
  return recent.flatMap(({ changes }) => changes).find(({ granted }) => granted.includes(key));
}

/**
 * Names the plans that include a feature.
 *
 * @param {string} key
 * @param {import("./demo-products.js").DemoProducts | undefined} products
 */
function availability(key, products) {
  if (!products) return `Requires the feature ${key}.`;
  const names = PLANS.filter(({ product }) => products.included[product][key]).map(({ name }) => name);
  return names.length ? `Included in ${names.join(" and ")}.` : "Not in any plan yet. Attach it to Pro in the playground.";
}

/**
 * A plan with its price, its features and a button. Undefined is the free plan.
 *
 * @param {import("./demo-products.js").Plan | undefined} plan
 * @returns {View}
 */
function planCard(plan) {
  const name = plan?.name ?? "Free";
  const features = element("p", "muted");
  const press = tag("button", { type: "button", class: plan && "primary" });
  const current = element("p", "plan-current", "Current plan");
  const root = tag(
    "article",
    { class: "plan", tabindex: "-1", "aria-label": name },
    element("h3", "", name),
    element("p", "plan-price", element("strong", "", `$${(plan?.amount ?? 0) / 100}`), " a month"),
    features,
    press,
    current,
  );
  /** @type {import("./plan-actions.js").PlanAction | undefined} */
  let action;
  /** @type {DemoCustomer["runAction"]} */
  let runAction;
  press.addEventListener("click", (event) => {
    if (action) runAction(action, event.timeStamp);
  });

  /** @param {DemoCustomer} demo */
  function update(demo) {
    const { subscription, busy, customer, products } = demo;
    const isCurrent = planOf(subscription) === plan && (plan !== undefined || !subscription);
    action = busy || !customer || isCurrent ? undefined : plan ? subscribeAction(demo, plan) : cancelAction(demo);
    runAction = demo.runAction;
    features.textContent = plan
      ? FEATURES.filter(({ key }) => products?.included[plan.product][key])
          .map(({ name: featureName }) => featureName)
          .join(", ")
      : "No gated features.";
    press.textContent = !plan ? "Cancel" : !subscription ? `Buy ${name}` : `Change to ${name}`;
    // `aria-disabled` keeps the focus on the button, so that screen readers read the result.
    press.setAttribute("aria-disabled", String(action === undefined));
    const focused = document.activeElement === press;
    press.hidden = isCurrent;
    current.hidden = !isCurrent;
    root.dataset.current = String(isCurrent);
    if (focused && isCurrent) root.focus();
  }
  return { root, update };
}

/**
 * The card that is shown before the demo shop is set up.
 *
 * @param {{ title: string, text: string, label: string, start: () => void }} card
 */
export function startCard({ title, text, label, start }) {
  return element(
    "div",
    "empty",
    element("p", "empty-title", title),
    element("p", "", text),
    element("div", "actions", button(label, start, "primary")),
  );
}
