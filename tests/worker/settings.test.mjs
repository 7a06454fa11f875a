// Settings of the built Worker: bindings of every type, unknown names, deployments, and hosts in development.

import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { describe, test } from "node:test";
import Stripe from "stripe";
import { settingBindings } from "../../src/bindings.js";
import { DEPLOYED, DEPLOYED_KEY, DEPLOYED_SECRET, KEY, READ_ONLY_KEY, SECRET, serve, summary } from "./support.mjs";

const SIGNING_KEY = {
  kty: "OKP",
  crv: "Ed25519",
  d: "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
  x: "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
};

/**
 * Runs a test with the Worker under these settings.
 *
 * @param {Record<string, unknown>} settings
 * @param {(service: import("./support.mjs").Service) => Promise<void>} run
 */
async function withSettings(settings, run) {
  const service = await serve({ settings });
  try {
    await run(service);
  } finally {
    await service.stop();
  }
}

/**
 * Sends a request whose `Host` differs from the address of the Worker, which `fetch` cannot.
 *
 * @param {URL} url
 * @param {string} host
 * @param {{ method?: string, headers?: Record<string, string>, body?: string }} [options]
 * @returns {Promise<{ status: number | undefined, json: any }>}
 */
function requestAs(url, host, { method = "GET", headers = {}, body = "" } = {}) {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers: { ...headers, host } }, async (response) => {
      const chunks = await response.toArray();
      resolve({ status: response.statusCode, json: JSON.parse(Buffer.concat(chunks).toString()) });
    });
    request.on("error", reject).end(body);
  });
}

describe("bindings", { timeout: 60_000 }, () => {
  test("a variable is its text, and any other binding has none", () => {
    class SecretsStoreSecret {
      async get() {}
    }
    const env = {
      ENTGATE_A: "text",
      ENTGATE_B: 0,
      ENTGATE_C: false,
      ENTGATE_D: { kty: "OKP" },
      ENTGATE_E: ["a", 1],
      STRIPE_F: new SecretsStoreSecret(),
      entgate_g: null,
      STRIPE_H: new ArrayBuffer(1),
      STRIPE_I: Math.max,
      STRIPE_J: "a\0ENTGATE_SOURCE\0=catalog",
      STRIPE_K: "",
      ENTITLEMENTS: new SecretsStoreSecret(),
      OTHER_ENTGATE_A: "text",
    };
    const expected = [
      ["ENTGATE_A", "=text"],
      ["ENTGATE_B", "=0"],
      ["ENTGATE_C", "=false"],
      ["ENTGATE_D", '={"kty":"OKP"}'],
      ["ENTGATE_E", '=["a",1]'],
      ["STRIPE_F", ""],
      ["entgate_g", ""],
      ["STRIPE_H", ""],
      ["STRIPE_I", ""],
      ["STRIPE_J", ""],
      ["STRIPE_K", "="],
    ];
    assert.deepEqual(settingBindings(env).split("\0"), expected.flat());
  });

  test("numbers, booleans and tables are settings on both paths", async () => {
    const settings = {
      ENTGATE_MEMORY_TTL: 0,
      ENTGATE_SIGNING_KEY: SIGNING_KEY,
      ENTGATE_JWKS_URL: "http://localhost:1/jwks",
      ENTGATE_JWT_ISSUER: "https://issuer.example",
      ENTGATE_JWT_LIVEMODE: false,
      ENTGATE_DEVELOPMENT: true,
    };
    await withSettings(settings, async (service) => {
      await service.send(summary("cus_ada", ["sms"]));
      for (let i = 0; i < 2; i += 1) {
        const { json } = await service.check("cus_ada", "sms");
        assert.deepEqual([json.entitled, json.served_by], [true, "replica"]);
      }
      const { json } = await service.request("/.well-known/jwks.json");
      assert.deepEqual(
        json.keys.map(({ x }) => x),
        [SIGNING_KEY.x],
      );
    });
  });

  test("a setting of another type is a 500 with its name on both paths, and the value is in no response", async () => {
    for (const [name, value, problem] of /** @type {[string, unknown, string][]} */ ([
      ["ENTGATE_MEMORY_TTL", 61, "is not a number of seconds from 0 to 60"],
      ["ENTGATE_MEMORY_TTL", true, "is not a number of seconds from 0 to 60"],
      ["ENTGATE_API_KEYS", ["sk_test_hunter2"], "has a key that does not begin with sk_test_, sk_live_, rk_test_ or rk_live_"],
      ["ENTGATE_JWT_LIVEMODE", null, "is not text: set it as a variable or a secret of the Worker"],
    ])) {
      await withSettings({ [name]: value }, async (service) => {
        for (const path of ["/healthz", "/v1/check?customer=cus_ada&feature=sms", "/nowhere"]) {
          const { status, json, text } = await service.request(path);
          assert.equal(status, 500, path);
          assert.ok(json.error.message.startsWith(`The deployment is misconfigured: ${name} ${problem}`), json.error.message);
          assert.doesNotMatch(text, /hunter2/);
        }
        assert.equal((await service.send(summary("cus_ada", ["sms"]))).status, 500);
      });
    }
  });

  test("a name that is not a setting is reported to a secret key, with the setting that is near it", async () => {
    await withSettings({ STRIPE_WEBHOOK_SECRET: "hunter2", ENTGATE_FOO: 1 }, async (service) => {
      const { status, json, text } = await service.request("/healthz", { key: KEY });
      assert.deepEqual(
        [status, json.unknown_settings],
        [200, ["ENTGATE_FOO", "STRIPE_WEBHOOK_SECRET: did you mean STRIPE_WEBHOOK_SECRETS?"]],
      );
      assert.doesNotMatch(text, /hunter2/);
      for (const key of ["", READ_ONLY_KEY]) {
        assert.equal((await service.request("/healthz", { key })).json.unknown_settings, undefined);
      }
    });
  });
});

