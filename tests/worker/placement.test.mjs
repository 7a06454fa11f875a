// Where the objects live: the stubs of Durable Objects, the keys in KV, and a jurisdiction that changes.
//
// workerd has no jurisdictions. Most tests give it some: see worker-modules.mjs.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { objectId, objectStub } from "../../src/objects.js";
import { eventually, serve, summary } from "./support.mjs";

/** A namespace that reports what it was asked. @param {string} [jurisdiction] */
const stubNamespace = (jurisdiction) => ({
  jurisdiction: (/** @type {string} */ name) => stubNamespace(name),
  idFromName: (/** @type {string} */ name) => ({ name, jurisdiction, toString: () => `${jurisdiction}/${name}` }),
  get: (/** @type {object} */ id, /** @type {object | undefined} */ options) => ({ ...id, options, toString: undefined }),
});

test("a stub is in the jurisdiction, and has the location hint", () => {
  for (const [jurisdiction, hint, expected] of /** @type {[string, string, object][]} */ ([
    ["", "", { jurisdiction: undefined, options: undefined }],
    ["eu", "", { jurisdiction: "eu", options: undefined }],
    ["", "weur", { jurisdiction: undefined, options: { locationHint: "weur" } }],
    ["us", "enam", { jurisdiction: "us", options: { locationHint: "enam" } }],
  ])) {
    const { toString: _, ...stub } = objectStub(stubNamespace(), "live:cus_ada", jurisdiction, hint);
    assert.deepEqual(stub, { name: "live:cus_ada", ...expected }, `${jurisdiction} ${hint}`);
    assert.equal(objectId(stubNamespace(), "live", jurisdiction), `${jurisdiction || undefined}/live`);
  }
});

test("a stub is not created on a runtime without jurisdictions", () => {
  const namespace = {
    ...stubNamespace(),
    jurisdiction() {
      throw new Error("Jurisdiction restrictions are not implemented in workerd.");
    },
  };
  assert.throws(() => objectStub(namespace, "live", "eu", ""), { message: "Jurisdiction restrictions are not implemented in workerd." });
  assert.equal(objectStub(namespace, "live", "", "").name, "live");
});

test("workerd with a jurisdiction stops with a 500 that names the setting, and stores nothing", { timeout: 60_000 }, async (t) => {
  /** @type {string[]} */
  const log = [];
  const service = await serve({ settings: { ENTGATE_JURISDICTION: "eu" }, log });
  t.after(() => service.stop());
  const message =
    "The deployment is misconfigured: ENTGATE_JURISDICTION is set, and this runtime has no jurisdictions: unset it here, and set it on Cloudflare only.";
  for (const response of [
    await service.check("cus_ada", "sms"),
    await service.send(summary("cus_ada", ["sms"])),
    await service.request("/healthz", { key: null }),
    await service.request("/v1/sync_status"),
  ]) {
    assert.deepEqual([response.status, response.json], [500, { error: { type: "api_error", message } }]);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  }
  assert.deepEqual((await (await service.replica()).list()).keys, []);
  const cause = "failed to use ENTGATE_JURISDICTION: Error: Jurisdiction restrictions are not implemented in workerd.";
  assert.equal(log.filter((line) => line === cause).length, 4, log.join("\n"));
});

