// The customer index, called as ledgers and the coordinator call it, and the list of it that operators request.
//
// The suite covers which sets are unread, which ledgers have an overdue task, the totals of pending tasks, the known features, the
// pages of the lists, and how many shards each list asks.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { eventually, LIVE_KEY, nextMillisecond, serve, shardNumber, summary, unixNow } from "./support.mjs";

const DAY = 24 * 60 * 60;
const DAY_MILLIS = DAY * 1_000;
/** The sync status of a ledger without a failed task. */
const SYNCED = { confirmed_at: null, pending: 0, pending_since: null, problem: null, next_override_end: null };

describe("the customer index", { timeout: 30_000 }, () => {
  let service;
  before(async () => {
    service = await serve();
  });
  after(() => service.stop());

  /** Reports the sync status of a ledger to its shard. */
  const report = (key, status, features = []) =>
    service.sendToCustomerIndex(key, { report: { status: { ...SYNCED, ...status }, features } });
  /** Reports to one shard, whichever customer it is, so that one shard has all customers of a test. */
  const reportTo = (shard, key, status) =>
    service.requestCustomerIndex(shard, { message: { key, report: { status: { ...SYNCED, ...status }, features: [] }, activities: [] } });
  const survey = (shard, query) =>
    service.requestCustomerIndex(shard, { survey: { livemode: false, max_overdue: 0, max_unread: 0, read_before: 0, ...query } });
  const ids = (candidates) => candidates.map(({ id }) => id);
  /** The sets of a shard that were not read for a day, sorted. The shard leases them for an hour. */
  const leaseUnread = async (shard, query = {}) => {
    const found = ids((await survey(shard, { max_unread: 20, read_before: Date.now() - DAY_MILLIS, ...query })).unread);
    await service.requestCustomerIndex(shard, { lease: { kind: "unread", ids: found } });
    return found.sort();
  };

  test("a set is unread a day after its confirmation, and a leased set is returned once in an hour", async () => {
    const now = Date.now();
    const shard = "test:0";
    await reportTo(shard, "test:cus_day", { confirmed_at: now - DAY_MILLIS - 1 });
    await reportTo(shard, "test:cus_fresh", { confirmed_at: now - DAY_MILLIS + 60_000 });
    assert.deepEqual(ids((await survey(shard, { max_unread: 20, read_before: now - DAY_MILLIS - 1 })).unread), []);
    assert.deepEqual(ids((await survey(shard, { max_unread: 20, read_before: now - DAY_MILLIS })).unread), ["cus_day"]);
    assert.deepEqual(await leaseUnread(shard), ["cus_day"], "a survey alone leases nothing");
    assert.deepEqual(await leaseUnread(shard), [], "the set is leased");
    const { unread_count } = await survey(shard, { max_unread: 1, read_before: now - DAY_MILLIS });
    assert.equal(unread_count, 1, "a leased set is unread until it is read");
    assert.equal((await survey(shard, { max_unread: 1, read_before: now })).unread_count, 2);
    assert.deepEqual(await leaseUnread(shard, { read_before: now }), ["cus_fresh"]);
    await reportTo(shard, "test:cus_day", { confirmed_at: now });
    assert.equal((await survey(shard, { max_unread: 1, read_before: now - DAY_MILLIS })).unread_count, 0);
  });

  test("sets that cannot be read do not delay the others, even if they report failures repeatedly", async () => {
    const shard = "test:1";
    const failing = Array.from({ length: 20 }, (_, i) => `cus_f${i}`).sort();
    for (const id of [...failing, "cus_z"]) await reportTo(shard, `test:${id}`, {});
    assert.deepEqual(await leaseUnread(shard), failing);
    for (const id of failing) await reportTo(shard, `test:${id}`, { pending: 1, pending_since: unixNow() * 1_000 });
    assert.deepEqual(await leaseUnread(shard), ["cus_z"]);
    assert.deepEqual(await leaseUnread(shard), []);
    for (const id of failing) await reportTo(shard, `test:${id}`, {});
  });

  test("a ledger is overdue ten minutes after its task failed, and is returned once in ten minutes", async () => {
    const shard = "test:2";
    const ago = (seconds) => (unixNow() - seconds) * 1_000;
    const lease = async () => {
      const found = ids((await survey(shard, { max_overdue: 10 })).overdue);
      await service.requestCustomerIndex(shard, { lease: { kind: "overdue", ids: found } });
      return found;
    };
    await reportTo(shard, "test:cus_overdue", { pending: 1, pending_since: ago(601) });
    await reportTo(shard, "test:cus_failing", { pending: 1, pending_since: ago(590) });
    assert.deepEqual(await lease(), ["cus_overdue"]);
    assert.deepEqual(await lease(), []);
    for (const id of ["overdue", "failing"]) await reportTo(shard, `test:cus_${id}`, { confirmed_at: Date.now() });
  });

  test("the backlog adds up the pending tasks of all shards of a mode, without those that are completed", async () => {
    /** The backlog of a mode, which the coordinator adds up. */
    const backlog = async (mode) => (await service.requestCoordinator("fresh_status", mode)).backlog;
    const none = { pending: 0, pending_since: null, problem: null };
    assert.deepEqual([await backlog("test"), await backlog("live")], [none, none]);
    const customers = Array.from({ length: 40 }, (_, i) => `cus_pending${i}`);
    const shards = new Set(customers.map(shardNumber));
    assert.ok(shards.size > 16, `${shards.size} shards`);
    for (const [i, id] of customers.entries()) await report(`test:${id}`, { pending: 2, pending_since: 1_000 + i });
    await report("test:cus_refused", { pending: 1, pending_since: 5_000, problem: "key_refused" });
    assert.deepEqual([await backlog("test"), await backlog("live")], [{ pending: 81, pending_since: 1_000, problem: "key_refused" }, none]);
    for (const id of customers.slice(1)) await report(`test:${id}`, { confirmed_at: 1 });
    await report("test:cus_refused", { confirmed_at: 1 });
    assert.deepEqual(await backlog("test"), { pending: 2, pending_since: 1_000, problem: null });
    await report(`test:${customers[0]}`, { confirmed_at: 1 });
    assert.deepEqual(await backlog("test"), none);
  });

  test("a problem of the mode's API key is over once a set of any shard is confirmed later", async () => {
    const problem = async () => (await service.requestCoordinator("fresh_status", "live")).backlog.problem;
    // The clock of workerd can be a few milliseconds behind.
    const before = Date.now() - 10;
    await report("live:", { problem: "key_refused" });
    const after = Date.now() + 1;
    assert.equal(await problem(), "key_refused");
    await report("live:cus_before", { confirmed_at: before });
    assert.equal(await problem(), "key_refused", "confirmed before the problem");
    await report("live:cus_after", { confirmed_at: after });
    assert.equal(await problem(), null);
    await report("live:", {});
  });

  test("the coordinator keeps up to 2,000 features of each mode that shards observed", async () => {
    const features = (mode = "test") => service.requestCoordinator("features", mode);
    assert.deepEqual(await features(), [], "reports without features");
    await report("test:cus_ada", {}, ["sms", "a/b"]);
    await report("test:cus_bob", {}, ["sms", "über"]);
    await report("live:cus_ada", {}, ["sso"]);
    assert.deepEqual([await features(), await features("live")], [["a/b", "sms", "über"], ["sso"]]);
    const many = Array.from({ length: 2_000 }, (_, i) => `f${i}`);
    await report("live:cus_bob", {}, many.slice(0, 1_998));
    assert.equal((await features("live")).length, 1_999);
    await report("live:cus_eve", {}, many);
    assert.equal((await features("live")).length, 2_000);
    assert.equal((await features()).length, 3);
  });

  test("problems are listed across all shards by their age, and a page continues while they change", async () => {
    for (const id of ["p_new", "p_old", "p_mid"].reverse()) {
      await report(`test:${id}`, { pending: 1, pending_since: 1 });
      await nextMillisecond();
    }
    const list = async (query) => {
      const { status, json, text } = await service.request(`/v1/sync_status?${new URLSearchParams({ prefix: "p_", ...query })}`);
      assert.equal(status, 200, text);
      return [json.data.map(({ id }) => id), json.has_more, json.data.map(({ cursor }) => cursor)];
    };
    const [all, more, cursors] = await list({ problem: "any" });
    assert.deepEqual([all, more], [["p_mid", "p_old", "p_new"], false]);
    assert.deepEqual((await list({ problem: "pending", limit: "2" })).slice(0, 2), [["p_mid", "p_old"], true]);
    assert.deepEqual((await list({ problem: "key_refused" })).slice(0, 2), [[], false]);
    assert.deepEqual((await list({ problem: "any", ending_before: cursors[2], limit: "1" })).slice(0, 2), [["p_old"], true]);
    await report("test:p_old", { pending: 2, pending_since: 1 });
    assert.deepEqual((await list({ problem: "any" }))[2], cursors, "still the same problem");
    await report("test:p_mid", {});
    assert.deepEqual((await list({ problem: "any", starting_after: cursors[0] }))[0], ["p_old", "p_new"]);
    await report("test:p_mid", { problem: "key_refused" });
    assert.deepEqual((await list({ problem: "any", starting_after: cursors[0] }))[0], ["p_old", "p_new", "p_mid"]);
  });

  test("overrides that end before a time are listed across all shards by their end, and a page continues while they change", async () => {
    const ends = /** @type {[string, number | null][]} */ ([
      ["e_late", 9_000],
      ["e_never", null],
      ["e_b", 5_000],
      ["e_a", 5_000],
      ["e_soon", 1_000],
      ["e_mid", 7_000],
    ]);
    assert.ok(new Set(ends.map(([id]) => shardNumber(id))).size > 2, "several shards");
    for (const [id, next_override_end] of ends) await report(`test:${id}`, { next_override_end });
    await report("live:e_live", { next_override_end: 2_000 });
    const list = async (query) => {
      const { status, json, text } = await service.request(
        `/v1/sync_status?${new URLSearchParams({ ends_before: "9001", prefix: "e_", ...query })}`,
      );
      assert.equal(status, 200, text);
      return [json.data.map(({ cursor }) => cursor), json.has_more];
    };
    const all = ["1000_e_soon", "5000_e_a", "5000_e_b", "7000_e_mid", "9000_e_late"];
    for (const [query, expected, more] of /** @type {[Record<string, string>, string[], boolean][]} */ ([
      [{}, all, false],
      [{ ends_before: "9000" }, all.slice(0, 4), false],
      [{ ends_before: "1000" }, [], false],
      [{ limit: "2" }, all.slice(0, 2), true],
      [{ limit: "2", starting_after: "5000_e_a" }, all.slice(2, 4), true],
      [{ limit: "2", starting_after: "5000_e_b" }, all.slice(3), false],
      [{ limit: "2", ending_before: "7000_e_mid" }, all.slice(1, 3), true],
      [{ ending_before: "5000_e_b" }, all.slice(0, 2), false],
      [{ prefix: "e_s" }, all.slice(0, 1), false],
    ])) {
      assert.deepEqual(await list(query), [expected, more], JSON.stringify(query));
    }
    await report("test:e_a", {});
    await report("test:e_soon", { next_override_end: 8_000 });
    assert.deepEqual(await list({ starting_after: "5000_e_a" }), [["5000_e_b", "7000_e_mid", "8000_e_soon", "9000_e_late"], false]);
    const { json } = await service.request("/v1/sync_status?ends_before=9001&prefix=e_&limit=1");
    assert.equal(json.data[0].next_override_end, 5_000);
  });

  test("the sync status list is sorted by id, with pages in both directions and a prefix", async () => {
    const ids = ["l_a", "l_ab", "l_aé", "l_a\u{10ffff}", "l_a\u{10ffff}b", "l_b"];
    for (const id of ids.toReversed()) await report(`test:${id}`, { confirmed_at: 1_700_000_000_999 });
    await report("live:l_a", { pending: 1, pending_since: 1_700_000_000_999, problem: "unknown_customer" });
    // A problem without a customer.
    await report("test:", { problem: "key_refused" });
    const page = async (query, key) => {
      const { status, json, text } = await service.request(`/v1/sync_status?${new URLSearchParams(query)}`, { key });
      assert.equal(status, 200, text);
      return [json.data.map(({ id }) => id), json.has_more];
    };
    for (const [query, expected, more] of /** @type {[Record<string, string>, string[], boolean][]} */ ([
      [{ prefix: "l_" }, ids, false],
      [{ prefix: "l_", limit: "5" }, ids.slice(0, 5), true],
      [{ prefix: "l_a" }, ids.slice(0, 5), false],
      [{ prefix: "l_a\u{10ffff}" }, ids.slice(3, 5), false],
      [{ prefix: "l_aa" }, [], false],
      [{ prefix: "l_%" }, [], false],
      [{ prefix: "L_" }, [], false],
      [{ prefix: "l_", limit: "2", starting_after: "l_a" }, ids.slice(1, 3), true],
      [{ prefix: "l_", starting_after: "l_aa" }, ids.slice(1), false],
      [{ prefix: "l_", limit: "2", ending_before: "l_b" }, ids.slice(3, 5), true],
      [{ prefix: "l_", ending_before: "l_aé" }, ids.slice(0, 2), false],
      [{ prefix: "l_b", starting_after: "l_a" }, ["l_b"], false],
      [{ prefix: "l_a", ending_before: "z" }, ids.slice(0, 5), false],
      [{ limit: "1", prefix: "cus_", ending_before: "l_a" }, ["cus_z"], true],
      [{ starting_after: "l_aé", limit: "3" }, ids.slice(3), true],
    ])) {
      assert.deepEqual(await page(query), [expected, more], JSON.stringify(query));
    }
    const all = [];
    for await (const { id } of pages()) all.push(id);
    assert.deepEqual(
      all,
      [...new Set(all)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
    );
    assert.ok(ids.every((id) => all.includes(id)) && !all.includes(""));

    const { json } = await service.request("/v1/sync_status?prefix=l_", { key: LIVE_KEY });
    assert.ok(Math.abs(json.data[0].problem_since - unixNow()) < 3_600, "in Unix seconds");
    assert.deepEqual(json, {
      object: "list",
      data: [
        {
          id: "l_a",
          object: "customer_sync_status",
          livemode: true,
          confirmed_at: null,
          pending: 1,
          pending_since: 1_700_000_000,
          problem: "unknown_customer",
          problem_since: json.data[0].problem_since,
          next_override_end: null,
          cursor: "l_a",
        },
      ],
      has_more: false,
      url: "/v1/sync_status",
    });
    const {
      json: {
        data: [first],
      },
    } = await service.request("/v1/sync_status?prefix=l_a");
    assert.deepEqual(first, {
      id: "l_a",
      object: "customer_sync_status",
      livemode: false,
      confirmed_at: 1_700_000_000,
      pending: 0,
      pending_since: null,
      problem: null,
      problem_since: null,
      next_override_end: null,
      cursor: "l_a",
    });
  });

  /** The items of all pages, read as Stripe's SDK does. */
  async function* pages() {
    /** @type {Record<string, string>} */
    let cursor = {};
    for (;;) {
      const { json } = await service.request(`/v1/sync_status?${new URLSearchParams({ limit: "7", ...cursor })}`);
      yield* json.data;
      if (!json.has_more) return;
      cursor = { starting_after: json.data.at(-1).id };
    }
  }
});

/** Answers with an empty page once as many shards are asked as a list needs. */
const COUNTING_INDEX = `
  const { customers, activity } = JSON.parse(message);
  if (!customers && !activity) return "200\\n";
  asked += 1;
  console.log("a shard was asked");
  const needed = activity?.filter.customer ? 1 : 32;
  while (asked < needed) await scheduler.wait(1);
  const page = { data: [], has_more: false };
  return "200\\n" + JSON.stringify(customers ? page : { entries: page, complete_since: 0 });
`;

describe("the number of subrequests", { timeout: 60_000 }, () => {
  for (const [path, count] of /** @type {[string, number][]} */ ([
    ["/v1/sync_status?limit=100", 32],
    ["/v1/sync_status?problem=any", 32],
    ["/v1/sync_status?ends_before=1700000000", 32],
    ["/v1/activity?limit=100", 32],
    ["/v1/activity?customer=cus_ada", 1],
  ])) {
    test(`${path} asks ${count} shards, all of them at once`, async (t) => {
      /** @type {string[]} */
      const log = [];
      const service = await serve({ customerIndex: COUNTING_INDEX, log });
      t.after(() => service.stop());
      // No shard answers before all of them are asked.
      const { status, json } = await service.request(path);
      assert.deepEqual([status, json.data], [200, []]);
      await eventually(() => assert.equal(log.filter((line) => line.includes("a shard was asked")).length, count));
    });
  }

  test("a list costs 32 subrequests, four more as the first request of an isolate, and five more as that of a deployment", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const shards = Array.from({ length: 32 }, () => "CUSTOMER_INDEX");
    // Before the response, the isolate reads where the deployment is. After it, it reads that again to set the alarms of both coordinators.
    const first = ["ENTITLEMENTS", "ENTITLEMENTS", "SOURCE_COORDINATOR", "SOURCE_COORDINATOR"];
    /** Whether the deployment is recorded: a new one writes its record. */
    for (const isRecorded of [false, true]) {
      const service = await serve({ folder, subrequests: true });
      /** @param {string[]} expected */
      const list = async (expected) => {
        assert.equal((await service.request("/v1/sync_status?limit=100")).status, 200);
        /** @type {string[]} */
        const sent = [];
        await eventually(async () => {
          sent.push(...(await service.takeSubrequests()));
          assert.deepEqual(sent.sort(), expected);
        });
      };
      try {
        await list([...shards, ...(isRecorded ? [] : ["ENTITLEMENTS"]), ...first]);
        await list(shards);
      } finally {
        await service.stop();
      }
    }
  });
});

