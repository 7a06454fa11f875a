// A small shop whose parts are gated live by the npm package: a purchase opens them by the stream, and nothing is loaded again.

import { button, command, element, field, keyless, notice } from "../elements.js";
import { deaf } from "../shop/webhook-check.js";
import { entrance, storefront } from "../shop/storefront.js";
import { visitorOf } from "../shop/demo-customer.js";

const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

export default {
  id: "shop",
  title: "Shop",
  lead: "A page as yours may be. The npm package says which of its parts are open, and hears by a stream when that changes.",
  mount(root, desk) {
    const visitor = visitorOf(desk);
    const front = storefront({ plans: true, tells: true });
    const plain = storefront({ plans: false, tells: true });
    const who = field("shop-customer", "Customer", { placeholder: "cus_…", hint: "Stripe’s customer id." });
    const form = element(
      "form",
      "tools",
      who.root,
      button("Open the shop", () => form.requestSubmit(), "primary"),
    );
    const foot = element(
      "div",
      "shop-foot",
      element(
        "p",
        "soft",
        "Every purchase goes through the catalog, as it would through Stripe: an event is signed, sent to this Worker, and heard here.",
      ),
      button("Somebody new", () => attempt(visitor.arrive), "small"),
    );
    const warned = element("div", "shop-said");
    const said = element("div", "shop-said");
    const body = element("div", "shop-body");
    root.append(warned, said, body);
    let shown = false;
    let looked = false;

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const customer = who.input.value.trim();
      who.complain(customer ? undefined : "Whose shop is it to be?");
      if (customer) attempt(() => visitor.come(customer));
    });

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
      if (!desk.key) body.replaceChildren(keyless("The shop’s own backend makes tokens with one."));
      else if (desk.source === "stripe") stripe();
      else if (desk.source === "catalog") catalog();
    }

    function stripe() {
      const { customer } = visitor;
      if (customer) plain.update(visitor);
      const hint = element(
        "div",
        "card",
        element("h2", "", "Let something happen"),
        element(
          "p",
          "soft",
          local
            ? "Events come from Stripe. Here you can be Stripe, and see the parts open and close:"
            : "Sell this customer something at Stripe: what it includes opens here as soon as its event arrives.",
        ),
        local &&
          command(
            `node scripts/send-event.mjs ${customer ?? "cus_ada"} sms export${location.port && location.port !== "8787" ? ` --port ${location.port}` : ""}`,
          ),
      );
      keep([form, ...(customer ? [plain.root] : []), hint]);
    }

    function catalog() {
      if (!looked) {
        looked = true;
        attempt(async () => {
          await visitor.look();
          warned.replaceChildren(...(await deaf(desk)));
        });
      }
      const [last] = visitor.deeds;
      if (last?.problem) said.replaceChildren(notice(last.problem, "no"));
      if (visitor.customer && visitor.stock) {
        front.update(visitor);
        keep([front.root, foot]);
      } else if (!visitor.busy) {
        const text = visitor.stock
          ? "Its two plans are in the catalog. Somebody new comes in: a customer of the catalog, who has bought nothing yet."
          : "Two plans, four features and a customer are put into the catalog. Nothing else there is touched.";
        const real = desk.mode === "live" ? " The key is a live one: what is done here is real." : "";
        body.replaceChildren(
          entrance({ title: "The shop is closed", text: text + real, label: "Open the shop", enter: () => attempt(open) }),
        );
      } else {
        body.replaceChildren(element("p", "soft", "One moment…"));
      }
    }

    /** Puts on the page what is not there; what is stays, with the focus in it. */
    function keep(parts) {
      if (parts.every((part, at) => body.children[at] === part) && body.children.length === parts.length) return;
      body.replaceChildren(...parts);
    }

    async function open() {
      await visitor.furnish();
      await visitor.arrive();
    }

    visitor.on(update);
    desk.onHealth(update);
    desk.onKey(() => {
      looked = false;
      update();
    });
    return {
      show(params) {
        shown = true;
        const customer = params.get("customer");
        if (customer) who.input.value = customer;
        update();
      },
      hide() {
        shown = false;
      },
    };
  },
};
