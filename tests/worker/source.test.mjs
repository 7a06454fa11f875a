// Stripe as the source: its list is read after each event, and the set ends as Stripe's list.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fakeStripe } from "./fake-stripe.mjs";
import { customerDeleted, eventually, serve, stripeClient, summary, unixNow } from "./support.mjs";

const numberedKeys = (count) => Array.from({ length: count }, (_, i) => `f${i}`);

let stripe;
let service;
/** @type {string[]} */
const log = [];
/** Every response of the Worker: its body and headers. @type {string[]} */
const responses = [];
before(async () => {
  stripe = await fakeStripe();
  service = await serve({ settings: stripe.settings, log });
  const request = service.request.bind(service);
  service.request = async (...options) => {
    const response = await request(...options);
    responses.push(`${response.text} ${JSON.stringify([...response.headers])}`);
    return response;
  };
});
after(async () => {
  await service.stop();
  await stripe.stop();
});

/** Sends events one after the other, and returns the outcome and version of each. */
async function send(...events) {
  const outcomes = [];
  for (const event of events) {
    const { status, json } = await service.send(event);
    assert.equal(status, 200, JSON.stringify(json));
    outcomes.push([json.outcome, json.version]);
  }
  return outcomes;
}

/** A check that the ledger answers: its status, result and version. */
async function checkFresh(customer, feature) {
  const { status, json } = await service.check(customer, feature, { fresh: true });
  return [status, json.entitled, json.version];
}

/** The lookup keys of the complete list, sorted. */
async function listKeys(customer) {
  const list = stripeClient(service.url).entitlements.activeEntitlements.list({ customer, limit: 100 });
  return (await list.autoPagingToArray({ limit: 10_000 })).map(({ lookup_key }) => lookup_key).sort();
}

describe("an event with a truncated page", { concurrency: true, timeout: 30_000 }, () => {
  test("it is acknowledged at once, and the complete list of 250 is read and returned", async () => {
    stripe.setEntitlements("cus_long", numberedKeys(250));
    const release = stripe.delayResponses("cus_long");
    const event = summary("cus_long", numberedKeys(10), { hasMore: true });
    assert.deepEqual(await send(event), [["applied", 1]]);
    await stripe.waitForCalls(1, "cus_long");
    release();
    await eventually(async () => assert.deepEqual(await checkFresh("cus_long", "f249"), [200, true, 2]));
    assert.deepEqual(await listKeys("cus_long"), numberedKeys(250).sort());
    assert.deepEqual(await checkFresh("cus_long", "f250"), [200, false, 2]);
    // Two equal passes of three pages each.
    const cursors = stripe.listCalls("cus_long").map(({ query }) => [query.get("limit"), query.get("starting_after")]);
    const pass = [
      ["100", null],
      ["100", "ent_test_cus_long_f99"],
      ["100", "ent_test_cus_long_f199"],
    ];
    assert.deepEqual(cursors, [...pass, ...pass]);
  });

  test("it revokes nothing until the complete list is read, and checks of known entitlements do not wait for that", async () => {
    stripe.setEntitlements("cus_known", ["f0", "f1"]);
    const release = stripe.delayResponses("cus_known");
    try {
      const now = unixNow();
      const events = [summary("cus_known", ["gone"], { created: now }), summary("cus_known", ["f0"], { created: now + 1, hasMore: true })];
      assert.deepEqual(await send(...events), [
        ["applied", 1],
        ["applied", 2],
      ]);
      await stripe.waitForCalls(1, "cus_known");
      const began = Date.now();
      const checks = ["gone", "f0"].map((feature) => service.check("cus_known", feature, { at_least: 2 }));
      for (const { status, json } of await Promise.all(checks)) assert.deepEqual([status, json.entitled, json.version], [200, true, 2]);
      assert.ok(Date.now() - began < 8_000, `${Date.now() - began} ms`);
    } finally {
      release();
    }
    await eventually(async () => assert.deepEqual(await checkFresh("cus_known", "gone"), [200, false, 3]));
    await eventually(async () => assert.deepEqual(await listKeys("cus_known"), ["f0", "f1"]));
  });

  test("checks of features that are not on the page wait for the list and share one read", async () => {
    stripe.setEntitlements("cus_page", ["f0", "f1"]);
    const release = stripe.delayResponses("cus_page");
    await send(summary("cus_page", ["f0"], { hasMore: true }));
    await stripe.waitForCalls(1, "cus_page");
    const checks = ["f1", "f2", "f1", "f2"].map((feature) => service.check("cus_page", feature));
    // Once the same Worker has responded to this, the checks wait.
    await service.health();
    release();
    const decisions = (await Promise.all(checks)).map(({ status, json }) => [status, json.entitled, json.version]);
    assert.deepEqual(decisions, [
      [200, true, 2],
      [200, false, 2],
      [200, true, 2],
      [200, false, 2],
    ]);
    assert.equal(stripe.listCalls("cus_page").length, 1);
  });
});

