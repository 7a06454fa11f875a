// Data that a newer release wrote, as this release finds it during a rollout or after a rollback.
//
// The suite stops the Worker, changes the schema stamp of the stored tables, and starts the Worker again. It covers
// tables that this release may not read, tables that it may only read, and records and rows of a newer form.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { changeMessage, SseClient, versionMessage } from "./stream-clients.mjs";
import { eventually, serve, summary, unixNow } from "./support.mjs";
import { serveCatalog } from "./test-catalog.mjs";

/** @import { TestContext } from "node:test" */
/** @import { Service } from "./support.mjs" */

// Runs a command on each database that has a schema stamp, and prints all rows.
const SCRIPT = `
import glob, json, sqlite3, sys
folder, command, *values = sys.argv[1:]
objects = {}
for path in sorted(glob.glob(folder + "/**/*.sqlite", recursive=True)):
    database = sqlite3.connect(path)
    select = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf_*' ORDER BY name"
    names = [name for (name,) in database.execute(select)]
    if "schema" not in names:
        continue
    if command == "stamp":
        assert database.execute("UPDATE schema SET written_by = ?, readable_from = ?", values).rowcount == 1
    if command == "add_member" and "state" in names:
        assert database.execute("""UPDATE state SET state = json_set(state, '$.added_later', json('{"a":[1]}'))""").rowcount == 1
    objects[path] = {name: [repr(row) for row in database.execute(f"SELECT * FROM {name} ORDER BY 1")] for name in names}
    database.commit()
    database.close()
print(json.dumps(objects))
`;

/** Runs a command on the stored tables. Returns their rows. @param {string} folder @param {string[]} command */
function changeTables(folder, ...command) {
  return JSON.parse(execFileSync("python3", ["-c", SCRIPT, folder, ...command], { encoding: "utf8" }));
}

/** Sets the stamp of all tables. @param {string} folder @param {number} writtenBy @param {number} readableFrom */
const setStamp = (folder, writtenBy, readableFrom) => changeTables(folder, "stamp", `${writtenBy}`, `${readableFrom}`);

/** A folder for the storage of one test. @param {TestContext} t */
function createFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Runs `work` with the Worker on this storage.
 *
 * @param {string} folder
 * @param {(service: Service) => Promise<void>} work
 */
async function withService(folder, work, start = serve) {
  const service = await start({ folder, log: [] });
  try {
    await work(service);
  } finally {
    await service.stop();
  }
}

/** Grants `sms` to `cus_ada`, and waits until no task is pending. @param {string} folder */
const grantSms = (folder) =>
  withService(folder, async (service) => {
    assert.equal((await service.send(summary("cus_ada", ["sms"], { created: unixNow() - 9 }))).json.outcome, "applied");
    await eventually(async () => {
      assert.equal((await service.replicaRecord("cus_ada")).version, 1);
      assert.equal((await service.request("/v1/activity")).json.data.length, 1);
      assert.equal((await service.request("/v1/sync_status")).json.data.length, 1);
    });
  });

/**
 * Runs `work` with the Worker on this storage, with a key for Stripe's API. Asserts that no list is read at Stripe.
 *
 * @param {string} folder
 * @param {(service: Service) => Promise<void>} work
 */
async function withUnreadStripe(folder, work) {
  const stripe = await fakeStripe();
  try {
    await withService(folder, work, (options) => serve({ settings: stripe.settings, ...options }));
    assert.deepEqual(stripe.listCalls("cus_ada"), []);
  } finally {
    await stripe.stop();
  }
}

/** Asserts that a response refuses data of a newer release. */
function assertNewerSchema({ status, json, headers }, message = "") {
  assert.deepEqual([status, json?.error.code, headers.get("retry-after")], [503, "newer_schema", "1"], message);
}

