// The life of a customer as buttons: each says which request it is, and what the edge answers after it; beside them stands the shop.

import { curl } from "../curl.js";
import { ago, badge, button, card, command, element, empty, field, identifier, keyless, notice, table, tag, time } from "../elements.js";
import { deaf } from "../shop/webhook-check.js";
import { FEATURES } from "../shop/demo-products.js";
import { planOf, steps } from "../shop/plan-actions.js";
import { announcement, duration, entrance, storefront } from "../shop/storefront.js";
import { visitorOf } from "../shop/demo-customer.js";

const REASONS = { active_entitlement: "active entitlement", not_entitled: "not entitled", unknown_customer: "unknown customer" };

export default {
  id: "playground",
  title: "Playground",
  lead: "A customer’s life in a few presses: what is bought, what is sold, and what time it is. Each one is a request of Stripe’s API to the catalog.",
  mount(root, desk) {
    const visitor = visitorOf(desk);
    const front = storefront({ plans: false, tells: false });
    const about = customerCard(visitor, attempt);
    const board = stepBoard(visitor);
    const edge = edgeCard(desk, visitor);
    const log = deedCard();
    const warned = element("div", "shop-said");
    const said = element("div", "shop-said");
    const play = element(
      "div",
      "play",
      element("div", "", about.root, board.root),
      element("div", "beside", front.root, edge.root, log.root),
    );
    const body = element("div", "shop-body");
    root.append(warned, said, body);
    let shown = false;
    let looked = false;

    /** Does something, and says why it came to nothing. */
    async function attempt(work) {
      said.replaceChildren();
      try {
        await work();
      } catch (error) {
        said.replaceChildren(notice(error.message, "no"));
      }
      update();
    }

    function update() {
      if (!shown) return;
      if (!desk.key) return void body.replaceChildren(keyless("The catalog answers to those who have one."));
      if (desk.source === "stripe") {
        return void body.replaceChildren(
          empty(
            "The playground needs the catalog",
            "Here entitlements come from Stripe, where customers are not ours to play with. With ENTGATE_SOURCE set to catalog, as make dev has it, the Worker has an API of its own.",
            button("Go to the shop", () => desk.go("shop")),
          ),
        );
      }
      if (desk.source !== "catalog") return;
      if (!looked) {
        looked = true;
        attempt(async () => {
          await visitor.look();
          warned.replaceChildren(...(await deaf(desk)));
        });
      }
      if (visitor.customer && visitor.stock) {
        [front, about, board, edge, log].forEach((part) => part.update(visitor));
        if (body.firstChild !== play) body.replaceChildren(play);
      } else if (!visitor.busy) {
        body.replaceChildren(
          entrance({
            title: "Nobody is here yet",
            text: `Two plans and four features are put into the catalog, where they are not there yet, and a customer who lives by ${desk.mode === "live" ? "the real time. The key is a live one: what is done here is real." : "a test clock."}`,
            label: "Begin",
            enter: () =>
              attempt(async () => {
                await visitor.furnish();
                await visitor.arrive();
              }),
          }),
        );
      } else body.replaceChildren(element("p", "soft", "One moment…"));
    }

    visitor.on(update);
    desk.onHealth(update);
    desk.onKey(() => {
      looked = false;
      update();
    });
    return {
      show() {
        shown = true;
        update();
      },
      hide() {
        shown = false;
      },
    };
  },
};

/** Who it is, what they have, and what time it is for them. */
function customerCard(visitor, attempt) {
  const facts = element("dl", "who");
  const other = field("play-customer", "Somebody who is known", { placeholder: "cus_…" });
  const form = element(
    "form",
    "tools",
    other.root,
    button("Take", () => form.requestSubmit(), "small"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const customer = other.input.value.trim();
    if (customer) attempt(() => visitor.come(customer));
  });
  const root = element(
    "section",
    "card",
    element(
      "div",
      "card-head",
      element("h2", "", "Customer"),
      button("Somebody new", () => attempt(visitor.arrive), "small"),
    ),
    facts,
    tag("details", { class: "other" }, element("summary", "", "Take somebody else"), form),
  );

  function update({ customer, clock, subscription }) {
    const plan = planOf(subscription);
    const ends = subscription?.items.data[0]?.current_period_end;
    const row = (title, ...value) => element("div", "", element("dt", "", title), element("dd", "", ...value));
    facts.replaceChildren(
      row("Id", identifier(customer)),
      row(
        "Subscription",
        subscription
          ? element("span", "", `${plan.name} `, badge(subscription.status, subscription.status === "active" ? "yes" : "maybe"))
          : "none",
      ),
      ...(subscription ? [row(subscription.cancel_at_period_end ? "Ends" : "Renews", time(ends))] : []),
      row("Time", clock ? element("span", "", time(clock.frozen_time), " ", badge("test clock", "note")) : "the real one"),
    );
  }
  return { root, update };
}

