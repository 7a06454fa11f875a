// The cards "Customer" and "Subscriptions": who the customer is, and what they pay for.
//
// With the catalog as the source, both come from the catalog. With Stripe, the Worker stores neither: the plan comes from an explanation
// of one feature, and the rest is in Stripe's dashboard.

import { badge, descriptionList, element, identifier, notice, table, tag, time } from "../../elements.js";
import { withQuery } from "../../form.js";
import { listPages } from "../../list-pages.js";

const MAX_NAMED_PRODUCTS = 20;
const ENDED_STATUSES = ["canceled", "incomplete_expired"];

/** @type {Record<string, string>} */
const STATUS_TONES = { active: "success", trialing: "info", canceled: "neutral" };

/** @typedef {{ id: string, status: string, items: { data: { price: { product: string }, current_period_end: number }[] } }} Subscription */
/** @typedef {{ name: string, status: string }} Plan */
/** @typedef {{ id: string, feature?: string, version?: number }} Shown  A customer, a feature that the source grants, the newest version. */

/**
 * Creates the two cards.
 *
 * @param {import("../../session.js").Session} session
 */
export function createBillingCards(session) {
  const profile = element("section", "card");
  const subscriptions = element("section", "card");
  const subscriptionsTable = table("Subscriptions", [
    { title: "Subscription", cell: ({ id }) => identifier(id) },
    { title: "Status", cell: ({ status }) => statusBadge(status) },
    { title: "Products", cell: ({ items }) => element("code", "", productsOf(items).join(", ")) },
    { title: "Period ends", cell: ({ items }) => time(items.data[0]?.current_period_end) },
  ]).stacked();

  /** The last explanation that was asked for: each one costs several requests at Stripe. */
  let explained = "";

  /** @param {[term: string, details: import("../../elements.js").Child][]} pairs @param {...HTMLElement} more */
  const showProfile = (pairs, ...more) => profile.replaceChildren(element("h2", "", "Customer"), descriptionList(pairs), ...more);

  /** @param {string} id @param {AbortSignal} signal */
  async function loadFromCatalog(id, signal) {
    const path = `/v1/customers/${encodeURIComponent(id)}`;
    const [customer, list] = await Promise.all([
      session.request(path, { signal }),
      listPages(session, "/v1/subscriptions", { params: { customer: id, status: "all" }, signal }),
    ]);
    if (signal.aborted) return;
    /** @type {Subscription[]} */
    const rows = list.data;
    const plans = await nameProducts(
      rows.filter(({ status }) => !ENDED_STATUSES.includes(status)),
      signal,
    );
    if (signal.aborted) return;
    const { name, email, test_clock: clock, deleted } = customer.body;
    showProfile([
      ["Name", name || "–"],
      ["Email", email || "–"],
      ["Plan", plans.map((plan) => plan.name).join(", ") || "None"],
      ["Status", deleted ? badge("deleted", "danger") : statusBadges(plans)],
      ...(clock ? [/** @type {[string, HTMLElement]} */ (["Test clock", identifier(clock)])] : []),
    ]);
    subscriptionsTable.fill(rows);
    subscriptions.replaceChildren(
      element("h2", "", "Subscriptions"),
      list.problem ? notice(list.problem, "danger") : rows.length ? subscriptionsTable.root : element("p", "muted", "No subscriptions."),
    );
  }

  /**
   * One plan for each product of the subscriptions, with the product's name.
   *
   * @param {Subscription[]} rows
   * @param {AbortSignal} signal
   * @returns {Promise<Plan[]>}
   */
  async function nameProducts(rows, signal) {
    const ids = [...new Set(rows.flatMap(({ items }) => productsOf(items)))].slice(0, MAX_NAMED_PRODUCTS);
    const reply = ids.length && (await session.request(withQuery("/v1/products", { ids, limit: MAX_NAMED_PRODUCTS }), { signal }));
    /** @type {Map<string, string>} */
    const names = new Map((reply ? (reply.body.data ?? []) : []).map((/** @type {any} */ product) => [product.id, product.name]));
    return rows.flatMap(({ status, items }) => productsOf(items).map((product) => ({ name: names.get(product) ?? product, status })));
  }

  /**
   * Shows the plan that the explanation of a feature names. Stripe's list of entitlements does not.
   *
   * @param {Shown} shown
   * @param {AbortSignal} signal
   */
  async function loadFromStripe({ id, feature, version }, signal) {
    if (explained === `${id} ${feature} ${version}`) return;
    const path = withQuery("/v1/explain", { customer: id, feature });
    const reply = feature === undefined ? undefined : await session.request(path, { signal });
    if (signal.aborted) return;
    explained = `${id} ${feature} ${version}`;
    /** @type {import("../../explanation.js").Contribution[]} */
    const contributions = reply?.body.contributions ?? [];
    const names = new Map(contributions.filter(({ type }) => type === "product").map(({ product, name }) => [product, name]));
    const plans = contributions
      .filter(({ type }) => type === "subscription")
      .map(({ product, status }) => ({ name: names.get(product) || product, status }));
    const unavailable = contributions.find(({ type }) => type === "subscriptions_unavailable");
    const dashboard = `https://dashboard.stripe.com/${session.mode === "live" ? "" : "test/"}customers/${encodeURIComponent(id)}`;
    showProfile(
      [
        ["Plan", plans.map((plan) => plan.name).join(", ") || "–"],
        ["Status", statusBadges(plans)],
        ["Name and email", tag("a", { href: dashboard, rel: "noreferrer" }, "Open in Stripe")],
      ],
      ...(unavailable ? [element("p", "hint", unavailable.message)] : []),
    );
  }

  return {
    profile,
    subscriptions,
    /**
     * @param {Shown} shown
     * @param {AbortSignal} signal
     */
    async load(shown, signal) {
      const inCatalog = session.source === "catalog";
      subscriptions.hidden = !inCatalog;
      if (inCatalog) await loadFromCatalog(shown.id, signal);
      else await loadFromStripe(shown, signal);
    },
    reset() {
      explained = "";
      profile.replaceChildren();
      subscriptions.replaceChildren();
      subscriptions.hidden = true;
    },
  };
}

/** @param {string} status */
const statusBadge = (status) => badge(status, STATUS_TONES[status] ?? "warning");

/**
 * The different statuses of some plans.
 *
 * @param {Plan[]} plans
 */
function statusBadges(plans) {
  const statuses = [...new Set(plans.map(({ status }) => status))];
  return statuses.length ? element("span", "actions", ...statuses.map(statusBadge)) : "–";
}

/**
 * The ids of the products in a subscription.
 *
 * @param {Subscription["items"]} items
 */
function productsOf(items) {
  return items.data.map(({ price }) => price.product);
}
