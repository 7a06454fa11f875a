// What the shop sells, and how it gets into the catalog: only when somebody asks for it, and what is there already is left as it is.

/** The parts of the shop, by lookup key. */
export const FEATURES = [
  { key: "sms", name: "Text messages" },
  { key: "export", name: "Export" },
  { key: "sso", name: "Single sign-on" },
  { key: "audit_log", name: "Audit log" },
];

/** `features` are what a product includes when it is made. The audit log is attached in the playground. */
export const PLANS = [
  { product: "shop_starter", name: "Starter", amount: 900, features: ["sms"] },
  { product: "shop_pro", name: "Pro", amount: 2900, features: ["sms", "export", "sso"] },
];

/** Why a request of several came to nothing; its message is for people. */
export class Refused extends Error {}

/** The reply's body, or the reason why there is none. */
export async function expect(asked) {
  const reply = await asked;
  if (reply.problem) throw new Refused(reply.problem);
  return reply.body;
}

/** What of the shop is in the catalog: `{ features, prices, includes }`, or undefined while some of it is not. */
export async function find(desk) {
  const get = (path) => expect(desk.ask(path));
  const { data: products } = await get(`/v1/products?${new URLSearchParams(PLANS.map(({ product }, at) => [`ids[${at}]`, product]))}`);
  if (products.length < PLANS.length) return undefined;
  const features = {};
  for (const { key } of FEATURES) {
    const { data } = await get(`/v1/entitlements/features?${new URLSearchParams({ lookup_key: key })}`);
    if (data.length === 0) return undefined;
    features[key] = data[0].id;
  }
  const prices = {};
  for (const { product } of PLANS) {
    const { data } = await get(`/v1/prices?${new URLSearchParams({ product, active: true })}`);
    if (data.length === 0) return undefined;
    prices[product] = data[0].id;
  }
  return { features, prices, includes: await included(desk) };
}

/** By product: the lookup key of each feature that it includes, and by what id. */
export async function included(desk) {
  const lists = PLANS.map(async ({ product }) => {
    const { data } = await expect(desk.ask(`/v1/products/${product}/features?limit=100`));
    return [product, Object.fromEntries(data.map(({ id, entitlement_feature }) => [entitlement_feature.lookup_key, id]))];
  });
  return Object.fromEntries(await Promise.all(lists));
}

/** Puts into the catalog what of the shop is not there yet, and gives it as `find` does. */
export async function furnish(desk) {
  const get = (path) => expect(desk.ask(path));
  const post = (path, form) => expect(desk.ask(path, { method: "POST", form }));
  const features = {};
  for (const { key, name } of FEATURES) {
    const { data } = await get(`/v1/entitlements/features?${new URLSearchParams({ lookup_key: key })}`);
    features[key] = (data[0] ?? (await post("/v1/entitlements/features", { lookup_key: key, name }))).id;
  }
  for (const plan of PLANS) {
    const { data } = await get(`/v1/products?${new URLSearchParams({ "ids[0]": plan.product })}`);
    if (data.length === 0) {
      await post("/v1/products", { id: plan.product, name: plan.name });
      for (const key of plan.features) await post(`/v1/products/${plan.product}/features`, { entitlement_feature: features[key] });
    }
    const prices = await get(`/v1/prices?${new URLSearchParams({ product: plan.product, active: true })}`);
    if (prices.data.length === 0)
      await post("/v1/prices", { product: plan.product, currency: "usd", unit_amount: plan.amount, recurring: { interval: "month" } });
  }
  return find(desk);
}