test("the end of an override is listed while it is the next one, until the override has ended", { timeout: 30_000 }, async (t) => {
  const service = await serve();
  t.after(() => service.stop());
  const overrides = "/v1/customers/cus_ada/overrides";
  const post = async (path, parameters) => {
    const { status, json, text } = await service.request(path, { method: "POST", body: new URLSearchParams(parameters) });
    assert.equal(status, 200, text);
    return json;
  };
  const soon = String(unixNow() + DAY);
  /** @param {[string, number][]} expected */
  const listed = (expected) =>
    eventually(async () => {
      const { json } = await service.request(`/v1/sync_status?ends_before=${soon}`);
      assert.deepEqual(
        json.data.map(({ id, next_override_end }) => [id, next_override_end]),
        expected,
      );
    });
  const grant = { feature: "sms", effect: "grant", reason: "A trial" };
  const later = await post(overrides, { ...grant, expires_in: "7200" });
  await listed([["cus_ada", later.expires_at]]);
  const first = await post(overrides, { ...grant, expires_in: "3600" });
  await listed([["cus_ada", first.expires_at]]);
  await post(`${overrides}/${first.id}`, { expires_at: "now" });
  await listed([["cus_ada", later.expires_at]]);
  await post(`${overrides}/${later.id}`, { expires_at: "" });
  await listed([]);
});

