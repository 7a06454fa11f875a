// `GET /v1/activity`: the outcome of each event and of each read of Stripe's list. A failure of the customer index, which keeps them,
// must not delay or fail an event.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, LIVE_KEY, nextMillisecond, serve, shardNumber, summary, unixNow } from "./support.mjs";
import { serveCatalog, TestCatalog } from "./test-catalog.mjs";

/** @import { Service } from "./support.mjs" */

const TOKEN_SETTINGS = { ENTGATE_TOKEN_SECRETS: "0123456789abcdef0123456789abcdef" };

/**
 * One page of the activity list, newest first.
 *
 * @param {Service} service
 * @param {Record<string, string>} [query]
 * @param {string} [key]
 */
async function listActivity(service, query = {}, key) {
  const { status, json, text } = await service.request(`/v1/activity?${new URLSearchParams(query)}`, { key });
  assert.equal(status, 200, text);
  return json;
}

/**
 * Waits until the list contains these outcomes and versions of a customer, oldest first, and nothing else.
 *
 * @param {Service} service
 * @param {string} customer
 * @param {[string, number][]} expected
 */
function assertLogged(service, customer, expected) {
  return eventually(async () => {
    const { data } = await listActivity(service, { customer, limit: "100" });
    assert.deepEqual(data.map(({ outcome, version }) => [outcome, version]).reverse(), expected);
    assert.deepEqual(new Set(data.map((entry) => entry.customer)), new Set([customer]));
  });
}

describe("the activity", { concurrency: true, timeout: 60_000 }, () => {
  let api;
  let service;
  before(async () => {
    api = await fakeStripe();
    service = await serve({ settings: { ...TOKEN_SETTINGS, ...api.settings }, log: [] });
  });
  after(() => Promise.all([service.stop(), api.stop()]));

  test("it contains the outcome of each event and of the read of Stripe's list after it", async () => {
    api.setEntitlements("cus_ada", ["sms"]);
    const event = summary("cus_ada", ["sms"]);
    const began = Date.now();
    assert.equal((await service.send(event)).json.outcome, "applied");
    assert.equal((await service.send(event)).json.outcome, "duplicate");
    await assertLogged(service, "cus_ada", [
      ["applied", 1],
      ["duplicate", 1],
      ["confirmed", 1],
    ]);
    const { data } = await listActivity(service, { customer: "cus_ada" });
    for (const { id, at, ...entry } of data) {
      assert.match(id, /^act_[0-9]+_[0-9]+_[1-9][0-9]*$/);
      assert.ok(at >= began && at <= Date.now(), `${at} is in Unix milliseconds`);
      const { outcome } = entry;
      const source =
        outcome === "confirmed"
          ? { event: null, event_created: null, origin: null }
          : { event: event.id, event_created: event.created, origin: "delivery" };
      const added = outcome === "applied" ? ["sms"] : [];
      const change = { added, removed: [], added_count: added.length, removed_count: 0 };
      assert.deepEqual(entry, { object: "activity", livemode: false, customer: "cus_ada", ...source, outcome, ...change, version: 1 });
    }
  });

  test("it contains a drift, and the correction that completes a truncated page, with what they added and removed", async () => {
    api.setEntitlements("cus_drift", ["right"]);
    await service.send(summary("cus_drift", ["wrong"]));
    await assertLogged(service, "cus_drift", [
      ["applied", 1],
      ["drift", 2],
    ]);

    api.setEntitlements("cus_page", ["f1", "f2"]);
    await service.send(summary("cus_page", ["f1"], { hasMore: true }));
    await assertLogged(service, "cus_page", [
      ["applied", 1],
      ["corrected", 2],
    ]);
    for (const [customer, expected] of /** @type {[string, unknown[]][]} */ ([
      ["cus_drift", [["right"], ["wrong"], 1, 1]],
      ["cus_page", [["f2"], [], 1, 0]],
    ])) {
      const [{ added, removed, added_count, removed_count }] = (await listActivity(service, { customer, limit: "1" })).data;
      assert.deepEqual([added, removed, added_count, removed_count], expected);
    }
  });

  test("it contains a customer that a check found at Stripe, and no unknown customer", async () => {
    api.setEntitlements("cus_found", ["sms"]);
    await service.check("cus_unknown", "sms");
    await service.check("cus_found", "sms");
    await assertLogged(service, "cus_found", [["corrected", 1]]);
    const { data } = await listActivity(service, { customer: "cus_unknown" });
    assert.deepEqual(data, []);
  });

  test("a customer's token can read neither the activity nor the sync status", async () => {
    const created = await service.request("/v1/tokens", { method: "POST", body: new URLSearchParams({ customer: "cus_ada" }) });
    for (const path of ["/v1/activity", "/v1/activity?customer=cus_ada", "/v1/sync_status", "/v1/sync_status?prefix=cus_ada"]) {
      const { status, json } = await service.request(path, { key: created.json.token });
      assert.deepEqual([status, json.error.code], [403, "server_key_required"], path);
      assert.equal((await service.request(path, { key: "" })).status, 401, path);
    }
  });
});