describe("deployments and development", { timeout: 60_000 }, () => {
  test("a deployment accepts long secrets, and answers requests for every host", async () => {
    await withSettings(DEPLOYED, async (service) => {
      assert.equal((await service.send(summary("cus_ada", ["sms"]), { secret: DEPLOYED_SECRET })).status, 200);
      const url = new URL("/v1/check?customer=cus_ada&feature=sms", service.url);
      const { status, json } = await requestAs(url, "edge.example.com", { headers: { authorization: `Bearer ${DEPLOYED_KEY}` } });
      assert.deepEqual([status, json.entitled], [200, true]);
    });
  });

  test("a deployment refuses a published key", async () => {
    await withSettings({ ...DEPLOYED, ENTGATE_API_KEYS: KEY }, async (service) => {
      const { status, json } = await service.request("/healthz");
      assert.equal(status, 500);
      assert.match(json.error.message, /^The deployment is misconfigured: ENTGATE_API_KEYS has a key of fewer than 24 characters/);
    });
  });

  test("development refuses a request for another host, on every path", async () => {
    await withSettings({ ENTGATE_DEVELOPMENT: "devbox" }, async (service) => {
      const body = JSON.stringify(summary("cus_ada", ["sms"]));
      const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: SECRET });
      const key = { authorization: `Bearer ${KEY}` };
      const routes = /** @type {[string, { method?: string, headers: Record<string, string>, body?: string }][]} */ ([
        ["/webhooks/stripe", { method: "POST", headers: { "stripe-signature": signature }, body }],
        ["/v1/check?customer=cus_ada&feature=sms", { headers: key }],
        ["/v1/entitlements/active_entitlements?customer=cus_ada", { headers: key }],
        ["/healthz", { headers: {} }],
      ]);
      for (const host of ["evil.example", "evil.example:8787", "localhost.evil.example", "10.0.0.1"]) {
        for (const [path, options] of routes) {
          const { status, json } = await requestAs(new URL(path, service.url), host, options);
          assert.deepEqual([status, json.error?.code], [403, "host_not_allowed"], `${host}${path}`);
        }
      }
      for (const host of ["localhost:8787", "127.0.0.1", "[::1]:8787", "app.localhost", "devbox:8787"]) {
        for (const [path, options] of routes) {
          assert.equal((await requestAs(new URL(path, service.url), host, options)).status, 200, `${host}${path}`);
        }
      }
    });
  });
});

describe("a read-only key", { timeout: 60_000 }, () => {
  test("opens checks and lists on both paths, and no other route", async () => {
    await withSettings({}, async (service) => {
      await service.send(summary("cus_ada", ["sms"]));
      for (const path of [
        "/v1/check?customer=cus_ada&feature=sms",
        "/v1/check?customer=cus_ada&feature=sms&fresh=true",
        "/v1/entitlements/active_entitlements?customer=cus_ada",
        "/v1/customer/cus_ada/entitlements",
      ]) {
        assert.equal((await service.request(path, { key: READ_ONLY_KEY })).status, 200, path);
      }
      assert.equal((await service.request("/v1/authorize?customer=cus_ada&feature=sms", { key: READ_ONLY_KEY })).status, 204);
      for (const [method, path] of [
        ["GET", "/v1/activity"],
        ["GET", "/v1/sync_status"],
        ["GET", "/v1/products"],
        ["POST", "/v1/tokens"],
        ["POST", "/v1/customers/cus_ada/sync"],
      ]) {
        const { status, json } = await service.request(path, { method, key: READ_ONLY_KEY });
        assert.deepEqual([status, json.error.code], [403, "secret_key_required"], path);
      }
    });
  });
});
