// The service binding: the Worker of examples/service-binding beside entgate, and Workers that call the methods directly.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { KEY, LIVE_KEY, serve, summary } from "./support.mjs";
import { repositoryPath } from "./worker-modules.mjs";

/** The configuration of the example, without its comments. */
const example = JSON.parse(readFileSync(repositoryPath("examples/service-binding/wrangler.jsonc"), "utf8").replace(/^\s*\/\/.*$/gm, ""));

const exampleWorker = {
  name: example.name,
  compatibilityDate: example.compatibility_date,
  modules: [{ type: /** @type {const} */ ("ESModule"), path: repositoryPath(`examples/service-binding/${example.main}`) }],
  serviceBindings: Object.fromEntries(
    example.services.map(({ binding, service, entrypoint, props }) => [binding, { name: service, entrypoint, props }]),
  ),
};

/** A Worker that calls the method of its path with the arguments in the body, and returns the result or the error. */
const CALLER = `export default {
  async fetch(request, env) {
    const [binding, method] = new URL(request.url).pathname.slice(1).split("/");
    try {
      return Response.json({ result: await env[binding][method](...(await request.json())) });
    } catch (error) {
      return Response.json({ error: { ...error, message: error.message, isError: error instanceof Error } });
    }
  },
}`;

const entgateBinding = (/** @type {Record<string, boolean | string> | undefined} */ props) => ({
  name: "entgate",
  entrypoint: "Entitlements",
  props,
});

const caller = {
  name: "caller",
  compatibilityDate: "2026-11-17",
  modules: true,
  script: CALLER,
  serviceBindings: {
    TEST: entgateBinding({ livemode: false }),
    LIVE: entgateBinding({ livemode: true }),
    NO_PROPS: entgateBinding(undefined),
    TEXT: entgateBinding({ livemode: "false" }),
  },
};

