// The dataset of METRICS, and the structured log: what a request decided.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { decidedBy, decisionsOf, writeDataPoints } from "../../src/worker/decisions.js";
import { eventually, KEY, SECRET, serve, summary } from "./support.mjs";

const LIST = "/v1/entitlements/active_entitlements";

/** A data point of a request without the customer's id. */
const point = (/** @type {string} */ index, /** @type {string[]} */ blobs, latency = 7, status = 200) => ({
  indexes: [index],
  blobs,
  doubles: [latency, status],
});

/** A Worker that checks a feature over the service binding. */
const caller = {
  name: "caller",
  compatibilityDate: "2026-11-17",
  modules: true,
  script: `export default {
    async fetch(request, env) {
      const [method, customer] = new URL(request.url).pathname.slice(1).split("/");
      const args = { customer, ...(method !== "list" && { feature: "sms" }) };
      return Response.json(await env.ENTITLEMENTS[method](args).catch(({ code }) => code));
    },
  }`,
  serviceBindings: { ENTITLEMENTS: { name: "entgate", entrypoint: "Entitlements", props: { livemode: false } } },
};

const settings = { ENTGATE_UNKNOWN_CUSTOMERS: "" };

describe("the dataset", { timeout: 60_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let service;
  /** @type {string[]} */
  const log = [];
  before(async () => {
    service = await serve({ settings, dataset: true, others: [caller], log });
    for (const event of [summary("cus_ada", ["sms"]), summary("cus_bob", ["sso"])]) await service.send(event);
    await service.takePoints();
  });
  after(() => service.stop());

  /** Asserts the data points that a request writes. */
  async function assertPoints(/** @type {() => Promise<unknown>} */ send, /** @type {object[]} */ ...expected) {
    await send();
    /** @type {object[]} */
    const points = [];
    await eventually(async () => {
      points.push(...(await service.takePoints()));
      assert.ok(points.length >= expected.length, JSON.stringify(points));
    });
    assert.deepEqual(points, expected);
  }

  const get = (/** @type {string} */ path) => () => service.request(path);

  test("has a point for each check, of the fast path and of the slow path", async () => {
    const check = "/v1/check?customer=cus_ada";
    await assertPoints(get(`${check}&feature=sms`), point("sms", ["/v1/check", "grant", "active_entitlement", "replica", "sms"]));
    // The slow path reads the record again. From then on, the fast path denies this feature.
    const denied = ["/v1/check", "deny", "not_entitled", "replica", "fax"];
    for (const latency of [14, 7]) await assertPoints(get(`${check}&feature=fax`), point("fax", denied, latency));
    await assertPoints(
      get(`${check}&feature=sms&fresh=true`),
      point("sms", ["/v1/check", "grant", "active_entitlement", "ledger", "sms"], 0),
    );
    await assertPoints(
      get(`${check}&feature=sms&feature=fax`),
      point("sms", ["/v1/check", "grant", "active_entitlement", "replica", "sms"]),
      point("fax", denied),
    );
  });

  test("has an unknown answer with its code, and a rejected request", async () => {
    await assertPoints(
      get("/v1/check?customer=cus_nobody&feature=sms"),
      point("sms", ["/v1/check", "unknown", "customer_not_verifiable", "", "sms"], 14, 503),
    );
    await assertPoints(
      get("/v1/check?customer=cus_ada"),
      point("/v1/check", ["/v1/check", "rejected", "parameter_missing", "", ""], 0, 400),
    );
    await assertPoints(
      () => service.request("/v1/check?customer=cus_ada&feature=sms", { key: "sk_test_other" }),
      point("sms", ["/v1/check", "rejected", "invalid_request_error", "", "sms"], 0, 401),
    );
  });

  test("has a point for an authorization, a list, a flag, an event and a call of the service binding", async () => {
    await assertPoints(
      get("/v1/authorize?customer=cus_ada&feature=sms"),
      point("sms", ["/v1/authorize", "grant", "", "replica", "sms"], 7, 204),
    );
    await assertPoints(
      get("/v1/authorize?customer=cus_ada&feature=fax"),
      point("fax", ["/v1/authorize", "deny", "not_entitled", "", "fax"], 14, 403),
    );
    await assertPoints(get(`${LIST}?customer=cus_ada`), point(LIST, [LIST, "answered", "", "replica", ""]));
    const body = JSON.stringify({ context: { targetingKey: "cus_ada" } });
    const flag = { method: "POST", body, headers: { "content-type": "application/json" } };
    const route = "/ofrep/v1/evaluate/flags/{key}";
    await assertPoints(
      () => service.request("/ofrep/v1/evaluate/flags/sms", flag),
      point("sms", [route, "grant", "active_entitlement", "", "sms"]),
    );
    await assertPoints(
      () => service.send(summary("cus_ada", ["sms", "fax"])),
      point("/webhooks/stripe", ["/webhooks/stripe", "applied", "", "", ""], 0),
    );
    await assertPoints(
      () => service.fetchWorker("caller", "/check/cus_bob"),
      point("sms", ["Entitlements.check", "deny", "not_entitled", "replica", "sms"]),
    );
    await assertPoints(
      () => service.fetchWorker("caller", "/check/cus_nobody"),
      point("sms", ["Entitlements.check", "unknown", "customer_not_verifiable", "", "sms"], 14, 503),
    );
    await assertPoints(
      () => service.fetchWorker("caller", "/list/cus_bob"),
      point("Entitlements.list", ["Entitlements.list", "answered", "", "replica", ""]),
    );
  });

  test("has no point for a request that decides nothing", async () => {
    for (const path of ["/healthz", "/v1/sync_status", "/v1/activity", "/nothing"]) await service.request(path);
    assert.deepEqual(await service.takePoints(), []);
  });

  test("has no customer, and the log no key", async () => {
    const secrets = [KEY, SECRET, "sk_test_other"];
    for (const line of log) for (const secret of secrets) assert.equal(line.includes(secret), false, line);
  });
});

