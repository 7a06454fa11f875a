// The roster, asked as customers' ledgers and the cron trigger ask it: who is due, and what is owed.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { seconds, serve } from "./support.mjs";

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
  const report = (key, standing, features) => ask({ report: { key, standing: { confirmed: null, pending: 0, since: null, trouble: null, ...standing }, features } });
  /** Whom it hands out to be confirmed. */
  const due = async (livemode = false, limit = 20) => (await ask({ due: { confirm: [livemode], limit } })).confirm.sort();

  test("hands a set out a day after it was confirmed, once an hour, and only in the modes that can be read", async () => {
    const now = seconds();
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
    for (const key of failing) await report(key, { pending: 1, since: seconds() * 1_000 });
    assert.deepEqual(await due(), ["test:cus_z"]);
    assert.deepEqual(await due(), []);
  });

  test("adds up what is owed, and forgets what was paid", async () => {
    const since = (seconds() - 90) * 1_000;
    await report("test:cus_owes", { confirmed: seconds(), pending: 2, since, trouble: "key_refused" });
    const owed = await ask("backlog");
    assert.deepEqual([owed.since, owed.trouble], [since, "key_refused"]);
    assert.ok((await ask({ due: { confirm: [], limit: 100 } })).wake.includes("test:cus_owes"));
    await report("test:cus_owes", { confirmed: seconds() });
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
});
