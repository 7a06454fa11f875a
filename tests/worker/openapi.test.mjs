// `/openapi.json` against the Worker: schemathesis (https://schemathesis.io) generates valid and invalid requests from the
// document and validates each response. openapi-spec-validator validates the document itself as OpenAPI 3.1.
// The hooks of schemathesis are in openapi_hooks.py.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Response } from "miniflare";
import { renderDocument } from "../../scripts/openapi.mjs";
import { fakeStripe } from "./fake-stripe.mjs";
import { KEY, SECRET, serve, summary } from "./support.mjs";
import { SUMMARY_EVENT, serveCatalog, TestCatalog, VALID_CARD } from "./test-catalog.mjs";

const file = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = (name) => file(`../../.tools/venv/bin/${name}`);

/** Streams: operations without a complete response. */
const STREAMS = ["streamChanges", "streamFlagChanges"];

/** The operations with the largest bodies: two thirds of the requests for the catalog. */
const LARGE = "^(create|update)(Subscription|SubscriptionItem|Price)$";

const CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"];

/** The seed of the generated requests. Another number generates other requests. */
const SEED = process.env.ENTGATE_SEED ?? "1";

/** The operations of a document: `[operationId, tag]`. */
function operations(document) {
  return Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId, tags }) => [operationId, tags[0]]));
}

/** The key of RFC 8037, appendix A.1. */
const RFC_8037 = { d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

/** Settings that every route needs. */
const SETTINGS = {
  ENTGATE_TOKEN_SECRETS: "0123456789abcdef0123456789abcdef",
  ENTGATE_SIGNING_KEY: JSON.stringify({ kty: "OKP", crv: "Ed25519", ...RFC_8037 }),
};

/**
 * Runs a program.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {Promise<{ code: number | string, output: string }>} The exit code, and stdout and stderr together.
 */
function run(program, args, env = {}) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: tmpdir(), env: { ...process.env, ...env }, maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, output: stdout + stderr }),
    );
  });
}

/**
 * Runs schemathesis, and asserts that every response was valid. `existing` has the ids of existing objects. Returns how
 * often each operation had each status, and the output.
 *
 * @param {import("./support.mjs").Service} service
 * @param {{ existing: object, phases?: string, tags?: string[], only?: string, except?: string }} options `tags` or `only` select the
 *   operations. `only` and `except` are regular expressions of their ids.
 */
