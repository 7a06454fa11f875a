// How the console words explanations, causes of changes, and times: pure functions.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeCause, describeOverride, lastChangeOf } from "../../www/console/change-cause.js";
import { parseInputTime, relativeTime, timeUntil } from "../../www/console/dates.js";
import { describeExplanation } from "../../www/console/explanation.js";
import { describeCheck, labelReason } from "../../www/console/reasons.js";

const format = (/** @type {number} */ seconds) => `T${seconds}`;

const OVERRIDE = {
  id: "ovr_1",
  feature: "sms",
  effect: /** @type {const} */ ("grant"),
  reason: "Outage",
  actor: "ada",
  status: /** @type {const} */ ("active"),
  starts_at: 100,
  expires_at: 300,
  created: 100,
  version: 2,
  deletion: null,
};

const DELETED = {
  ...OVERRIDE,
  version: 4,
  status: /** @type {const} */ ("ended"),
  deletion: { created: 200, reason: "A mistake", actor: "bob" },
};

const EVENT = { type: "event", id: "evt_1", actor: null };

const SOURCE_SET = {
  type: "source_set",
  effect: /** @type {const} */ ("none"),
  source: "stripe",
  completeness: "complete",
  active_entitlement: null,
  confirmed_at: 90,
  since: null,
  cause: null,
};

const EXPLANATION = {
  customer: "cus_1",
  feature: "sms",
  at: 150,
  entitled: false,
  reason: "not_entitled",
  version: 3,
  strict: false,
  last_change: null,
  contributions: [],
};

/**
 * The sentence about one contribution.
 *
 * @param {any} contribution
 */
function sentence(contribution) {
  const explanation = { ...EXPLANATION, contributions: [contribution] };
  return describeExplanation(explanation, { isPast: false, format }).contributions[0].text;
}

describe("the answer of an explanation", () => {
  /** @type {[why: string, explanation: object, isPast: boolean, state: string, label: string, answer: string][]} */
  const table = [
    [
      "a granted feature",
      { entitled: true, reason: "active_entitlement" },
      false,
      "entitled",
      "Entitled",
      "cus_1 may use sms: an active entitlement grants it.",
    ],
    [
      "a denied feature",
      { reason: "denied_by_override" },
      false,
      "denied",
      "Not entitled",
      "cus_1 may not use sms: an override denies it.",
    ],
    [
      "a past answer",
      { entitled: true, reason: "override" },
      true,
      "entitled",
      "Entitled at T150",
      "The answer at that time: cus_1 may use sms: an override grants it.",
    ],
    [
      "an answer that is not known",
      { entitled: null, reason: null },
      false,
      "unknown",
      "Unknown",
      "It is not known whether cus_1 may use sms. This does not mean “not entitled”.",
    ],
    [
      "a past answer that is not known",
      { entitled: null, reason: null },
      true,
      "unknown",
      "Unknown at T150",
      "It is not known whether cus_1 may use sms. This does not mean “not entitled”.",
    ],
    ["a reason of a later release", { reason: "quota" }, false, "denied", "Not entitled", "cus_1 may not use sms: the reason is “quota”."],
  ];
  for (const [why, members, isPast, state, label, answer] of table) {
    test(`${why} is worded`, () => {
      const description = describeExplanation({ ...EXPLANATION, ...members }, { isPast, format });
      assert.deepEqual([description.state, description.label, description.answer], [state, label, answer]);
    });
  }

  test("the last change of the feature is a note, with its cause", () => {
    const last_change = { version: 2, created: 100, cause: { type: "override", id: "ovr_1", actor: "ada" } };
    const contributions = [{ type: "override", effect: /** @type {const} */ ("grants"), override: OVERRIDE }];
    const { notes } = describeExplanation({ ...EXPLANATION, last_change, contributions, strict: true }, { isPast: false, format });
    assert.deepEqual(notes, [
      "sms last changed at T100, with version 2. The cause: creation of override ovr_1 by ada.",
      "sms is a strict feature: the ledger answers every check.",
    ]);
  });

  test("a history without a change of the feature is a note", () => {
    assert.deepEqual(describeExplanation(EXPLANATION, { isPast: false, format }).notes, ["The history has no change of sms."]);
  });
});

