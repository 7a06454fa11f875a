// The panel "Feature matrix": which features each product of the catalog includes, with checkboxes that attach and detach them, and
// forms that create features and products.
//
// Stripe's products are not changed here: with Stripe as the source, the panel links to Stripe's guide.

import { latestOnly } from "../concurrency.js";
import { button, element, emptyState, keyRequired, notice, tag, textField } from "../elements.js";
import { withQuery } from "../form.js";

const FEATURES_PER_PAGE = 50; // Rows.
const PRODUCTS_PER_PAGE = 8; // Columns: each costs a request, and a wide screen shows this many.
const INCLUDED_PAGE_SIZE = 100;

/** @typedef {import("../session.js").Reply} Reply */
/** @typedef {import("../elements.js").Field<HTMLInputElement>} InputField */
/** @typedef {{ id: string, lookup_key: string, name: string }} Feature */
/** @typedef {{ id: string, name: string, included: Map<string, string> }} Product  `included` has the attachment's id by feature id. */

export default {
  id: "matrix",
  title: "Feature matrix",
  lead: "Which features each product includes. A checkbox attaches a feature. Existing subscribers get it at their next period, or immediately after “Apply now”.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const latest = latestOnly();
    const status = tag("p", { role: "status", id: "matrix-status", class: "muted" });
    const lookupKey = textField("matrix-key", "Lookup key", { placeholder: "sms" });
    const featureName = textField("matrix-feature-name", "Name", { placeholder: "Text messages" });
    const productName = textField("matrix-product-name", "Name", { placeholder: "Pro" });
    const productId = textField("matrix-product-id", "Id", { placeholder: "generated" });
    const addFeature = addForm("Add a feature", "Add feature", [lookupKey, featureName], async () => {
      const reply = await session.request("/v1/entitlements/features", {
        method: "POST",
        form: { lookup_key: lookupKey.input.value.trim(), name: featureName.input.value.trim() || lookupKey.input.value.trim() },
      });
      const created = `Feature ${reply.body.lookup_key} created.`;
      return showAdded(reply, { lookup_key: lookupKey, name: featureName }, lookupKey, created);
    });
    const addProduct = addForm("Add a product", "Add product", [productName, productId], async () => {
      const reply = await session.request("/v1/products", {
        method: "POST",
        form: { name: productName.input.value.trim(), id: productId.input.value.trim() || undefined },
      });
      return showAdded(reply, { name: productName, id: productId }, productName, `Product ${reply.body.name} created.`);
    });
    const content = element("div", "");
    const featurePager = createPager("features");
    const productPager = createPager("products");
    const pagers = element("div", "pager", featurePager.root, productPager.root);
    const addForms = element("div", "cards two-columns", addFeature, addProduct);
    root.append(status, content, pagers, addForms);

    /** @type {Feature[]} */
    let features = [];
    /** @type {Product[]} */
    let products = [];

    /**
     * Creates buttons that page through the rows or the columns.
     *
     * @param {string} plural
     */
    function createPager(plural) {
      /** @type {string[]} */
      let cursors = [];
      /** @type {string} */
      let lastId;
      const openPage = (/** @type {string[]} */ pageCursors) => {
        cursors = pageCursors;
        load();
      };
      const previous = button(`Previous ${plural}`, () => openPage(cursors.slice(0, -1)));
      const next = button(`Next ${plural}`, () => openPage([...cursors, lastId]));
      const pagerRoot = element("span", "actions", previous, next);
      return {
        root: pagerRoot,
        /** The parameters of the current page. */
        params: (/** @type {number} */ limit) => ({ limit, starting_after: cursors.at(-1) }),
        /** Updates the buttons after the page was loaded. */
        update(/** @type {{ data: { id: string }[], has_more: boolean }} */ list) {
          lastId = list.data.at(-1)?.id ?? lastId;
          previous.disabled = !cursors.length;
          next.disabled = list.has_more !== true;
          pagerRoot.hidden = previous.disabled && next.disabled;
        },
        reset() {
          cursors = [];
        },
      };
    }

    async function load() {
      const signal = latest.signal("load");
      if (!session.source) await session.fetchHealth();
      const editable = Boolean(session.key) && session.source === "catalog";
      pagers.hidden = !editable;
      addForms.hidden = !editable;
      if (!session.key) return content.replaceChildren(keyRequired("The catalog requires a key."));
      if (session.source !== "catalog") {
        return content.replaceChildren(
          emptyState(
            "This panel requires the catalog",
            "With Stripe as the source, attach features to products in Stripe’s dashboard or with its API. With ENTGATE_SOURCE=catalog, attach them here.",
            tag("a", { class: "button", href: "https://docs.stripe.com/billing/entitlements", rel: "noreferrer" }, "Stripe’s guide"),
          ),
        );
      }
      const [featureReply, productReply] = await Promise.all([
        session.request(withQuery("/v1/entitlements/features", featurePager.params(FEATURES_PER_PAGE)), { signal }),
        session.request(withQuery("/v1/products", { active: true, ...productPager.params(PRODUCTS_PER_PAGE) }), { signal }),
      ]);
      const problem = featureReply.problem ?? productReply.problem;
      if (signal.aborted) return;
      if (problem) return content.replaceChildren(notice(problem, "danger"));
      /** @type {Product[]} */
      const loadedProducts = await Promise.all(
        productReply.body.data.map(async (/** @type {{ id: string, name: string }} */ product) => ({
          ...product,
          included: await includedFeatures(product.id, signal),
        })),
      );
      if (signal.aborted) return;
      features = featureReply.body.data;
      products = loadedProducts;
      featurePager.update(featureReply.body);
      productPager.update(productReply.body);
      pagers.hidden = featurePager.root.hidden && productPager.root.hidden;
      draw();
    }

    /**
     * Lists the features that a product includes: the attachment's id by feature id.
     *
     * @param {string} id
     * @param {AbortSignal} signal
     * @returns {Promise<Map<string, string>>}
     */
    async function includedFeatures(id, signal) {
      const included = new Map();
      for (let lastId; ; ) {
        const path = withQuery(`/v1/products/${encodeURIComponent(id)}/features`, { limit: INCLUDED_PAGE_SIZE, starting_after: lastId });
        const { body } = await session.request(path, { signal });
        for (const { id: attachment, entitlement_feature: feature } of body.data ?? []) included.set(feature.id, attachment);
        lastId = body.data?.at(-1)?.id;
        if (body.has_more !== true || !lastId) return included;
      }
    }

    function draw() {
      if (!features.length && !products.length) {
        content.replaceChildren(
          emptyState(
            "No features or products yet",
            "Add a feature with a lookup key that your code checks, and a product that includes it.",
            button("Add a feature", () => lookupKey.input.focus(), "primary"),
          ),
        );
        return;
      }
      const head = element("tr", "", tag("th", { scope: "col", class: "corner" }, "Feature"), ...products.map(columnHeader));
      const body = element(
        "tbody",
        "",
        ...features.map((feature, row) =>
          element(
            "tr",
            "",
            tag("th", { scope: "row" }, element("code", "", feature.lookup_key), element("span", "muted", feature.name)),
            ...products.map((product, column) => element("td", "", checkboxCell(feature, product, row === 0 && column === 0 ? "0" : "-1"))),
          ),
        ),
      );
      if (!features.length)
        body.append(element("tr", "", tag("td", { colspan: products.length + 1, class: "muted" }, "No features yet. Add one below.")));
      const box = tag(
        "div",
        { class: "table matrix", role: "region", "aria-label": "Features and products", tabindex: "0" },
        element(
          "table",
          "",
          element("caption", "visually-hidden", "Features by product. The arrow keys move between the checkboxes."),
          element("thead", "", head),
          body,
        ),
      );
      box.addEventListener("keydown", moveFocus);
      content.replaceChildren(box);
    }

    /** @param {Product} product */
    function columnHeader(product) {
      const apply = button("Apply now", () => applyFeatures(product), "small plain");
      apply.title = "Grants the current features to every subscriber of the product";
      apply.setAttribute("aria-label", `Apply now: ${product.name}`);
      return tag("th", { scope: "col" }, element("span", "product", product.name), element("code", "", product.id), apply);
    }

    /**
     * A checkbox. Only one per table is a tab stop; the arrow keys reach the others.
     *
     * @param {Feature} feature
     * @param {Product} product
     * @param {"0" | "-1"} tabindex
     */
    function checkboxCell(feature, product, tabindex) {
      const checkbox = tag("input", { type: "checkbox", tabindex, "aria-label": `${feature.lookup_key} in ${product.name}` });
      checkbox.checked = product.included.has(feature.id);
      checkbox.addEventListener("change", () => toggleFeature(feature, product, checkbox));
      return element("label", "checkbox-cell", checkbox);
    }

    /** @param {KeyboardEvent} event */
    function moveFocus(event) {
      /** @type {Record<string, [down: number, right: number]>} */
      const directions = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] };
      const direction = directions[event.key];
      const checkbox = event.target;
      if (!direction || !(checkbox instanceof HTMLInputElement) || checkbox.type !== "checkbox") return;
      const [down, right] = direction;
      const row = checkbox.closest("tr");
      const cell = checkbox.closest("td");
      const tableBody = row?.closest("tbody");
      if (!row || !cell || !tableBody) return;
      const next = tableBody.rows[row.sectionRowIndex + down]?.cells[cell.cellIndex + right]?.querySelector("input");
      if (!next) return;
      event.preventDefault();
      checkbox.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }

    /**
     * Attaches or detaches a feature. If the request fails, the checkbox is reset.
     *
     * @param {Feature} feature
     * @param {Product} product
     * @param {HTMLInputElement} checkbox
     */
    async function toggleFeature(feature, product, checkbox) {
      const attachment = product.included.get(feature.id);
      const path = `/v1/products/${encodeURIComponent(product.id)}/features`;
      checkbox.disabled = true;
      const reply = attachment
        ? await session.request(`${path}/${encodeURIComponent(attachment)}`, { method: "DELETE" })
        : await session.request(path, { method: "POST", form: { entitlement_feature: feature.id } });
      checkbox.disabled = false;
      checkbox.focus();
      if (reply.problem) {
        checkbox.checked = Boolean(attachment);
        status.textContent = reply.problem;
        return;
      }
      if (attachment) product.included.delete(feature.id);
      else product.included.set(feature.id, reply.body.id);
      status.textContent = attachment
        ? `${feature.lookup_key} detached from ${product.name}. Subscribers keep it until their next period, or until “Apply now”.`
        : `${feature.lookup_key} attached to ${product.name}. Subscribers get it at their next period, or after “Apply now”.`;
    }

    /** @param {Product} product */
    async function applyFeatures(product) {
      status.textContent = `Applying ${product.name}…`;
      const reply = await session.request(`/v1/products/${encodeURIComponent(product.id)}/features/apply`, { method: "POST", form: {} });
      status.textContent = reply.problem ?? `Every subscriber of ${product.name} now has its current features.`;
    }

    /**
     * A card with a form. `submit` returns whether the object was created.
     *
     * @param {string} title
     * @param {string} label
     * @param {InputField[]} fields
     * @param {() => Promise<boolean>} submit
     */
    function addForm(title, label, fields, submit) {
      const form = tag(
        "form",
        { class: "card add-form", novalidate: true },
        element("h2", "", title),
        element("div", "fields", ...fields.map(({ root: fieldRoot }) => fieldRoot)),
        tag("button", { type: "submit" }, label),
      );
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        for (const field of fields) field.setError();
        if (await submit()) form.reset();
      });
      return form;
    }

    /**
     * Shows the created object, or the problem at the field that it is about.
     *
     * @param {Reply} reply
     * @param {Record<string, InputField>} fieldsByParam
     * @param {InputField} defaultField
     * @param {string} success
     */
    async function showAdded(reply, fieldsByParam, defaultField, success) {
      if (reply.problem) {
        (fieldsByParam[reply.field ?? ""] ?? defaultField).setError(reply.problem);
        return false;
      }
      featurePager.reset();
      productPager.reset();
      await load();
      status.textContent = success;
      return true;
    }

    session.onKeyChange(() => {
      featurePager.reset();
      productPager.reset();
      if (!root.closest("section")?.hidden) load();
    });
    return { show: load, hide: latest.abortAll };
  },
};
