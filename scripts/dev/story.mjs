// A small story for an empty catalog: three features, two plans, and customers in different states. All ids begin with `demo_` or
// `cus_demo_`.
//
// Accepts the URL of a Worker whose source is the catalog, and a key of test mode. Writes over its API, as any client of Stripe would. A
// catalog that has a feature, a product or a customer is left as it is.

const FEATURES = { reports: "Reports", api_access: "API access", audit_log: "Audit log" };

const PLANS = [
  { id: "demo_starter", name: "Starter", unit_amount: 900, features: ["reports"] },
  { id: "demo_team", name: "Team", unit_amount: 4900, features: ["reports", "api_access", "audit_log"] },
];

/** What becomes of each customer. `after` is a request about the subscription. */
export const CUSTOMERS = [
  { id: "cus_demo_team", plan: "demo_team", is: "pays for Team" },
  { id: "cus_demo_starter", plan: "demo_starter", is: "pays for Starter" },
  { id: "cus_demo_trial", plan: "demo_team", params: { trial_period_days: "14" }, is: "tries Team for 14 days" },
  { id: "cus_demo_late", plan: "demo_team", after: ["POST", "", { status: "past_due" }], is: "is late with a payment, and keeps Team" },
  { id: "cus_demo_paused", plan: "demo_team", after: ["POST", "/pause", {}], is: "has paused Team, and has nothing" },
  { id: "cus_demo_left", plan: "demo_team", after: ["DELETE", "", {}], is: "has canceled, and has nothing" },
  { id: "cus_demo_new", is: "has bought nothing" },
];

/** Three checks with different answers. */
export const CHECKS = [
  { customer: "cus_demo_team", feature: "audit_log", question: "A plan that includes the feature" },
  { customer: "cus_demo_starter", feature: "audit_log", question: "A plan that does not" },
  { customer: "cus_demo_nobody", feature: "audit_log", question: "A customer that does not exist" },
];

const RESPONSE_TIMEOUT = 30_000;

/**
 * Writes the story if the catalog is empty. Returns whether the catalog has the story.
 *
 * @param {string} url
 * @param {string} key
 * @param {AbortSignal} signal
 */
export async function fillEmptyCatalog(url, key, signal) {
  const request = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {Record<string, string>} */ params = {}) => {
    const response = await fetch(`${url}/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${key}` },
      ...(method === "POST" && { body: new URLSearchParams(params) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(RESPONSE_TIMEOUT)]),
    });
    const body = await response.json();
    if (!response.ok) throw new Error(`${method} /v1/${path}: ${body.error.message}`);
    return body;
  };

  for (const path of ["entitlements/features", "products", "customers"]) {
    const { data } = await request("GET", `${path}?limit=1`);
    if (data.length) return hasStory(url, key, signal);
  }

  /** @type {Record<string, string>} */
  const features = {};
  for (const [lookup_key, name] of Object.entries(FEATURES)) {
    features[lookup_key] = (await request("POST", "entitlements/features", { lookup_key, name })).id;
  }
  /** @type {Record<string, string>} */
  const prices = {};
  for (const { id, name, unit_amount, features: keys } of PLANS) {
    await request("POST", "products", { id, name });
    for (const each of keys) await request("POST", `products/${id}/features`, { entitlement_feature: features[each] });
    const terms = { currency: "usd", unit_amount: `${unit_amount}`, "recurring[interval]": "month" };
    prices[id] = (await request("POST", "prices", { product: id, ...terms })).id;
  }
  for (const { id, plan, params = {}, after } of CUSTOMERS) {
    await request("POST", "customers", { id, email: `${id.replace("cus_demo_", "")}@example.com` });
    if (!plan) continue;
    const subscription = await request("POST", "subscriptions", { customer: id, "items[0][price]": prices[plan], ...params });
    if (!after) continue;
    const [method, path, body] = /** @type {[string, string, Record<string, string>]} */ (after);
    await request(method, `subscriptions/${subscription.id}${path}`, body);
  }
  return true;
}

/** Whether the story is in the catalog since an earlier start. @param {string} url @param {string} key @param {AbortSignal} signal */
async function hasStory(url, key, signal) {
  const headers = { authorization: `Bearer ${key}` };
  const signals = AbortSignal.any([signal, AbortSignal.timeout(RESPONSE_TIMEOUT)]);
  const response = await fetch(`${url}/v1/customers/${CHECKS[0].customer}`, { headers, signal: signals });
  return response.ok && !(await response.json()).deleted;
}
