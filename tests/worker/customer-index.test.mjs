// The customer index, called as ledgers and the coordinator call it, and the list of it that operators request.
//
// The suite covers which sets are unread, which ledgers have an overdue task, the totals of pending tasks, the known features, and
// the pages of the list.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, LIVE_KEY, serve, summary, unixNow } from "./support.mjs";

const DAY = 24 * 60 * 60;

describe("the customer index", { timeout: 30_000 }, () => {
  let service;
  before(async () => {
    service = await serve();
  });
  after(() => service.stop());

  const send = (request) => service.requestCustomerIndex(request);
  /** Reports the sync status of a ledger. */
  const report = (key, status, features = []) =>
    send({ report: { key, status: { confirmed_at: null, pending: 0, pending_since: null, problem: null, ...status }, features } });
  const survey = (query) => send({ survey: { livemode: false, max_overdue: 0, max_unread: 0, read_before: 0, ...query } });
  /** The sets that were not read for a day, sorted. The index leases them for an hour. */
  const leaseUnread = async (livemode = false, query = {}) =>
    (await survey({ livemode, max_unread: 20, read_before: unixNow() - DAY, ...query })).unread.sort();
  const backlog = async (livemode = false) => (await survey({ livemode })).backlog;

  test("a set is unread a day after its confirmation, at most once an hour, and only in the requested mode", async () => {
    const now = unixNow();
    await report("test:cus_day", { confirmed_at: now - DAY });
    await report("test:cus_fresh", { confirmed_at: now - DAY + 60 });
    await report("live:cus_day", { confirmed_at: now - DAY });
    assert.deepEqual(await leaseUnread(), ["test:cus_day"]);
    assert.deepEqual(await leaseUnread(), [], "the set is leased");
    assert.deepEqual(await leaseUnread(true), ["live:cus_day"]);
    const { unread_count } = await survey({ max_unread: 1, read_before: now - DAY });
    assert.equal(unread_count, 1, "a leased set is unread until it is read");
    assert.equal((await survey({ max_unread: 1, read_before: now })).unread_count, 2);
    assert.deepEqual(await leaseUnread(false, { read_before: now }), [], "the other one was leased by the last survey");
    await report("test:cus_day", { confirmed_at: now });
    assert.equal((await survey({ max_unread: 1, read_before: now - DAY })).unread_count, 0);
  });

  test("sets that cannot be read do not delay the others, even if they report failures repeatedly", async () => {
    const failing = Array.from({ length: 20 }, (_, i) => `test:cus_f${i}`).sort();
    for (const key of [...failing, "test:cus_z"]) await report(key, {});
    assert.deepEqual(await leaseUnread(), failing);
    for (const key of failing) await report(key, { pending: 1, pending_since: unixNow() * 1_000 });
    assert.deepEqual(await leaseUnread(), ["test:cus_z"]);
    assert.deepEqual(await leaseUnread(), []);
  });

  test("a ledger is overdue ten minutes after its task failed, and is returned once in ten minutes", async () => {
    const ago = (seconds) => (unixNow() - seconds) * 1_000;
    const overdue = async (livemode = false) => (await survey({ livemode, max_overdue: 10 })).overdue;
    await report("test:cus_overdue", { pending: 1, pending_since: ago(601) });
    await report("test:cus_failing", { pending: 1, pending_since: ago(590) });
    assert.deepEqual(await overdue(true), []);
    assert.deepEqual(await overdue(), ["test:cus_overdue"]);
    assert.deepEqual(await overdue(), []);
    for (const id of ["overdue", "failing"]) await report(`test:cus_${id}`, { confirmed_at: unixNow() });
  });

  test("the backlog adds up the pending tasks of each mode, without those that are completed", async () => {
    const pending_since = (unixNow() - 90) * 1_000;
    await report("test:cus_pending", { confirmed_at: unixNow(), pending: 2, pending_since, problem: "key_refused" });
    const [inTest, inLive] = [await backlog(), await backlog(true)];
    await report("live:cus_pending", { pending: 5, pending_since: 1, problem: "unknown_customer" });
    assert.deepEqual(await backlog(), inTest);
    assert.deepEqual(await backlog(true), { pending: inLive.pending + 5, pending_since: 1, problem: "unknown_customer" });
    await report("live:cus_pending", { confirmed_at: unixNow() });
    assert.deepEqual(await backlog(true), inLive);
    assert.deepEqual([inTest.pending_since, inTest.problem], [pending_since, "key_refused"]);
    await report("test:cus_pending", { confirmed_at: unixNow() });
    const rest = await backlog();
    assert.deepEqual([rest.pending, rest.problem], [inTest.pending - 2, null]);
  });

  test("the index keeps up to 2,000 observed features of each mode", async () => {
    const features = (livemode = false) => send({ features: livemode });
    assert.deepEqual(await features(), [], "reports without features");
    await report("test:cus_ada", {}, ["sms", "a/b"]);
    await report("test:cus_bob", {}, ["sms", "über"]);
    await report("live:cus_ada", {}, ["sso"]);
    assert.deepEqual([await features(), await features(true)], [["a/b", "sms", "über"], ["sso"]]);
    const many = Array.from({ length: 2_000 }, (_, i) => `f${i}`);
    await report("live:cus_bob", {}, many.slice(0, 1_998));
    assert.equal((await features(true)).length, 1_999);
    await report("live:cus_bob", {}, many);
    assert.equal((await features(true)).length, 2_000);
    assert.equal((await features()).length, 3);
  });

  test("the sync status list is sorted by id, with pages in both directions and a prefix", async () => {
    const ids = ["l_a", "l_ab", "l_aé", "l_a\u{10ffff}", "l_a\u{10ffff}b", "l_b"];
    for (const id of ids.toReversed()) await report(`test:${id}`, { confirmed_at: 1_700_000_000 });
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
      [{ limit: "1", ending_before: "l_a" }, ["cus_z"], true],
      [{ starting_after: "l_aé", limit: "100" }, ids.slice(3), false],
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
