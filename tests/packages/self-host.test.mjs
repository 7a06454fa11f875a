// entgate on plain workerd, without wrangler: what is stored survives SIGKILL, the console is served, and KV behaves as at Cloudflare.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { listConsoleFiles } from "../../packages/worker/self-host/console-files.js";
import { fakeStripe } from "../worker/fake-stripe.mjs";
import { changeMessage, SseClient, versionMessage, WebSocketClient } from "../worker/stream-clients.mjs";
import { DEPLOYED_KEY, DEPLOYED_SECRET, eventually, KEY, SECRET, unixNow } from "../worker/support.mjs";
import { TestCatalog } from "../worker/test-catalog.mjs";
import { runToEnd, selfHost } from "./self-host.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const SETTINGS = {
  ENTGATE_API_KEYS: DEPLOYED_KEY,
  STRIPE_WEBHOOK_SECRETS: DEPLOYED_SECRET,
  ENTGATE_SOURCE: "catalog",
  ENTGATE_MEMORY_TTL: "0",
};

describe("entgate on workerd", { timeout: 120_000 }, () => {
  /** @type {string} */
  let folder;
  /** @type {Awaited<ReturnType<typeof selfHost>>} */
  let running;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    running = await selfHost(folder, SETTINGS);
  });
  after(async () => {
    await running?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  test("answers the same after SIGKILL and a restart, from the replica and from the ledger", async () => {
    const catalog = new TestCatalog(running.service, DEPLOYED_KEY);
    const { price } = await catalog.createPlan(await catalog.createFeature("sms"), await catalog.createFeature("export"));
    for (const id of ["cus_ada", "cus_bob"]) {
      await catalog.createCustomer(id);
      await catalog.subscribe({ id }, price);
    }
    const check = async (/** @type {string} */ query) => {
      const { status, json } = await running.service.request(`/v1/check?${query}`, { key: DEPLOYED_KEY });
      return [status, json.entitled, json.version, json.served_by];
    };
    const queries = ["cus_ada", "cus_bob"].flatMap((customer) =>
      ["sms", "sso"].flatMap((feature) => [
        `customer=${customer}&feature=${feature}`,
        `customer=${customer}&feature=${feature}&fresh=true`,
      ]),
    );
    const answers = async () => Object.fromEntries(await Promise.all(queries.map(async (query) => [query, await check(query)])));
    await eventually(async () => {
      const first = await answers();
      assert.deepEqual(first["customer=cus_ada&feature=sms"].slice(0, 2), [200, true]);
      assert.deepEqual(first["customer=cus_bob&feature=sms"], [200, true, 1, "replica"]);
      assert.deepEqual(first["customer=cus_ada&feature=sms"], [200, true, 1, "replica"]);
    });
    const before = await answers();
    const list = await catalog.entitlementKeys({ id: "cus_ada" });
    await running.kill();
    running = await selfHost(folder, SETTINGS);
    assert.deepEqual(await answers(), before);
    assert.deepEqual(await new TestCatalog(running.service, DEPLOYED_KEY).entitlementKeys({ id: "cus_ada" }), list);
  });

  test("runs a task that was due when it was killed, without a request to the object", async () => {
    const catalog = new TestCatalog(running.service, DEPLOYED_KEY);
    const { price } = await catalog.createPlan(await catalog.createFeature("late"));
    await catalog.createCustomer("cus_late");
    // Activity is in an object of its own: reading it wakes neither the catalog nor the ledger.
    const versions = async () => {
      const { json } = await running.service.request("/v1/activity?customer=cus_late", { key: DEPLOYED_KEY });
      return json.data.map((/** @type {{ version: number }} */ { version }) => version);
    };
    await catalog.subscribe({ id: "cus_late" }, price, { cancel_at: unixNow() + 3 });
    await eventually(async () => assert.ok((await versions()).includes(1)));
    await running.kill();
    running = await selfHost(folder, SETTINGS);
    await eventually(async () => assert.ok((await versions()).includes(2)), 20_000);
  });

  test("serves each file of the console with its type and its headers, and nothing else from the folder", async () => {
    const files = Object.entries(listConsoleFiles(root("www/console")));
    assert.ok(files.length > 30);
    for (const [path, { name, headers }] of files) {
      const response = await fetch(new URL(path, running.service.url));
      assert.deepEqual([response.status, response.headers.get("content-type")], [200, headers["content-type"]], path);
      assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/, path);
      assert.equal(await response.text(), readFileSync(root(`www/console/${name}`), "utf8"), path);
    }
    const head = await fetch(new URL("/", running.service.url), { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    for (const path of ["/_headers", "/nothing.js", "/panels/", "/..%2f..%2fCargo.toml", "/constructor"]) {
      const response = await fetch(new URL(path, running.service.url));
      assert.deepEqual([response.status, (await response.json()).error.type], [404, "invalid_request_error"], path);
    }
    const document = await fetch(new URL("/openapi.json", running.service.url));
    assert.equal(document.headers.get("access-control-allow-origin"), "*");
  });

  test("streams changes through the front, by server-sent events and over a WebSocket", async () => {
    const catalog = new TestCatalog(running.service, DEPLOYED_KEY);
    const { id } = await catalog.sdk.customers.create({});
    const clients = [
      await SseClient.open(running.service, id, { key: DEPLOYED_KEY }),
      await WebSocketClient.open(running.service, id, { key: DEPLOYED_KEY }),
    ];
    for (const client of clients) assert.deepEqual(await client.receive(1), [versionMessage(id, 0)]);
    const { price } = await catalog.createPlan(await catalog.createFeature("streamed"));
    await catalog.subscribe({ id }, price);
    for (const client of clients) {
      assert.deepEqual((await client.receive(2))[1], changeMessage(id, 1, ["streamed"]));
      await client.close();
    }
  });

  test("writes no secret into its configuration, and passes on settings only", async () => {
    const configuration = readFileSync(join(folder, "workerd/config.capnp"), "utf8");
    for (const secret of [DEPLOYED_KEY, DEPLOYED_SECRET]) assert.equal(configuration.includes(secret), false);
    const names = [...configuration.matchAll(/fromEnvironment = "(\w+)"/g)].map(([, name]) => name);
    assert.deepEqual(names, Object.keys(SETTINGS).toSorted());
  });

  test("explains its options, and names a file of settings that it cannot read", async () => {
    const run = (/** @type {string[]} */ ...args) =>
      runToEnd(process.execPath, [root("scripts/self-host.mjs"), ...args], { PATH: process.env.PATH });
    assert.match((await run("--help")).output, /^Usage: entgate-self-host/);
    assert.deepEqual(await run("--settings", "/nothing"), { status: 1, output: "--settings: failed to read /nothing: ENOENT\n" });
    const unknown = await run("--port", "1");
    assert.equal(unknown.status, 1);
    assert.match(unknown.output, /--port/);
  });
});

describe("a source in a private network", { timeout: 60_000 }, () => {
  test("is read only with --allow-private-network", async (t) => {
    const stripe = await fakeStripe();
    const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), "entgate-")));
    stripe.setEntitlements("cus_ada", ["sms"]);
    const settings = { ...stripe.settings, ENTGATE_DEVELOPMENT: "true", ENTGATE_API_KEYS: KEY, STRIPE_WEBHOOK_SECRETS: SECRET };
    const [open, closed] = await Promise.all([selfHost(folders[0], settings, "--allow-private-network"), selfHost(folders[1], settings)]);
    t.after(async () => {
      await Promise.all([open.kill(), closed.kill(), stripe.stop()]);
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });
    const { status, json } = await open.service.check("cus_ada", "sms");
    assert.deepEqual([status, json.entitled, json.served_by], [200, true, "source"]);
    assert.equal((await closed.service.check("cus_ada", "sms")).status, 503);
    assert.equal(stripe.listCalls("cus_ada").length, 1);
  });
});

