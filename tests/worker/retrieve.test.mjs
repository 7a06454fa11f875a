// What the Worker has to read at Stripe: one entitlement by its id, and expanded features. Read with Stripe's own SDK.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { assertMatches, ERROR_SCHEMA, responseSchema } from "./stripe-openapi.mjs";
import { entitlement, serve, stripeClient, summary } from "./support.mjs";

const PATH = "/v1/entitlements/active_entitlements";

/** The expanded feature of an entitlement. @param {Stripe.Entitlements.ActiveEntitlement} entitlement */
function expanded({ feature }) {
  assert.ok(typeof feature === "object");
  return feature;
}

describe("with a key for Stripe", { timeout: 30_000 }, () => {
  let stripe;
  let service;
  before(async () => {
    stripe = await fakeStripe();
    service = await serve({ settings: stripe.settings, log: [] });
    stripe.updateFeature("sms", { name: "Text messages", metadata: { tier: "gold" } });
    stripe.setEntitlements("cus_ada", ["sms", "sso", "old"]);
    stripe.updateFeature("old", { active: false });
    assert.equal((await service.sync("cus_ada")).status, 200);
  });
  after(async () => {
    await service.stop();
    await stripe.stop();
  });

  const entitlements = () => stripeClient(service.url).entitlements.activeEntitlements;
  /** The paths of the requests to Stripe since the last call. */
  const takePaths = () => stripe.calls.splice(0).map(({ path }) => decodeURIComponent(path));

  test("Stripe's SDK retrieves an entitlement, with the id of its feature or with the expanded feature", async () => {
    const { lastResponse, ...plain } = await entitlements().retrieve("ent_test_cus_ada_sms");
    assert.equal(lastResponse.statusCode, 200);
    assert.deepEqual(plain, entitlement("cus_ada", "sms"));
    const feature = expanded(await entitlements().retrieve("ent_test_cus_ada_sms", { expand: ["feature"] }));
    assert.deepEqual([feature.id, feature.name, feature.metadata], ["feat_test_sms", "Text messages", { tier: "gold" }]);
    for (const query of ["", "?expand[]=feature"]) {
      assertMatches(responseSchema(`${PATH}/{id}`), (await service.request(`${PATH}/ent_test_cus_ada_sms${query}`)).json);
    }
  });

  test("an id that is unknown at Stripe is a 404, and the SDK throws its own class", async () => {
    await assert.rejects(entitlements().retrieve("ent_none"), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
      assert.deepEqual([error.statusCode, error.code, error.param], [404, "resource_missing", "id"]);
      assert.equal(error.message, "No such active entitlement: 'ent_none'");
      return true;
    });
    assertMatches(ERROR_SCHEMA, (await service.request(`${PATH}/ent_none`)).json);
  });

  test("an encoded id cannot change the path of the request to Stripe", async () => {
    takePaths();
    for (const id of ["..%2f..%2fcustomers%2fcus_ada", "%3fcustomer=cus_ada", "ent_%2e%2e"]) {
      assert.equal((await service.request(`${PATH}/${id}`)).status, 404, id);
    }
    for (const path of takePaths()) assert.ok(path.startsWith(`${PATH}/`), path);
  });

  test("a list has its features expanded, which are read at Stripe once", async () => {
    takePaths();
    const list = () => entitlements().list({ customer: "cus_ada", expand: ["data.feature"] });
    const { data } = await list();
    assert.deepEqual(
      data.map(expanded).map(({ name, active }) => [name, active]),
      [
        ["Text messages", true],
        ["sso", true],
        ["old", false],
      ],
    );
    assert.deepEqual(takePaths(), ["/v1/entitlements/features", "/v1/entitlements/features/feat_test_old"]);
    assert.deepEqual((await list()).data, data);
    assert.deepEqual(takePaths(), []);
    for (const name of ["expand[]", "expand[0]", "expand%5B%5D"]) {
      assertMatches(responseSchema(PATH), (await service.request(`${PATH}?customer=cus_ada&${name}=data.feature`)).json);
    }
  });

  test("a page has the features of its own entitlements, in the same order", async () => {
    const keys = Array.from({ length: 30 }, (_, i) => `g${i}`);
    stripe.setEntitlements("cus_pages", keys);
    const list = entitlements().list({ customer: "cus_pages", limit: 7, expand: ["data.feature"] });
    const all = await list.autoPagingToArray({ limit: 100 });
    assert.deepEqual(
      all.map((item) => [item.lookup_key, expanded(item).id]),
      keys.map((key) => [key, `feat_test_${key}`]),
    );
  });

  test("expanding another property is an error", async () => {
    for (const [path, name] of [
      [`${PATH}?customer=cus_ada&`, "data.customer"],
      [`${PATH}/ent_test_cus_ada_sms?`, "data.feature"],
    ]) {
      const { status, json } = await service.request(`${path}expand[]=${name}`);
      assert.deepEqual([status, json.error.param], [400, "expand"], name);
    }
  });

  test("while Stripe fails, features and single entitlements are a 503, and lists without them are returned", async () => {
    stripe.setEntitlements("cus_new", ["h0", "h1"]);
    assert.equal((await service.sync("cus_new")).status, 200);
    stripe.failAlways({ status: 500, shouldRetry: "false" });
    for (const path of [`${PATH}/ent_test_cus_ada_sms`, `${PATH}?customer=cus_new&expand[]=data.feature`]) {
      const { status, headers } = await service.request(path);
      assert.deepEqual([status, headers.get("retry-after")], [503, "1"], path);
    }
    assert.equal((await service.request(`${PATH}?customer=cus_new`)).json.data.length, 2);
    stripe.failAlways({ status: 401 });
    const { status, json } = await service.request(`${PATH}/ent_test_cus_ada_sms`);
    assert.deepEqual([status, json.error.message], [503, "Stripe rejected STRIPE_API_KEY with status 401. Set another one."]);
    stripe.failAlways(undefined);
  });
});

test("without a key for Stripe, both are a 400 that names the setting", { timeout: 30_000 }, async (t) => {
  const service = await serve();
  t.after(() => service.stop());
  await service.send(summary("cus_ada", ["sms"]));
  for (const path of [`${PATH}/ent_test_cus_ada_sms`, `${PATH}?customer=cus_ada&expand[]=data.feature`]) {
    const { status, json } = await service.request(path);
    assert.deepEqual([status, json.error.type], [400, "invalid_request_error"]);
    assert.match(json.error.message, /has no key of test mode for it: set STRIPE_API_KEY\.$/);
  }
  const sync = await service.sync("cus_ada");
  assert.equal(sync.status, 400);
  assert.match(sync.json.error.message, /STRIPE_API_KEY/);
});
