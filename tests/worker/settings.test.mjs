// Settings of the built Worker: deployments, and hosts in development.

import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { describe, test } from "node:test";
import Stripe from "stripe";
import { DEPLOYED, DEPLOYED_KEY, DEPLOYED_SECRET, KEY, SECRET, serve, summary } from "./support.mjs";

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