describe("the clock", { timeout: 60_000 }, () => {
  test("calls `scheduled` at each interval, also after a call that failed", async (t) => {
    const entgate = `let calls = 0;
      export default {
        fetch: () => Response.json(calls),
        scheduled({ cron }, env) {
          if (cron !== "* * * * *" || env.NAME !== "entgate") throw new Error("wrong arguments");
          calls += 1;
          if (calls === 1) throw new Error("the first call fails");
        },
      };`;
    const compatibilityDate = "2026-11-17";
    const workerd = new Miniflare(
      convertV4MiniflareOptions({
        host: "127.0.0.1",
        port: 0,
        workers: [
          {
            name: "front",
            modules: [{ type: "ESModule", path: root("packages/worker/self-host/front.js") }],
            modulesRoot: root("packages/worker/self-host"),
            compatibilityDate,
            durableObjects: { CLOCK: { className: "Clock", useSQLite: true } },
            serviceBindings: { ENTGATE: "entgate" },
            bindings: { FILES: {}, CRON_INTERVAL_MS: 20 },
          },
          { name: "entgate", modules: true, script: entgate, compatibilityDate, bindings: { NAME: "entgate" } },
        ],
      }),
    );
    t.after(() => workerd.dispose());
    const url = await workerd.ready;
    await eventually(async () => assert.ok((await (await fetch(url)).json()) >= 3));
  });
});

