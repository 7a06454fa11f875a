// The panel "Customers": a list of customers with search and pagination, and the detail view of one customer.
//
// Customers come from the catalog if it is the source, otherwise from `/v1/sync_status`, which lists the customers known to the Worker.

import { latestOnly } from "../concurrency.js";
import { button, element, emptyState, field, keyRequired, notice, table, tag, textField, time } from "../elements.js";
import { withQuery } from "../form.js";
import { problemBadges, SELECTIONS } from "../sync-status.js";
import { createCustomerDetail } from "./customers/customer-detail.js";

const PAGE_SIZE = 25;

export default {
  id: "customers",
  title: "Customers",
  lead: "Find a customer, and see what they may use.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const latest = latestOnly();
    const search = textField("customers-search", "Search", { placeholder: "cus_…" });
    const selection = field(
      "customers-show",
      "Show",
      tag(
        "select",
        {},
        tag("option", { value: "" }, "All customers"),
        tag("option", { value: "attention" }, "Needs attention"),
        tag("option", { value: "ending" }, "Overrides ending soon"),
      ),
    );
    const form = tag(
      "form",
      { class: "toolbar", role: "search", novalidate: true },
      search.root,
      tag("button", { type: "submit" }, "Search"),
      selection.root,
    );
    const status = tag("p", { role: "status", class: "visually-hidden" });
    const content = element("div", "");
    const previous = button("Previous", () => load(cursors.slice(0, -1)));
    const next = button("Next", () => load([...cursors, lastCursor]));
    const pager = element("div", "pager", previous, next);
    const list = element("div", "", form, status, content, pager);
    const detail = createCustomerDetail(session);
    root.append(list, detail.root);

    /** @type {string[]} */
    let cursors = []; // Of the pages before the current one, and of the current one.
    /** @type {string} */
    let lastCursor;
    let loadedKey = "";

    const syncStatusTable = table("Customers", [
      { title: "Customer", cell: ({ id }) => customerLink(id) },
      { title: "Last confirmed", cell: ({ confirmed_at }) => time(confirmed_at) },
      { title: "Problem", cell: problemBadges },
      { title: "Problem since", cell: ({ problem_since }) => (problem_since ? time(problem_since) : "–") },
      { title: "Next override end", cell: ({ next_override_end: end }) => (end ? time(end) : "–") },
    ]).stacked();
    const catalogTable = table("Customers", [
      { title: "Customer", cell: ({ id }) => customerLink(id) },
      {
        title: "Name",
        cell: ({ name, email }) =>
          element(
            "span",
            "",
            name ?? "",
            name && email ? " " : "",
            email ? element("span", "muted", email) : "",
            !name && !email ? "–" : "",
          ),
      },
      { title: "Test clock", cell: ({ test_clock }) => (test_clock ? element("code", "", test_clock) : "–") },
      { title: "Created", cell: ({ created }) => time(created) },
    ]).stacked();

    /**
     * Requests a page of customers. Returns the reply, the table for it, and the search text.
     *
     * @param {string | undefined} cursor
     * @param {AbortSignal} signal
     */
    async function requestPage(cursor, signal) {
      const text = search.input.value.trim();
      const page = { limit: PAGE_SIZE, starting_after: cursor };
      const selected = SELECTIONS[/** @type {keyof typeof SELECTIONS} */ (selection.input.value)];
      const inCatalog = session.source === "catalog" && !selected && (!text || text.includes("@"));
      const path = inCatalog
        ? withQuery("/v1/customers", { ...page, email: text || undefined })
        : withQuery("/v1/sync_status", { ...page, ...selected?.(), prefix: text || undefined });
      return { reply: await session.request(path, { signal }), rowsTable: inCatalog ? catalogTable : syncStatusTable, text };
    }

    /** @param {string[]} [pageCursors] */
    async function load(pageCursors = []) {
      const signal = latest.signal("list");
      if (!session.key) {
        content.replaceChildren(keyRequired("The customer list requires a key."));
        pager.hidden = true;
        return;
      }
      if (!session.source) await session.fetchHealth();
      const { reply, rowsTable, text } = await requestPage(pageCursors.at(-1), signal);
      if (signal.aborted) return;
      loadedKey = session.key;
      const rows = reply.body.data ?? [];
      if (reply.problem) content.replaceChildren(notice(reply.problem, "danger"));
      else if (rows.length) {
        rowsTable.fill(rows);
        content.replaceChildren(rowsTable.root);
      } else content.replaceChildren(noCustomers(text));
      status.textContent = reply.problem ? "" : `${rows.length} customers.`;
      cursors = pageCursors;
      lastCursor = rows.at(-1)?.cursor ?? rows.at(-1)?.id;
      previous.disabled = cursors.length === 0;
      next.disabled = reply.body.has_more !== true;
      pager.hidden = previous.disabled && next.disabled;
    }

    /** @param {string} text */
    function noCustomers(text) {
      if (selection.input.value) return emptyState("No matching customers", "No known customer is in this selection.");
      if (text) {
        return emptyState(
          "No matching customers",
          "The search matches the beginning of an id. You can also open a customer that is not listed yet.",
          button(`Open ${text}`, () => session.navigate(withQuery("customers", { customer: text }))),
        );
      }
      return session.source === "catalog"
        ? emptyState(
            "No customers yet",
            "The playground creates a customer and a subscription.",
            button("Open playground", () => session.navigate("playground"), "primary"),
          )
        : emptyState(
            "No customers yet",
            "A customer is listed after its first event or its first request.",
            button("View setup", () => session.navigate("overview")),
          );
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      load();
    });
    selection.input.addEventListener("change", () => load());
    session.onKeyChange(() => {
      loadedKey = "";
      if (!root.closest("section")?.hidden && list.hidden === false) load();
    });
    return {
      /** @param {URLSearchParams} params */
      show(params) {
        const customer = params.get("customer");
        const show = params.get("show");
        list.hidden = Boolean(customer);
        if (show !== null && show !== selection.input.value) {
          selection.input.value = show;
          loadedKey = "";
        }
        if (customer) detail.show(customer, params.get("explain"));
        else {
          detail.hide();
          load(loadedKey === session.key ? cursors : []);
        }
      },
      hide() {
        latest.abortAll();
        detail.hide();
      },
    };
  },
};

/** @param {string} id */
function customerLink(id) {
  return tag("a", { href: withQuery("#customers", { customer: id }) }, element("code", "", id));
}
