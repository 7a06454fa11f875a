// scripts/send-event.mjs: what it sends, and what it says about the consequence.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { settingItems } from "../../scripts/dev-vars.mjs";
import { fakeStripe } from "../worker/fake-stripe.mjs";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { SECRET, serve } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/send-event.mjs", import.meta.url));

/** The keys of this machine's .dev.vars, with which the script asks for the source. */
const KEYS = settingItems("ENTGATE_API_KEYS").join(",");

/**
 * Runs the script.
 *
 * @param {{ url: URL }} service
 * @param {string[]} args
 * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>}
 */
function sendEvent(service, ...args) {
  const env = { PATH: process.env.PATH, PORT: service.url.port, STRIPE_WEBHOOK_SECRET: SECRET };
  const child = spawn(process.execPath, [SCRIPT, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of /** @type {const} */ (["stdout", "stderr"])) {
    child[name].setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output[name] += text;
    });
  }
  return new Promise((resolve) => child.once("close", (status) => resolve({ status, ...output })));
}

test("without STRIPE_API_KEY the customer has the features of the event, and the script says so", { timeout: 60_000 }, async (t) => {
  const service = await serve({ settings: { ENTGATE_API_KEYS: KEYS, STRIPE_WEBHOOK_SECRETS: SECRET } });
  t.after(() => service.stop());
  const key = KEYS.split(",")[0];
  const sent = await sendEvent(service, "cus_ada", "sms");
  assert.equal(sent.status, 0, sent.stderr);
  assert.match(sent.stdout, /^200 OK\n.*"outcome":"applied"/);
  assert.equal(
    sent.stderr,
    "The source is Stripe, and STRIPE_API_KEY is not set: cus_ada has exactly these features until the next event.\n",
  );
  assert.equal((await service.request("/v1/check?customer=cus_ada&feature=sms", { key })).json.entitled, true);

  const truncated = await sendEvent(service, "--has-more", "cus_bob", "sms");
  assert.match(truncated.stderr, /cus_bob also has these features, and keeps its others, until the next event\.\n$/);

  const refused = await sendEvent(service, "--secret", "whsec_other", "cus_ada", "sms");
  assert.deepEqual([refused.status, refused.stdout.slice(0, 3), refused.stderr], [1, "400", ""]);
});

test("with STRIPE_API_KEY or the catalog, a list of the source replaces the event's, and the script says so", {
  timeout: 60_000,
}, async (t) => {
  const stripe = await fakeStripe();
  t.after(() => stripe.stop());
  const settings = { ENTGATE_API_KEYS: KEYS, STRIPE_WEBHOOK_SECRETS: SECRET };
  const withKey = await serve({ settings: { ...settings, ...stripe.settings } });
  t.after(() => withKey.stop());
  assert.match(
    (await sendEvent(withKey, "cus_ada", "sms")).stderr,
    /^The source is Stripe: entgate now reads the list of cus_ada with STRIPE_API_KEY, which replaces that of the event\.\n$/,
  );
  const withCatalog = await serveCatalog({ settings });
  t.after(() => withCatalog.stop());
  assert.match(
    (await sendEvent(withCatalog, "cus_ada", "sms")).stderr,
    /^The source is the built-in catalog: entgate now reads its list of cus_ada, which replaces that of the event\. .*ENTGATE_SOURCE="stripe" in \.dev\.vars\.\n$/,
  );
});

test("another server on the port has no known source; no server is an error", { timeout: 60_000 }, async () => {
  const server = createServer((_, response) => response.end("hello"));
  const url = new URL(`http://localhost:${await listenOnFreePort(server)}`);
  assert.match((await sendEvent({ url }, "cus_ada")).stderr, /^The source is not known, because /);
  await new Promise((resolve) => server.close(resolve));
  const { status, stderr } = await sendEvent({ url }, "cus_ada");
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^no response from http:\/\/localhost:\d+\/webhooks\/stripe \(ECONNREFUSED\)\. Is `make dev` running on this port\?\n$/,
  );
});
