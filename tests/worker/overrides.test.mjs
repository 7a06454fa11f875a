// Overrides in the Worker: an operator grants and denies a feature, everybody sees it, it ends by itself, and the history tells all of it.
// With both sources.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { SseClient } from "./stream-clients.mjs";
import { serve, summary } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";

/** @import { Service } from "./support.mjs" */

const overridesOf = (/** @type {string} */ customer) => `/v1/customers/${customer}/overrides`;

/** Sends a form, and returns the body of a 200. @param {Service} service @param {string} method @param {string} path @param {Record<string, string>} params */
async function send(service, method, path, params) {
  const { status, json } = await service.request(path, { method, body: new URLSearchParams(params) });
  assert.equal(status, 200, JSON.stringify(json));
  return json;
}

/** @param {Service} service @param {string} path */
async function get(service, path) {
  const { status, json } = await service.request(path);
  assert.equal(status, 200, JSON.stringify(json));
  return json;
}

/** `entitled` and `reason` of a check. @param {Service} service @param {string} customer @param {Record<string, unknown>} params */
async function check(service, customer, params) {
  const { status, json } = await service.check(customer, "export", params);
  assert.equal(status, 200, JSON.stringify(json));
  return [json.entitled, json.reason];
}

/** Explains the answer about `export`. @param {Service} service @param {string} customer @param {string} [more] */
const explain = (service, customer, more = "") => get(service, `/v1/explain?customer=${customer}&feature=export${more}`);

/** The contributions of one type. @param {{ contributions: { type: string }[] }} explanation @param {string} type @returns {any[]} */
const ofType = ({ contributions }, type) => contributions.filter((contribution) => contribution.type === type);

/**
 * Grants `export` for two seconds, denies it, ends that, and reads the whole story. The customer has other entitlements only.
 *
 * @param {Service} service
 * @param {string} customer
 */
async function tellStory(service, customer) {
  const before = (await get(service, `/v1/check?customer=${customer}&feature=export&fresh=true`)).version;
  const stream = await SseClient.open(service, customer);
  await stream.waitForVersion(before);

  const grant = { feature: "export", effect: "grant", reason: "Trial extended", actor: "ada@example.com", expires_in: "2" };
  const granted = await send(service, "POST", overridesOf(customer), grant);
  assert.deepEqual([granted.version, granted.status], [before + 1, "active"]);
  assert.equal(granted.expires_at, granted.starts_at + 2);
  assert.deepEqual(await check(service, customer, { at_least: granted.version }), [true, "override"]);
  const list = await get(service, overridesOf(customer));
  assert.deepEqual(list, { object: "list", data: [granted], has_more: false, url: overridesOf(customer) });
  await stream.waitForVersion(granted.version);

  // The end is an event of the stream.
  await stream.waitForVersion(granted.version + 1);
  assert.deepEqual(await check(service, customer, { at_least: granted.version + 1 }), [false, "not_entitled"]);

  const denial = { feature: "export", effect: "deny", reason: "Fraud", actor: "bob@example.com" };
  const denied = await send(service, "POST", overridesOf(customer), denial);
  assert.equal(denied.version, granted.version + 2);
  assert.deepEqual(await check(service, customer, { at_least: denied.version }), [false, "denied_by_override"]);
  const why = await explain(service, customer);
  assert.deepEqual([why.entitled, why.reason, why.version], [false, "denied_by_override", denied.version]);
  assert.deepEqual(
    ofType(why, "override").map(({ effect, override }) => [effect, override.id, override.status]),
    [
      ["denies", denied.id, "active"],
      ["none", granted.id, "ended"],
    ],
  );

  const path = `${overridesOf(customer)}/${denied.id}`;
  const deleted = await send(service, "DELETE", `${path}?reason=Cleared&actor=ada%40example.com`, {});
  assert.deepEqual(deleted, { id: denied.id, object: "entitlement_override", deleted: true, customer, version: denied.version + 1 });
  assert.deepEqual(await check(service, customer, { at_least: deleted.version }), [false, "not_entitled"]);
  const { deletion, ...rest } = await get(service, path);
  const { deletion: none, ...unchanged } = denied;
  assert.equal(none, null);
  assert.deepEqual(rest, { ...unchanged, status: "ended", version: deleted.version });
  assert.deepEqual([deletion.reason, deletion.actor], ["Cleared", "ada@example.com"]);
  assert.deepEqual((await get(service, `${overridesOf(customer)}?status=ended`)).data.length, 2);

  const history = await get(service, `/v1/customers/${customer}/history?limit=4`);
  const changes = history.data.map(({ version, cause, added, removed }) => [version, cause, added, removed]);
  assert.deepEqual(changes, [
    [before + 4, { type: "override", id: denied.id, actor: "ada@example.com" }, [], []],
    [before + 3, { type: "override", id: denied.id, actor: "bob@example.com" }, [], []],
    [before + 2, { type: "override_end", id: granted.id, actor: null }, [], ["export"]],
    [before + 1, { type: "override", id: granted.id, actor: "ada@example.com" }, ["export"], []],
  ]);
  assert.equal(history.data[2].created, granted.expires_at);

  // Several of these changes may be of one second: the last one counts.
  const answerAt = (/** @type {number} */ at) => {
    if (at >= deletion.created) return [false, "not_entitled"];
    if (at >= denied.created) return [false, "denied_by_override"];
    return at >= granted.expires_at ? [false, "not_entitled"] : [true, "override"];
  };
  for (const at of [granted.starts_at, granted.expires_at - 1, granted.expires_at, denied.created, deletion.created]) {
    const then = await explain(service, customer, `&at=${at}`);
    assert.deepEqual([then.at, then.entitled, then.reason], [at, ...answerAt(at)]);
  }

  const streamed = stream.events.filter(({ event }) => event === "change").map(({ data }) => [data.version, data.added, data.removed]);
  assert.deepEqual(streamed.slice(0, 2), [
    [before + 1, ["export"], []],
    [before + 2, [], ["export"]],
  ]);
  await stream.close();
}

