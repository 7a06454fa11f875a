// `entgate/server` against the built Worker: lists and reads of customers, overrides, history and explanations.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createClient } from "../../www/npm/dist/server.js";
import { fakeStripe } from "../worker/fake-stripe.mjs";
import { KEY, READ_ONLY_KEY } from "../worker/support.mjs";
import { serveEdge } from "./support.mjs";

/** The items of a list, of all pages. */
async function collect(list) {
  const items = [];
  for await (const item of list) items.push(item);
  return items;
}

describe("a client of a backend and the Worker", { timeout: 60_000 }, () => {
  let api;
  let service;
  /** @type {import("entgate/server").Client} */
  let client;
  before(async () => {
    api = await fakeStripe();
    api.setEntitlements("cus_ada", ["sms", "api", "export"]);
    api.setEntitlements("cus_bob", []);
    // It exists, and no customer has it.
    api.setProductFeatures("prod_pro", ["sso"]);
    service = await serveEdge({ settings: api.settings });
    client = createClient({ endpoint: service.url.origin, key: KEY, timeout: 10_000 });
  });
  after(async () => {
    await service?.stop();
    await api?.stop();
  });

  test("it lists active entitlements: one page with `await`, all with `for await`", async () => {
    const first = await client.list("cus_ada", { limit: 2, fresh: true });
    assert.deepEqual(
      [first.object, first.data.length, first.has_more, first.url],
      ["list", 2, true, "/v1/entitlements/active_entitlements"],
    );
    const all = await collect(client.list("cus_ada", { limit: 2, fresh: true }));
    assert.deepEqual(all.map(({ lookup_key }) => lookup_key).sort(), ["api", "export", "sms"]);
    assert.deepEqual(all.slice(0, 2), first.data);
    const [, , last] = all;
    assert.deepEqual(await collect(client.list("cus_ada", { limit: 1, endingBefore: last.id, fresh: true })), all.slice(0, 2).reverse());
  });

  test("it reads a customer from the source, and waits for a feature", async () => {
    const { object, customer, served_by, entitlements, entitled } = await client.sync("cus_bob");
    assert.deepEqual([object, customer, served_by, entitlements.data, entitled], ["customer_sync", "cus_bob", "source", [], undefined]);
    const waiting = client.sync("cus_bob", { feature: "sms", wait: 25 });
    api.setEntitlements("cus_bob", ["sms"]);
    const { feature, entitled: granted } = await waiting;
    assert.deepEqual([feature, granted], ["sms", true]);
    await assert.rejects(client.sync("cus_none"), { code: "resource_missing", status: 404 });
  });

  test("an override grants a feature, until it is deleted", async () => {
    const wanted = {
      feature: "sso",
      effect: /** @type {const} */ ("grant"),
      reason: "Trial",
      metadata: { ticket: "42" },
      idempotencyKey: "one",
    };
    const { overrides } = client;
    const created = await overrides.create("cus_ada", { ...wanted, expiresIn: 3_600 });
    assert.deepEqual(
      [created.object, created.customer, created.feature, created.effect, created.status, created.metadata],
      ["entitlement_override", "cus_ada", "sso", "grant", "active", { ticket: "42" }],
    );
    assert.equal(created.expires_at, created.starts_at + 3_600);
    const check = async (atLeast) => {
      const { entitled, reason } = await client.check({ customer: "cus_ada", feature: "sso", atLeast });
      return [entitled, reason];
    };
    assert.deepEqual(await check(created.version), [true, "override"]);
    assert.equal((await overrides.create("cus_ada", { ...wanted, expiresIn: 3_600 })).id, created.id, "the same request again");
    await assert.rejects(overrides.create("cus_ada", wanted), { name: "GateError", status: 400 }, "another request with its key");

    const updated = await overrides.update("cus_ada", created.id, {
      expiresAt: null,
      reason: "Partner",
      metadata: { ticket: null, seat: "7" },
    });
    assert.deepEqual([updated.expires_at, updated.reason, updated.metadata], [null, "Partner", { seat: "7" }]);
    assert.deepEqual(await overrides.retrieve("cus_ada", created.id), updated);
    assert.deepEqual((await overrides.list("cus_ada")).data, [updated]);

    const deleted = await overrides.delete("cus_ada", created.id, { reason: "Over", actor: "bob" });
    assert.deepEqual([deleted.id, deleted.deleted, deleted.customer], [created.id, true, "cus_ada"]);
    assert.deepEqual(await check(deleted.version), [false, "not_entitled"]);
    assert.deepEqual((await overrides.list("cus_ada")).data, []);
    const [ended] = await collect(overrides.list("cus_ada", { status: "all", limit: 1 }));
    assert.deepEqual([ended.id, ended.status, ended.deletion?.reason, ended.deletion?.actor], [created.id, "ended", "Over", "bob"]);
  });

  test("the error of an override names its parameter or its code", async () => {
    const { overrides } = client;
    const denial = { feature: "sms", effect: /** @type {const} */ ("deny"), reason: "Fraud" };
    await assert.rejects(overrides.create("cus_ada", { ...denial, reason: "" }), { status: 400, param: "reason" });
    await assert.rejects(overrides.create("cus_ada", { ...denial, expiresAt: 1 }), { status: 400, param: "expires_at" });
    await assert.rejects(overrides.retrieve("cus_ada", "ovr_none"), { code: "resource_missing", status: 404 });
    const started = await overrides.create("cus_ada", denial);
    await assert.rejects(overrides.update("cus_ada", started.id, { startsAt: 2_000_000_000 }), { code: "override_started", status: 400 });
    await overrides.delete("cus_ada", started.id);
    const reader = createClient({ endpoint: service.url.origin, key: READ_ONLY_KEY });
    await assert.rejects(reader.overrides.list("cus_ada"), { code: "secret_key_required", status: 403 });
  });

  test("the history has each change with its cause, newest first", async () => {
    api.setEntitlements("cus_eve", ["sms"]);
    const { version } = await client.sync("cus_eve");
    const { overrides, history } = client;
    const override = await overrides.create("cus_eve", { feature: "sso", effect: "grant", reason: "Trial", actor: "ada" });
    const deleted = await overrides.delete("cus_eve", override.id, { actor: "bob" });
    assert.deepEqual([override.version, deleted.version], [version + 1, version + 2]);
    const changes = await collect(history("cus_eve", { limit: 1 }));
    assert.deepEqual(
      changes.map(({ object, version, cause, added, removed }) => [object, version, cause.type, cause.id, cause.actor, added, removed]),
      [
        ["entitlement_change", version + 2, "override", override.id, "bob", [], ["sso"]],
        ["entitlement_change", version + 1, "override", override.id, "ada", ["sso"], []],
        ["entitlement_change", version, "read", null, null, ["sms"], []],
      ],
    );
    const [newest] = changes;
    assert.deepEqual((await history("cus_eve", { created: { lt: changes[2].created } })).data, []);
    assert.deepEqual((await history("cus_eve", { created: { gte: changes[2].created }, limit: 1 })).data, [newest]);
    assert.deepEqual((await history("cus_eve", { endingBefore: newest.id })).data, []);
    assert.deepEqual(await collect(history("cus_eve", { endingBefore: changes[2].id, limit: 1 })), changes.slice(0, 2).reverse());
  });

  test("an explanation names what grants the feature, and what denies it", async () => {
    const { overrides, explain } = client;
    const granted = await explain({ customer: "cus_ada", feature: "api" });
    assert.deepEqual(
      [granted.object, granted.customer, granted.feature, granted.entitled, granted.reason],
      ["explanation", "cus_ada", "api", true, "active_entitlement"],
    );
    const denial = await overrides.create("cus_ada", { feature: "api", effect: "deny", reason: "Fraud" });
    const denied = await explain({ customer: "cus_ada", feature: "api" });
    assert.deepEqual([denied.entitled, denied.reason, denied.version], [false, "denied_by_override", denial.version]);
    const effects = denied.contributions.flatMap((part) => {
      if (part.type === "source_set") return [[part.type, part.effect, part.source]];
      return part.type === "override" ? [[part.type, part.effect, part.override.id]] : [];
    });
    assert.deepEqual(effects, [
      ["source_set", "grants", "stripe"],
      ["override", "denies", denial.id],
    ]);
    await overrides.delete("cus_ada", denial.id);
    await assert.rejects(explain({ customer: "cus_ada", feature: "api", at: 1 }), { code: "history_too_old", status: 400 });
  });
});
