// The roster, asked as customers' ledgers and the cron trigger ask it: who is due, and what is owed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually, LIVE_KEY, serve, summary, unixNow } from "./support.mjs";

/** Takes the roster in a folder back to the form that it had before it noted when a set was confirmed. */
const BEFORE_CONFIRMED = `
import glob, sqlite3, sys
found = 0
for path in glob.glob(sys.argv[1] + "/durableObjects/**/*.sqlite", recursive=True):
    base = sqlite3.connect(path)
    if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'customers'").fetchone():
        base.execute("ALTER TABLE customers DROP COLUMN confirmed")
        base.commit()
        found += 1
    base.close()
assert found == 1, found
`;

const DAY = 24 * 60 * 60;

describe("the roster", { timeout: 30_000 }, () => {
  let service;
  let roster;
  before(async () => {
    service = await serve();
    const rosters = await service.workerd.getDurableObjectNamespace("ROSTER", "entgate");
    roster = rosters.get(rosters.idFromName("roster"));
  });
  after(() => service.stop());

  const ask = async (message) => {
    const response = await roster.fetch("https://roster/", { method: "POST", body: JSON.stringify(message) });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return text && JSON.parse(text);
  };
  const report = (key, standing, features) =>
    ask({ report: { key, standing: { confirmed: null, pending: 0, since: null, trouble: null, ...standing }, features } });
  /** Whom it hands out to be confirmed. */
  const due = async (livemode = false, limit = 20) => (await ask({ due: { confirm: [livemode], limit } })).confirm.sort();

  test("hands a set out a day after it was confirmed, once an hour, and only in the modes that can be read", async () => {
    const now = unixNow();
    await report("test:cus_day", { confirmed: now - DAY });
    await report("test:cus_fresh", { confirmed: now - DAY + 60 });
    await report("live:cus_day", { confirmed: now - DAY });
    assert.deepEqual(await due(), ["test:cus_day"]);
    assert.deepEqual(await due(), [], "it has its turn");
    assert.deepEqual(await due(true), ["live:cus_day"]);
  });

  test("lets no set that cannot be read hold up the others, however often it reports that", async () => {
    const failing = Array.from({ length: 20 }, (_, i) => `test:cus_f${i}`).sort();
    for (const key of [...failing, "test:cus_z"]) await report(key, {});
    assert.deepEqual(await due(), failing);
    for (const key of failing) await report(key, { pending: 1, since: unixNow() * 1_000 });
    assert.deepEqual(await due(), ["test:cus_z"]);
    assert.deepEqual(await due(), []);
  });

  test("adds up what is owed, and forgets what was paid", async () => {
    const since = (unixNow() - 90) * 1_000;
    await report("test:cus_owes", { confirmed: unixNow(), pending: 2, since, trouble: "key_refused" });
    const owed = await ask("backlog");
    assert.deepEqual([owed.since, owed.trouble], [since, "key_refused"]);
    assert.ok((await ask({ due: { confirm: [], limit: 100 } })).wake.includes("test:cus_owes"));
    await report("test:cus_owes", { confirmed: unixNow() });
    const left = await ask("backlog");
    assert.deepEqual([left.pending, left.trouble], [owed.pending - 2, null]);
  });

  test("remembers the features that anybody held, by mode, as far as there is room", async () => {
    const features = (livemode = false) => ask({ features: livemode });
    assert.deepEqual(await features(), [], "those who told none");
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

  test("lists who is known by id, a page at a time, in either direction and by prefix", async () => {
    const ids = ["l_a", "l_ab", "l_aé", "l_a\u{10ffff}", "l_a\u{10ffff}b", "l_b"];
    for (const id of ids.toReversed()) await report(`test:${id}`, { confirmed: 1_700_000_000 });
    await report("live:l_a", { pending: 1, since: 1_700_000_000_999, trouble: "unknown_customer" });
    // A trouble that is nobody's.
    await report("test:", { trouble: "key_refused" });
    const page = async (query, key) => {
      const { status, json, text } = await service.request(`/v1/roster?${new URLSearchParams(query)}`, { key });
      assert.equal(status, 200, text);
      return [json.data.map(({ id }) => id), json.has_more];
    };
    for (const [query, expected, more] of [
      [{ prefix: "l_" }, ids, false],
      [{ prefix: "l_", limit: 5 }, ids.slice(0, 5), true],
      [{ prefix: "l_a" }, ids.slice(0, 5), false],
      [{ prefix: "l_a\u{10ffff}" }, ids.slice(3, 5), false],
      [{ prefix: "l_aa" }, [], false],
      [{ prefix: "l_%" }, [], false],
      [{ prefix: "L_" }, [], false],
      [{ prefix: "l_", limit: 2, starting_after: "l_a" }, ids.slice(1, 3), true],
      [{ prefix: "l_", starting_after: "l_aa" }, ids.slice(1), false],
      [{ prefix: "l_", limit: 2, ending_before: "l_b" }, ids.slice(3, 5), true],
      [{ prefix: "l_", ending_before: "l_aé" }, ids.slice(0, 2), false],
      [{ prefix: "l_b", starting_after: "l_a" }, ["l_b"], false],
      [{ prefix: "l_a", ending_before: "z" }, ids.slice(0, 5), false],
      [{ limit: 1, ending_before: "l_a" }, ["cus_z"], true],
      [{ starting_after: "l_aé", limit: 100 }, ids.slice(3), false],
    ]) {
      assert.deepEqual(await page(query), [expected, more], JSON.stringify(query));
    }
    const all = [];
    for await (const { id } of pages()) all.push(id);
    assert.deepEqual(
      all,
      [...new Set(all)].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
    );
    assert.ok(ids.every((id) => all.includes(id)) && !all.includes(""));

    const { json } = await service.request("/v1/roster?prefix=l_", { key: LIVE_KEY });
    assert.deepEqual(json, {
      object: "list",
      data: [
        {
          id: "l_a",
          object: "roster_entry",
          livemode: true,
          confirmed_at: null,
          pending: 1,
          pending_since: 1_700_000_000,
          trouble: "unknown_customer",
        },
      ],
      has_more: false,
      url: "/v1/roster",
    });
    const {
      json: {
        data: [first],
      },
    } = await service.request("/v1/roster?prefix=l_a");
    assert.deepEqual(first, {
      id: "l_a",
      object: "roster_entry",
      livemode: false,
      confirmed_at: 1_700_000_000,
      pending: 0,
      pending_since: null,
      trouble: null,
    });
  });

  /** All pages, as Stripe's SDK would read them. */
  async function* pages() {
    let cursor = {};
    for (;;) {
      const { json } = await service.request(`/v1/roster?${new URLSearchParams({ limit: 7, ...cursor })}`);
      yield* json.data;
      if (!json.has_more) return;
      cursor = { starting_after: json.data.at(-1).id };
    }
  }
});

test("a roster of before it noted confirmations is taken over", { timeout: 30_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  const known = async (service) => (await service.request("/v1/roster")).json.data.map(({ id, confirmed_at }) => [id, confirmed_at]);
  try {
    let service = await serve({ folder });
    try {
      await service.send(summary("cus_old", ["sms"]));
      await eventually(async () => assert.deepEqual(await known(service), [["cus_old", null]]));
    } finally {
      await service.stop();
    }
    execFileSync("python3", ["-c", BEFORE_CONFIRMED, folder]);
    service = await serve({ folder });
    try {
      assert.deepEqual(await known(service), [["cus_old", null]]);
      await service.send(summary("cus_new", ["sms"]));
      await eventually(async () =>
        assert.deepEqual(await known(service), [
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
