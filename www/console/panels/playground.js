// The panel "Playground": the subscription lifecycle of a catalog customer as buttons. Each shows its request as curl and its result; next
// to them are the demo shop, the checks at the edge and the log of actions.

import { curlCommand } from "../curl.js";
import { relativeTime } from "../dates.js";
import { badge, button, command, element, emptyState, identifier, keyRequired, notice, table, tag, textField, time } from "../elements.js";
import { labelReason } from "../reasons.js";
import { demoCustomerOf } from "../shop/demo-customer.js";
import { FEATURES } from "../shop/demo-products.js";
import { planActions, planOf } from "../shop/plan-actions.js";
import { createStorefront, describeChange, formatDuration, startCard } from "../shop/storefront.js";

/** @typedef {import("../session.js").Session} Session */
/** @typedef {import("../shop/demo-customer.js").DemoCustomer} DemoCustomer */
/** @typedef {import("../shop/storefront.js").View} View */

export default {
  id: "playground",
  title: "Playground",
  lead: "Step through the lifecycle of a subscription. Each button sends one request of Stripe’s API to the catalog.",

  /**
   * @param {HTMLElement} root
   * @param {Session} session
   */
  mount(root, session) {
    const demo = demoCustomerOf(session);
    const views = {
      customer: customerCard(demo, run),
      actions: actionsCard(demo),
      shop: createStorefront({ plans: false, announcements: false }),
      checks: checksCard(session),
      log: actionLogCard(),
    };
    const message = element("div", "shop-message");
    const playground = element(
      "div",
      "playground",
      element("div", "", views.customer.root, views.actions.root),
      element("div", "playground-side", views.shop.root, views.checks.root, views.log.root),
    );
    const body = element("div", "shop-body");
    root.append(message, body);
    let visible = false;
    let loaded = false;

    /**
     * Runs an operation, and shows its error.
     *
     * @param {() => Promise<void>} operation
     */
    async function run(operation) {
      message.replaceChildren();
      try {
        await operation();
      } catch (error) {
        message.replaceChildren(notice(error.message, "danger"));
      }
      update();
    }

    function update() {
      if (!visible) return;
      if (!session.key) {
        body.replaceChildren(keyRequired("The catalog requires a key."));
        return;
      }
      if (session.source === "stripe") {
        body.replaceChildren(
          emptyState(
            "The playground requires the catalog",
            "The source of this Worker is Stripe, whose customers the playground cannot change. Set ENTGATE_SOURCE to catalog, as make dev does, to use the built-in catalog.",
            button("Open demo shop", () => session.navigate("shop")),
          ),
        );
        return;
      }
      if (session.source !== "catalog") {
        if (session.health?.body.status) body.replaceChildren(keyRequired("The catalog requires a secret key (sk_…) of this Worker."));
        return;
      }
      if (!loaded) {
        loaded = true;
        run(() => demo.loadProducts());
      }
      if (demo.customer && demo.products) {
        for (const view of Object.values(views)) view.update(demo);
        if (body.firstChild !== playground) body.replaceChildren(playground);
      } else if (!demo.busy) {
        body.replaceChildren(startPlayground());
      } else body.replaceChildren(element("p", "muted", "Loading…"));
    }

    function startPlayground() {
      const customer =
        session.mode === "live" ? "a customer. This is a live key: every change is permanent." : "a customer with a test clock.";
      return startCard({
        title: "No customer yet",
        text: `This creates two plans and four features in the catalog, if they do not exist, and ${customer}`,
        label: "Start",
        start: () =>
          run(async () => {
            await demo.seed();
            await demo.createCustomer();
          }),
      });
    }

    demo.onChange(update);
    session.onHealth(update);
    session.onKeyChange(() => {
      loaded = false;
      update();
    });
    return {
      show() {
        visible = true;
        update();
      },
      hide() {
        visible = false;
      },
    };
  },
};

/**
 * The customer with its subscription and time, and a form that selects another customer.
 *
 * @param {DemoCustomer} demo
 * @param {(operation: () => Promise<void>) => Promise<void>} run
 * @returns {View}
 */
function customerCard(demo, run) {
  const summary = element("dl", "customer-summary");
  const otherCustomer = textField("playground-customer", "Customer", { placeholder: "cus_…" });
  const form = element(
    "form",
    "toolbar",
    otherCustomer.root,
    button("Load", () => form.requestSubmit(), "small"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const customer = otherCustomer.input.value.trim();
    if (customer) run(() => demo.loadCustomer(customer));
  });
  const root = element(
    "section",
    "card",
    element(
      "div",
      "card-header",
      element("h2", "", "Customer"),
      button("New customer", () => run(demo.createCustomer), "small"),
    ),
    summary,
    tag("details", { class: "other-customer" }, element("summary", "", "Load customer"), form),
  );

  /** @param {DemoCustomer} current */
  function update({ customer = "", clock, subscription }) {
    const plan = planOf(subscription);
    const periodEnd = subscription?.items.data[0]?.current_period_end;
    const row = (/** @type {string} */ term, /** @type {import("../elements.js").Child} */ value) =>
      element("div", "", element("dt", "", term), element("dd", "", value));
    const status = subscription?.status ?? "";
    summary.replaceChildren(
      row("Id", identifier(customer)),
      row(
        "Subscription",
        subscription ? element("span", "", `${plan?.name} `, badge(status, status === "active" ? "success" : "warning")) : "none",
      ),
      ...(subscription ? [row(subscription.cancel_at_period_end ? "Ends" : "Renews", time(periodEnd))] : []),
      row("Time", clock ? element("span", "", time(clock.frozen_time), " ", badge("test clock", "info")) : "real time"),
    );
  }
  return { root, update };
}