describe("the activity without a key for Stripe", { timeout: 60_000 }, () => {
  let service;
  before(async () => {
    service = await serve();
  });
  after(() => service.stop());

  /** Sends one entry for each version to the shard of a customer. @param {string} mode @param {string} customer @param {number[]} versions */
  const append = (mode, customer, versions) =>
    service.sendToCustomerIndex(`${mode}:${customer}`, {
      activities: versions.map((version) => ({ kind: "confirmed", version, at: version, change: null })),
    });

  test("entries of one customer are in the order of its versions, even if 40 events arrive at once", async () => {
    const now = unixNow();
    const events = Array.from({ length: 40 }, (_, i) => summary("cus_fast", [`f${i}`], { created: now + i }));
    const responses = await Promise.all(events.map((event) => service.send(event)));
    const applied = responses.filter(({ json }) => json.outcome === "applied").length;
    const versions = await eventually(async () => {
      const { data } = await listActivity(service, { customer: "cus_fast", limit: "100" });
      assert.equal(data.length, 40);
      return data.map(({ version }) => version).reverse();
    });
    assert.deepEqual(
      versions,
      [...versions].sort((one, other) => one - other),
    );
    assert.equal(versions.at(-1), applied);
    await service.send(summary("cus_late", ["new"], { created: now }));
    await service.send(summary("cus_late", ["old"], { created: now - 1 }));
    await service.send(summary("cus_late", ["new"], { created: now + 1 }));
    await assertLogged(service, "cus_late", [
      ["applied", 1],
      ["stale", 1],
      ["unchanged", 1],
    ]);
  });

  test("a page starts after the previous one, in both directions, for all customers or for one, in the key's mode", async () => {
    assert.notEqual(shardNumber("cus_odd"), shardNumber("cus_even"));
    for (const version of [1, 2, 3, 4, 5, 6]) {
      await append("live", version % 2 ? "cus_odd" : "cus_even", [version]);
      await nextMillisecond();
    }
    const { data: all } = await listActivity(service, {}, LIVE_KEY);
    const act = (version) => all.find((entry) => entry.version === version).id;
    /** @param {Record<string, string>} query */
    const page = async (query) => {
      const { data, has_more } = await listActivity(service, query, LIVE_KEY);
      assert.ok(data.every(({ id, version, livemode }) => id === act(version) && livemode));
      return [data.map(({ version }) => version), has_more];
    };
    /** @type {[Record<string, string>, number[], boolean][]} */
    const rows = [
      [{}, [6, 5, 4, 3, 2, 1], false],
      [{ limit: "2" }, [6, 5], true],
      [{ limit: "2", starting_after: act(5) }, [4, 3], true],
      [{ starting_after: act(3) }, [2, 1], false],
      [{ starting_after: act(1) }, [], false],
      [{ limit: "2", ending_before: act(2) }, [4, 3], true],
      [{ ending_before: act(4) }, [6, 5], false],
      [{ ending_before: act(6) }, [], false],
      [{ customer: "cus_odd" }, [5, 3, 1], false],
      [{ customer: "cus_odd", starting_after: act(4) }, [3, 1], false],
      [{ customer: "cus_odd", limit: "1", ending_before: act(1) }, [3], true],
      [{ customer: "cus_none" }, [], false],
      [{ outcome: "confirmed", from: "3", until: "4" }, [4, 3], false],
      [{ outcome: "drift" }, [], false],
    ];
    for (const [query, expected, more] of rows) {
      assert.deepEqual(await page(query), [expected, more], JSON.stringify(query));
    }
    for (const param of ["starting_after", "ending_before"]) {
      const { status, json } = await service.request(`/v1/activity?${param}=act_7`, { key: LIVE_KEY });
      assert.deepEqual([status, json.error.code, json.error.param], [400, "resource_missing", param]);
    }
    const cursor = act(5);
    await append("live", "cus_even", [7]);
    assert.deepEqual(await page({ limit: "2", starting_after: cursor }), [[4, 3], true], "while entries arrive");
  });

  test("an entry is found by the features that it added or removed, and by no part of a key", async () => {
    const now = unixNow();
    await service.send(summary("cus_plan", ["sms", "sso"], { created: now }));
    await service.send(summary("cus_plan", ["sso"], { created: now + 1 }));
    const versions = async (feature) => (await listActivity(service, { customer: "cus_plan", feature })).data.map(({ version }) => version);
    await eventually(async () => assert.deepEqual(await versions("sms"), [2, 1]));
    assert.deepEqual([await versions("sso"), await versions("sm"), await versions("fax")], [[1], [], []]);
    const { data } = await listActivity(service, { feature: "sms", outcome: "applied" });
    assert.deepEqual(new Set(data.map(({ customer }) => customer)), new Set(["cus_plan"]));
  });

  test("a shard keeps 10,000 entries, and a list says since when it is complete", async () => {
    const versions = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const oldest = async () => {
      const { data, complete_since } = await listActivity(service, { customer: "cus_lots", ending_before: "act_0_0_1", limit: "3" });
      return [data.map(({ version }) => version).reverse(), complete_since, data.at(-1)?.id];
    };
    for (let first = 1; first < 10_000; first += 2_500) await append("test", "cus_lots", versions(first, first + 2_499));
    const [all, complete, firstId] = await oldest();
    assert.deepEqual(all, [1, 2, 3]);
    assert.ok(complete < Date.now() - 29 * 24 * 60 * 60 * 1_000, "30 days");
    await append("test", "cus_lots", [10_001]);
    const [rest, completeSince] = await oldest();
    assert.deepEqual(rest, [2, 3, 4]);
    const receivedAt = Number(firstId.split("_")[1]);
    assert.equal(completeSince, receivedAt + 1, "after the first entry, which is not listed any more");
    assert.equal((await listActivity(service, { limit: "1" })).complete_since, receivedAt + 1, "the least complete shard");
    assert.deepEqual((await listActivity(service, { starting_after: firstId, customer: "cus_lots" })).data, []);
    // Deletes the expired entries, some 100 at a time.
    await append("test", "cus_lots", versions(10_002, 10_300));
    assert.deepEqual((await oldest())[0], [301, 302, 303]);
  });
});

