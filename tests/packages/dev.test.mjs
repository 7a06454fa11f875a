// `make dev`: what it prints, what it writes into an empty catalog, and when it is no success.
//
// It runs in a folder that has this repository by links, and a .dev.vars and stored data of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { lutimesSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readHealth } from "../../scripts/dev/health.mjs";
import { createOutputFilter } from "../../scripts/dev/output.mjs";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, Service } from "../worker/support.mjs";
import { findFreePort, runToEnd } from "./self-host.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** How long a start may take, in milliseconds: wrangler loads for several seconds, and other suites run beside this one. */
const START = 90_000;

const OWN_KEY = "sk_test_of_dev_vars";

/** @param {string[]} lines */
const filtered = (lines, { requests = false } = {}) => {
  /** @type {string[]} */
  const printed = [];
  const filter = createOutputFilter((line) => printed.push(line));
  if (requests) filter.showRequests();
  // In pieces that end within a line.
  const text = `${lines.join("\n")}\n`;
  for (let at = 0; at < text.length; at += 7) filter.write(text.slice(at, at + 7));
  filter.end();
  return printed;
};

test("wrangler's tables and hints are left out; errors and unknown lines are not", () => {
  assert.deepEqual(
    filtered([
      " ⛅️ wrangler 4.164.0",
      "────────────────────",
      "[custom build] Running: scripts/build.sh",
      "build: the fast path core … (about 30 s)",
      "Your Worker has access to the following bindings:",
      "Binding                                              Resource                  Mode",
      "env.LEDGERS (Ledger)                                 Durable Object            local",
      "",
      "│ fast_path.wasm    │ compiled-wasm │ 289.73 KiB  │",
      "⎔ Starting local server...",
      "\u001b[33m▲ \u001b[1mScheduled Workers are not automatically triggered during local development.\u001b[0m",
      "",
      "  To manually trigger a scheduled event, run:",
      '    curl "http://localhost:8787/cdn-cgi/local/scheduled"',
      "",
      "[wrangler:info] Ready on http://localhost:8787",
      "[wrangler:info] GET /healthz 200 OK (5ms)",
      "\u001b[31m✘ \u001b[1mfailed to write the replica\u001b[0m",
      "",
      "",
      "a line that is not known",
    ]),
    [
      "build: the fast path core … (about 30 s)",
      "\u001b[31m✘ \u001b[1mfailed to write the replica\u001b[0m",
      "",
      "a line that is not known",
    ],
  );
});

test("requests and decisions are printed after the guide only", () => {
  const lines = ["[wrangler:info] GET /v1/check 200 OK (5ms)", '{"message":"decision","route":"/webhooks/stripe"}'];
  assert.deepEqual(filtered(lines), []);
  assert.deepEqual(filtered(lines, { requests: true }), lines);
});

test("only the status `ok` of entgate is healthy", () => {
  for (const [why, status, body, problem, isFinal] of /** @type {[string, number, unknown, string | undefined, boolean][]} */ ([
    ["healthy", 200, { object: "health", status: "ok", source: "catalog" }, undefined, true],
    [
      "a setting is missing",
      200,
      { object: "health", status: "unconfigured", message: "Set STRIPE_API_KEY." },
      "/healthz says `unconfigured`. Set STRIPE_API_KEY.",
      true,
    ],
    ["degraded", 200, { object: "health", status: "degraded" }, "/healthz says `degraded`.", false],
    ["a malformed setting", 500, { error: { message: "ENTGATE_SOURCE is malformed." } }, "ENTGATE_SOURCE is malformed.", true],
    ["another server", 200, { status: "ok" }, '/healthz answers 200, and not as entgate does: "{\\"status\\":\\"ok\\"}".', false],
  ])) {
    const health = readHealth(status, JSON.stringify(body));
    assert.deepEqual([health.problem, health.isFinal], [problem, isFinal], why);
    assert.equal(Boolean(health.advice), problem !== undefined, why);
  }
});