async function runSchemathesis(service, { existing, phases = "coverage,fuzzing", tags = [], only, except }) {
  const folder = await mkdtemp(join(tmpdir(), "entgate-"));
  try {
    const counts = join(folder, "statuses.json");
    const excluded = STREAMS.flatMap((id) => ["--exclude-operation-id", id]);
    const args = [
      ...["run", new URL("/openapi.json", service.url).href, "--seed", SEED, "--generation-database", "none"],
      ...["--phases", phases, "--max-examples", "10", "--continue-on-failure", "--no-shrink", "--warnings", "off"],
      ...[
        "--checks",
        CHECKS.join(),
        "--header",
        `Authorization: Bearer ${KEY}`,
        "--request-timeout",
        "20",
        "--no-color",
        "--output-sanitize",
        "false",
      ],
      ...tags.flatMap((tag) => ["--include-tag", tag]),
      ...(only ? ["--include-operation-id-regex", only] : []),
      ...(except ? ["--exclude-operation-id-regex", except] : []),
      ...excluded,
    ];
    const env = {
      SCHEMATHESIS_HOOKS: file("openapi_hooks.py"),
      ENTGATE_EXISTING: JSON.stringify(existing),
      ENTGATE_SECRET: SECRET,
      ENTGATE_STATUSES: counts,
    };
    const { code, output } = await run(python("schemathesis"), args, env);
    assert.equal(code, 0, output.replaceAll(/^(.{2000}).*$/gm, "$1…"));
    return { statuses: JSON.parse(await readFile(counts, "utf8")), output };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Asserts that each operation succeeded at least once. */
function assertSucceeded(statuses, ids) {
  assert.deepEqual(
    ids.filter((id) => !statuses[id]?.[200] && !statuses[id]?.[204]),
    [],
    "these operations never succeeded",
  );
}

/**
 * Creates objects of each kind, and features whose keys have this prefix. Returns their ids by kind, and in `spare` the ids of objects
 * that may be deleted.
 */
async function createObjects(service, prefix = "") {
  const catalog = new TestCatalog(service);
  const [feature, unattached] = [await catalog.createFeature(`${prefix}sms`), await catalog.createFeature(`${prefix}export`)];
  const { product, price, attached } = await catalog.createPlan(feature);
  const { clock, customer } = await catalog.createClockCustomer();
  const subscription = await catalog.subscribe(customer, price, { default_payment_method: VALID_CARD });
  const endpoint = await catalog.sdk.webhookEndpoints.create({ url: "https://example.com/hook", enabled_events: ["*"] });
  const [event] = await catalog.summaryEvents(customer);
  const {
    data: [entitlement],
  } = await catalog.sdk.entitlements.activeEntitlements.list({ customer: customer.id });
  /** @type {Record<string, string[]>} */
  const spare = { customer: [], product: [], product_feature: [], subscription: [], item: [], clock: [], endpoint: [], override: [] };
  const createOverride = async () => {
    const body = new URLSearchParams({ feature: `${prefix}fax`, effect: "grant", reason: "A test" });
    const { json } = await service.request(`/v1/customers/${customer.id}/overrides`, { method: "POST", body });
    return json;
  };
  const second = await catalog.createPrice(product);
  for (let number = 0; number < 3; number += 1) {
    const deletable = await catalog.createClockCustomer();
    spare.clock.push(deletable.clock.id);
    spare.override.push((await createOverride()).id);
    spare.customer.push((await catalog.sdk.customers.create()).id);
    spare.product.push((await catalog.sdk.products.create({ name: "Unsold" })).id);
    spare.product_feature.push((await catalog.attachFeature(product, await catalog.createFeature(`${prefix}spare_${number}`))).id);
    spare.subscription.push((await catalog.subscribe(customer, price)).id);
    spare.item.push((await catalog.subscribe(customer, [price, second])).items.data[0].id);
    spare.endpoint.push(
      (await catalog.sdk.webhookEndpoints.create({ url: "https://example.com/spare", enabled_events: [SUMMARY_EVENT] })).id,
    );
  }
  const ids = {
    feature,
    unattached,
    product,
    price,
    product_feature: attached[0],
    clock,
    customer,
    subscription,
    payment_method: { id: VALID_CARD },
    item: subscription.items.data[0],
    other_subscription: await catalog.subscribe(customer, price),
    paused_subscription: await catalog.sdk.subscriptions.pause((await catalog.subscribe(customer, price)).id),
    other_price: await catalog.createPrice(product),
    override: await createOverride(),
    account: await catalog.sdk.accounts.retrieveCurrent(),
    endpoint,
    event,
    entitlement,
  };
  return { ...Object.fromEntries(Object.entries(ids).map(([kind, { id }]) => [kind, id])), spare };
}

test("the document is valid and up to date", async () => {
  const path = file("../../www/console/openapi.json");
  assert.ok((await readFile(path, "utf8")) === renderDocument(), "run: node scripts/openapi.mjs");
  const { code, output } = await run(python("python"), ["-m", "openapi_spec_validator", "--schema", "3.1", path]);
  assert.equal(code, 0, output);
});

// Side by side: each run of schemathesis waits for most of its time.
describe("generated requests", { concurrency: true, timeout: 1_500_000 }, () => {
  describe("with the catalog", () => {
    let service;
    let document;
    before(async () => {
      // Webhook endpoints are created with generated URLs: no request may leave this machine.
      service = await serveCatalog({ settings: SETTINGS, outbound: () => new Response(null, { status: 502 }) });
      ({ json: document } = await service.request("/openapi.json"));
    });
    after(() => service.stop());

    test("the document is public, also for pages of other origins", async () => {
      const { status, headers, text } = await service.request("/openapi.json", { key: undefined });
      assert.deepEqual([status, headers.get("content-type"), headers.get("access-control-allow-origin")], [200, "application/json", "*"]);
      assert.ok(text === renderDocument());
    });

    test("every response matches the document, and every operation succeeds", async (t) => {
      const runs = await Promise.all(
        [
          { prefix: "", tags: ["edge", "openfeature"] },
          { prefix: "second_", only: LARGE },
          { prefix: "third_", tags: ["catalog"], except: LARGE },
        ].map(async ({ prefix, ...options }) => runSchemathesis(service, { existing: await createObjects(service, prefix), ...options })),
      );
      for (const { output } of runs) t.diagnostic(output.match(/\d+ generated.*/)?.[0] ?? output);
      const all = operations(document).map(([id]) => id);
      assertSucceeded(
        Object.assign({}, ...runs.map(({ statuses }) => statuses)),
        all.filter((id) => !STREAMS.includes(id)),
      );
    });
  });

  describe("with Stripe as the source", { concurrency: true }, () => {
    test("every response of the edge routes matches the document", async (t) => {
      const api = await fakeStripe();
      t.after(() => api.stop());
      api.setEntitlements("cus_ada", ["sms", "sso"]);
      const service = await serve({ settings: { ...SETTINGS, ...api.settings } });
      t.after(() => service.stop());
      await runSchemathesis(service, {
        existing: { customer: "cus_ada", entitlement: "ent_test_cus_ada_sms" },
        tags: ["edge", "openfeature"],
      });
    });

    test("every response matches the document without a key for Stripe", async (t) => {
      const service = await serve({ settings: SETTINGS });
      t.after(() => service.stop());
      await service.send(summary("cus_ada", ["sms"]));
      await runSchemathesis(service, { existing: { customer: "cus_ada" }, phases: "fuzzing", tags: ["edge", "catalog", "openfeature"] });
    });
  });
});
