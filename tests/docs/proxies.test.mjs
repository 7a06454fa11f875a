// The configurations in docs/proxies.md, run in nginx and Caddy: which requests reach the app, and with which customer.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { eventually, KEY, READ_ONLY_KEY, serve, summary } from "../worker/support.mjs";

const SECRET = "secret-of-32-characters-number-1";
/** Why, the headers of the request, and the status of the response. @typedef {[string, Record<string, string>, number]} Row */

const root = fileURLToPath(new URL("../../", import.meta.url));
const documentation = readFileSync(`${root}docs/proxies.md`, "utf8");

/** The path of a proxy: where `scripts/setup.sh` installs it, or on `PATH`. */
function findProgram(name) {
  const path = process.env.PATH ?? "";
  const folders = [`${root}.tools/proxies/usr/sbin`, `${root}.tools/proxies/usr/bin`, ...path.split(":"), "/usr/sbin"];
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  assert.ok(found, `${name} is not installed, run: scripts/setup.sh test`);
  return found;
}

/** The code blocks of one language in the documentation of proxies, with the hosts and the key of this test. */
function configurations(language, { worker, app }) {
  const blocks = [...documentation.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
  assert.ok(blocks.length > 0, language);
  return blocks.map((block) =>
    block.replaceAll("https://<your worker>", worker).replaceAll("127.0.0.1:3000", app).replaceAll("rk_live_…", READ_ONLY_KEY),
  );
}

async function findFreePort() {
  const socket = createSocket();
  const port = await listenOnFreePort(socket);
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/** An app that returns the customer and the credentials that it received. */
function createApp() {
  return createServer((request, response) => {
    const { status = "200" } = Object.fromEntries(new URL(request.url ?? "/", "http://app").searchParams);
    const { "entgate-customer": customer = null, authorization = null } = request.headers;
    response.writeHead(Number(status), { "content-type": "application/json" }).end(JSON.stringify({ customer, authorization }));
  });
}

describe("behind a proxy", { timeout: 120_000 }, () => {
  const app = createApp();
  let service;
  let appPort;
  let folder;
  const tokens = {};
  const running = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    appPort = await listenOnFreePort(app);
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: SECRET } });
    for (const event of [
      summary("cus_ada", ["reports", "export"]),
      summary("cus_bob", ["sms"]),
      summary("cus_cy", ["sms"], { hasMore: true }),
    ]) {
      assert.equal((await service.send(event)).status, 200);
    }
    for (const customer of ["cus_ada", "cus_bob", "cus_cy", "cus_dee"]) {
      const body = new URLSearchParams({ customer });
      tokens[customer] = (await service.request("/v1/tokens", { method: "POST", body })).json.token;
    }
  });
  after(async () => {
    for (const child of running) {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await exited;
    }
    await service.stop();
    app.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const hosts = () => ({ worker: service.url.origin, app: `127.0.0.1:${appPort}` });

  /** Starts a proxy and waits until it responds. Returns a function that sends a request through it. */
  async function startProxy(name, parameters, port) {
    const child = spawn(findProgram(name), parameters, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, HOME: folder } });
    running.push(child);
    const origin = `http://127.0.0.1:${port}`;
    await eventually(() => fetch(origin));
    return async (path, headers = {}) => {
      const response = await fetch(origin + path, { headers });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        received: response.headers.get("content-type") === "application/json" ? JSON.parse(text) : undefined,
      };
    };
  }

  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  const basic = (user) => ({ authorization: `Basic ${Buffer.from(`${user}:password`).toString("base64")}` });

  /** Asserts which requests with a token pass the proxy, and with which customer. */
  async function assertTokensAuthorize(send) {
    const passed = await send("/reports/1", bearer(tokens.cus_ada));
    assert.deepEqual([passed.status, passed.received?.customer], [200, "cus_ada"]);
    for (const [why, headers, status] of /** @type {Row[]} */ ([
      [
        "an entitled customer's token, another customer's id in the header",
        { ...bearer(tokens.cus_ada), "entgate-customer": "cus_bob" },
        200,
      ],
      ["a customer who is not entitled", bearer(tokens.cus_bob), 403],
      ["the same, with the id of an entitled customer in the header", { ...bearer(tokens.cus_bob), "entgate-customer": "cus_ada" }, 403],
      ["an unknown customer", bearer(tokens.cus_dee), 403],
      ["no credentials", {}, 401],
      ["no credentials, with a customer's id in the header", { "entgate-customer": "cus_ada" }, 401],
      ["a modified token", bearer(`${tokens.cus_ada.slice(0, -4)}AAAA`), 401],
      ["a customer with a partial set", bearer(tokens.cus_cy), 503],
      ["a server key of another deployment", bearer("sk_test_other"), 401],
    ])) {
      const response = await send("/reports/1?customer=cus_ada", headers);
      assert.equal(response.status, status, why);
      assert.equal(response.received?.customer, status === 200 ? "cus_ada" : undefined, why);
      if (status === 401) assert.match(response.headers.get("www-authenticate") ?? "", /^Bearer realm="entgate"/, why);
      if (status === 503) assert.equal(response.headers.get("retry-after"), "1", why);
    }
    const failed = await send("/reports/1?status=500", bearer(tokens.cus_ada));
    assert.deepEqual([failed.status, failed.received?.customer], [500, "cus_ada"], "the proxy passes on an error of the app");
  }

  test("nginx with the documented configurations passes on the requests of entitled customers only", async () => {
    const port = await findFreePort();
    writeFileSync(join(folder, "customers.htpasswd"), ["cus_ada", "cus_bob", "cus_cy"].map((user) => `${user}:{PLAIN}password\n`).join(""));
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
    writeFileSync(
      join(folder, "nginx.conf"),
      `daemon off;
      master_process off;
      pid ${folder}/nginx.pid;
      error_log ${folder}/error.log;
      events {}
      http {
        access_log off;
        ${temporary.join("\n")}
        server {
          listen 127.0.0.1:${port};
          location = / { return 204; }
          ${configurations("nginx", hosts()).join("\n")}
        }
      }`,
    );
    const send = await startProxy("nginx", ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`], port);
    await assertTokensAuthorize(send);

    const passed = await send("/export/1", basic("cus_ada"));
    assert.deepEqual([passed.status, passed.received], [200, { customer: "cus_ada", authorization: null }]);
    for (const [why, headers, status] of /** @type {Row[]} */ ([
      ["an entitled user, another customer's id in the header", { ...basic("cus_ada"), "entgate-customer": "cus_bob" }, 200],
      ["a user who is not entitled", basic("cus_bob"), 403],
      ["the same, with the id of an entitled customer in the header", { ...basic("cus_bob"), "entgate-customer": "cus_ada" }, 403],
      ["the same, with a server key", { ...basic("cus_bob"), "x-api-key": KEY, "entgate-customer": "cus_ada" }, 403],
      ["no credentials", {}, 401],
      ["no credentials, with a customer's id in the header", { "entgate-customer": "cus_ada" }, 401],
      ["a user without a password entry", basic("cus_eve"), 401],
      ["a customer's token, which nginx does not accept here", bearer(tokens.cus_ada), 401],
      ["a user with a partial set", basic("cus_cy"), 503],
    ])) {
      const response = await send("/export/1?customer=cus_ada", headers);
      assert.deepEqual([response.status, response.received?.customer], [status, status === 200 ? "cus_ada" : undefined], why);
    }
    assert.equal((await send("/entgate/export", basic("cus_ada"))).status, 404, "clients cannot request the internal location");
  });

  test("Caddy with the documented configuration passes on the requests of entitled customers only", async () => {
    const port = await findFreePort();
    const caddyfile = join(folder, "Caddyfile");
    const [configuration] = configurations("caddy", hosts());
    writeFileSync(
      caddyfile,
      `{
        admin off
        auto_https off
        log {
          output discard
        }
      }
      http://127.0.0.1:${port} {
        ${configuration}
      }`,
    );
    await assertTokensAuthorize(await startProxy("caddy", ["run", "--config", caddyfile, "--adapter", "caddyfile"], port));

    const keyedPort = await findFreePort();
    const hash = execFileSync(findProgram("caddy"), ["hash-password", "--plaintext", "password"], { env: { ...process.env, HOME: folder } })
      .toString()
      .trim();
    const users = ["cus_ada", "cus_bob", "cus_cy"].map((user) => `${user} ${hash}`).join("\n");
    const [, key, customer] = documentation.match(/add `(header_up Authorization [^`]*)` and `(header_up Entgate-Customer [^`]*)`/) ?? [];
    const withKey = configuration.replace("header_up Host", `${key.replace("rk_live_…", READ_ONLY_KEY)}\n${customer}\nheader_up Host`);
    writeFileSync(
      caddyfile,
      `{
        admin off
        auto_https off
        log {
          output discard
        }
      }
      http://127.0.0.1:${keyedPort} {
        basicauth {
          ${users}
        }
        ${withKey}
      }`,
    );
    const send = await startProxy("caddy", ["run", "--config", caddyfile, "--adapter", "caddyfile"], keyedPort);
    for (const [why, headers, status] of /** @type {Row[]} */ ([
      ["an entitled user", basic("cus_ada"), 200],
      ["an entitled user, another customer's id in the header", { ...basic("cus_ada"), "entgate-customer": "cus_bob" }, 200],
      ["a user who is not entitled, the id of an entitled one in the header", { ...basic("cus_bob"), "entgate-customer": "cus_ada" }, 403],
      ["no credentials", { "entgate-customer": "cus_ada" }, 401],
      ["a user with a partial set", basic("cus_cy"), 503],
    ])) {
      const response = await send("/reports/1", headers);
      assert.deepEqual([response.status, response.received?.customer], [status, status === 200 ? "cus_ada" : undefined], why);
    }
  });
});
