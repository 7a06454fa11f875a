// The shop as its visitor sees it. The npm package's gate says which parts are open, and tells when that changes.

import { badge, button, element, identifier, tag } from "../elements.js";
import { FEATURES, PLANS } from "./demo-products.js";
import { ROOMS, lock } from "./gated-sections.js";
import { buying, cancelling, planOf } from "./plan-actions.js";

const STATES = { loading: ["Asking…", "none"], ready: ["Live", "yes"], stale: ["Connecting again…", "maybe"], error: ["Not known", "no"] };
const UPGRADE_SECONDS = 60; // After that a part is simply open.

/** Milliseconds as a person says them. */
export const duration = (ms) => (ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1_000).toFixed(1)} s`);

/** `{ root, update(visitor) }`; with `plans`, they can be bought in it. `tells` says whether those who do not see it hear of changes. */
export function storefront({ plans, tells }) {
  const who = element("p", "shop-who");
  const told = tag("p", { class: "unseen", role: "status" });
  const trouble = element("p", "shop-trouble");
  const cards = plans ? [undefined, ...PLANS].map(planCard) : [];
  const rooms = FEATURES.map(({ key }) => room(key));
  const more = element("p", "shop-more soft");
  const root = tag(
    "section",
    { class: "shop", "aria-label": "The shop" },
    element("header", "shop-head", element("h2", "shop-name", "Parcel & Co."), who),
    trouble,
    plans && element("div", "plans", ...cards.map(({ root }) => root)),
    element("div", "rooms", ...rooms.map(({ root }) => root)),
    more,
    tells && told,
  );
  let announced;

  function update(visitor) {
    const { gate, deeds, customer } = visitor;
    const [word, tone] = STATES[gate?.state ?? "loading"];
    who.replaceChildren(
      ...(customer ? [identifier(customer), badge(`version ${gate?.version ?? 0}`), badge(gate ? word : "Asking…", tone)] : []),
    );
    trouble.textContent = gate?.error ? `The gate says: ${gate.error.message}` : "";
    trouble.hidden = !trouble.textContent;
    [...cards, ...rooms].forEach((each) => each.update(visitor));
    const others = (gate?.list() ?? []).filter((key) => !ROOMS[key]);
    more.replaceChildren(
      ...(others.length
        ? [
            "It is entitled to more, which this shop has no part for: ",
            ...others.flatMap((key, at) => [at ? ", " : "", element("code", "", key)]),
            ".",
          ]
        : []),
    );
    const deed = deeds.find(({ heard }) => heard.length);
    if (deed && deed.heard.at(-1) !== announced) {
      announced = deed.heard.at(-1);
      told.textContent = announcement(deed.title, announced);
    }
  }
  return { root, update };
}

/** What a change means, as a sentence. */
export function announcement(title, { opened, closed, after }) {
  const list = (keys, word) => keys.length > 0 && `${keys.map((key) => ROOMS[key]?.name ?? key).join(", ")} ${word}`;
  const parts = [list(opened, "opened"), list(closed, "closed")].filter(Boolean).join("; ");
  return after === undefined ? `${title}: ${parts}.` : `${parts}, ${duration(after)} after “${title}”.`;
}

/** One part: closed it says what opens it, and open it shows what is in it. */
function room(key) {
  const { name, about, icon, inside } = ROOMS[key];
  const state = badge("Closed");
  const when = element("p", "room-when");
  const body = element("div", "room-body");
  const root = tag(
    "article",
    { class: "room", "data-feature": key, "data-open": "false" },
    element("div", "room-head", icon(), element("h3", "", name), state),
    body,
    when,
  );
  let shown;

  function update({ gate, deeds, stock }) {
    const open = gate?.has(key) ?? false;
    const known = gate !== undefined && gate.check(key).reason !== "not_known";
    const label = open ? "Open" : known ? "Closed" : "Not known";
    if (shown !== open) {
      shown = open;
      root.dataset.open = open;
      if (open) body.replaceChildren(element("p", "soft", about), inside());
    }
    state.textContent = label;
    state.className = `badge ${open ? "yes" : "none"}`;
    if (!open) body.replaceChildren(element("p", "closed", lock(), element("span", "", sold(key, stock))));
    const heard = open && latest(deeds, key);
    when.textContent = heard && heard.after !== undefined ? `Opened after ${duration(heard.after)}` : "";
    when.hidden = !when.textContent;
  }
  return { root, update };
}

/** When a part was opened last, if that was lately. */
function latest(deeds, key) {
  const recent = deeds.filter(({ at }) => Date.now() - at < UPGRADE_SECONDS * 1_000);
  return recent.flatMap(({ heard }) => heard).find(({ opened }) => opened.includes(key));
}

/** By which plans a part can be had. */
function sold(key, stock) {
  if (!stock) return `Opens with the feature ${key}.`;
  const names = PLANS.filter(({ product }) => stock.includes[product][key]).map(({ name }) => name);
  return names.length ? `Part of ${names.join(" and ")}.` : "In no plan yet: the playground attaches it to Pro.";
}

/** One plan, undefined for the free one: its price, what is in it, and the button that buys it. */
function planCard(plan) {
  const name = plan?.name ?? "Free";
  const parts = element("p", "soft");
  const press = tag("button", { type: "button", class: plan && "primary" });
  const current = element("p", "plan-current", "Your plan");
  const root = tag(
    "article",
    { class: "plan", tabindex: "-1", "aria-label": name },
    element("h3", "", name),
    element("p", "plan-price", element("strong", "", `$${(plan?.amount ?? 0) / 100}`), " a month"),
    parts,
    press,
    current,
  );
  let request;
  let buy;
  press.addEventListener("click", (event) => request && buy(request, event.timeStamp));

  function update(visitor) {
    const { subscription, busy, customer, stock } = visitor;
    const isCurrent = planOf(subscription) === plan && (plan !== undefined || !subscription);
    request = busy || !customer || isCurrent ? undefined : plan ? buying(visitor, plan) : cancelling(visitor);
    buy = visitor.act;
    parts.textContent = plan
      ? FEATURES.filter(({ key }) => stock?.includes[plan.product][key])
          .map(({ name }) => name)
          .join(", ")
      : "Looking around, and nothing else.";
    press.textContent = !plan ? "Cancel" : !subscription ? `Buy ${name}` : `Change to ${name}`;
    // Whoever pressed it stays there, and is told what has come of it.
    press.setAttribute("aria-disabled", request === undefined);
    const focused = document.activeElement === press;
    press.hidden = isCurrent;
    current.hidden = !isCurrent;
    root.dataset.current = isCurrent;
    if (focused && isCurrent) root.focus();
  }
  return { root, update };
}

/** What stands where the shop has to be set up first. */
export function entrance({ title, text, label, enter }) {
  return element(
    "div",
    "empty",
    element("p", "empty-title", title),
    element("p", "", text),
    element("div", "actions", button(label, enter, "primary")),
  );
}
