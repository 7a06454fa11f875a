// Every example in examples/ starts with the command of its README, and answers as its README says.
//
// The Worker is a local one with the settings and the story of `make dev`. scripts/setup.sh has installed what the examples need, so that
// the installing part of a command is left out. tests/worker/service-binding.test.mjs runs the service binding.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { fillEmptyCatalog } from "../../scripts/dev/story.mjs";
import { findFreePort } from "../packages/self-host.mjs";
import { launchBrowser } from "../worker/browser.mjs";
import { eventually, KEY } from "../worker/support.mjs";
import { serveCatalog } from "../worker/test-catalog.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** How long an example may take to answer its first request, in milliseconds: Next compiles its page then. */
const START = 90_000;

const SERVERS = ["express", "hono", "fastapi", "nginx"];
const PAGES = ["html", "vite", "next"];

/** The first example of commands in a README, by line. @param {string} name */
const commands = (name) =>
  (/^```sh\n([\s\S]*?)^```$/m.exec(readFileSync(root(`examples/${name}/README.md`), "utf8"))?.[1] ?? "").trim().split("\n");

test("each example is run here or with the service binding, and starts with `make dev` and one other command", () => {
  const folders = readdirSync(root("examples"), { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && entry.name !== "node_modules",
  );
  assert.deepEqual(folders.map(({ name }) => name).sort(), [...SERVERS, ...PAGES, "service-binding"].sort());
  for (const { name } of folders) {
    const [first, ...others] = commands(name);
    assert.equal(first, "make dev", name);
    assert.equal(others.length, 1, name);
  }
});

describe("the examples", { timeout: 4 * START }, () => {
  /** @type {Awaited<ReturnType<typeof serveCatalog>>} */
  let service;
  /** @type {Awaited<ReturnType<typeof launchBrowser>>} */
  let browser;
  /** @type {string} */
  let folder;
  /** The address of each running example. @type {Record<string, string>} */
  const urls = {};
  /** @type {{ child: import("node:child_process").ChildProcess, ended: Promise<unknown> }[]} */
  const running = [];
  let isStopped = false;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    [service, browser] = await Promise.all([
      serveCatalog({ settings: parseEnv(readFileSync(root(".dev.vars.example"), "utf8")) }),
      launchBrowser(),
    ]);
    assert.equal(await fillEmptyCatalog(service.url.origin, KEY, new AbortController().signal), true);
    await Promise.all([...SERVERS, ...PAGES].map(start));
  });
  after(async () => {
    for (const { child } of running) if (child.exitCode === null) process.kill(-Number(child.pid), "SIGTERM");
    await Promise.all(running.map(({ ended }) => ended));
    await browser?.close();
    if (!isStopped) await service?.stop();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the second command of an example on a free port, against the Worker of this test. @param {string} name */
  async function start(name) {
    const port = await findFreePort();
    urls[name] = `http://localhost:${port}`;
    let command = commands(name)[1]
      .replace("npm install && ", "")
      .replace(/python3 -m venv .*? && \.venv\/bin\/pip install .*? && \.venv\//, `${root(".tools/examples")}/`)
      .replace("--port 3000", `--port ${port}`);
    if (name === "nginx") command = await configureNginx(command, port);
    const child = spawn("bash", ["-c", command], {
      cwd: root("."),
      env: {
        ...process.env,
        PATH: `${process.env.PATH}:${root(".tools/proxies/usr/sbin")}:/usr/sbin`,
        PORT: `${port}`,
        ENTGATE_URL: service.url.origin,
        NEXT_TELEMETRY_DISABLED: "1",
      },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
    const ended = new Promise((resolve) => child.once("close", resolve));
    running.push({ child, ended });
    await eventually(async () => {
      if (child.exitCode !== null) return;
      await fetch(urls[name]);
    }, START).catch((error) => assert.fail(`${name}: ${error.cause ?? error}\n${output}`));
    assert.equal(child.exitCode, null, `${name} has ended\n${output}`);
  }

  /** Copies the configuration of nginx, with other ports and the Worker of this test. @param {string} command @param {number} port */
  async function configureNginx(command, port) {
    const copy = join(folder, "nginx");
    cpSync(root("examples/nginx"), copy, { recursive: true });
    const app = await findFreePort();
    const text = readFileSync(join(copy, "nginx.conf"), "utf8");
    const changed = text.replaceAll(":3000", `:${port}`).replaceAll(":3001", `:${app}`).replaceAll("localhost:8787", service.url.host);
    writeFileSync(join(copy, "nginx.conf"), changed);
    return command.replace("examples/nginx", copy);
  }

  /** The audit log of a customer. @param {string} name @param {string} customer */
  async function getAuditLog(name, customer) {
    const isProxy = name === "nginx";
    const headers = isProxy ? { authorization: `Basic ${Buffer.from(`${customer}:password`).toString("base64")}` } : undefined;
    const response = await fetch(`${urls[name]}/audit-log${isProxy ? "" : `?customer=${customer}`}`, { headers });
    return { status: response.status, text: await response.text(), retryAfter: response.headers.get("retry-after") };
  }

  for (const name of SERVERS) {
    test(`${name} serves a feature to customers whose plan includes it`, async () => {
      const granted = await getAuditLog(name, "cus_demo_team");
      assert.deepEqual([granted.status, granted.text], [200, `2026-11-17 ${name === "nginx" ? "cus_demo_team" : "Ada"} logged in\n`]);
      for (const customer of ["cus_demo_starter", "cus_demo_nobody"]) {
        const denied = await getAuditLog(name, customer);
        assert.equal(denied.status, 403, denied.text);
        if (name !== "nginx") assert.match(denied.text, /Your plan does not include audit_log/);
      }
      const response = await fetch(`${urls[name]}/audit-log`);
      assert.equal(response.status, 401);
    });
  }

  /** Opens a page for a customer. @param {string} name @param {string} customer */
  async function open(name, customer) {
    const page = await browser.newPage();
    /** @type {string[]} */
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(`${urls[name]}/?customer=${customer}`, { timeout: START });
    return { page, problems };
  }

  for (const name of PAGES) {
    test(`${name} shows a feature to customers whose plan includes it, and follows a purchase`, async () => {
      const team = await open(name, "cus_demo_team");
      await team.page.locator("#audit-log").waitFor();
      assert.equal(await team.page.locator("#buy").isVisible(), false);
      assert.deepEqual(team.problems, []);
      await team.page.close();

      // A customer of this example alone.
      const customer = `cus_${name}`;
      const create = async (path, params) => {
        const { status, text, json } = await service.request(`/v1/${path}`, { method: "POST", body: new URLSearchParams(params) });
        assert.equal(status, 200, text);
        return json;
      };
      await create("customers", { id: customer });
      const { page, problems } = await open(name, customer);
      await page.locator("#buy").waitFor();
      assert.equal(await page.locator("#audit-log").isVisible(), false);
      const [price] = (await service.request("/v1/prices?product=demo_team")).json.data;
      await create("subscriptions", { customer, "items[0][price]": price.id });
      await page.locator("#audit-log").waitFor();
      assert.equal(await page.locator("#buy").isVisible(), false);
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  test("next renders the answers of a snapshot on the server, and sends no other answer to the browser", async () => {
    const render = async (customer) => (await fetch(`${urls.next}/?customer=${customer}`)).text();
    const [team, starter] = [await render("cus_demo_team"), await render("cus_demo_starter")];
    assert.match(team, /<p id="audit-log">/);
    assert.match(team, /<p id="secret">Only the server decides/);
    assert.match(starter, /<p id="buy">/);
    assert.doesNotMatch(starter, /Only the server decides|<p id="audit-log">/);
    for (const html of [team, starter]) assert.ok(!html.includes(KEY), "the server key is not sent to the browser");
  });

  test("while entgate does not answer, servers say 503 and the page of next shows neither", async () => {
    isStopped = true;
    await service.stop();
    for (const name of SERVERS) {
      const { status, text, retryAfter } = await getAuditLog(name, "cus_demo_team");
      assert.deepEqual([status, retryAfter], [503, "2"], `${name}: ${text}`);
      assert.match(text, /Try again/, name);
    }
    const html = await (await fetch(`${urls.next}/?customer=cus_demo_team`)).text();
    assert.match(html, /<p id="loading">/);
    assert.doesNotMatch(html, /<p id="(audit-log|buy|secret)">/);
  });
});
