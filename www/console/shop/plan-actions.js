// The actions of a customer's subscription lifecycle as API requests, and why an action is unavailable. Pure functions.

import { PLANS } from "./demo-products.js";

const [STARTER, PRO] = PLANS;
const MONTH_SECONDS = 31 * 86_400;
const RENEWAL_MARGIN_SECONDS = 60; // How far a clock is advanced past a renewal.

/**
 * @typedef {object} Subscription
 * @property {string} id
 * @property {string} [status]
 * @property {boolean} [cancel_at_period_end]
 * @property {{ data: { id: string, price: { product?: string }, current_period_end?: number }[] }} items
 */

/** @typedef {{ id: string, frozen_time: number, status?: string }} TestClock */

/**
 * The state that decides which actions are available.
 *
 * @typedef {object} PlanState
 * @property {string} [customer]
 * @property {TestClock} [clock]  Undefined for a customer on real time.
 * @property {Subscription} [subscription]  To one of the plans.
 * @property {import("./demo-products.js").DemoProducts} [products]
 */

/**
 * A request with the label of its button.
 *
 * @typedef {object} PlanAction
 * @property {string} verb
 * @property {string} title
 * @property {string} method
 * @property {string} path
 * @property {object} [form]
 * @property {string} [description]
 * @property {string} [unavailable]  Why the action is unavailable; undefined if it is available.
 */

/**
 * Returns the plan of a subscription, or undefined if it is to another product.
 *
 * @param {Subscription | undefined} subscription
 */
export function planOf(subscription) {
  const products = subscription?.items.data.map(({ price }) => price.product) ?? [];
  return PLANS.find(({ product }) => products.includes(product));
}

/**
 * The action that subscribes to a plan, or changes the existing subscription to it.
 *
 * @param {PlanState} state
 * @param {import("./demo-products.js").Plan} plan
 * @returns {PlanAction}
 */
export function subscribeAction({ customer, subscription, products }, plan) {
  const price = products?.prices[plan.product];
  const item = subscription?.items.data[0];
  if (!subscription || !item)
    return {
      verb: "Subscribe",
      title: `Subscribe to ${plan.name}`,
      method: "POST",
      path: "/v1/subscriptions",
      form: { customer, items: [{ price }] },
    };
  const verb = plan === PRO ? "Upgrade" : "Downgrade";
  return {
    verb,
    title: `${verb} to ${plan.name}`,
    method: "POST",
    path: `/v1/subscriptions/${subscription.id}`,
    form: { items: [{ id: item.id, price }] },
  };
}

/**
 * The action that cancels the subscription immediately.
 *
 * @param {PlanState} state
 * @returns {PlanAction}
 */
export function cancelAction({ subscription }) {
  return { verb: "Cancel", title: "Cancel now", method: "DELETE", path: `/v1/subscriptions/${subscription?.id ?? "{id}"}` };
}

/**
 * Every action of the playground, in groups.
 *
 * @param {PlanState} state
 * @returns {[title: string, actions: PlanAction[]][]}
 */
export function planActions(state) {
  const { subscription, products, clock } = state;
  const plan = planOf(subscription);
  const subscriptionPath = `/v1/subscriptions/${subscription?.id ?? "{id}"}`;
  const notSubscribed = subscription ? undefined : "There is no subscription yet.";
  const attachment = products?.included[PRO.product].audit_log;
  const featuresPath = `/v1/products/${PRO.product}/features`;
  const renewal = subscription?.items.data[0]?.current_period_end;
  const nextPeriod =
    clock &&
    Math.max(renewal ? renewal + RENEWAL_MARGIN_SECONDS : 0, clock.frozen_time + (renewal ? RENEWAL_MARGIN_SECONDS : MONTH_SECONDS));
  return [
    [
      "Subscription",
      [
        {
          ...subscribeAction({ ...state, subscription: undefined }, STARTER),
          description: "A first purchase: unlocks text messages.",
          unavailable: subscription && "A subscription already exists.",
        },
        {
          ...subscribeAction({ ...state, subscription: subscription ?? PLACEHOLDER_SUBSCRIPTION }, PRO),
          description: "Changes the price of the subscription: also unlocks export and single sign-on.",
          unavailable: notSubscribed ?? (plan === PRO ? "The plan is already Pro." : undefined),
        },
        {
          ...subscribeAction({ ...state, subscription: subscription ?? PLACEHOLDER_SUBSCRIPTION }, STARTER),
          description: "Locks export and single sign-on.",
          unavailable: notSubscribed ?? (plan === STARTER ? "The plan is already Starter." : undefined),
        },
      ],
    ],
    [
      "Product features",
      [
        {
          verb: "Attach",
          title: "Attach the audit log to Pro",
          description: "Existing subscribers get it at their next period, as with Stripe.",
          method: "POST",
          path: featuresPath,
          form: { entitlement_feature: products?.features.audit_log },
          unavailable: attachment && "The audit log is already attached.",
        },
        {
          verb: "Apply",
          title: "Apply now",
          description: "Grants the current features to every subscriber of Pro. entgate only.",
          method: "POST",
          path: `${featuresPath}/apply`,
        },
        {
          verb: "Detach",
          title: "Detach the audit log",
          description: "Existing subscribers keep it until their next period.",
          method: "DELETE",
          path: `${featuresPath}/${attachment ?? "{id}"}`,
          unavailable: attachment ? undefined : "The audit log is not attached.",
        },
      ],
    ],
    [
      "Test clock",
      [
        {
          verb: "Advance",
          title: "Advance to the next period",
          description: "Moves the test clock past the renewal. The customer then has the current features of the product.",
          method: "POST",
          path: `/v1/test_helpers/test_clocks/${clock?.id ?? "{id}"}/advance`,
          form: { frozen_time: nextPeriod },
          unavailable: clock ? undefined : "The customer has no test clock.",
        },
      ],
    ],
    [
      "Cancellation",
      [
        {
          verb: "Cancel",
          title: "Cancel at the end of the period",
          description: "The customer keeps every feature until then.",
          method: "POST",
          path: subscriptionPath,
          form: { cancel_at_period_end: true },
          unavailable: notSubscribed ?? (subscription?.cancel_at_period_end ? "The cancellation is already scheduled." : undefined),
        },
        { ...cancelAction(state), description: "Revokes every feature immediately.", unavailable: notSubscribed },
      ],
    ],
  ];
}

/** The ids of a subscription that does not exist yet. */
const PLACEHOLDER_SUBSCRIPTION = { id: "{id}", items: { data: [{ id: "{item}", price: {} }] } };
