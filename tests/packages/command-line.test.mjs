// The command line against the built Worker, with the catalog and with Stripe as its source.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fakeStripe } from "../worker/fake-stripe.mjs";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, KEY, READ_ONLY_KEY, serve } from "../worker/support.mjs";
import { serveCatalog, TestCatalog } from "../worker/test-catalog.mjs";
import { run, start } from "./command-line.mjs";

const SUMMARY_EVENT = "entitlements.active_entitlement_summary.updated";

describe("the command line", { timeout: 120_000 }, () => {
  /** @type {Awaited<ReturnType<typeof serveCatalog>>} */
  let service;
  /** @type {TestCatalog} */
  let catalog;
  /** @type {string} */
  let folder;
  before(async () => {
    service = await serveCatalog();
    catalog = new TestCatalog(service);
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await service?.stop();
  });

  /** @param {string[]} args */
  const entgate = (...args) => run(service, args, { cwd: folder });
  /** @param {string} name @param {string} text */
  const write = (name, text) => writeFileSync(join(folder, name), text);

  test("creates a feature and prints it", async () => {
    const { status, stdout, stderr } = await entgate("features", "create", "--name", "Text messages", "--lookup-key", "text");
    const { object, name, lookup_key } = JSON.parse(stdout);
    assert.deepEqual([status, stderr, object, name, lookup_key], [0, "", "entitlements.feature", "Text messages", "text"]);
  });

  test("prints an error of the API, and exits with 1", async () => {
    const { status, stdout } = await entgate("features", "retrieve", "feat_nothing");
    assert.deepEqual([status, JSON.parse(stdout).error.code], [1, "resource_missing"]);
  });

  test("triggers an event, syncs the customer and checks the feature", async () => {
    await catalog.createCustomer("cus_ada");
    const triggered = await entgate("trigger", SUMMARY_EVENT, "--customer", "cus_ada", "--add", "sms");
    assert.equal(triggered.status, 0, triggered.stderr);
    assert.match(triggered.stdout, /Trigger succeeded! customer: cus_ada {2}added: sms\n/);
    const synced = await entgate("sync", "cus_ada", "--feature", "sms", "--wait", "10");
    assert.equal(synced.status, 0, synced.stdout);
    const checked = await entgate("check", "--customer", "cus_ada", "--feature", "sms", "--fresh");
    assert.deepEqual([checked.status, JSON.parse(checked.stdout).entitled], [0, true]);
  });

  test("creates an override, explains the answer, deletes the override, and lists the history", async () => {
    await catalog.createFeature("reports");
    const created = await entgate("overrides", "create", "cus_eve", "--feature", "reports", "--effect", "grant", "--reason", "A beta");
    assert.equal(created.status, 0, created.stdout);
    const { id, feature, effect, status } = JSON.parse(created.stdout);
    assert.deepEqual([feature, effect, status], ["reports", "grant", "active"]);
    const explained = await entgate("explain", "--customer", "cus_eve", "--feature", "reports");
    assert.deepEqual([explained.status, JSON.parse(explained.stdout).reason], [0, "override"]);
    const asked = await entgate("overrides", "delete", "cus_eve", id, "--reason", "The beta is over");
    assert.equal(asked.status, 1);
    const deleted = await entgate("overrides", "delete", "cus_eve", id, "--reason", "The beta is over", "--confirm");
    assert.deepEqual([deleted.status, JSON.parse(deleted.stdout).deleted], [0, true]);
    const listed = await entgate("overrides", "list", "cus_eve", "--status", "ended");
    assert.equal(JSON.parse(listed.stdout).data[0].deletion.reason, "The beta is over");
    const history = await entgate("history", "cus_eve");
    assert.deepEqual(
      JSON.parse(history.stdout).data.map(({ cause, added, removed }) => [cause.type, cause.id, added, removed]),
      [
        ["override", id, [], ["reports"]],
        ["override", id, ["reports"], []],
      ],
    );
  });

  test("listens until it is interrupted, and exits with 130", async () => {
    const { id } = await catalog.sdk.customers.create({});
    const { child, output, ended } = start(service, ["listen", "--customer", id]);
    await eventually(() => assert.match(output.stdout, /Ready!/));
    const { price } = await catalog.createPlan(await catalog.createFeature("listened"));
    await catalog.subscribe({ id }, price);
    await eventually(() => assert.match(output.stdout, new RegExp(`<-- {2}applied ${id} version 1 `)));
    child.kill("SIGINT");
    assert.equal((await ended).status, 130);
  });

  test("does not delete anything without a confirmation", async () => {
    const { id } = await catalog.sdk.customers.create({});
    const asked = await entgate("customers", "delete", id);
    assert.equal(asked.status, 1);
    assert.match(asked.stderr, /--confirm skips the question/);
    assert.equal((await catalog.sdk.customers.retrieve(id)).deleted, undefined);
    assert.equal((await entgate("customers", "delete", id, "--confirm")).status, 0);
    assert.equal((await catalog.sdk.customers.retrieve(id)).deleted, true);
  });

  test("reads the key from the environment only, and never prints it", async () => {
    const asArgument = await entgate("features", "list", "--api-key", KEY);
    assert.equal(asArgument.status, 1);
    assert.match(asArgument.stderr, /^--api-key: the key is read from the environment variable ENTGATE_KEY/);
    const without = await run(service, ["features", "list"], { env: { ENTGATE_KEY: "" } });
    assert.deepEqual([without.status, without.stdout], [1, ""]);
    assert.match(without.stderr, /^No API key\. Set the environment variable ENTGATE_KEY/);
    const wrong = await run(service, ["features", "list"], { env: { ENTGATE_KEY: "sk_test_another_key_of_someone" } });
    assert.equal(wrong.status, 1);
    for (const { stdout, stderr } of [asArgument, without, wrong])
      assert.doesNotMatch(stdout + stderr, /another_key_of_someone|sk_test_entgate/);
    // The health is public.
    assert.equal((await run(service, ["health"], { env: { ENTGATE_KEY: "" } })).status, 0);
  });

  test("names an address that cannot be used or reached", async () => {
    for (const host of ["localhost:8787", "https://example.com/path", "https://user@example.com", "ftp://example.com"]) {
      assert.deepEqual(await entgate("health", "--host", host), {
        status: 1,
        stdout: "",
        stderr: `--host: \`${host}\` is not an address such as https://entgate.example.com\n`,
      });
    }
    const { status, stderr } = await run(undefined, ["health"], { env: { ENTGATE_URL: "http://127.0.0.1:1" } });
    assert.equal(status, 1);
    assert.match(stderr, /^No response from http:\/\/127\.0\.0\.1:1\. Is entgate running there\?/);
  });

  test("corrects a misspelt command, and has help on each", async () => {
    assert.match((await entgate("plann")).stderr, /^Unknown command "plann" for "entgate"\. Did you mean "plan"\?/);
    assert.match((await entgate("features", "creat")).stderr, /^Unknown command "creat" for "entgate features"\. Did you mean "create"\?/);
    for (const args of [["help"], [], ["--help"]]) assert.match((await entgate(...args)).stdout, /^Usage:\n {2}entgate <command>/);
    for (const args of [
      ["help", "plan"],
      ["plan", "--help"],
    ])
      assert.match((await entgate(...args)).stdout, /entgate plan <file> \[flags\]/);
    assert.match((await entgate("version")).stdout, /^entgate \d+\.\d+\.\d+\n$/);
  });

  describe("plan and apply", () => {
    const FILE = `
features:
  - lookup_key: plan_sms
    name: Text messages
  - lookup_key: plan_sso
products:
  - id: plan_pro
    name: Pro
    features: [plan_sms]
    prices:
      - { lookup_key: plan_monthly, currency: usd, unit_amount: 1500, recurring: { interval: month } }
  - key: plan_max
    name: Max
    features: [plan_sms, plan_sso]
`;

    test("apply the file once: the second plan has nothing to do", async () => {
      write("gate.yaml", FILE);
      const planned = await entgate("plan", "gate.yaml", "--exit-code");
      assert.equal(planned.status, 2, planned.stderr);
      assert.match(planned.stdout, /^\+ feature plan_sms\n {4}name: "Text messages"\n/);
      assert.match(planned.stdout, /\n8 changes: 5 to create, 3 to attach\.\n$/);
      assert.equal((await entgate("plan", "gate.yaml")).status, 0, "a plan without --exit-code succeeds");

      const unconfirmed = await entgate("apply", "gate.yaml");
      assert.equal(unconfirmed.status, 1);
      assert.match(unconfirmed.stderr, /Nothing was changed\.\n$/);
      assert.equal((await entgate("plan", "gate.yaml", "--exit-code")).status, 2);

      const applied = await entgate("apply", "gate.yaml", "--confirm");
      assert.equal(applied.status, 0, applied.stderr);
      assert.match(applied.stdout, /\n8 changes applied\.\n/);
      assert.match(applied.stdout, /\n {2}entgate products apply_features plan_pro\n/);
      const again = await entgate("plan", "gate.yaml", "--exit-code");
      assert.equal(again.status, 0, again.stderr);
      assert.match(again.stdout, /\nNothing to do\.\n$/);
      assert.equal((await entgate("apply", "gate.yaml")).status, 0, "without a change, nothing is asked");

      const { data } = await catalog.sdk.products.listFeatures("plan_pro");
      assert.deepEqual(
        data.map(({ entitlement_feature: { lookup_key } }) => lookup_key),
        ["plan_sms"],
      );
      const { data: prices } = await catalog.sdk.prices.list({ lookup_keys: ["plan_monthly"] });
      assert.deepEqual([prices[0].product, prices[0].unit_amount, prices[0].recurring?.interval], ["plan_pro", 1500, "month"]);
    });

    test("replace a price, and archive the old one with --prune", async () => {
      write("gate.yaml", FILE.replace("1500", "2000"));
      const [before] = (await catalog.sdk.prices.list({ lookup_keys: ["plan_monthly"] })).data;
      const applied = await entgate("apply", "gate.yaml", "-c");
      assert.equal(applied.status, 0, applied.stderr);
      assert.match(applied.stdout, /± price plan_monthly .*\n {4}unit_amount: 1500 -> 2000\n/);
      const [after] = (await catalog.sdk.prices.list({ lookup_keys: ["plan_monthly"] })).data;
      assert.deepEqual([after.unit_amount, (await catalog.sdk.prices.retrieve(before.id)).active], [2000, true]);
      assert.match((await entgate("plan", "gate.yaml", "--prune")).stdout, new RegExp(`- price ${before.id}\n`));
    });

    test("see every object of a catalog with more than a page of them", async () => {
      const keys = Array.from({ length: 101 }, (_, number) => `many_${number}`);
      await Promise.all(keys.map((key) => catalog.createFeature(key)));
      write("many.yaml", `features:\n${keys.map((key) => `  - lookup_key: ${key}\n`).join("")}`);
      const { status, stdout } = await entgate("plan", "many.yaml", "--exit-code");
      assert.equal(status, 0, stdout);
    });

    test("continue after a failure", async () => {
      const file = (/** @type {number} */ years) => `
products:
  - id: fails
    name: Fails
    prices:
      - { lookup_key: fails_1, currency: usd, unit_amount: 1, recurring: { interval: year, interval_count: 1 } }
      - { lookup_key: fails_2, currency: usd, unit_amount: 1, recurring: { interval: year, interval_count: ${years} } }
`;
      // Stripe's longest interval is three years.
      write("fails.yaml", file(4));
      const failed = await entgate("apply", "fails.yaml", "-c");
      assert.equal(failed.status, 1);
      assert.match(failed.stderr, /^failed to create price fails_2: .*\n2 of 3 changes applied\. /);
      write("fails.yaml", file(3));
      assert.match((await entgate("apply", "fails.yaml", "-c")).stdout, /\n1 change applied\.\n$/);
    });

    test("name the line of a wrong file, and a file that does not exist", async () => {
      write("wrong.yaml", "features:\n  - lookup_kye: sms\n");
      assert.deepEqual(await entgate("plan", "wrong.yaml"), {
        status: 1,
        stdout: "",
        stderr:
          "wrong.yaml:2: features[0]: unknown field `lookup_kye`; did you mean `lookup_key`?\nwrong.yaml:2: features[0]: `lookup_key` is required\n",
      });
      assert.deepEqual(await entgate("plan", "absent.yaml"), { status: 1, stdout: "", stderr: "failed to read absent.yaml: ENOENT\n" });
    });

    test("name a key that may not read, and flags that do not exist", async () => {
      write("gate.yaml", FILE);
      const readOnly = await run(service, ["plan", "gate.yaml"], { cwd: folder, env: { ENTGATE_KEY: READ_ONLY_KEY } });
      assert.deepEqual([readOnly.status, readOnly.stdout], [1, ""]);
      assert.match((await entgate("plan", "gate.yaml", "--force")).stderr, /--force.*\n?.*See "entgate plan --help" for its flags\./);
      assert.match((await entgate("apply")).stderr, /^`entgate apply` requires exactly 1 file, not 0\./);
    });
  });
});

