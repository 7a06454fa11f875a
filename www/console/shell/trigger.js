// `trigger`: changes the catalog so that it emits an event. The catalog signs and sends the event: the shell has no signing secret.

import { quoted } from "../curl.js";
import { withQuery } from "../form.js";
import { bodyOf, RequestError } from "../http-client.js";

const SUMMARY_EVENT = "entitlements.active_entitlement_summary.updated";
const METADATA = { trigger: "shell" }; // Marks the objects that the shell created.

/**
 * @typedef {object} Fixtures
 * @property {(name: string, path: string, request?: { method?: string, form?: object }) => Promise<any>} run
 *   Sends one request and prints its name, as Stripe's CLI does.
 * @property {(path: string) => Promise<any>} get
 */

/**
 * @param {import("./grammar.js").TriggerCommand} command
 * @param {import("./run.js").Shell} shell
 */
export async function trigger({ event, customer, add, remove }, { session, program, screen, signal }) {
  if (session.source !== "catalog") {
    const eventArguments = [customer ?? "cus_ada", ...(add.length ? add : ["sms"])].map(quoted).join(" ");
    const message = program.stripeTriggerNote.replace("{event}", () => quoted(event)).replace("{arguments}", () => eventArguments);
    return screen.print(message, "warning");
  }
  if (session.mode === "live") {
    return screen.print("Events can be triggered in test mode only, because a trigger creates objects.", "danger");
  }

  /** @type {Fixtures} */
  const fixtures = {
    async run(name, path, { method = "POST", form } = {}) {
      if (signal.aborted) throw new RequestError("Canceled.");
      screen.print(`Running fixture for: ${name}`, "muted");
      return bodyOf(session.request(path, { method, form }));
    },
    get: (path) => bodyOf(session.request(path)),
  };
  try {
    const summary = await triggers[event](fixtures, { customer, add, remove });
    screen.print(`Trigger succeeded! ${summary}`, "success");
    const events = await fixtures.get(withQuery("/v1/events", { type: event, limit: 1 }));
    if (events.data[0]) screen.printSpans(["  event  ", "muted"], [events.data[0].id]);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    screen.print(`Trigger failed: ${error.message}`, "danger");
  }
}

/** @typedef {{ customer?: string, add: string[], remove: string[] }} TriggerOptions */

/**
 * How each event is triggered. Returns a summary of what was changed.
 *
 * @type {Record<string, (fixtures: Fixtures, options: TriggerOptions) => Promise<string>>}
 */
const triggers = {
  async [SUMMARY_EVENT](fixtures, { customer, add, remove }) {
    const keys = add.length || remove.length ? add : [`feature_${Date.now().toString(36)}`];
    if (remove.length && !customer) throw new RequestError("--remove requires --customer");
    const id = customer ?? (await createCustomer(fixtures)).id;
    if (keys.length) await subscribe(fixtures, id, keys);
    if (remove.length) await cancelSubscriptions(fixtures, id, remove);
    return [`customer: ${id}`, keys.length && `added: ${keys.join(", ")}`, remove.length && `removed: ${remove.join(", ")}`]
      .filter(Boolean)
      .join("  ");
  },
  async "customer.created"(fixtures, { customer }) {
    return `customer: ${(await createCustomer(fixtures, customer)).id}`;
  },
  async "customer.deleted"(fixtures, { customer }) {
    const id = customer ?? (await createCustomer(fixtures)).id;
    await fixtures.run("customer", `/v1/customers/${encodeURIComponent(id)}`, { method: "DELETE" });
    return `customer: ${id}`;
  },
  async "customer.subscription.created"(fixtures, { customer }) {
    const id = customer ?? (await createCustomer(fixtures)).id;
    return `subscription: ${(await subscribe(fixtures, id, [])).id}`;
  },
  async "customer.subscription.deleted"(fixtures, { customer }) {
    const id = customer ?? (await createCustomer(fixtures)).id;
    const subscription = await subscribe(fixtures, id, []);
    await fixtures.run("subscription", `/v1/subscriptions/${subscription.id}`, { method: "DELETE" });
    return `subscription: ${subscription.id}`;
  },
  async "product.created"(fixtures) {
    const product = await fixtures.run("product", "/v1/products", { form: { name: "Triggered", metadata: METADATA } });
    return `product: ${product.id}`;
  },
};

/**
 * @param {Fixtures} fixtures
 * @param {string} [id]
 */
function createCustomer({ run }, id) {
  return run("customer", "/v1/customers", { form: { id, name: "Triggered by the shell", metadata: METADATA } });
}

/**
 * Subscribes a customer to a new product that includes these features; missing features are created.
 *
 * @param {Fixtures} fixtures
 * @param {string} customer
 * @param {string[]} keys
 */
async function subscribe({ run, get }, customer, keys) {
  const features = [];
  for (const key of keys) {
    const { data } = await get(withQuery("/v1/entitlements/features", { lookup_key: key }));
    features.push(
      data[0] ?? (await run("feature", "/v1/entitlements/features", { form: { name: key, lookup_key: key, metadata: METADATA } })),
    );
  }
  const name = `Triggered: ${keys.join(", ") || "no features"}`.slice(0, 200);
  const price = { currency: "usd", unit_amount: 0, recurring: { interval: "month" } };
  const product = await run("product", "/v1/products", { form: { name, metadata: METADATA, default_price_data: price } });
  for (const { id } of features) {
    await run("product_feature", `/v1/products/${product.id}/features`, { form: { entitlement_feature: id } });
  }
  return run("subscription", "/v1/subscriptions", { form: { customer, items: [{ price: product.default_price }], metadata: METADATA } });
}

/**
 * Cancels the subscriptions that grant these features. It fails if one was not created by the shell, or grants other features too.
 *
 * @param {Fixtures} fixtures
 * @param {string} customer
 * @param {string[]} keys
 */
async function cancelSubscriptions({ run, get }, customer, keys) {
  const { data } = await get(withQuery("/v1/subscriptions", { customer, limit: 100 }));
  const canceled = [];
  for (const { id, items, metadata } of data) {
    /** @type {{ data: { entitlement_feature: { lookup_key: string } }[] }[]} */
    const lists = await Promise.all(
      items.data.map((/** @type {{ price: { product: string } }} */ { price }) =>
        get(withQuery(`/v1/products/${price.product}/features`, { limit: 100 })),
      ),
    );
    const granted = lists.flatMap((list) => list.data.map(({ entitlement_feature }) => entitlement_feature.lookup_key));
    if (!granted.some((key) => keys.includes(key))) continue;
    const others = granted.filter((key) => !keys.includes(key));
    if (metadata.trigger !== METADATA.trigger) {
      throw new RequestError(
        `${id} grants ${granted.join(", ")}, and was not created by the shell. Cancel it with: subscriptions cancel ${id}`,
      );
    }
    if (others.length) {
      throw new RequestError(`${id} also grants ${others.join(", ")}. Remove them together, or cancel it with: subscriptions cancel ${id}`);
    }
    canceled.push(id);
  }
  if (canceled.length === 0) throw new RequestError(`${customer} has no subscription that grants ${keys.join(", ")}`);
  for (const id of canceled) await run("subscription", `/v1/subscriptions/${id}`, { method: "DELETE" });
}