describe("KV on disk", { timeout: 60_000 }, () => {
  /** @type {Miniflare} */
  let workerd;
  /** @type {URL} */
  let url;
  before(async () => {
    const options = convertV4MiniflareOptions({
      modules: [{ type: "ESModule", path: root("packages/worker/self-host/kv.js") }],
      modulesRoot: root("packages/worker/self-host"),
      compatibilityDate: "2026-11-17",
      durableObjects: { NAMESPACE: { className: "KvNamespace", useSQLite: true } },
      host: "127.0.0.1",
      port: 0,
    });
    workerd = new Miniflare(options);
    url = await workerd.ready;
  });
  after(() => workerd?.dispose());

  /** @param {string} key @param {RequestInit} [init] */
  const request = (key, init) => fetch(new URL(encodeURIComponent(key), url), init);
  const put = (/** @type {string} */ key, /** @type {RequestInit["body"]} */ body) => request(key, { method: "PUT", body });
  // 251 is prime, so no two chunks are equal.
  const pattern = Uint8Array.from({ length: 251 }, (_, index) => index);
  const bytes = (/** @type {number} */ length) => Buffer.alloc(length, pattern);

  test("returns what was put, and nothing before and after", async () => {
    const key = "test:cus_ä/ö?#%";
    assert.equal((await request(key)).status, 404);
    for (const value of ["one", "two", ""]) {
      assert.equal((await put(key, value)).status, 200);
      const response = await request(key);
      assert.deepEqual([response.status, await response.text()], [200, value]);
    }
    for (let times = 0; times < 2; times += 1) assert.equal((await request(key, { method: "DELETE" })).status, 200);
    assert.equal((await request(key)).status, 404);
  });

  test("stores a value in chunks, and replaces a long one by a short one", async () => {
    const chunk = 1024 * 1024;
    for (const length of [chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 7, 5]) {
      assert.equal((await put("long", bytes(length))).status, 200);
      assert.deepEqual(Buffer.compare(Buffer.from(await (await request("long")).arrayBuffer()), bytes(length)), 0, `${length} bytes`);
    }
  });

  test("has KV's limits", async () => {
    assert.equal((await put("k".repeat(512), "v")).status, 200);
    assert.equal((await put("k".repeat(513), "v")).status, 414);
    assert.equal((await put("ä".repeat(256), "v")).status, 200);
    assert.equal((await put("ä".repeat(257), "v")).status, 414);
    assert.equal((await put("largest", bytes(25 * 1024 * 1024))).status, 200);
    assert.equal((await put("larger", bytes(25 * 1024 * 1024 + 1))).status, 413);
    assert.equal((await request("larger")).status, 404);
  });

  test("refuses what it does not have", async () => {
    for (const [path, init] of /** @type {[string, RequestInit][]} */ ([
      ["/", {}],
      ["/bulk/get", { method: "POST", body: "{}" }],
      ["/key?expiration_ttl=60", { method: "PUT", body: "v" }],
      ["/key?expiration=2000000000", { method: "PUT", body: "v" }],
      ["/key", { method: "PUT", body: "v", headers: { "cf-kv-metadata": "{}" } }],
    ])) {
      assert.equal((await fetch(new URL(path, url), init)).status, 501, path);
    }
    assert.equal((await fetch(new URL("/%ff", url))).status, 400);
    assert.equal((await request("key")).status, 404);
  });
});