describe("a host that fails", { timeout: 60_000 }, () => {
  /** @typedef {{ status: number, body?: object }} Answer  Status 0 closes the connection. */
  /** @type {{ method: string | undefined, path: string | undefined, key: string | string[] | undefined }[]} */
  let received;
  /** @type {Answer[]} */
  let answers;
  /** @type {import("node:http").Server} */
  let server;
  /** @type {string} */
  let host;
  /** @type {string} */
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    writeFileSync(join(folder, "gate.yaml"), "features: [{ lookup_key: sms }]\n");
    server = createServer((request, response) => {
      if (request.method === "GET") return response.end(JSON.stringify({ object: "list", data: [], has_more: false }));
      received.push({ method: request.method, path: request.url, key: request.headers["idempotency-key"] });
      const { status, body = {} } = answers.shift() ?? { status: 200 };
      if (status === 0) return request.socket.destroy();
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    host = `http://127.0.0.1:${await listenOnFreePort(server)}`;
  });
  beforeEach(() => {
    received = [];
  });
  after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const apply = () => run(undefined, ["apply", "gate.yaml", "-c", "--host", host], { cwd: folder });

  test("receives a request again with the same idempotency key, until it succeeds", async () => {
    answers = [{ status: 500 }, { status: 0 }, { status: 429 }];
    const { status, stdout } = await apply();
    assert.equal(status, 0);
    assert.match(stdout, /\n1 change applied\.\n$/);
    assert.equal(received.length, 4);
    assert.equal(new Set(received.map(({ key }) => key)).size, 1);
    assert.match(String(received[0].key), /^[0-9a-f-]{36}$/);
  });

  test("receives it at most four times", async () => {
    answers = Array(5).fill({ status: 503, body: { error: { message: "Down." } } });
    const { status, stderr } = await apply();
    assert.deepEqual([status, received.length], [1, 4]);
    assert.match(stderr, /^failed to create feature sms: Down\. Retry shortly\.\n0 of 1 change applied\./);
  });

  test("receives a wrong request once, and its message is printed without control characters", async () => {
    answers = [{ status: 400, body: { error: { message: "No\u001b[2J\u009bway" } } }];
    const { status, stderr } = await apply();
    assert.deepEqual([status, received.length], [1, 1]);
    assert.match(stderr, /^failed to create feature sms: No\ufffd\[2J\ufffdway\n/);
  });
});

describe("with Stripe as the source", { timeout: 60_000 }, () => {
  test("a plan is for the catalog only, unless --host names another host", async (t) => {
    const stripe = await fakeStripe();
    const service = await serve({ settings: stripe.settings });
    const other = await serveCatalog();
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    t.after(async () => {
      rmSync(folder, { recursive: true, force: true });
      await Promise.all([service.stop(), other.stop(), stripe.stop()]);
    });
    writeFileSync(join(folder, "gate.yaml"), "features: [{ lookup_key: sms }]\n");
    const refused = await run(service, ["apply", "gate.yaml", "-c"], { cwd: folder });
    assert.equal(refused.status, 1);
    assert.equal(
      refused.stderr,
      `The source of ${service.url.origin} is stripe, not its catalog. To change the products of another host, name it: --host https://api.stripe.com\n`,
    );
    const triggered = await run(service, ["trigger", SUMMARY_EVENT], { cwd: folder });
    assert.deepEqual([triggered.status, triggered.stdout], [1, ""]);
    assert.match(triggered.stderr, /^The source is Stripe\. Trigger the event with Stripe's CLI:\n {2}stripe trigger entitlements/);
    const named = await run(service, ["apply", "gate.yaml", "-c", "--host", other.url.origin], { cwd: folder });
    assert.deepEqual([named.status, named.stderr], [0, ""]);
    assert.deepEqual(
      (await new TestCatalog(other).sdk.entitlements.features.list()).data.map(({ lookup_key }) => lookup_key),
      ["sms"],
    );
  });
});
