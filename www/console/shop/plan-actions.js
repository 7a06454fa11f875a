// The life of a customer, as requests: what can be done next, and why something cannot. Pure, but for the clock.

import { PLANS } from "./demo-products.js";

const [STARTER, PRO] = PLANS;
const MONTH = 31 * 86_400;

/** The plan of a subscription; undefined if it is none of the shop's. */
export function planOf(subscription) {
  const products = subscription?.items.data.map(({ price }) => price.product) ?? [];
  return PLANS.find(({ product }) => products.includes(product));
}

/** Buying a plan, or changing to it. */
export function buying({ customer, subscription, stock }, plan) {
  const price = stock?.prices[plan.product];
  const item = subscription?.items.data[0];
  if (!item)
    return {
      verb: "Subscribe",
      title: `Subscribe to ${plan.name}`,
      method: "POST",
      path: "/v1/subscriptions",
      form: { customer, items: [{ price }] },
    };
  const verb = plan === PRO ? "Upgrade" : "Go back";
  return {
    verb,
    title: `${verb} to ${plan.name}`,
    method: "POST",
    path: `/v1/subscriptions/${subscription.id}`,
    form: { items: [{ id: item.id, price }] },
  };
}

export function cancelling({ subscription }) {
  return { verb: "Cancel", title: "Cancel now", method: "DELETE", path: `/v1/subscriptions/${subscription?.id ?? "{id}"}` };
}

/** Everything that the playground can do, in groups: `{ verb, title, about, method, path, form, not }`, where `not` says why it cannot be done now. */
export function steps(visitor) {
  const { subscription, stock, clock } = visitor;
  const plan = planOf(subscription);
  const sub = `/v1/subscriptions/${subscription?.id ?? "{id}"}`;
  const unsubscribed = subscription ? undefined : "Nothing is bought yet.";
  const attached = stock?.includes[PRO.product].audit_log;
  const features = `/v1/products/${PRO.product}/features`;
  const renewal = subscription?.items.data[0]?.current_period_end;
  const next = clock && Math.max(renewal ? renewal + 60 : 0, clock.frozen_time + (renewal ? 60 : MONTH));
  return [
    [
      "Buy",
      [
        {
          ...buying({ ...visitor, subscription: undefined }, STARTER),
          about: "A first purchase: text messages open.",
          not: subscription && "There is a subscription already.",
        },
        {
          ...buying({ ...visitor, subscription: subscription ?? BLANK }, PRO),
          about: "Another price in the same subscription: export and single sign-on open too.",
          not: unsubscribed ?? (plan === PRO ? "It is Pro already." : undefined),
        },
        {
          ...buying({ ...visitor, subscription: subscription ?? BLANK }, STARTER),
          about: "Two parts close again.",
          not: unsubscribed ?? (plan === STARTER ? "It is Starter already." : undefined),
        },
      ],
    ],
    [
      "Change what is sold",
      [
        {
          verb: "Attach",
          title: "Attach the audit log to Pro",
          about: "Who has Pro already gets it at the next period: so it is at Stripe.",
          method: "POST",
          path: features,
          form: { entitlement_feature: stock?.features.audit_log },
          not: attached && "It is attached.",
        },
        {
          verb: "Apply",
          title: "Apply it now",
          about: "Everybody who has Pro gets what it includes today. Only entgate has this.",
          method: "POST",
          path: `${features}/apply`,
        },
        {
          verb: "Detach",
          title: "Detach it again",
          about: "Who has it keeps it until the next period.",
          method: "DELETE",
          path: `${features}/${attached ?? "{id}"}`,
          not: attached ? undefined : "It is not attached.",
        },
      ],
    ],
    [
      "Let time pass",
      [
        {
          verb: "Advance",
          title: "Advance to the next period",
          about: "The test clock goes past the renewal: what the product includes then is what the customer has.",
          method: "POST",
          path: `/v1/test_helpers/test_clocks/${clock?.id ?? "{id}"}/advance`,
          form: { frozen_time: next },
          not: clock ? undefined : "This customer lives by the real time.",
        },
      ],
    ],
    [
      "End it",
      [
        {
          verb: "Cancel",
          title: "Cancel at the end of the period",
          about: "Everything stays open until then.",
          method: "POST",
          path: sub,
          form: { cancel_at_period_end: true },
          not: unsubscribed ?? (subscription.cancel_at_period_end ? "That is so already." : undefined),
        },
        { ...cancelling(visitor), about: "Every part closes at once.", not: unsubscribed },
      ],
    ],
  ];
}

/** Stands for a subscription that there is not yet. */
const BLANK = { id: "{id}", items: { data: [{ id: "{item}", price: {} }] } };