describe("an event with a complete list", { concurrency: true, timeout: 30_000 }, () => {
  test("one read confirms several events, two seconds after the last one", async () => {
    stripe.setEntitlements("cus_quiet", ["f3"]);
    const now = unixNow();
    const events = [1, 2, 3].map((number) => summary("cus_quiet", [`f${number}`], { created: now + number }));
    assert.deepEqual(await send(events[0], events[1]), [
      ["applied", 1],
      ["applied", 2],
    ]);
    const last = Date.now();
    assert.deepEqual(await send(events[2]), [["applied", 3]]);
    await stripe.waitForCalls(1, "cus_quiet");
    const pause = stripe.listCalls("cus_quiet")[0].at - last;
    assert.ok(pause >= 1_950 && pause < 9_000, `${pause} ms`);
    // Once a later event of another customer is confirmed, a second read would have arrived.
    stripe.setEntitlements("cus_later", []);
    await send(summary("cus_later", []));
    await stripe.waitForCalls(1, "cus_later");
    assert.equal(stripe.listCalls("cus_quiet").length, 1);
    assert.deepEqual(await checkFresh("cus_quiet", "f3"), [200, true, 3], "a confirmation does not create a version");
  });

  test("a difference to Stripe's list is corrected and logged as drift", async () => {
    stripe.setEntitlements("cus_drift", ["f1", "f2", "f3"]);
    assert.deepEqual(await send(summary("cus_drift", ["f0", "f1"])), [["applied", 1]]);
    await eventually(async () => assert.deepEqual(await checkFresh("cus_drift", "f3"), [200, true, 2]));
    assert.deepEqual(await checkFresh("cus_drift", "f0"), [200, false, 2]);
    await eventually(async () => assert.deepEqual(await listKeys("cus_drift"), ["f1", "f2", "f3"]));
    const drift = '{"message":"drift","customer":"test:cus_drift","missing":2,"extra":1,"version":2}';
    await eventually(() => assert.ok(log.includes(drift), log.join("\n")));
  });

  test("a late event does not undo a newer one, and Stripe's list is read at once", async () => {
    stripe.setEntitlements("cus_late", ["new"]);
    const now = unixNow();
    const events = [summary("cus_late", ["new"], { created: now }), summary("cus_late", ["old"], { created: now - 60 })];
    assert.deepEqual(await send(...events), [
      ["applied", 1],
      ["stale", 1],
    ]);
    const sent = Date.now();
    await stripe.waitForCalls(1, "cus_late");
    assert.ok(stripe.listCalls("cus_late")[0].at - sent < 1_900, "earlier than a debounced confirmation");
    assert.deepEqual(await checkFresh("cus_late", "new"), [200, true, 1]);
    assert.deepEqual(await checkFresh("cus_late", "old"), [200, false, 1]);
  });

  test("after two events of the same second, Stripe's list is read at once", async () => {
    stripe.setEntitlements("cus_tie", ["first"]);
    const now = unixNow();
    const events = ["first", "second"].map((key) => summary("cus_tie", [key], { created: now }));
    assert.deepEqual(await send(...events), [
      ["applied", 1],
      ["applied", 2],
    ]);
    const sent = Date.now();
    await eventually(async () => assert.deepEqual(await checkFresh("cus_tie", "first"), [200, true, 3]));
    assert.ok(stripe.listCalls("cus_tie")[0].at - sent < 1_900, "earlier than a debounced confirmation");
    assert.deepEqual(await checkFresh("cus_tie", "second"), [200, false, 3]);
  });

  test("the set ends as Stripe's list, after any events in any order", async () => {
    // Each event twice, four events per second, and every third event with a truncated page.
    const now = unixNow();
    const events = numberedKeys(24).map((key, i) => summary("cus_order", [key, "f100"], { created: now - (i >> 2), hasMore: i % 3 === 0 }));
    stripe.setEntitlements("cus_order", ["f5", "f200"]);
    const statuses = await Promise.all([...events, ...events].map(async (event) => (await service.send(event)).status));
    assert.deepEqual(new Set(statuses), new Set([200]));
    await eventually(async () => assert.deepEqual(await listKeys("cus_order"), ["f200", "f5"]));
    const [, , version] = await checkFresh("cus_order", "f5");
    const reads = stripe.listCalls("cus_order").length;
    assert.deepEqual(await send(summary("cus_order", ["f5", "f200"], { created: now + 60 })), [["unchanged", version]]);
    await stripe.waitForCalls(reads + 1, "cus_order");
    assert.deepEqual(await checkFresh("cus_order", "f200"), [200, true, version], "no pending task changes it again");
  });

  test("an event that arrives during a read is not overwritten by the read's older result", async () => {
    stripe.setEntitlements("cus_race", ["old"]);
    const now = unixNow();
    let release = stripe.delayResponses("cus_race");
    await send(summary("cus_race", ["old"], { created: now, hasMore: true }));
    await stripe.waitForCalls(1, "cus_race");
    stripe.setEntitlements("cus_race", ["new", "old"]);
    assert.deepEqual(await send(summary("cus_race", ["new"], { created: now + 60 })), [["applied", 2]]);
    // The second read begins once the result of the first one is applied, and is delayed.
    const first = release;
    release = stripe.delayResponses("cus_race");
    first();
    await stripe.waitForCalls(2, "cus_race");
    assert.deepEqual(
      [await checkFresh("cus_race", "new"), await checkFresh("cus_race", "old")],
      [
        [200, true, 2],
        [200, false, 2],
      ],
    );
    release();
    await eventually(async () => assert.deepEqual(await listKeys("cus_race"), ["new", "old"]));
  });

  test("an event is applied while Stripe does not respond to a read", async () => {
    stripe.setEntitlements("cus_slow", ["f1"]);
    const release = stripe.delayResponses("cus_slow");
    const now = unixNow();
    await send(summary("cus_slow", ["f0"], { created: now }));
    await stripe.waitForCalls(1, "cus_slow");
    const events = [summary("cus_slow", ["f1"], { created: now + 60 }), summary("cus_slow", [], { created: now + 61 })];
    assert.deepEqual(await send(...events), [
      ["applied", 2],
      ["applied", 3],
    ]);
    assert.deepEqual(await checkFresh("cus_slow", "f1"), [200, false, 3]);
    release();
    await eventually(async () => assert.deepEqual(await checkFresh("cus_slow", "f1"), [200, true, 4]));
  });
});

