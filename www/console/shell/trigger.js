// `trigger`: what has to happen in the catalog for an event to be sent. The event is the catalog's own, signed by it: no secret is here.

import { Refused, expect } from "../shop/demo-products.js";

const SUMMARY = "entitlements.active_entitlement_summary.updated";
const MARK = { trigger: "shell" };

export async function trigger({ event, customer, add, remove }, { desk, screen, signal }) {
  if (desk.source !== "catalog") {
    return screen.say(
      `Events come from Stripe here, and its secret has no business in a browser. Stripe's own CLI makes them:\n  stripe trigger ${event}\nOr, where this Worker runs on your own machine:\n  node scripts/send-event.mjs ${customer ?? "cus_ada"} ${add.join(" ") || "sms"}`,
      "maybe",
    );
  }
  if (desk.mode === "live") return screen.say("Triggering events is for test mode: what it makes are real objects.", "no");

  /** One request, told as Stripe's CLI tells of its fixtures. */
  const step = async (what, path, { method = "POST", form } = {}) => {
    if (signal.aborted) throw new Refused("Called off.");
    screen.say(`Running fixture for: ${what}`, "soft");
    return expect(desk.ask(path, { method, form }));
  };
  const look = (path) => expect(desk.ask(path));
  const shop = { step, look };
  try {
    const who = await stories[event](shop, { customer, add, remove });
    screen.say(`Trigger succeeded! ${who}`, "yes");
    const told = await look(`/v1/events?${new URLSearchParams({ type: event, limit: 1 })}`);
    if (told.data[0]) screen.row(["  event  ", "soft"], [told.data[0].id]);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    screen.say(`Trigger failed: ${error.message}`, "no");
  }
}

/** By event: what is done. Each gives whom or what it is about. */
const stories = {
  async [SUMMARY](shop, { customer, add, remove }) {
    const keys = add.length || remove.length ? add : [`feature_${Date.now().toString(36)}`];
    if (remove.length && !customer) throw new Refused("--remove needs --customer");
    const id = customer ?? (await newCustomer(shop)).id;
    if (keys.length) await sell(shop, id, keys);
    if (remove.length) await take(shop, id, remove);
    return [`customer: ${id}`, keys.length && `added: ${keys.join(", ")}`, remove.length && `removed: ${remove.join(", ")}`]
      .filter(Boolean)
      .join("  ");
  },
  async "customer.created"(shop, { customer }) {
    return `customer: ${(await newCustomer(shop, customer)).id}`;
  },
  async "customer.deleted"(shop, { customer }) {
    const id = customer ?? (await newCustomer(shop)).id;
    await shop.step("customer", `/v1/customers/${encodeURIComponent(id)}`, { method: "DELETE" });
    return `customer: ${id}`;
  },
  async "customer.subscription.created"(shop, { customer }) {
    const id = customer ?? (await newCustomer(shop)).id;
    return `subscription: ${(await sell(shop, id, [])).id}`;
  },
  async "customer.subscription.deleted"(shop, { customer }) {
    const id = customer ?? (await newCustomer(shop)).id;
    const subscription = await sell(shop, id, []);
    await shop.step("subscription", `/v1/subscriptions/${subscription.id}`, { method: "DELETE" });
    return `subscription: ${subscription.id}`;
  },
  async "product.created"(shop) {
    return `product: ${(await shop.step("product", "/v1/products", { form: { name: "Triggered", metadata: MARK } })).id}`;
  },
};

function newCustomer({ step }, id) {
  return step("customer", "/v1/customers", { form: { id, name: "Triggered by the shell", metadata: MARK } });
}

/** Sells a customer a product that includes these features. */
async function sell({ step, look }, customer, keys) {
  const features = [];
  for (const key of keys) {
    const { data } = await look(`/v1/entitlements/features?${new URLSearchParams({ lookup_key: key })}`);
    features.push(
      data[0] ?? (await step("feature", "/v1/entitlements/features", { form: { name: key, lookup_key: key, metadata: MARK } })),
    );
  }
  const name = `Triggered: ${keys.join(", ") || "nothing"}`.slice(0, 200);
  const price = { currency: "usd", unit_amount: 0, recurring: { interval: "month" } };
  const product = await step("product", "/v1/products", { form: { name, metadata: MARK, default_price_data: price } });
  for (const { id } of features)
    await step("product_feature", `/v1/products/${product.id}/features`, { form: { entitlement_feature: id } });
  return step("subscription", "/v1/subscriptions", { form: { customer, items: [{ price: product.default_price }], metadata: MARK } });
}

/** Ends what grants a customer these features; only what was triggered here, and grants nothing else. */
async function take({ step, look }, customer, keys) {
  const { data } = await look(`/v1/subscriptions?${new URLSearchParams({ customer, limit: 100 })}`);
  const ended = [];
  for (const { id, items, metadata } of data) {
    const lists = await Promise.all(items.data.map(({ price }) => look(`/v1/products/${price.product}/features?limit=100`)));
    const granted = lists.flatMap(({ data }) => data.map(({ entitlement_feature }) => entitlement_feature.lookup_key));
    if (!granted.some((key) => keys.includes(key))) continue;
    const others = granted.filter((key) => !keys.includes(key));
    if (metadata.trigger !== MARK.trigger)
      throw new Refused(`${granted.join(", ")} came by ${id}, which was not triggered here: subscriptions cancel ${id}`);
    if (others.length) throw new Refused(`${id} grants ${others.join(", ")} too: remove them together, or subscriptions cancel ${id}`);
    ended.push(id);
  }
  if (ended.length === 0) throw new Refused(`${customer} has none of ${keys.join(", ")}`);
  for (const id of ended) await step("subscription", `/v1/subscriptions/${id}`, { method: "DELETE" });
}
