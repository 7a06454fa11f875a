// What only Stripe knows, through Stripe's own SDK: one entitlement by its id, and features whole.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import Ajv from "ajv";
import Stripe from "stripe";
import { fakeStripe } from "./fake-stripe.mjs";
import { entitlement, serve, stripeClient, summary } from "./support.mjs";

const PATH = "/v1/entitlements/active_entitlements";
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL("../fixtures/entitlements.openapi.json", import.meta.url), "utf8")), "stripe");
const assertIs = (pointer, body) => assert.ok(ajv.validate({ $ref: `stripe#${pointer}` }, body), ajv.errorsText());
const answerOf = (path) => `/paths/${path.replaceAll("/", "~1")}/get/responses/200/content/application~1json/schema`;

describe("with a key to read Stripe with", { timeout: 30_000 }, () => {
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
  const asked = () => stripe.calls.splice(0).map(({ path }) => decodeURIComponent(path));

  test("Stripe's SDK retrieves an entitlement, with its feature or the feature's id", async () => {
    const { lastResponse, ...plain } = await entitlements().retrieve("ent_test_cus_ada_sms");
    assert.equal(lastResponse.statusCode, 200);
    assert.deepEqual(plain, entitlement("cus_ada", "sms"));
    const { feature } = await entitlements().retrieve("ent_test_cus_ada_sms", { expand: ["feature"] });
    assert.deepEqual([feature.id, feature.name, feature.metadata], ["feat_test_sms", "Text messages", { tier: "gold" }]);
    for (const query of ["", "?expand[]=feature"]) {
      assertIs(answerOf(`${PATH}/{id}`), (await service.request(`${PATH}/ent_test_cus_ada_sms${query}`)).json);
    }
  });

  test("an id that Stripe does not know is a 404, as the SDK's own class", async () => {
    await assert.rejects(entitlements().retrieve("ent_nowhere"), (error) => {
      assert.ok(error instanceof Stripe.errors.StripeInvalidRequestError);
      assert.deepEqual([error.statusCode, error.code, error.param], [404, "resource_missing", "id"]);
      assert.equal(error.message, "No such active entitlement: 'ent_nowhere'");
      return true;
    });
    assertIs("/components/schemas/error", (await service.request(`${PATH}/ent_nowhere`)).json);
  });

  test("an id that is no part of a path asks for nothing else", async () => {
    asked();
    for (const id of ["..%2f..%2fcustomers%2fcus_ada", "%3fcustomer=cus_ada", "ent_%2e%2e"]) {
      assert.equal((await service.request(`${PATH}/${id}`)).status, 404, id);
    }
    for (const path of asked()) assert.ok(path.startsWith(`${PATH}/`), path);
  });

  test("a list has its features whole, of which Stripe is asked once", async () => {
    asked();
    const list = () => entitlements().list({ customer: "cus_ada", expand: ["data.feature"] });
    const { data } = await list();
    assert.deepEqual(
      data.map(({ feature }) => [feature.name, feature.active]),
      [
        ["Text messages", true],
        ["sso", true],
        ["old", false],
      ],
    );
    assert.deepEqual(asked(), ["/v1/entitlements/features", "/v1/entitlements/features/feat_test_old"]);
    assert.deepEqual((await list()).data, data);
    assert.deepEqual(asked(), []);
    for (const name of ["expand[]", "expand[0]", "expand%5B%5D"]) {
      assertIs(answerOf(PATH), (await service.request(`${PATH}?customer=cus_ada&${name}=data.feature`)).json);
    }
  });

  test("a page has the features of its own entitlements, in their order", async () => {
    const keys = Array.from({ length: 30 }, (_, i) => `g${i}`);
    stripe.setEntitlements("cus_pages", keys);
    const list = entitlements().list({ customer: "cus_pages", limit: 7, expand: ["data.feature"] });
    const all = await list.autoPagingToArray({ limit: 100 });
    assert.deepEqual(
      all.map(({ lookup_key, feature }) => [lookup_key, feature.id]),
      keys.map((key) => [key, `feat_test_${key}`]),
    );
  });

  test("nothing else can be expanded", async () => {
    for (const [path, name] of [
      [`${PATH}?customer=cus_ada&`, "data.customer"],
      [`${PATH}/ent_test_cus_ada_sms?`, "data.feature"],
    ]) {
      const { status, json } = await service.request(`${path}expand[]=${name}`);
      assert.deepEqual([status, json.error.param], [400, "expand"], name);
    }
  });

  test("while Stripe fails, features and single entitlements are a 503, and lists without them are answered", async () => {
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
    assert.deepEqual([status, json.error.message], [503, "Stripe refuses STRIPE_API_KEY with status 401. Set another one."]);
    stripe.failAlways(undefined);
  });
});

test("without a key both are a 400 that names the setting", { timeout: 30_000 }, async (t) => {
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
