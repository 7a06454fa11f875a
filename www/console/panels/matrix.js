// Features × products: what each product of the catalog includes, to be ticked.

import { turns } from "../session.js";
import { button, element, empty, field, keyless, notice, tag } from "../elements.js";

const FEATURES = 50; // Rows of a page.
const PRODUCTS = 8; // Columns of a page: each is a request, and as many as a wide screen shows.
const LIST_LIMIT = 100;

export default {
  id: "matrix",
  title: "Matrix",
  lead: "What each product includes. A tick attaches a feature: those who have subscribed already get it at their next period, or at once if you apply it.",

  mount(root, desk) {
    const turn = turns();
    const status = tag("p", { role: "status", id: "matrix-status", class: "soft" });
    const key = field("matrix-key", "Lookup key", { placeholder: "sms" });
    const featureName = field("matrix-feature-name", "Name", { placeholder: "Text messages" });
    const productName = field("matrix-product-name", "Name", { placeholder: "Pro" });
    const productId = field("matrix-product-id", "Id", { placeholder: "made for you" });
    const addFeature = adder("Add a feature", "Feature", [key, featureName], async () => {
      const reply = await desk.ask("/v1/entitlements/features", {
        method: "POST",
        form: { lookup_key: key.input.value.trim(), name: featureName.input.value.trim() || key.input.value.trim() },
      });
      return added(reply, { lookup_key: key, name: featureName }, key, `The feature ${reply.body.lookup_key} is there.`);
    });
    const addProduct = adder("Add a product", "Product", [productName, productId], async () => {
      const reply = await desk.ask("/v1/products", {
        method: "POST",
        form: { name: productName.input.value.trim(), id: productId.input.value.trim() || undefined },
      });
      return added(reply, { name: productName, id: productId }, productName, `The product ${reply.body.name} is there.`);
    });
    const place = element("div", "");
    const rowPager = pager("features");
    const columnPager = pager("products");
    const pagers = element("div", "pager", rowPager.root, columnPager.root);
    const adders = element("div", "cards halves", addFeature, addProduct);
    root.append(status, place, pagers, adders);

    let features = [];
    let products = [];

    /** Buttons that page through one side of the table. */
    function pager(what) {
      const state = { cursors: [], last: undefined, more: false };
      const back = button(`Previous ${what}`, () => turnTo(state.cursors.slice(0, -1)));
      const next = button(`Next ${what}`, () => turnTo([...state.cursors, state.last]));
      const turnTo = (cursors) => {
        state.cursors = cursors;
        load();
      };
      return {
        root: element("span", "actions", back, next),
        query: (limit) => new URLSearchParams({ limit, ...(state.cursors.length && { starting_after: state.cursors.at(-1) }) }),
        settle(list) {
          state.last = list.data.at(-1)?.id;
          back.disabled = !state.cursors.length;
          next.disabled = list.has_more !== true;
          this.root.hidden = back.disabled && next.disabled;
        },
        reset: () => {
          state.cursors = [];
        },
      };
    }

    async function load() {
      const signal = turn("load");
      if (!desk.source) await desk.examine();
      pagers.hidden = adders.hidden = !desk.key || desk.source !== "catalog";
      if (!desk.key) return place.replaceChildren(keyless("The catalog is changed with it."));
      if (desk.source !== "catalog") {
        return place.replaceChildren(
          empty(
            "This is for the catalog",
            "With Stripe as the source, features are attached to products in Stripe’s dashboard or by its API. With ENTGATE_SOURCE=catalog it is done here.",
            tag("a", { class: "button", href: "https://docs.stripe.com/billing/entitlements", rel: "noreferrer" }, "Stripe’s guide"),
          ),
        );
      }
      const [rows, columns] = await Promise.all([
        desk.ask(`/v1/entitlements/features?${rowPager.query(FEATURES)}`, { signal }),
        desk.ask(`/v1/products?active=true&${columnPager.query(PRODUCTS)}`, { signal }),
      ]);
      const problem = rows.problem ?? columns.problem;
      if (signal.aborted) return;
      if (problem) return place.replaceChildren(notice(problem, "no"));
      const included = await Promise.all(columns.body.data.map((product) => includes(product, signal)));
      if (signal.aborted) return;
      features = rows.body.data;
      products = columns.body.data.map((product, at) => ({ ...product, included: included[at] }));
      rowPager.settle(rows.body);
      columnPager.settle(columns.body);
      pagers.hidden = rowPager.root.hidden && columnPager.root.hidden;
      draw();
    }

    /** What a product includes: the id of the attachment, by feature. */
    async function includes(product, signal) {
      const included = new Map();
      for (let last; ; ) {
        const query = new URLSearchParams({ limit: LIST_LIMIT, ...(last && { starting_after: last }) });
        const { body } = await desk.ask(`/v1/products/${encodeURIComponent(product.id)}/features?${query}`, { signal });
        for (const { id, entitlement_feature: feature } of body.data ?? []) included.set(feature.id, id);
        last = body.data?.at(-1)?.id;
        if (body.has_more !== true || !last) return included;
      }
    }

    function draw() {
      if (!features.length && !products.length) {
        place.replaceChildren(
          empty(
            "Nothing on sale yet",
            "Add a feature, which has a lookup key that your code asks about, and a product that includes it.",
            button("Add a feature", () => key.input.focus(), "primary"),
          ),
        );
        return;
      }
      const head = element("tr", "", tag("th", { scope: "col", class: "corner" }, "Feature"), ...products.map(column));
      const body = element(
        "tbody",
        "",
        ...features.map((feature, row) =>
          element(
            "tr",
            "",
            tag("th", { scope: "row" }, element("code", "", feature.lookup_key), element("span", "soft", feature.name)),
            ...products.map((product, at) => element("td", "", cell(feature, product, row === 0 && at === 0))),
          ),
        ),
      );
      if (!features.length)
        body.append(element("tr", "", tag("td", { colspan: products.length + 1, class: "soft" }, "No features yet: add one below.")));
      const box = tag(
        "div",
        { class: "table matrix", role: "region", "aria-label": "Features and products", tabindex: "0" },
        element(
          "table",
          "",
          element("caption", "unseen", "Which feature is in which product. Arrow keys move between the boxes."),
          element("thead", "", head),
          body,
        ),
      );
      box.addEventListener("keydown", step);
      place.replaceChildren(box);
    }

    function column(product) {
      const apply = button("Apply now", () => applyTo(product), "small plain");
      apply.title = "Gives everybody who has the product what it includes now";
      apply.setAttribute("aria-label", `Apply now: ${product.name}`);
      return tag("th", { scope: "col" }, element("span", "product", product.name), element("code", "", product.id), apply);
    }

    /** One box; a single one of the table is a stop of the Tab key, the arrows reach the others. */
    function cell(feature, product, stop) {
      const box = tag("input", { type: "checkbox", tabindex: stop ? "0" : "-1", "aria-label": `${feature.lookup_key} in ${product.name}` });
      box.checked = product.included.has(feature.id);
      box.addEventListener("change", () => change(feature, product, box));
      return element("label", "tick", box);
    }

    function step(event) {
      const [down, right] = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key] ?? [];
      if (down === undefined || event.target.type !== "checkbox") return;
      const line = event.target.closest("tr");
      const at = event.target.closest("td").cellIndex;
      const next = line.parentElement.rows[line.sectionRowIndex + down]?.cells[at + right]?.querySelector("input");
      if (!next) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }

    /** Attaches or detaches; where that fails the box goes back. */
    async function change(feature, product, box) {
      const attached = product.included.get(feature.id);
      const path = `/v1/products/${encodeURIComponent(product.id)}/features`;
      box.disabled = true;
      const reply = attached
        ? await desk.ask(`${path}/${encodeURIComponent(attached)}`, { method: "DELETE" })
        : await desk.ask(path, { method: "POST", form: { entitlement_feature: feature.id } });
      box.disabled = false;
      box.focus();
      if (reply.problem) {
        box.checked = Boolean(attached);
        status.textContent = reply.problem;
        return;
      }
      if (attached) product.included.delete(feature.id);
      else product.included.set(feature.id, reply.body.id);
      status.textContent = attached
        ? `${feature.lookup_key} is out of ${product.name}. Who has subscribed keeps it until the next period, or until you apply it.`
        : `${feature.lookup_key} is in ${product.name}. Who has subscribed gets it at the next period, or when you apply it.`;
    }

    async function applyTo(product) {
      status.textContent = `Applying ${product.name}…`;
      const reply = await desk.ask(`/v1/products/${encodeURIComponent(product.id)}/features/apply`, { method: "POST", form: {} });
      status.textContent = reply.problem ?? `Everybody who has ${product.name} has what it includes now.`;
    }

    /** A card with a form; `add` says whether it worked. */
    function adder(title, word, fields, add) {
      const form = tag(
        "form",
        { class: "card adder", novalidate: true },
        element("h2", "", title),
        element("div", "fields", ...fields.map(({ root: part }) => part)),
        tag("button", { type: "submit" }, `Add ${word.toLowerCase()}`),
      );
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        for (const each of fields) each.complain();
        if (await add()) form.reset();
      });
      return form;
    }

    /** Says what came of an addition, beside the field it is about. */
    async function added(reply, by, otherwise, sentence) {
      if (reply.problem) {
        (by[reply.field] ?? otherwise).complain(reply.problem);
        return false;
      }
      rowPager.reset();
      columnPager.reset();
      await load();
      status.textContent = sentence;
      return true;
    }

    desk.onKey(() => {
      rowPager.reset();
      columnPager.reset();
      if (!root.closest("section").hidden) load();
    });
    return { show: load, hide: turn.stop };
  },
};