/** What can be done. */
function stepBoard(visitor) {
  const list = steps(visitor).map(([title, group]) => [title, group.map((_, at) => stepRow(visitor, title, at))]);
  const root = element(
    "section",
    "card",
    element("h2", "", "What happens next"),
    element("div", "steps", ...list.flatMap(([title, rows]) => [element("h3", "", title), ...rows.map(({ root }) => root)])),
  );

  function update() {
    const now = new Map(steps(visitor));
    for (const [title, rows] of list) rows.forEach((row, at) => row.update(now.get(title)[at]));
  }
  return { root, update };
}

/** One thing that can be done, the request that it is, and what has come of it. */
function stepRow(visitor, group, at) {
  const title = element("h4");
  const about = element("p", "soft");
  const said = tag("p", { class: "step-said", role: "status" });
  const line = element("summary");
  const code = element("div");
  const press = tag("button", { type: "button", class: "small" });
  const root = element(
    "div",
    "step",
    element("div", "step-bar", element("div", "", title, about), press),
    tag("details", {}, line, code),
    said,
  );
  let step;
  let deed;

  press.addEventListener("click", async (event) => {
    if (visitor.busy || step.not) return;
    said.dataset.tone = "";
    said.textContent = "Asking…";
    const made = visitor.act(step, event.timeStamp);
    [deed] = visitor.deeds;
    await made;
  });

  function update(now) {
    step = now;
    title.textContent = step.title;
    about.textContent = step.not ?? step.about;
    press.textContent = step.verb;
    press.setAttribute("aria-label", step.title);
    press.setAttribute("aria-disabled", visitor.busy || Boolean(step.not));
    const written = `${step.method} ${step.path}`;
    if (line.textContent !== written || code.dataset.form !== JSON.stringify(step.form)) {
      line.textContent = written;
      code.dataset.form = JSON.stringify(step.form);
      code.replaceChildren(command(curl(step)));
    }
    if (deed && !visitor.deeds.includes(deed)) deed = said.textContent = undefined;
    if (!deed || deed.status === undefined) return;
    said.dataset.tone = deed.problem ? "no" : "yes";
    said.textContent =
      deed.problem ??
      [`${deed.status} in ${duration(deed.took)}.`, ...deed.heard.map((heard) => announcement(deed.title, heard))].join(" ");
  }
  return { root, update };
}

/** What a backend is answered that asks the edge, once more after each change. */
function edgeCard(desk, visitor) {
  const status = tag("p", { class: "soft" });
  const { root: box, fill } = table("What the edge answers", [
    { title: "Feature", cell: ({ feature }) => element("code", "", feature) },
    { title: "Entitled", cell: ({ entitled }) => (entitled ? badge("yes", "yes") : badge("no", "none")) },
    { title: "Why", cell: ({ reason }) => REASONS[reason] ?? String(reason) },
    { title: "Version", className: "number", cell: ({ version }) => String(version ?? "–") },
    { title: "Served by", cell: ({ served_by }) => String(served_by) },
  ]);
  const root = element("section", "card", element("h2", "", "What the edge answers"), box, status);
  let asked;

  async function update({ customer, gate, deeds, busy }) {
    const state = `${customer} ${gate?.version} ${deeds.length}`;
    if (busy || state === asked) return;
    asked = state;
    const query = new URLSearchParams([["customer", customer], ...FEATURES.map(({ key }) => ["feature", key])]);
    if (gate?.version) query.set("at_least", gate.version);
    const { body, problem, took } = await desk.ask(`/v1/check?${query}`);
    if (asked !== state) return;
    status.textContent = problem ?? `GET /v1/check, ${FEATURES.length} features in ${duration(took)}`;
    if (!problem) fill(body.data);
  }
  return { root, update };
}

/** What was done, and what was heard of it. */
function deedCard() {
  const list = element("ol", "deeds");
  const root = element("section", "card", element("h2", "", "What happened"), list);

  function update({ deeds }) {
    root.hidden = deeds.length === 0;
    list.replaceChildren(
      ...deeds.map(({ title, request, at, status, took, problem, heard }) =>
        element(
          "li",
          "",
          element("strong", "", title),
          tag("time", { datetime: new Date(at).toISOString(), title: ago(at / 1000) }, new Date(at).toLocaleTimeString()),
          request &&
            element(
              "p",
              "soft",
              element("code", "", `${request.method} ${request.path}`),
              status === undefined ? "" : ` ${status} in ${duration(took ?? 0)}`,
            ),
          ...(problem ? [element("p", "soft", problem)] : []),
          ...heard.map((change) => element("p", "soft", `version ${change.version}: ${announcement(title, change)}`)),
        ),
      ),
    );
  }
  return { root, update };
}