describe("a contribution to an answer", () => {
  /** @type {[why: string, contribution: object, expected: string][]} */
  const table = [
    [
      "a source that grants it",
      { ...SOURCE_SET, effect: "grants", active_entitlement: "ent_1", since: 50, cause: EVENT },
      "Stripe grants sms (ent_1). This has been so since T50. The cause: event evt_1. Last confirmed at T90.",
    ],
    ["a complete list without it", SOURCE_SET, "Stripe does not grant sms: the complete list is known, without it. Last confirmed at T90."],
    [
      "a partial list without it",
      { ...SOURCE_SET, source: "catalog", completeness: "partial", confirmed_at: null },
      "sms is not in the known part of the list of the catalog.",
    ],
    [
      "a list that is not known",
      { ...SOURCE_SET, completeness: "unknown", confirmed_at: null },
      "The list of Stripe is not known for this customer.",
    ],
    [
      "a past list, of which only the changes are known",
      { ...SOURCE_SET, completeness: null, confirmed_at: null },
      "Stripe did not grant sms, as far as the history shows.",
    ],
    [
      "a subscription that grants it",
      { type: "subscription", effect: "grants", subscription: "sub_1", product: "prod_1", status: "active", setting: null },
      "Subscription sub_1 is active and grants sms, which product prod_1 includes.",
    ],
    [
      "a subscription whose setting decides",
      {
        type: "subscription",
        effect: "none",
        subscription: "sub_1",
        product: "prod_1",
        status: "paused",
        setting: { name: "ENTGATE_PAUSED_SUBSCRIPTIONS", value: "revoke" },
      },
      "Subscription sub_1 is paused and does not grant sms, which product prod_1 includes. The setting ENTGATE_PAUSED_SUBSCRIPTIONS=revoke decides this.",
    ],
    [
      "a product without a subscription",
      { type: "product", effect: "none", product: "prod_2", name: "Enterprise", subscribed: false },
      "Product Enterprise (prod_2) includes sms. The customer does not subscribe to it.",
    ],
    [
      "a product with a subscription, without a name",
      { type: "product", effect: "none", product: "prod_1", name: null, subscribed: true },
      "Product prod_1 includes sms. The customer subscribes to it.",
    ],
    [
      "subscriptions that cannot be read",
      { type: "subscriptions_unavailable", effect: "none", message: "The key lacks a permission." },
      "Subscriptions and products cannot be shown: The key lacks a permission.",
    ],
    [
      "an active override",
      { type: "override", effect: "grants", override: OVERRIDE },
      "Override ovr_1 is active. Grants sms until T300. ada gave the reason “Outage”.",
    ],
    [
      "a deleted override",
      { type: "override", effect: "none", override: DELETED },
      "Override ovr_1 has ended. Grants sms until T300. ada gave the reason “Outage”. bob deleted it at T200: “A mistake”.",
    ],
    [
      "a default feature",
      { type: "default_feature", effect: "grants", setting: "ENTGATE_DEFAULT_FEATURES" },
      "sms is a default feature: ENTGATE_DEFAULT_FEATURES grants it to every customer.",
    ],
    ["no default feature", { type: "default_feature", effect: "none", setting: null }, "sms is not a default feature."],
    [
      "default features of the past",
      { type: "default_feature", effect: "none", setting: null, known: false },
      "It is not known whether sms was a default feature at that time.",
    ],
    [
      "a replica of the same version",
      { type: "replica", effect: "none", state: "current", version: 3, entitled: false, as_of: 90 },
      "The replica at the edge has version 3 too, and answers “not entitled”.",
    ],
    [
      "a replica that is behind",
      { type: "replica", effect: "none", state: "behind", version: 2, entitled: true, as_of: 80 },
      "The replica at the edge is behind: it has version 2 instead of 3, as of T80, and answers “entitled”. It follows within a minute.",
    ],
    [
      "no replica",
      { type: "replica", effect: "none", state: "absent", version: null, entitled: null, as_of: null },
      "The replica at the edge has no record of this customer: the ledger answers checks.",
    ],
    [
      "a replica that cannot be read",
      { type: "replica", effect: "none", state: "unavailable", version: null, entitled: null, as_of: null },
      "The replica at the edge cannot be read at the moment.",
    ],
    ["a contribution of a later release", { type: "quota", effect: "none", left: 3 }, 'quota: {"type":"quota","effect":"none","left":3}'],
  ];
  for (const [why, contribution, expected] of table) test(`${why} is worded`, () => assert.equal(sentence(contribution), expected));
});

