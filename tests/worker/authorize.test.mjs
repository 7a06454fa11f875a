// The README's recipes for proxies, in the proxies themselves: who gets through to the app, and as whom.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually, KEY, serve, summary } from "./support.mjs";

const SECRET = "secret-of-32-characters-number-1";
const root = fileURLToPath(new URL("../../", import.meta.url));
const readme = readFileSync(`${root}README.md`, "utf8");

/** Where a proxy is: where `scripts/setup.sh` has put it, or on the path. */
function program(name) {
  const places = [`${root}.tools/proxies/usr/sbin`, `${root}.tools/proxies/usr/bin`, ...process.env.PATH.split(":"), "/usr/sbin"];
  const found = places.map((place) => join(place, name)).find(existsSync);
  assert.ok(found, `${name} is there: scripts/setup.sh test`);
  return found;
}

/** The blocks of a language in the README's section on proxies, with our places and key in them. */
function recipes(language, { worker, app }) {
  const section = readme.split(/^## /m).find((part) => part.startsWith("Behind a proxy"));
  const blocks = [...section.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(([, block]) => block);
  assert.ok(blocks.length > 0, language);
  return blocks.map((block) =>
    block.replaceAll("https://<your worker>", worker).replaceAll("127.0.0.1:3000", app).replaceAll("sk_live_…", KEY),
  );
}

async function freePort() {
  const socket = createSocket();
  await new Promise((resolve) => socket.listen(0, "127.0.0.1", resolve));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

/** An app that tells what of a request it got to see. */
async function app() {
  const server = createServer((request, response) => {
    const { status = "200" } = Object.fromEntries(new URL(request.url, "http://app").searchParams);
    const { "entgate-customer": customer = null, authorization = null } = request.headers;
    response.writeHead(Number(status), { "content-type": "application/json" }).end(JSON.stringify({ customer, authorization }));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("behind a proxy", { timeout: 120_000 }, () => {
  let service;
  let server;
  let folder;
  const tokens = {};
  const running = [];
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    server = await app();
    service = await serve({ settings: { ENTGATE_TOKEN_SECRETS: SECRET } });
    for (const [customer, keys, more] of [
      ["cus_ada", ["reports", "export"]],
      ["cus_bob", ["sms"]],
      ["cus_cy", ["sms"], { hasMore: true }],
    ]) {
      assert.equal((await service.send(summary(customer, keys, more))).status, 200);
    }
    for (const customer of ["cus_ada", "cus_bob", "cus_cy", "cus_dee"]) {
      const body = new URLSearchParams({ customer });
      tokens[customer] = (await service.request("/v1/tokens", { method: "POST", body })).json.token;
    }
  });
  after(async () => {
    for (const child of running) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
    await service.stop();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const places = () => ({ worker: service.url.origin, app: `127.0.0.1:${server.address().port}` });

  /** Starts a proxy, and waits until it answers. */
  async function start(name, parameters, port) {
    const child = spawn(program(name), parameters, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, HOME: folder } });
    running.push(child);
    const origin = `http://127.0.0.1:${port}`;
    await eventually(() => fetch(origin));
    return async (path, headers = {}) => {
      const response = await fetch(origin + path, { headers });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        seen: response.headers.get("content-type") === "application/json" ? JSON.parse(text) : undefined,
      };
    };
  }

  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  const basic = (user) => ({ authorization: `Basic ${Buffer.from(`${user}:word`).toString("base64")}` });

  /** Whom a proxy lets through with a token, and as whom. */
  async function lets(ask) {
    const through = await ask("/reports/1", bearer(tokens.cus_ada));
    assert.deepEqual([through.status, through.seen?.customer], [200, "cus_ada"]);
    for (const [why, headers, status] of [
      ["another customer's name beside her own token", { ...bearer(tokens.cus_ada), "entgate-customer": "cus_bob" }, 200],
      ["somebody who may not", bearer(tokens.cus_bob), 403],
      ["the same, by the name of one who may", { ...bearer(tokens.cus_bob), "entgate-customer": "cus_ada" }, 403],
      ["somebody who is not known", bearer(tokens.cus_dee), 403],
      ["nobody", {}, 401],
      ["nobody, by a name", { "entgate-customer": "cus_ada" }, 401],
      ["a token that was changed", bearer(`${tokens.cus_ada.slice(0, -4)}AAAA`), 401],
      ["somebody of whom a part is known", bearer(tokens.cus_cy), 503],
      ["somebody else's server key", bearer("sk_test_other"), 401],
    ]) {
      const answer = await ask("/reports/1?customer=cus_ada", headers);
      assert.equal(answer.status, status, why);
      assert.equal(answer.seen?.customer, status === 200 ? "cus_ada" : undefined, why);
      if (status === 401) assert.match(answer.headers.get("www-authenticate"), /^Bearer realm="entgate"/, why);
      if (status === 503) assert.equal(answer.headers.get("retry-after"), "1", why);
    }
    const broken = await ask("/reports/1?status=500", bearer(tokens.cus_ada));
    assert.deepEqual([broken.status, broken.seen?.customer], [500, "cus_ada"], "the app's own failures are its own");
  }

  test("nginx lets through who may, by the README's recipes", async () => {
    const port = await freePort();
    writeFileSync(join(folder, "customers.htpasswd"), ["cus_ada", "cus_bob", "cus_cy"].map((user) => `${user}:{PLAIN}word\n`).join(""));
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
          ${recipes("nginx", places()).join("\n")}
        }
      }`,
    );
    const ask = await start("nginx", ["-p", folder, "-e", `${folder}/error.log`, "-c", `${folder}/nginx.conf`], port);
    await lets(ask);

    const through = await ask("/export/1", basic("cus_ada"));
    assert.deepEqual([through.status, through.seen], [200, { customer: "cus_ada", authorization: null }]);
    for (const [why, headers, status] of [
      ["another customer's name beside her own", { ...basic("cus_ada"), "entgate-customer": "cus_bob" }, 200],
      ["somebody who may not", basic("cus_bob"), 403],
      ["the same, by the name of one who may", { ...basic("cus_bob"), "entgate-customer": "cus_ada" }, 403],
      ["the same, with a key", { ...basic("cus_bob"), "x-api-key": KEY, "entgate-customer": "cus_ada" }, 403],
      ["nobody", {}, 401],
      ["nobody, by a name", { "entgate-customer": "cus_ada" }, 401],
      ["a stranger", basic("cus_eve"), 401],
      ["a customer's token, which is none of nginx's", bearer(tokens.cus_ada), 401],
      ["somebody of whom a part is known", basic("cus_cy"), 503],
    ]) {
      const answer = await ask("/export/1?customer=cus_ada", headers);
      assert.deepEqual([answer.status, answer.seen?.customer], [status, status === 200 ? "cus_ada" : undefined], why);
    }
    assert.equal((await ask("/entgate/export", basic("cus_ada"))).status, 404, "what asks entgate is not for clients");
  });

  test("Caddy lets through who may, by the README's recipe", async () => {
    const port = await freePort();
    const caddyfile = join(folder, "Caddyfile");
    const [recipe] = recipes("caddy", places());
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
        ${recipe}
      }`,
    );
    await lets(await start("caddy", ["run", "--config", caddyfile, "--adapter", "caddyfile"], port));

    const keyed = await freePort();
    const hash = execFileSync(program("caddy"), ["hash-password", "--plaintext", "word"], { env: { ...process.env, HOME: folder } })
      .toString()
      .trim();
    const users = ["cus_ada", "cus_bob", "cus_cy"].map((user) => `${user} ${hash}`).join("\n");
    const [, key, customer] = readme.match(/add `(header_up Authorization [^`]*)` and `(header_up Entgate-Customer [^`]*)`/);
    const withKey = recipe.replace("header_up Host", `${key.replace("sk_live_…", KEY)}\n${customer}\nheader_up Host`);
    writeFileSync(
      caddyfile,
      `{
        admin off
        auto_https off
        log {
          output discard
        }
      }
      http://127.0.0.1:${keyed} {
        basicauth {
          ${users}
        }
        ${withKey}
      }`,
    );
    const ask = await start("caddy", ["run", "--config", caddyfile, "--adapter", "caddyfile"], keyed);
    for (const [why, headers, status] of [
      ["her own", basic("cus_ada"), 200],
      ["another customer's name beside her own", { ...basic("cus_ada"), "entgate-customer": "cus_bob" }, 200],
      ["somebody who may not, by the name of one who may", { ...basic("cus_bob"), "entgate-customer": "cus_ada" }, 403],
      ["nobody", { "entgate-customer": "cus_ada" }, 401],
      ["somebody of whom a part is known", basic("cus_cy"), 503],
    ]) {
      const answer = await ask("/reports/1", headers);
      assert.deepEqual([answer.status, answer.seen?.customer], [status, status === 200 ? "cus_ada" : undefined], why);
    }
  });
});