describe("overrides", { concurrency: true, timeout: 60_000 }, () => {
  test("with Stripe as the source: granted, ended, denied, deleted, and all of it in the history", async (t) => {
    const stripe = await fakeStripe();
    t.after(() => stripe.stop());
    stripe.setEntitlements("cus_ada", ["sms"]);
    stripe.setProductFeatures("prod_basic", ["sms"]);
    stripe.setProductFeatures("prod_pro", ["sms", "export"]);
    stripe.setSubscriptions("cus_ada", [
      { status: "canceled", products: ["prod_pro"], id: "sub_old" },
      { status: "active", products: ["prod_basic"], id: "sub_new" },
    ]);
    const service = await serve({ settings: stripe.settings });
    t.after(() => service.stop());
    await tellStory(service, "cus_ada");

    const why = await explain(service, "cus_ada");
    assert.deepEqual([why.entitled, why.reason], [false, "not_entitled"]);
    assert.deepEqual(ofType(why, "subscription"), [
      { type: "subscription", effect: "none", subscription: "sub_old", product: "prod_pro", status: "canceled", setting: null },
    ]);
    assert.deepEqual(ofType(why, "product"), [
      { type: "product", effect: "none", product: "prod_pro", name: "Product prod_pro", subscribed: false },
    ]);
    const [source] = ofType(why, "source_set");
    assert.deepEqual([source.source, source.effect, source.completeness], ["stripe", "none", "complete"]);
  });

  test("with the catalog as the source: granted, ended, denied, deleted, and all of it in the history", async (t) => {
    const service = await serveCatalog();
    t.after(() => service.stop());
    const catalog = new TestCatalog(service);
    const [sms, exporting] = [await catalog.createFeature("sms"), await catalog.createFeature("export")];
    const basic = await catalog.createPlan(sms);
    const pro = await catalog.createPlan(sms, exporting);
    const customer = await catalog.sdk.customers.create();
    await catalog.sdk.subscriptions.create({
      customer: customer.id,
      items: [{ price: basic.price.id }],
      payment_behavior: "default_incomplete",
      trial_period_days: 7,
    });
    await service.sync(customer.id, { feature: "sms", wait: 10 });
    await tellStory(service, customer.id);

    const why = await explain(service, customer.id);
    assert.deepEqual([why.entitled, why.reason], [false, "not_entitled"]);
    assert.deepEqual(ofType(why, "product"), [
      { type: "product", effect: "none", product: pro.product.id, name: "A plan", subscribed: false },
    ]);
    const sms_ = await get(service, `/v1/explain?customer=${customer.id}&feature=sms`);
    const [{ subscription, ...rest }] = ofType(sms_, "subscription");
    assert.match(subscription, /^sub_/);
    assert.deepEqual(rest, { type: "subscription", effect: "grants", product: basic.product.id, status: "trialing", setting: null });
    assert.deepEqual(ofType(sms_, "subscriptions_unavailable"), []);
  });

  test("a customer without any data can be granted a feature, and is unknown for any other", async (t) => {
    const service = await serve({ settings: { ENTGATE_UNKNOWN_CUSTOMERS: "" } });
    t.after(() => service.stop());
    const granted = await send(service, "POST", overridesOf("cus_new"), { feature: "export", effect: "grant", reason: "Trial" });
    assert.equal(granted.actor, "sk_test_****");
    assert.deepEqual(await check(service, "cus_new", { at_least: granted.version }), [true, "override"]);
    const other = await service.check("cus_new", "sms", {});
    assert.deepEqual([other.status, other.json.error.code], [503, "customer_not_verifiable"]);
    const why = await get(service, "/v1/explain?customer=cus_new&feature=sms");
    assert.deepEqual([why.entitled, why.reason], [null, null]);
    const [source] = ofType(why, "source_set");
    assert.deepEqual([source.effect, source.completeness], ["none", "unknown"]);
  });

  test("a repeated request with an idempotency key creates one override, also at the same time", async (t) => {
    const service = await serve();
    t.after(() => service.stop());
    await service.send(summary("cus_ada", ["sms"]));
    const body = new URLSearchParams({ feature: "export", effect: "grant", reason: "Trial" });
    const headers = { "idempotency-key": "key_1" };
    const create = () => service.request(overridesOf("cus_ada"), { method: "POST", body, headers });
    const responses = await Promise.all([create(), create(), create()]);
    const ids = new Set(responses.map(({ json }) => json.id));
    assert.equal(ids.size, 1, [...ids].join());
    const replayed = responses.filter(({ headers }) => headers.get("idempotent-replayed") === "true");
    assert.equal(replayed.length, 2);
    assert.equal((await get(service, overridesOf("cus_ada"))).data.length, 1);
    const { status, json } = await service.request(overridesOf("cus_ada"), {
      method: "POST",
      headers,
      body: new URLSearchParams({ feature: "export", effect: "deny", reason: "Trial" }),
    });
    assert.deepEqual([status, json.error.type], [400, "idempotency_error"]);
  });

  test("overrides survive a new list of the source and the deletion of the customer", async (t) => {
    const stripe = await fakeStripe();
    t.after(() => stripe.stop());
    stripe.setEntitlements("cus_ada", ["sms"]);
    const service = await serve({ settings: stripe.settings });
    t.after(() => service.stop());
    await service.sync("cus_ada");
    await send(service, "POST", overridesOf("cus_ada"), { feature: "export", effect: "grant", reason: "Trial" });
    stripe.setEntitlements("cus_ada", []);
    await service.sync("cus_ada");
    assert.deepEqual(await check(service, "cus_ada", { fresh: true }), [true, "override"]);
    stripe.deleteCustomer("cus_ada");
    await service.sync("cus_ada");
    assert.deepEqual(await check(service, "cus_ada", { fresh: true }), [true, "override"]);
    assert.equal((await get(service, overridesOf("cus_ada"))).data.length, 1);
  });
});