describe("a cause", () => {
  /** @type {[cause: { type: string, id: string | null, actor: string | null }, change: object, expected: string][]} */
  const table = [
    [EVENT, {}, "event evt_1"],
    [{ type: "poll", id: "evt_1", actor: null }, {}, "event evt_1, found by the event poll"],
    [{ type: "read", id: null, actor: null }, {}, "read of the source"],
    [{ type: "reconcile", id: null, actor: null }, {}, "reconciliation with the source"],
    [
      { type: "override", id: "ovr_1", actor: "ada" },
      { version: 2, created: 100, override: OVERRIDE },
      "creation of override ovr_1 by ada",
    ],
    [{ type: "override", id: "ovr_1", actor: "ada" }, { version: 3, created: 150, override: OVERRIDE }, "update of override ovr_1 by ada"],
    [{ type: "override", id: "ovr_1", actor: "bob" }, { version: 4, created: 200, override: DELETED }, "deletion of override ovr_1 by bob"],
    [{ type: "override", id: "ovr_1", actor: "ada" }, {}, "change of override ovr_1 by ada"],
    [{ type: "override_start", id: "ovr_1", actor: null }, {}, "start of override ovr_1"],
    [{ type: "override_end", id: "ovr_1", actor: null }, {}, "end of override ovr_1"],
    [{ type: "setting", id: null, actor: null }, {}, "change of the default features"],
    [{ type: "import", id: "imp_1", actor: "ada" }, {}, "import imp_1 by ada"],
  ];
  for (const [cause, change, expected] of table) {
    test(`“${expected}” is a noun phrase`, () => assert.equal(describeCause(cause, change), expected));
  }
});

test("an override is a sentence with its feature and its times", () => {
  assert.equal(describeOverride(OVERRIDE, format), "Grants sms until T300.");
  assert.equal(describeOverride({ ...OVERRIDE, starts_at: 200 }, format), "Grants sms from T200 until T300.");
  assert.equal(describeOverride({ ...OVERRIDE, effect: "deny", expires_at: null }, format), "Denies sms without an end.");
  assert.equal(describeOverride({ ...OVERRIDE, starts_at: 200, expires_at: null }, format), "Grants sms from T200.");
});

describe("the last change of a feature", () => {
  const change = (/** @type {number} */ version, /** @type {string[] | null} */ added, /** @type {string[] | null} */ removed) => ({
    id: `chg_${version}`,
    version,
    created: version,
    cause: EVENT,
    added,
    removed,
    added_count: added?.length ?? 1_001,
    removed_count: removed?.length ?? 1_001,
  });

  test("the newest change that names the feature counts", () => {
    const changes = [change(4, ["api"], []), change(3, [], ["sms"]), change(2, ["sms"], []), change(1, ["sso"], [])];
    assert.deepEqual(lastChangeOf(changes, "sms"), { change: changes[1], isAdded: false });
    assert.deepEqual(lastChangeOf(changes, "sso"), { change: changes[3], isAdded: true });
    assert.equal(lastChangeOf(changes, "other"), undefined);
  });

  test("nothing is known before a change whose keys are not kept", () => {
    assert.equal(lastChangeOf([change(3, null, []), change(2, ["sms"], [])], "sms"), undefined);
    const changes = [change(4, ["sms"], []), change(3, null, [])];
    assert.equal(lastChangeOf(changes, "sms")?.change, changes[0]);
  });
});

test("a reason has a label and a sentence, and an unknown one its code", () => {
  assert.equal(labelReason("denied_by_override").label, "denied by override");
  assert.equal(labelReason("constructor").label, "constructor");
  const check = { customer: "cus_1", feature: "sms", entitled: true, reason: "default_feature" };
  assert.equal(describeCheck(check), "cus_1 may use sms: it is a default feature, which every customer has.");
});

test("a time is in the largest unit that says enough", () => {
  assert.deepEqual(
    [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map((rest) => timeUntil(1_000 + rest, 1_000)),
    ["in 0 seconds", "in 119 seconds", "in 2 minutes", "in 119 minutes", "in 2 hours", "in 47 hours", "in 2 days"],
  );
  assert.equal(timeUntil(900, 1_000), "in 0 seconds");
  assert.deepEqual(
    [59, 60, 86_400].map((age) => relativeTime(1_000_000 - age, 1_000_000)),
    ["59 seconds ago", "1 minute ago", "yesterday"],
  );
});

test("an input's time is in the time zone of the reader, and an empty one is none", () => {
  assert.equal(parseInputTime("2027-01-15T08:00:00"), new Date(2027, 0, 15, 8).getTime() / 1_000);
  assert.equal(parseInputTime(""), undefined);
});