describe("a deleted customer", { concurrency: true, timeout: 30_000 }, () => {
  test("the event revokes everything, and an older event restores nothing", async () => {
    stripe.setEntitlements("cus_gone", ["sms"]);
    const now = unixNow();
    await send(summary("cus_gone", ["sms"], { created: now }));
    stripe.deleteCustomer("cus_gone");
    assert.deepEqual(await send(customerDeleted("cus_gone", { created: now + 1 })), [["applied", 2]]);
    assert.deepEqual(await checkFresh("cus_gone", "sms"), [200, false, 2]);
    assert.deepEqual(await send(summary("cus_gone", ["sms"], { created: now })), [["stale", 2]]);
    await stripe.waitForCalls(1, "cus_gone");
    await eventually(() => assert.ok(stripe.calls.some(({ path }) => decodeURIComponent(path) === "/v1/customers/cus_gone")));
    assert.deepEqual(await checkFresh("cus_gone", "sms"), [200, false, 2]);
    await eventually(async () => assert.deepEqual(await listKeys("cus_gone"), []));
  });

  test("without an event, the next read revokes everything", async () => {
    stripe.setEntitlements("cus_unannounced", ["sms"]);
    await send(summary("cus_unannounced", ["sms"]));
    stripe.deleteCustomer("cus_unannounced");
    await eventually(async () => assert.deepEqual(await checkFresh("cus_unannounced", "sms"), [200, false, 2]));
  });
});

describe("the requests to Stripe", () => {
  test("every request is a GET with the pinned version and the key", () => {
    const paths = new Set(stripe.calls.map(({ path }) => path.split("/")[2]));
    assert.deepEqual(paths, new Set(["entitlements", "customers"]));
    for (const { method, headers, path } of stripe.calls) {
      const { "stripe-version": version, authorization } = headers;
      assert.deepEqual([method, version, authorization], ["GET", "2026-10-28.endive", `Bearer ${stripe.key}`], path);
    }
  });

  test("the key is in no response and in no log line", () => {
    assert.ok(responses.length > 30);
    for (const text of [...responses, ...log]) assert.ok(!text.includes(stripe.key), text);
  });
});
