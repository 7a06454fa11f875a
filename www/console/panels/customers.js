// Who there is, and what each of them holds: a list to search and page through, and one customer's page.
//
// The catalog lists its customers itself; with Stripe as the source the roster tells whom something was heard of.

import { turns } from "../session.js";
import { badge, button, element, empty, field, keyless, notice, table, tag, time } from "../elements.js";
import { createHolder } from "./customers/customer-detail.js";

const PAGE = 25;

export default {
  id: "customers",
  title: "Customers",
  lead: "Who there is, and what each of them may use.",

  mount(root, desk) {
    const turn = turns();
    const search = field("customers-search", "Search", { placeholder: "cus_…", hint: "" });
    const form = tag(
      "form",
      { class: "tools", role: "search", novalidate: true },
      search.root,
      tag("button", { type: "submit" }, "Search"),
    );
    const status = tag("p", { role: "status", class: "unseen" });
    const place = element("div", "");
    const back = button("Previous", () => load(pages.slice(0, -1)));
    const next = button("Next", () => load([...pages, last]));
    const pager = element("div", "pager", back, next);
    const list = element("div", "", form, status, place, pager);
    const holder = createHolder(desk);
    root.append(list, holder.root);

    let pages = []; // The cursors that led here.
    let last;
    let loaded = "";

    const rosterTable = table("Customers", [
      { title: "Customer", cell: ({ id }) => link(id) },
      { title: "Confirmed", cell: ({ confirmed_at }) => time(confirmed_at) },
      {
        title: "Pending",
        className: "number",
        cell: ({ pending, pending_since }) =>
          element("span", "", String(pending), pending_since ? element("span", "soft", " since ", time(pending_since)) : null),
      },
      { title: "Trouble", cell: ({ trouble }) => (trouble ? badge(TROUBLE[trouble] ?? trouble, "no") : badge("none", "none")) },
    ]);
    const catalogTable = table("Customers", [
      { title: "Customer", cell: ({ id }) => link(id) },
      {
        title: "Name",
        cell: ({ name, email }) =>
          element(
            "span",
            "",
            name ?? "",
            name && email ? " " : "",
            email ? element("span", "soft", email) : "",
            !name && !email ? "–" : "",
          ),
      },
      { title: "Test clock", cell: ({ test_clock }) => (test_clock ? element("code", "", test_clock) : "–") },
      { title: "Created", cell: ({ created }) => time(created) },
    ]);
    for (const { root: box } of [rosterTable, catalogTable]) box.firstChild.classList.add("stacked");

    /** A page of customers, the table for it, and whether there is more. */
    async function ask(cursor, signal) {
      const text = search.input.value.trim();
      const query = { limit: PAGE, ...(cursor && { starting_after: cursor }) };
      const [path, shown] =
        desk.source === "catalog" && (!text || text.includes("@"))
          ? [`/v1/customers?${new URLSearchParams({ ...query, ...(text && { email: text }) })}`, catalogTable]
          : [`/v1/roster?${new URLSearchParams({ ...query, ...(text && { prefix: text }) })}`, rosterTable];
      return { reply: await desk.ask(path, { signal }), shown, text };
    }

    async function load(cursors = []) {
      const signal = turn("list");
      if (!desk.key) {
        place.replaceChildren(keyless("Customers are listed for those who have one."));
        pager.hidden = true;
        return;
      }
      if (!desk.source) await desk.examine();
      const { reply, shown, text } = await ask(cursors.at(-1), signal);
      if (signal.aborted) return;
      loaded = desk.key;
      const rows = reply.body.data ?? [];
      if (reply.problem) place.replaceChildren(notice(reply.problem, "no"));
      else if (rows.length) {
        shown.fill(rows);
        place.replaceChildren(shown.root);
      } else place.replaceChildren(nobody(text));
      status.textContent = reply.problem ? "" : `${rows.length} customers.`;
      [pages, last] = [cursors, rows.at(-1)?.id];
      back.disabled = pages.length === 0;
      next.disabled = reply.body.has_more !== true;
      pager.hidden = back.disabled && next.disabled;
    }

    /** What to do where nobody is found. */
    function nobody(text) {
      if (text) {
        return empty(
          "Nobody of that name",
          "Ids are searched from their beginning. A customer nothing was heard of yet can be opened all the same.",
          button(`Open ${text}`, () => desk.go(`customers?${new URLSearchParams({ customer: text })}`)),
        );
      }
      return desk.source === "catalog"
        ? empty(
            "No customers yet",
            "The playground makes one, and sells them something.",
            button("To the playground", () => desk.go("playground"), "primary"),
          )
        : empty(
            "No customers yet",
            "A customer is known once an event came about them, or somebody asked.",
            button("See the setup", () => desk.go("overview")),
          );
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      load();
    });
    desk.onKey(() => {
      loaded = "";
      if (!root.closest("section").hidden && list.hidden === false) load();
    });
    return {
      show(params) {
        const customer = params.get("customer");
        list.hidden = Boolean(customer);
        if (customer) holder.show(customer);
        else {
          holder.hide();
          load(loaded === desk.key ? pages : []);
        }
      },
      hide() {
        turn.stop();
        holder.hide();
      },
    };
  },
};

const TROUBLE = { key_refused: "key refused", unknown_customer: "unknown at the source" };

function link(id) {
  return tag("a", { href: `#customers?${new URLSearchParams({ customer: id })}` }, element("code", "", id));
}
