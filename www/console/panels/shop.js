// The panel "Demo shop": a page whose sections the npm package gates. A purchase unlocks them over the stream, without a reload.
//
// With the catalog as the source, the shop creates its own customer. With Stripe as the source, the operator names one.

import { quoted } from "../curl.js";
import { button, command, element, keyRequired, notice, textField } from "../elements.js";
import { isLocal, portOption } from "../local-worker.js";
import { demoCustomerOf } from "../shop/demo-customer.js";
import { createStorefront, startCard } from "../shop/storefront.js";

export default {
  id: "shop",
  title: "Demo shop",
  lead: "An example of your own page. The npm package gates its sections, and receives every change over a stream.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const demo = demoCustomerOf(session);
    const catalogShop = createStorefront({ plans: true, announcements: true });
    const stripeShop = createStorefront({ plans: false, announcements: true });
    const customer = textField("shop-customer", "Customer", { placeholder: "cus_…", hint: "Stripe’s customer id." });
    const form = element(
      "form",
      "toolbar",
      customer.root,
      button("Open shop", () => form.requestSubmit(), "primary"),
    );
    const footer = element(
      "div",
      "shop-footer",
      element("p", "muted", "The catalog sends each purchase to the ledger of the customer, which updates this page."),
      button("New customer", () => run(demo.createCustomer), "small"),
    );
    const message = element("div", "shop-message");
    const body = element("div", "shop-body");
    root.append(message, body);
    let visible = false;
    let loaded = false;

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const id = customer.input.value.trim();
      customer.setError(id ? undefined : "Enter a customer id.");
      if (id) run(() => demo.loadCustomer(id));
    });

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
      if (!session.key) body.replaceChildren(keyRequired("The shop creates customer tokens with it."));
      else if (session.source === "stripe") showStripeShop();
      else if (session.source === "catalog") showCatalogShop();
      else if (session.health?.body.status) body.replaceChildren(keyRequired("The shop requires a secret key (sk_…) of this Worker."));
    }

    function showStripeShop() {
      const id = demo.customer;
      if (id) stripeShop.update(demo);
      const sendEvent = ["node scripts/send-event.mjs", quoted(id ?? "cus_ada"), "sms export", portOption].filter(Boolean).join(" ");
      const hint = element(
        "div",
        "card",
        element("h2", "", "Trigger a change"),
        element(
          "p",
          "muted",
          isLocal
            ? "The source is Stripe. On this machine, this script sends an event in place of Stripe, and the sections unlock and lock:"
            : "Create a subscription for this customer in Stripe. Its features unlock here as soon as the event arrives.",
        ),
        isLocal && command(sendEvent),
      );
      showParts([form, ...(id ? [stripeShop.root] : []), hint]);
    }

    function showCatalogShop() {
      if (!loaded) {
        loaded = true;
        run(() => demo.loadProducts());
      }
      const [lastAction] = demo.actions;
      if (lastAction?.problem) message.replaceChildren(notice(lastAction.problem, "danger"));
      if (demo.customer && demo.products) {
        catalogShop.update(demo);
        showParts([catalogShop.root, footer]);
      } else if (!demo.busy) {
        const text = demo.products
          ? "The two plans exist in the catalog. This creates a customer without a subscription."
          : "This creates two plans, four features and a customer in the catalog. Other objects are not changed.";
        const liveWarning = session.mode === "live" ? " This is a live key: every change is permanent." : "";
        body.replaceChildren(
          startCard({ title: "No customer yet", text: text + liveWarning, label: "Open shop", start: () => run(openShop) }),
        );
      } else {
        body.replaceChildren(element("p", "muted", "Loading…"));
      }
    }

    /**
     * Sets the parts of the page only if they differ, so that the focused element keeps the focus.
     *
     * @param {HTMLElement[]} parts
     */
    function showParts(parts) {
      if (parts.every((part, at) => body.children[at] === part) && body.children.length === parts.length) return;
      body.replaceChildren(...parts);
    }

    async function openShop() {
      await demo.seed();
      await demo.createCustomer();
    }

    demo.onChange(update);
    session.onHealth(update);
    session.onKeyChange(() => {
      loaded = false;
      update();
    });
    return {
      /** @param {URLSearchParams} params */
      show(params) {
        visible = true;
        const id = params.get("customer");
        if (id) customer.input.value = id;
        update();
      },
      hide() {
        visible = false;
      },
    };
  },
};