test("a data point has the customer if ENTGATE_METRICS_CUSTOMERS is `true`", { timeout: 60_000 }, async (t) => {
  const service = await serve({ settings: { ENTGATE_METRICS_CUSTOMERS: "true" }, dataset: true });
  t.after(() => service.stop());
  await service.send(summary("cus_ada", ["sms"]));
  await service.check("cus_ada", "sms", { fresh: true });
  await eventually(async () => {
    const blobs = (await service.takePoints()).map((/** @type {any} */ { blobs }) => blobs);
    assert.deepEqual(blobs.at(-1), ["/v1/check", "grant", "active_entitlement", "ledger", "sms", "cus_ada"]);
  });
});

test("Miniflare's dataset accepts the points, and a failing one does not change the answer", { timeout: 60_000 }, async (t) => {
  /** @type {string[]} */
  const log = [];
  const service = await serve({ analyticsEngineDatasets: { METRICS: { dataset: "entgate" } }, log });
  t.after(() => service.stop());
  await service.send(summary("cus_ada", ["sms"]));
  assert.equal((await service.check("cus_ada", "sms")).json.entitled, true);
  assert.deepEqual(
    log.filter((line) => line.includes("METRICS")),
    [],
  );
  const failing = {
    METRICS: {
      writeDataPoint() {
        throw new Error("too many data points");
      },
    },
  };
  const errors = t.mock.method(console, "error", () => {});
  writeDataPoints(failing, { route: "/v1/check", param: () => undefined }, [{ decision: "grant" }], { status: 200, latency: 1 });
  assert.deepEqual(errors.mock.calls[0].arguments, ["failed to write to the dataset of METRICS: Error: too many data points"]);
});

test("a long feature is cut to what a data point may have", () => {
  /** @type {any[]} */
  const points = [];
  const env = { METRICS: { writeDataPoint: (/** @type {object} */ written) => points.push(written) } };
  const decided = /** @type {any} */ (decidedBy(new Request("https://gate.example/v1/check?customer=cus_ada")));
  for (const feature of ["é".repeat(32), "é".repeat(33), "f".repeat(1_001)]) {
    writeDataPoints(env, decided, [{ decision: "grant", feature }], { status: 200, latency: 0 });
  }
  assert.deepEqual(
    points.map(({ indexes, blobs }) => [indexes[0].length, blobs[4].length]),
    [
      [32, 32],
      [32, 33],
      [32, 1_000],
    ],
  );
  assert.ok(Buffer.byteLength("山".repeat(32)) <= 96);
});

test("a body that is not JSON is a decision without a reason", () => {
  const decided = { route: "/v1/check", param: () => undefined };
  for (const [status, decision] of /** @type {[number, string][]} */ ([
    [500, "unknown"],
    [400, "rejected"],
    [200, "answered"],
  ])) {
    const [decided1] = decisionsOf(decided, { status, header: () => undefined, body: "<html>" });
    assert.equal(decided1.decision, decision);
    assert.equal(decided1.reason, undefined);
  }
});

describe("the log", { timeout: 60_000 }, () => {
  /** @type {string[]} */
  const log = [];
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let service;
  before(async () => {
    service = await serve({ settings, log });
  });
  after(() => service.stop());

  /** Asserts the decisions that a request logs: none for an empty list. */
  async function assertLogs(/** @type {() => Promise<{ headers: Headers }>} */ send, /** @type {object[]} */ ...expected) {
    log.length = 0;
    const { headers } = await send();
    const lines = expected.map((decision) => JSON.stringify({ message: "decision", ...decision, request_id: headers.get("request-id") }));
    const decisions = () => log.filter((line) => line.startsWith('{"message":"decision"'));
    await eventually(() => assert.deepEqual(decisions(), lines));
  }

  test("has one line for an event that changed something, on both paths, and none for a duplicate", async () => {
    const [first, second] = [summary("cus_ada", ["sms"]), summary("cus_ada", ["sso"])];
    const applied = (/** @type {{ id: string }} */ { id }, /** @type {number} */ version) => ({
      route: "/webhooks/stripe",
      status: 200,
      decision: "applied",
      event: id,
      customer: "cus_ada",
      version,
    });
    await assertLogs(() => service.send(first), applied(first, 1));
    await assertLogs(() => service.send(second), applied(second, 2));
    await assertLogs(() => service.send(second));
    await assertLogs(() => service.send(summary("cus_ada", [], { type: "invoice.paid" })));
  });

  test("has one line for an event that is not valid, without its signature", async () => {
    const rejected = { route: "/webhooks/stripe", status: 400, reason: "signature_invalid", decision: "rejected" };
    await assertLogs(() => service.send(summary("cus_ada", ["sms"]), { secret: "whsec_another_0123456789" }), rejected);
    await assertLogs(() => service.send(summary("cus_ada", ["sms"]), { header: "t=1,v1=00" }), rejected);
  });

  test("has one line for a check that has no answer, and none for a grant or a denial", async () => {
    const unknown = {
      route: "/v1/check",
      status: 503,
      feature: "sms",
      customer: "cus_nobody",
      reason: "customer_not_verifiable",
      decision: "unknown",
    };
    await assertLogs(() => service.check("cus_nobody", "sms"), unknown);
    await assertLogs(() => service.check("cus_ada", "sso"));
    await assertLogs(() => service.check("cus_ada", "fax", { fresh: true }));
    await assertLogs(() => service.request("/v1/check?customer=cus_ada"));
  });
});