describe("the service binding", { timeout: 60_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serve>>} */
  let service;
  before(async () => {
    // Without `deny`, a customer without any data is unknown.
    service = await serve({ settings: { ENTGATE_UNKNOWN_CUSTOMERS: "" }, others: [exampleWorker, caller] });
    await service.send(summary("cus_ada", ["export", "sms"]));
    await service.send(summary("cus_ada", ["sso"], { livemode: true }));
    await service.send(summary("cus_bob", ["sms"]));
  });
  after(() => service.stop());

  const call = async (binding, method, ...args) => {
    const response = await service.fetchWorker("caller", `/${binding}/${method}`, { method: "POST", body: JSON.stringify(args) });
    return response.json();
  };

  const overHttp = async (path, key = KEY) => (await service.request(path, { key })).json;

  test("`check` returns what the HTTP API returns, on the fast path and on the slow path", async () => {
    for (const [why, args, query] of /** @type {[string, object, string][]} */ ([
      ["granted by the replica", { customer: "cus_ada", feature: "sms" }, "feature=sms"],
      ["denied by the replica", { customer: "cus_ada", feature: "fax" }, "feature=fax"],
      ["a version that is reached", { customer: "cus_ada", feature: "sms", at_least: 1 }, "feature=sms&at_least=1"],
      ["by the ledger", { customer: "cus_ada", feature: "sms", fresh: true }, "feature=sms&fresh=true"],
      ["an absent argument", { customer: "cus_ada", feature: "sms", fresh: undefined, at_least: null }, "feature=sms"],
      ["a key with escapes", { customer: "cus_ada", feature: "a b&c=d" }, "feature=a%20b%26c%3Dd"],
      ["several features", { customer: "cus_ada", feature: ["sms", "fax"] }, "feature[]=sms&feature[]=fax"],
    ])) {
      const { result } = await call("TEST", "check", args);
      assert.deepEqual(result, await overHttp(`/v1/check?customer=cus_ada&${query}`), why);
      assert.equal(JSON.stringify(result).includes('"entitlement_check"'), true, why);
    }
  });

  test("the mode of a call is that of the binding", async () => {
    const check = { customer: "cus_ada", feature: "sso" };
    assert.equal((await call("TEST", "check", check)).result.entitled, false);
    assert.equal((await call("LIVE", "check", check)).result.entitled, true);
    const { result } = await call("LIVE", "list", { customer: "cus_ada" });
    assert.deepEqual(result, await overHttp("/v1/entitlements/active_entitlements?customer=cus_ada", LIVE_KEY));
    assert.deepEqual(
      result.data.map(({ lookup_key, livemode }) => [lookup_key, livemode]),
      [["sso", true]],
    );
  });

  test("a binding without a boolean `livemode` throws at every call", async () => {
    for (const binding of ["NO_PROPS", "TEXT"]) {
      for (const method of ["check", "list", "authorize", "explain"]) {
        const { error } = await call(binding, method, { customer: "cus_ada", feature: "sms" });
        assert.deepEqual([error.code, error.status, error.param], ["livemode_missing", 400, "props.livemode"], `${binding} ${method}`);
      }
    }
  });

  test("`list` returns Stripe's page, and its cursor continues it", async () => {
    const list = "/v1/entitlements/active_entitlements?customer=cus_ada";
    const { result: first } = await call("TEST", "list", { customer: "cus_ada", limit: 1 });
    assert.deepEqual(first, await overHttp(`${list}&limit=1`));
    assert.deepEqual([first.data.length, first.has_more], [1, true]);
    const { result: rest } = await call("TEST", "list", { customer: "cus_ada", starting_after: first.data[0].id });
    assert.deepEqual(rest, await overHttp(`${list}&starting_after=${first.data[0].id}`));
    assert.deepEqual([rest.data.length, rest.has_more], [1, false]);
  });

  test("`authorize` returns who may use the feature, and throws the reason of a denial", async () => {
    const { result } = await call("TEST", "authorize", { customer: "cus_bob", feature: "sms" });
    assert.equal(Number.isSafeInteger(result.as_of), true);
    assert.deepEqual(result, { object: "authorization", customer: "cus_bob", version: 1, as_of: result.as_of, served_by: "replica" });
    const fresh = await call("TEST", "authorize", { customer: "cus_bob", feature: ["sms"], fresh: true });
    assert.deepEqual(fresh.result, { ...result, served_by: "ledger" });

    const { error } = await call("TEST", "authorize", { customer: "cus_bob", feature: "fax" });
    const { request_id, ...rest } = error;
    assert.match(request_id, /^req_[0-9a-f]{16}$/);
    assert.deepEqual(rest, {
      name: "EntgateError",
      type: "invalid_request_error",
      code: "not_entitled",
      param: "feature",
      message: "'cus_bob' may not use 'fax'.",
      status: 403,
      remote: true,
      isError: true,
    });
  });

  test("`explain` returns what the HTTP API returns", async () => {
    for (const args of [
      { customer: "cus_ada", feature: "sms" },
      { customer: "cus_ada", feature: "fax" },
      { customer: "cus_nobody", feature: "sms" },
    ]) {
      const { result } = await call("TEST", "explain", args);
      const { at, ...overHttpNow } = await overHttp(`/v1/explain?${new URLSearchParams(args)}`);
      assert.ok(at >= result.at, `${at} ${result.at}`);
      assert.deepEqual(result, { ...overHttpNow, at: result.at });
    }
    const { error } = await call("TEST", "explain", { customer: "cus_ada" });
    assert.deepEqual([error.code, error.param, error.status], ["parameter_missing", "feature", 400]);
  });

  test("unknown is thrown with its code and the time to wait, never returned as `false`", async () => {
    for (const method of ["check", "list", "authorize"]) {
      const { result, error } = await call("TEST", method, { customer: "cus_nobody", ...(method !== "list" && { feature: "sms" }) });
      assert.equal(result, undefined, method);
      assert.deepEqual([error.code, error.status, error.retry_after], ["customer_not_verifiable", 503, 60], method);
    }
  });

  test("an invalid argument is thrown with its name", async () => {
    const long = Array.from({ length: 100 }, (_, index) => `${index}`.padEnd(170, "x"));
    for (const [why, args, code, param] of /** @type {[string, any, string, string | undefined][]} */ ([
      ["no customer", { feature: "sms" }, "parameter_missing", "customer"],
      ["no feature", { customer: "cus_ada" }, "parameter_missing", "feature"],
      ["an unknown argument", { customer: "cus_ada", feature: "sms", color: "red" }, "parameter_unknown", "color"],
      ["an object", { customer: { id: "cus_ada" }, feature: "sms" }, "parameter_invalid", "customer"],
      ["no object", "cus_ada", "parameter_invalid", undefined],
      ["an array", ["cus_ada"], "parameter_invalid", undefined],
      ["too long", { customer: "cus_ada", feature: long }, "parameter_invalid", undefined],
    ])) {
      const { error } = await call("TEST", "check", args);
      assert.deepEqual([error?.code, error?.param, error?.status], [code, param, 400], why);
    }
  });

  test("the binding has no other method, and none that writes", async () => {
    for (const method of ["sync", "fetch_bound", "overrides", "put"]) {
      const { error } = await call("TEST", method, { customer: "cus_ada" });
      assert.match(error.message, new RegExp(`does not implement the method "${method}"`), method);
    }
  });

  test("an HTTP request cannot act as a bound Worker", async () => {
    for (const headers of [{ livemode: "true" }, { "entgate-livemode": "true" }, {}]) {
      assert.equal((await service.request("/v1/check?customer=cus_ada&feature=sms", { key: null, headers })).status, 401);
    }
  });

  test("the example serves an export to customers who may use it, and reports what is not known", async () => {
    const ask = async (path) => {
      const response = await service.fetchWorker("shop", path);
      return [response.status, await response.text(), response.headers.get("retry-after")];
    };
    assert.deepEqual(await ask("/export?customer=cus_ada"), [200, "id,name\n1,Ada\n", null]);
    assert.deepEqual(await ask("/export?customer=cus_bob"), [403, "No export: not_entitled\n", null]);
    assert.deepEqual(await ask("/export?customer=cus_nobody"), [503, "Try again: customer_not_verifiable\n", "60"]);
    assert.deepEqual(await ask("/features?customer=cus_ada"), [200, '["export","sms"]', null]);
  });
});