describe("a jurisdiction", { timeout: 120_000 }, () => {
  /** @type {string} */
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const keysOf = async (/** @type {Awaited<ReturnType<typeof serve>>} */ service) =>
    (await (await service.replica()).list()).keys.map(({ name }) => name).sort();

  const serveIn = (/** @type {string} */ jurisdiction, /** @type {string} */ hint = "", /** @type {string[]} */ log = []) =>
    serve({ settings: { ENTGATE_JURISDICTION: jurisdiction, ENTGATE_LOCATION_HINT: hint }, jurisdictions: true, folder, log });

  test("contains every object, and its name begins every key in KV", async (t) => {
    const service = await serveIn("eu", "weur");
    t.after(() => service.stop());
    for (const event of [summary("cus_ada", ["sms"]), summary("cus_ada", ["sms"], { livemode: true }), summary("cus_bob", ["sso"])]) {
      assert.deepEqual((await service.send(event)).json.outcome, "applied");
    }
    await eventually(async () =>
      assert.deepEqual(await keysOf(service), ["entgate:deployment", "eu:live:cus_ada", "eu:test:cus_ada", "eu:test:cus_bob"]),
    );
    assert.equal(await (await service.replica()).get("entgate:deployment"), '{"jurisdiction":"eu"}');
    // By the replica, by the ledger and the customer index. The coordinator is asked after a response.
    assert.equal((await service.check("cus_ada", "sms")).json.served_by, "replica");
    assert.equal((await service.check("cus_ada", "sms", { fresh: true })).json.served_by, "ledger");
    await eventually(async () => assert.equal((await service.request("/v1/sync_status")).json.data.length, 2));
    await eventually(async () => assert.equal((await service.request("/v1/activity")).json.data.length, 2));
    await eventually(async () =>
      assert.deepEqual(await service.stubs(), ["CUSTOMER_INDEX eu weur", "LEDGERS eu weur", "SOURCE_COORDINATOR eu weur"]),
    );
  });

  test("that changed is a 500 on every route of the slow path, and nothing is written", async (t) => {
    for (const [jurisdiction, is] of [
      ["us", "ENTGATE_JURISDICTION is `us`"],
      ["", "ENTGATE_JURISDICTION is not set"],
    ]) {
      /** @type {string[]} */
      const log = [];
      const service = await serveIn(jurisdiction, "", log);
      t.after(() => service.stop());
      const changed = `${is}, and the objects of this deployment are in \`eu\``;
      const message = `The deployment is misconfigured: ${changed}. Set ENTGATE_JURISDICTION back, or deploy under another name with another KV namespace.`;
      for (const response of [
        await service.check("cus_ada", "sms"),
        await service.send(summary("cus_ada", ["fax"])),
        await service.request("/healthz", { key: null }),
      ]) {
        assert.deepEqual([response.status, response.json], [500, { error: { type: "api_error", code: "jurisdiction_changed", message } }]);
      }
      await service.runCron();
      assert.deepEqual(await service.stubs(), [], "no object was asked");
      assert.deepEqual(await keysOf(service), ["entgate:deployment", "eu:live:cus_ada", "eu:test:cus_ada", "eu:test:cus_bob"]);
      assert.equal(await (await service.replica()).get("entgate:deployment"), '{"jurisdiction":"eu"}');
      // Each of the three requests, and the cron trigger.
      assert.equal(log.filter((line) => line === changed).length, 4, log.join("\n"));
      await service.stop();
    }
  });

  test("that is set back answers as before", async (t) => {
    const service = await serveIn("eu");
    t.after(() => service.stop());
    const { json } = await service.check("cus_ada", "sms", { fresh: true });
    assert.deepEqual([json.entitled, json.version, json.served_by], [true, 1, "ledger"]);
    assert.deepEqual((await service.send(summary("cus_ada", ["fax"]))).json.outcome, "applied");
  });
});

test("a deployment without a jurisdiction records that, and its keys have no prefix", { timeout: 60_000 }, async (t) => {
  const service = await serve({ settings: { ENTGATE_LOCATION_HINT: "apac-ne" }, jurisdictions: true });
  t.after(() => service.stop());
  await service.send(summary("cus_ada", ["sms"]));
  const replica = await service.replica();
  await eventually(async () =>
    assert.deepEqual(
      (await replica.list()).keys.map(({ name }) => name),
      ["entgate:deployment", "test:cus_ada"],
    ),
  );
  assert.equal(await replica.get("entgate:deployment"), '{"jurisdiction":null}');
  await eventually(async () =>
    assert.deepEqual(await service.stubs(), ["CUSTOMER_INDEX none apac-ne", "LEDGERS none apac-ne", "SOURCE_COORDINATOR none apac-ne"]),
  );
});