describe("make dev", { timeout: 5 * START }, () => {
  /** @type {string} */
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const own = new Set([".git", ".dev.vars", ".wrangler", "wrangler.toml"]);
    for (const name of readdirSync(root("."))) {
      if (own.has(name)) continue;
      symlinkSync(root(name), join(folder, name));
      // A link that is newer than the build would start another one.
      lutimesSync(join(folder, name), 0, 0);
    }
    writeFileSync(join(folder, "wrangler.toml"), readFileSync(root("wrangler.toml")));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** @param {Record<string, string>} settings Over those of .dev.vars.example. */
  function writeSettings(settings) {
    let text = readFileSync(root(".dev.vars.example"), "utf8");
    for (const [name, value] of Object.entries(settings)) {
      const line = new RegExp(`^${name}=.*$`, "m");
      text = line.test(text) ? text.replace(line, `${name}="${value}"`) : `${text}${name}="${value}"\n`;
    }
    writeFileSync(join(folder, ".dev.vars"), text);
  }

  /** The environment without the variables of `make dev`. @param {Record<string, string>} variables */
  const environment = (variables) => {
    const { PORT: _port, DEMO: _demo, VERBOSE: _verbose, ...rest } = process.env;
    return { ...rest, ...variables };
  };

  /** What one request to a Worker says. @param {Service} service @param {string} path */
  const get = async (service, path) => (await service.request(path, { key: OWN_KEY })).json;

  /**
   * Runs `make dev` until it has printed `last`, then `use`, and ends it as Ctrl-C does. Returns its output and its status.
   *
   * @param {Record<string, string>} variables
   * @param {string} last
   * @param {(service: Service) => Promise<void>} [use]
   */
  async function develop(variables, last, use) {
    const port = await findFreePort();
    const child = spawn("bash", ["scripts/dev.sh"], {
      cwd: folder,
      env: environment({ PORT: `${port}`, ...variables }),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
    const ended = new Promise((resolve) => child.once("close", resolve));
    try {
      await Promise.race([
        eventually(() => assert.ok(output.includes(last), output), START),
        ended.then(() => assert.ok(output.includes(last), output)),
      ]);
      await use?.(new Service(undefined, new URL(`http://localhost:${port}`)));
    } finally {
      if (child.exitCode === null) process.kill(-Number(child.pid), "SIGINT");
      await ended;
    }
    return { output: output.replaceAll(`:${port}`, ":PORT"), status: child.exitCode };
  }

  test("fills an empty catalog with a story, and prints three checks with the Worker's answers and the key of .dev.vars", async () => {
    writeSettings({ ENTGATE_API_KEYS: `${OWN_KEY},rk_test_entgate`, ENTGATE_SOURCES: "catalog" });
    const { output, status } = await develop({}, "not a setting: ENTGATE_SOURCES", async (service) => {
      const subscriptions = (await get(service, "/v1/subscriptions?status=all&limit=100")).data;
      assert.deepEqual(subscriptions.map(({ customer, status }) => `${customer} ${status}`).sort(), [
        "cus_demo_late past_due",
        "cus_demo_left canceled",
        "cus_demo_paused paused",
        "cus_demo_starter active",
        "cus_demo_team active",
        "cus_demo_trial trialing",
      ]);
    });
    assert.match(output, /^\nentgate is ready at http:\/\/localhost:PORT, and its source is the built-in catalog\.\n/m);
    const check = (/** @type {string} */ customer) =>
      `    curl "http://localhost:PORT/v1/check?customer=${customer}&feature=audit_log" -u ${OWN_KEY}:\n`;
    for (const [customer, answer] of [
      ["cus_demo_team", '"entitled":true,"reason":"active_entitlement"'],
      ["cus_demo_starter", '"entitled":false,"reason":"not_entitled"'],
      ["cus_demo_nobody", '"entitled":false,"reason":"unknown_customer"'],
    ]) {
      assert.ok(output.includes(`${check(customer)}    ${answer}\n`), `${customer}\n${output}`);
    }
    assert.doesNotMatch(output, /sk_test_entgate|env\.LEDGERS|Attaching additional modules|│/);
    assert.equal(status, 130);
  });

  test("a second start writes nothing; with VERBOSE=1 it prints wrangler's tables", async () => {
    writeSettings({ ENTGATE_API_KEYS: OWN_KEY });
    const { output } = await develop({ VERBOSE: "1" }, "Press Ctrl-C to stop.", async (service) => {
      assert.equal((await get(service, "/v1/customers?limit=100")).data.length, 7);
    });
    assert.match(output, /env\.LEDGERS/);
    assert.match(output, /"entitled":true,"reason":"active_entitlement"/);
  });

  test("with DEMO=no an empty catalog stays empty, and the guide creates a feature", async () => {
    rmSync(join(folder, ".wrangler"), { recursive: true });
    writeSettings({ ENTGATE_API_KEYS: OWN_KEY });
    const { output } = await develop({ DEMO: "no" }, "Press Ctrl-C to stop.", async (service) => {
      for (const path of ["/v1/customers", "/v1/products", "/v1/entitlements/features"]) {
        assert.deepEqual((await get(service, path)).data, [], path);
      }
    });
    assert.ok(
      output.includes(`curl http://localhost:PORT/v1/entitlements/features -u ${OWN_KEY}: -d name=SMS -d lookup_key=sms\n`),
      output,
    );
  });

  test("a Worker that is not healthy is no success: its message is printed, and what to do", async () => {
    for (const [settings, message] of /** @type {[Record<string, string>, RegExp][]} */ ([
      [{ ENTGATE_SOURCE: "nowhere" }, /^entgate runs at http:\/\/localhost:PORT, but it is not ready\. .*ENTGATE_SOURCE/m],
      [
        { ENTGATE_API_KEYS: OWN_KEY, ENTGATE_SOURCE: "stripe" },
        /^entgate runs at http:\/\/localhost:PORT, but it is not ready\. \/healthz says `unconfigured`\. A customer of test mode without any data is neither granted nor denied a feature: set STRIPE_API_KEY/m,
      ],
    ])) {
      writeSettings(settings);
      const { output } = await develop({}, "run make dev again.");
      assert.match(output, message);
      assert.doesNotMatch(output, /is ready at/);
    }
  });

  test("misuse is one line that says what is expected", async () => {
    const expected = "expected a number from 1 to 65535, for example: make dev PORT=8800";
    for (const [variables, line] of /** @type {[Record<string, string>, string][]} */ ([
      [{ PORT: "abc" }, `PORT is \`abc\`; ${expected}`],
      [{ PORT: "0" }, `PORT is \`0\`; ${expected}`],
      [{ PORT: "65536" }, `PORT is \`65536\`; ${expected}`],
      [{ PORT: "8787x" }, `PORT is \`8787x\`; ${expected}`],
      [{ DEMO: "maybe" }, "DEMO is `maybe`; expected yes or no"],
      [{ VERBOSE: "all" }, "VERBOSE is `all`; expected 1, or nothing"],
    ])) {
      const { status, output } = await runToEnd("bash", ["scripts/dev.sh"], environment(variables), folder);
      assert.deepEqual([status, output], [1, `error: ${line}\n`]);
    }
  });

  test("a port in use is one line with another port", async () => {
    const server = createServer();
    const port = await listenOnFreePort(server);
    const { status, output } = await runToEnd("bash", ["scripts/dev.sh"], environment({ PORT: `${port}` }), folder);
    server.close();
    const other = port < 65_535 ? port + 1 : 8787;
    assert.deepEqual([status, output], [1, `error: port ${port} is in use. Choose another one: make dev PORT=${other}\n`]);
  });
});