/**
 * The available actions, in groups.
 *
 * @param {DemoCustomer} demo
 * @returns {View}
 */
function actionsCard(demo) {
  const groups = planActions(demo).map(([title, actions]) => ({ title, rows: actions.map(() => actionRow(demo)) }));
  const root = element(
    "section",
    "card",
    element("h2", "", "Actions"),
    element("div", "plan-actions", ...groups.flatMap(({ title, rows }) => [element("h3", "", title), ...rows.map((row) => row.root)])),
  );

  function update() {
    const current = new Map(planActions(demo));
    for (const { title, rows } of groups) {
      const actions = current.get(title) ?? [];
      rows.forEach((row, at) => {
        row.update(actions[at]);
      });
    }
  }
  return { root, update };
}

/**
 * One action: its button, its request and its result.
 *
 * @param {DemoCustomer} demo
 */
function actionRow(demo) {
  const title = element("h4");
  const description = element("p", "muted");
  const result = tag("p", { class: "plan-action-result", role: "status" });
  const requestLine = element("summary");
  const requestCode = element("div");
  const press = tag("button", { type: "button", class: "small" });
  const root = element(
    "div",
    "plan-action",
    element("div", "plan-action-header", element("div", "", title, description), press),
    tag("details", {}, requestLine, requestCode),
    result,
  );
  /** @type {import("../shop/plan-actions.js").PlanAction} */
  let action;
  /** @type {import("../shop/demo-customer.js").RunAction | undefined} */
  let lastRun;

  press.addEventListener("click", async (event) => {
    if (demo.busy || action.unavailable) return;
    result.dataset.tone = "";
    result.textContent = "Sending…";
    const running = demo.runAction(action, event.timeStamp);
    [lastRun] = demo.actions;
    await running;
  });

  /** @param {import("../shop/plan-actions.js").PlanAction} current */
  function update(current) {
    action = current;
    title.textContent = action.title;
    description.textContent = action.unavailable ?? action.description ?? "";
    press.textContent = action.verb;
    press.setAttribute("aria-label", action.title);
    press.setAttribute("aria-disabled", String(demo.busy || Boolean(action.unavailable)));
    const line = `${action.method} ${action.path}`;
    const form = JSON.stringify(action.form) ?? "";
    if (requestLine.textContent !== line || requestCode.dataset.form !== form) {
      requestLine.textContent = line;
      requestCode.dataset.form = form;
      requestCode.replaceChildren(command(curlCommand(action)));
    }
    if (lastRun && !demo.actions.includes(lastRun)) {
      lastRun = undefined;
      result.textContent = "";
    }
    if (lastRun?.status === undefined) return;
    const { title: runTitle, status, durationMs = 0, problem, changes } = lastRun;
    result.dataset.tone = problem ? "danger" : "success";
    result.textContent =
      problem ?? [`${status} in ${formatDuration(durationMs)}.`, ...changes.map((change) => describeChange(runTitle, change))].join(" ");
  }
  return { root, update };
}

/**
 * The checks of the demo shop's features, repeated after each change.
 *
 * @param {Session} session
 * @returns {View}
 */
function checksCard(session) {
  const status = tag("p", { class: "muted" });
  const { root: tableRoot, fill } = table("Checks at the edge", [
    { title: "Feature", cell: ({ feature }) => element("code", "", feature) },
    { title: "Entitled", cell: ({ entitled }) => (entitled ? badge("yes", "success") : badge("no")) },
    { title: "Reason", cell: ({ reason }) => labelReason(String(reason)).label },
    { title: "Version", className: "number", cell: ({ version }) => String(version ?? "–") },
    { title: "Served by", cell: ({ served_by }) => String(served_by) },
  ]);
  const root = element("section", "card", element("h2", "", "Checks at the edge"), tableRoot, status);
  /** @type {string | undefined} */
  let checkedState;

  /** @param {DemoCustomer} demo */
  async function update({ customer = "", gate, actions, busy }) {
    const state = `${customer} ${gate?.version} ${actions.length}`;
    if (busy || state === checkedState) return;
    checkedState = state;
    const query = new URLSearchParams([["customer", customer], ...FEATURES.map(({ key }) => ["feature", key])]);
    if (gate?.version) query.set("at_least", String(gate.version));
    const { body, problem, durationMs = 0 } = await session.request(`/v1/check?${query}`);
    if (checkedState !== state) return;
    status.textContent = problem ?? `GET /v1/check, ${FEATURES.length} features in ${formatDuration(durationMs)}`;
    if (!problem) fill(body.data);
  }
  return { root, update };
}

/**
 * The actions that were run, with the entitlement changes after each.
 *
 * @returns {View}
 */
function actionLogCard() {
  const list = element("ol", "action-log");
  const root = element("section", "card", element("h2", "", "Action log"), list);

  /** @param {DemoCustomer} demo */
  function update({ actions }) {
    root.hidden = actions.length === 0;
    list.replaceChildren(
      ...actions.map(({ title, request, at, status, durationMs, problem, changes }) =>
        element(
          "li",
          "",
          element("strong", "", title),
          tag("time", { datetime: new Date(at).toISOString(), title: relativeTime(at / 1000) }, new Date(at).toLocaleTimeString()),
          request &&
            element(
              "p",
              "muted",
              element("code", "", `${request.method} ${request.path}`),
              status === undefined ? "" : ` ${status} in ${formatDuration(durationMs ?? 0)}`,
            ),
          problem ? element("p", "muted", problem) : null,
          ...changes.map((change) => element("p", "muted", `version ${change.version}: ${describeChange(title, change)}`)),
        ),
      ),
    );
  }
  return { root, update };
}