/** How the index is broken, the statements that respond to each message to it, and the line that the Worker logs. @type {[string, string, RegExp][]} */
const BROKEN_INDEXES = [
  ["throws", "throw new Error('out of order');", /test:cus_ada: failed to send to the customer index: .*out of order/],
  ["returns an error", "return '500\\nno room';", /test:cus_ada: failed to send to the customer index: no room/],
  [
    "does not respond",
    "return new Promise((resolve) => setTimeout(resolve, 60_000));",
    /test:cus_ada: failed to send to the customer index: no response within \d+ s/,
  ],
];

describe("a broken customer index", { concurrency: true, timeout: 60_000 }, () => {
  for (const [why, customerIndex, warning] of BROKEN_INDEXES) {
    test(`it neither delays nor fails an event if it ${why}`, async (t) => {
      /** @type {string[]} */
      const log = [];
      const service = await serve({ customerIndex, log });
      t.after(() => service.stop());
      const now = unixNow();
      for (const version of [1, 2, 3]) {
        const { status, json } = await service.send(summary("cus_ada", [`f${version}`], { created: now + version }));
        assert.deepEqual([status, json.outcome, json.version], [200, "applied", version]);
      }
      assert.equal((await service.check("cus_ada", "f3", { at_least: 3 })).json.entitled, true);
      await eventually(async () => assert.equal((await service.replicaRecord("cus_ada"))?.version, 3));
      await eventually(() => assert.match(log.join("\n"), warning));
      if (why === "does not respond") return;
      const list = await service.request("/v1/activity");
      assert.deepEqual([list.status, list.json.error.message], [503, "The customer index cannot be read at the moment."]);
    });
  }
});

test("with the catalog as the source, a new subscription is logged like any event", { timeout: 60_000 }, async (t) => {
  const service = await serveCatalog();
  t.after(() => service.stop());
  const catalog = new TestCatalog(service);
  const { price } = await catalog.createPlan(await catalog.createFeature("sms"));
  await catalog.subscribe(await catalog.createCustomer("cus_ada"), price);
  const first = await eventually(async () => {
    const { data } = await listActivity(service, { customer: "cus_ada" });
    assert.ok(data.length);
    return data.at(-1);
  });
  assert.deepEqual([first.outcome, first.version], ["applied", 1]);
  assert.equal((await catalog.sdk.events.retrieve(first.event)).created, first.event_created);
  await eventually(async () => {
    const { json } = await service.request("/v1/sync_status?prefix=cus_");
    assert.deepEqual(
      json.data.map(({ id }) => id),
      ["cus_ada"],
    );
  });
});