test("a shard with a problem lets the coordinator add up the index, without being asked", { timeout: 30_000 }, async (t) => {
  const stripe = await fakeStripe();
  t.after(() => stripe.stop());
  const service = await serve({ clock: true, settings: { ...stripe.settings, ENTGATE_EVENT_POLL: "3600" } });
  t.after(() => service.stop());
  const pending = async () => (await service.requestCoordinator("status", "test")).backlog.pending;
  // The coordinator adds up an index without problems, and again after ten minutes. An alarm does so before it polls.
  await service.setClockOffset(-120);
  assert.equal(await pending(), 0);
  await eventually(() => assert.equal(stripe.eventCalls().length, 1));
  await service.setClockOffset(0);
  const status = { ...SYNCED, pending: 1, pending_since: Date.now() };
  await service.sendToCustomerIndex("test:cus_ada", { report: { status, features: [] } });
  await eventually(async () => assert.equal(await pending(), 1));
});

test("the customer index keeps its customers across a restart", { timeout: 30_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const knownCustomers = async (service) =>
    (await service.request("/v1/sync_status")).json.data.map(({ id, confirmed_at }) => [id, confirmed_at]);
  try {
    let service = await serve({ folder });
    try {
      await service.send(summary("cus_old", ["sms"]));
      await eventually(async () => assert.deepEqual(await knownCustomers(service), [["cus_old", null]]));
    } finally {
      await service.stop();
    }
    service = await serve({ folder });
    try {
      assert.deepEqual(await knownCustomers(service), [["cus_old", null]]);
      await service.send(summary("cus_new", ["sms"]));
      await eventually(async () =>
        assert.deepEqual(await knownCustomers(service), [
          ["cus_new", null],
          ["cus_old", null],
        ]),
      );
    } finally {
      await service.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