describe("data of a newer release", { timeout: 120_000 }, () => {
  test("tables that this release may not read are not used; checks are answered by the replica", async (t) => {
    const folder = createFolder(t);
    await grantSms(folder);
    const stored = setStamp(folder, 2, 2);
    assert.equal(Object.keys(stored).length, 4, "the ledger, its shard of the customer index and two coordinators");
    await withUnreadStripe(folder, async (service) => {
      const { status, json } = await service.check("cus_ada", "sms");
      assert.deepEqual([status, json.entitled, json.served_by], [200, true, "replica"]);
      assertNewerSchema(await service.send(summary("cus_ada", [])), "an event");
      assertNewerSchema(await service.check("cus_ada", "sms", { fresh: true }), "a fresh check");
      assertNewerSchema(await service.check("cus_ada", "sms", { at_least: 2 }), "a newer version");
      assertNewerSchema(await service.sync("cus_ada"), "a sync");
      for (const path of ["/v1/activity", "/v1/sync_status", "/v1/stream?customer=cus_ada"]) {
        assertNewerSchema(await service.request(path), path);
      }
    });
    assert.deepEqual(changeTables(folder, "read"), stored);
  });

  test("tables that this release may only read answer reads, and an event is applied later", async (t) => {
    const folder = createFolder(t);
    await grantSms(folder);
    const stored = setStamp(folder, 2, 1);
    const event = summary("cus_ada", ["sms", "sso"]);
    await withUnreadStripe(folder, async (service) => {
      assertNewerSchema(await service.send(event), "an event");
      const { status, json } = await service.check("cus_ada", "sms", { fresh: true });
      assert.deepEqual([status, json.entitled, json.version, json.served_by], [200, true, 1, "ledger"]);
      assert.equal((await service.check("cus_ada", "sso", { fresh: true })).json.entitled, false);
      assertNewerSchema(await service.sync("cus_ada"), "a sync");
      for (const path of ["/v1/activity", "/v1/sync_status"]) {
        const list = await service.request(path);
        assert.deepEqual([list.status, list.json?.data.length], [200, 1], path);
      }
      const client = await SseClient.open(service, "cus_ada", { lastEventId: "0" });
      assert.deepEqual(await client.receive(2), [changeMessage("cus_ada", 1, ["sms"]), versionMessage("cus_ada", 1)]);
      await client.close();
    });
    assert.deepEqual(changeTables(folder, "read"), stored);

    setStamp(folder, 1, 1);
    await withService(folder, async (service) => {
      const { status, json } = await service.send(event);
      assert.deepEqual([status, json.outcome, json.version], [200, "applied", 2]);
      assert.equal((await service.check("cus_ada", "sso", { fresh: true })).json.entitled, true);
      await eventually(async () => assert.equal((await service.replicaRecord("cus_ada")).version, 2));
    });
  });

  test("a record of a newer version is skipped, and the ledger answers", async (t) => {
    const folder = createFolder(t);
    await grantSms(folder);
    await withService(folder, async (service) => {
      const record = await service.replicaRecord("cus_ada");
      assert.equal(record.v, 1);
      await (await service.replica()).put("test:cus_ada", JSON.stringify({ v: 2, sets: {} }));
      for (const [feature, entitled] of /** @type {[string, boolean][]} */ ([
        ["sms", true],
        ["sso", false],
      ])) {
        const { status, json } = await service.check("cus_ada", feature);
        assert.deepEqual([status, json.entitled, json.version, json.served_by], [200, entitled, 1, "ledger"]);
      }
    });
  });

  test("unknown members of stored rows and records are ignored", async (t) => {
    const folder = createFolder(t);
    await grantSms(folder);
    const rows = Object.values(changeTables(folder, "add_member")).flatMap(({ state = [] }) => state);
    assert.equal(rows.length, 1);
    assert.match(rows[0], /added_later/);
    await withService(folder, async (service) => {
      const record = await service.replicaRecord("cus_ada");
      await (await service.replica()).put("test:cus_ada", JSON.stringify({ ...record, added_later: { a: [1] } }));
      assert.equal((await service.check("cus_ada", "sms")).json.entitled, true);
      const { json } = await service.check("cus_ada", "sms", { fresh: true });
      assert.deepEqual([json.entitled, json.version, json.served_by], [true, 1, "ledger"]);
      assert.equal((await service.send(summary("cus_ada", []))).json.version, 2);
      assert.equal((await service.check("cus_ada", "sms", { fresh: true })).json.entitled, false);
    });
  });

  test("an object responds with a 503 to an unknown message", async (t) => {
    await withService(createFolder(t), async (service) => {
      for (const [binding, name] of [
        ["LEDGERS", "test:cus_ada"],
        ["CUSTOMER_INDEX", "test:0"],
        ["SOURCE_COORDINATOR", "test"],
      ]) {
        const object = await service.durableObject(binding, name);
        assert.equal(await object.request('{"added_later":{}}'), "503\nwritten by a newer release", binding);
      }
    });
  });

  test("a catalog that this release may only read answers a GET and writes nothing", async (t) => {
    const folder = createFolder(t);
    const list = (service) => service.request("/v1/entitlements/features");
    const create = (service, key) => {
      const body = new URLSearchParams({ name: key, lookup_key: key });
      return service.request("/v1/entitlements/features", { method: "POST", body });
    };
    await withService(folder, async (service) => assert.equal((await create(service, "sms")).status, 200), serveCatalog);
    const readOnly = setStamp(folder, 2, 1);
    await withService(
      folder,
      async (service) => {
        assertNewerSchema(await create(service, "sso"));
        const { status, json } = await list(service);
        assert.deepEqual([status, json.data.map(({ lookup_key }) => lookup_key)], [200, ["sms"]]);
      },
      serveCatalog,
    );
    assert.deepEqual(changeTables(folder, "read"), readOnly);

    setStamp(folder, 2, 2);
    await withService(folder, async (service) => assertNewerSchema(await list(service)), serveCatalog);
    setStamp(folder, 1, 1);
    await withService(folder, async (service) => assert.equal((await create(service, "sso")).status, 200), serveCatalog);
  });
});
