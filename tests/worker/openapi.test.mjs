// What /openapi.json says, held to what the Worker does: schemathesis (https://schemathesis.io) makes requests of the document,
// right ones and wrong ones, and looks at each answer. The document itself is held to OpenAPI 3.1 by openapi-spec-validator.

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

/** Operations that do not end, so that there is no answer to look at: streams. */
const ENDLESS = ["streamChanges", "streamFlagChanges"];

const CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"];

/** The same requests each time; another number makes others, for who wants to look further. */
const SEED = process.env.ENTGATE_SEED ?? "1";

/** The operations of a document: `[operationId, tag]`. */
function operations(document) {
  return Object.values(document.paths).flatMap((item) => Object.values(item).map(({ operationId, tags }) => [operationId, tags[0]]));
}

/** The key of RFC 8037, appendix A.1. */
const RFC_8037 = { d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" };

/** So that every route has what it needs. */
const SETTINGS = {
  ENTGATE_TOKEN_SECRETS: "0123456789abcdef0123456789abcdef",
  ENTGATE_SIGNING_KEY: JSON.stringify({ kty: "OKP", crv: "Ed25519", ...RFC_8037 }),
};

/** Runs a program; what it ended with, and all that it said. */
function run(program, args, env = {}) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: tmpdir(), env: { ...process.env, ...env }, maxBuffer: 1 << 28 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, said: stdout + stderr }),
    );
  });
}

/**
 * Lets schemathesis ask. `known` is what is there. Its exit code says whether an answer was wrong; what comes back are the answers by
 * operation, and how often each status.
 */
async function explore(service, { known, phases = "coverage,fuzzing", tags }) {
  const folder = await mkdtemp(join(tmpdir(), "entgate-"));
  try {
    const told = join(folder, "answers.json");
    const excluded = ENDLESS.flatMap((id) => ["--exclude-operation-id", id]);
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
      ...excluded,
    ];
    const env = {
      SCHEMATHESIS_HOOKS: file("openapi_hooks.py"),
      ENTGATE_KNOWN: JSON.stringify(known),
      ENTGATE_SECRET: SECRET,
      ENTGATE_ANSWERS: told,
    };
    const { code, said } = await run(python("schemathesis"), args, env);
    assert.equal(code, 0, said.replaceAll(/^(.{2000}).*$/gm, "$1…"));
    return { answers: JSON.parse(await readFile(told, "utf8")), said };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Asserts that each operation was seen to work. */
function assertWorked(answers, ids) {
  assert.deepEqual(
    ids.filter((id) => !answers[id]?.[200] && !answers[id]?.[204]),
    [],
    "these were never seen to work",
  );
}

/** Puts something of each kind on a Worker's shelves: the ids by kind, and more to be deleted. */
async function stock(service) {
  const catalog = new TestCatalog(service);
  const [held, unattached] = [await catalog.createFeature("sms"), await catalog.createFeature("export")];
  const { product, price, attached } = await catalog.createPlan(held);
  const { clock, customer } = await catalog.createClockCustomer();
  const subscription = await catalog.subscribe(customer, price, { default_payment_method: VALID_CARD });
  const endpoint = await catalog.sdk.webhookEndpoints.create({ url: "https://example.com/hook", enabled_events: ["*"] });
  const [event] = await catalog.summaryEvents(customer);
  const {
    data: [entitlement],
  } = await catalog.sdk.entitlements.activeEntitlements.list({ customer: customer.id });
  const spare = { customer: [], product: [], product_feature: [], subscription: [], clock: [], endpoint: [] };
  for (let number = 0; number < 3; number += 1) {
    const late = await catalog.createClockCustomer();
    spare.clock.push(late.clock.id);
    spare.customer.push((await catalog.sdk.customers.create()).id);
    spare.product.push((await catalog.sdk.products.create({ name: "Unsold" })).id);
    spare.product_feature.push((await catalog.attachFeature(product, await catalog.createFeature(`spare_${number}`))).id);
    spare.subscription.push((await catalog.subscribe(customer, price)).id);
    spare.endpoint.push(
      (await catalog.sdk.webhookEndpoints.create({ url: "https://example.com/spare", enabled_events: [SUMMARY_EVENT] })).id,
    );
  }
  const ids = {
    feature: held,
    unattached,
    product,
    price,
    product_feature: attached[0],
    clock,
    customer,
    subscription,
    endpoint,
    event,
    entitlement,
  };
  return { ...Object.fromEntries(Object.entries(ids).map(([kind, { id }]) => [kind, id])), spare };
}

test("the document is valid, and written from its tables", async () => {
  const path = file("../../www/console/openapi.json");
  assert.ok((await readFile(path, "utf8")) === renderDocument(), "run: node scripts/openapi.mjs");
  const { code, said } = await run(python("python"), ["-m", "openapi_spec_validator", "--schema", "3.1", path]);
  assert.equal(code, 0, said);
});

describe("with the catalog", { timeout: 600_000 }, () => {
  let service;
  let document;
  before(async () => {
    // Endpoints are registered for addresses that are made up: nothing may go there.
    service = await serveCatalog({ settings: SETTINGS, outbound: () => new Response(null, { status: 502 }) });
    ({ json: document } = await service.request("/openapi.json"));
  });
  after(() => service.stop());

  test("anybody may read the document, from any page", async () => {
    const { status, headers, text } = await service.request("/openapi.json", { key: undefined });
    assert.deepEqual([status, headers.get("content-type"), headers.get("access-control-allow-origin")], [200, "application/json", "*"]);
    assert.ok(text === renderDocument());
  });

  test("every operation answers as the document says", async (t) => {
    const { answers, said } = await explore(service, { known: await stock(service), tags: ["edge", "catalog", "openfeature"] });
    t.diagnostic(said.match(/\d+ generated.*/)?.[0] ?? said);
    const all = operations(document).map(([id]) => id);
    assertWorked(
      answers,
      all.filter((id) => !ENDLESS.includes(id)),
    );
  });
});

describe("with Stripe as the source", { timeout: 600_000 }, () => {
  test("every operation of the edge answers as the document says", async (t) => {
    const api = await fakeStripe();
    t.after(() => api.stop());
    api.setEntitlements("cus_ada", ["sms", "sso"]);
    const service = await serve({ settings: { ...SETTINGS, ...api.settings } });
    t.after(() => service.stop());
    const { answers } = await explore(service, {
      known: { customer: "cus_ada", entitlement: "ent_test_cus_ada_sms" },
      tags: ["edge", "openfeature"],
    });
  });

  test("nor is one out of order without a key of Stripe's", async (t) => {
    const service = await serve({ settings: SETTINGS });
    t.after(() => service.stop());
    await service.send(summary("cus_ada", ["sms"]));
    await explore(service, { known: { customer: "cus_ada" }, phases: "fuzzing", tags: ["edge", "catalog", "openfeature"] });
  });
});
