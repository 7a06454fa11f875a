// `make deploy`: what it asks before it deploys, what it refuses, and which secrets it names afterwards.
//
// It runs with the real wrangler, over a fake of Cloudflare's API. Only `wrangler deploy` itself is replaced: it writes down its arguments.

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { configuredValue, findChanges, parseConfirmations } from "../../scripts/deploy/changes.mjs";
import { askSource } from "../../scripts/deploy/running-worker.mjs";
import { describeMissing } from "../../scripts/deploy/secrets.mjs";
import { readDeployOptions } from "../../scripts/deploy/wrangler.mjs";
import { listenOnFreePort } from "../worker/free-port.mjs";
import { fakeCloudflare, NAMESPACE } from "./fake-cloudflare.mjs";
import { runToEnd } from "./self-host.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

test("an option of the command overrides the variable of the configuration", () => {
  for (const [args, vars, expected] of /** @type {[string[], Record<string, unknown>, string | undefined][]} */ ([
    [[], {}, undefined],
    [[], { ENTGATE_SOURCE: "catalog" }, "catalog"],
    [[], { ENTGATE_SOURCE: "" }, undefined],
    [["--var", "ENTGATE_SOURCE:stripe"], { ENTGATE_SOURCE: "catalog" }, "stripe"],
    [["--var=ENTGATE_SOURCE:stripe", "--dry-run"], {}, "stripe"],
    [["--var", "ENTGATE_SOURCE:"], { ENTGATE_SOURCE: "catalog" }, undefined],
    [["--var", "ENTGATE_SOURCE:stripe", "--var", "ENTGATE_SOURCE:catalog"], {}, "catalog"],
    [["--var", "ENTGATE_SOURCES:stripe", "--name", "gate"], { ENTGATE_SOURCE: "catalog" }, "catalog"],
  ])) {
    assert.equal(configuredValue("ENTGATE_SOURCE", readDeployOptions(args), vars), expected, args.join(" "));
  }
});

test("only another source or jurisdiction is a change", () => {
  const current = (/** @type {(string | undefined)[]} */ ...sources) => sources.map((ENTGATE_SOURCE) => ({ ENTGATE_SOURCE }));
  const next = { source: "stripe", jurisdiction: undefined, keepsVars: false };
  for (const [why, change, running, expected] of /** @type {[string, Partial<typeof next>, any, string[]][]} */ ([
    ["the same source", {}, { variables: current("stripe") }, []],
    ["the default on both sides", { source: undefined }, { variables: [{}] }, []],
    ["the default, named", {}, { variables: [{}] }, []],
    ["another source", { source: "catalog" }, { variables: current("stripe") }, ["source"]],
    ["the variable is gone", { source: undefined }, { variables: current("catalog") }, ["source"]],
    ["the variable is gone, and stays with --keep-vars", { source: undefined, keepsVars: true }, { variables: current("catalog") }, []],
    ["one of two versions has another source", {}, { variables: current("stripe", "catalog") }, ["source"]],
    ["the Worker says another source than Cloudflare", {}, { variables: current("stripe"), source: "catalog" }, ["source"]],
    ["a secret", {}, { variables: [{ ENTGATE_SOURCE: undefined }] }, ["source"]],
    ["no record of the jurisdiction", { jurisdiction: "eu" }, { variables: [{}] }, []],
    ["the same jurisdiction", { jurisdiction: "eu" }, { variables: [{}], record: '{"jurisdiction":"eu"}' }, []],
    ["no jurisdiction on both sides", {}, { variables: [{}], record: '{"jurisdiction":null}' }, []],
    ["another jurisdiction", { jurisdiction: "us" }, { variables: [{}], record: '{"jurisdiction":"eu"}' }, ["jurisdiction"]],
    ["the jurisdiction is gone", {}, { variables: [{}], record: '{"jurisdiction":"eu"}' }, ["jurisdiction"]],
    ["a new jurisdiction", { jurisdiction: "eu" }, { variables: [{}], record: '{"jurisdiction":null}' }, ["jurisdiction"]],
    ["a record that is no JSON", {}, { variables: [{}], record: "eu" }, ["jurisdiction"]],
    ["both", { source: "catalog", jurisdiction: "eu" }, { variables: [{}], record: '{"jurisdiction":"us"}' }, ["source", "jurisdiction"]],
  ])) {
    const changes = findChanges({ ...next, ...change }, running);
    assert.deepEqual(
      changes.map(({ confirmation }) => confirmation),
      expected,
      why,
    );
  }
});

test("CONFIRM names changes that exist", () => {
  assert.deepEqual(parseConfirmations(undefined), []);
  assert.deepEqual(parseConfirmations(" source, jurisdiction,"), ["source", "jurisdiction"]);
  assert.throws(() => parseConfirmations("yes"), { message: "CONFIRM has `yes`; expected source, jurisdiction, or both with a comma" });
});

test("a missing secret is named with its consequence, by source", () => {
  const missing = (/** @type {string} */ source, /** @type {string[]} */ ...set) =>
    describeMissing(source, new Set(set)).map(({ name, consequence }) => `${name}: ${consequence}`);
  const optional = ["ENTGATE_TOKEN_SECRETS", "ENTGATE_SIGNING_KEY"];
  assert.deepEqual(missing("catalog", "ENTGATE_API_KEYS", ...optional), []);
  assert.deepEqual(missing("stripe", "ENTGATE_API_KEYS", "STRIPE_API_KEY", ...optional), [
    "STRIPE_WEBHOOK_SECRETS: changes arrive by the list of events, up to a minute late",
  ]);
  assert.deepEqual(missing("stripe"), [
    "ENTGATE_API_KEYS: every request with a key is a 401",
    "STRIPE_WEBHOOK_SECRETS: no event of Stripe is received, so no customer has a feature",
    "STRIPE_API_KEY: lists are not read from Stripe: a customer without an event is a 503, and of more than ten entitlements only the ten in the event are known",
    "ENTGATE_TOKEN_SECRETS: browsers cannot ask, because no customer token can be created",
    "ENTGATE_SIGNING_KEY: there are no snapshots",
  ]);
});

test("the Worker at ENTGATE_URL is asked too, and a wrong URL or key is an error", async (t) => {
  let reply = { status: 200, body: "" };
  const worker = createServer((_, response) => response.writeHead(reply.status).end(reply.body));
  const ENTGATE_URL = `http://127.0.0.1:${await listenOnFreePort(worker)}`;
  t.after(() => worker.close());
  const env = { ENTGATE_URL, ENTGATE_KEY: "sk_test_entgate" };
  for (const [why, status, body, expected] of /** @type {[string, number, string, string | undefined | RegExp][]} */ ([
    ["its source", 200, '{"object":"health","source":"catalog"}', "catalog"],
    ["a malformed setting stops it", 500, '{"error":{"message":"ENTGATE_SOURCE is malformed"}}', undefined],
    ["no key of the Worker", 200, '{"object":"health","status":"ok"}', /ENTGATE_KEY is not a secret key \(sk_…\) of this Worker/],
    ["another server", 200, "<html>", /200, and not an answer of entgate/],
    ["another server fails", 502, "{}", /502, and not an answer of entgate/],
  ])) {
    reply = { status, body };
    if (expected instanceof RegExp) await assert.rejects(askSource(env), expected, why);
    else assert.equal(await askSource(env), expected, why);
  }
  assert.equal(await askSource({ ENTGATE_URL }), undefined);
  await assert.rejects(
    askSource({ ...env, ENTGATE_URL: "http://127.0.0.1:9" }),
    /failed to ask http:\/\/127\.0\.0\.1:9: .*Correct ENTGATE_URL, or unset it/,
  );
});

test("wrangler.toml sets the source, so that a second deployment has the same", () => {
  assert.match(readFileSync(root("wrangler.toml"), "utf8"), /^\[vars\]\n(#.*\n)*ENTGATE_SOURCE = "stripe"$/m);
});

describe("make deploy", { timeout: 900_000 }, () => {
  /** @type {string} */
  let folder;
  /** @type {Awaited<ReturnType<typeof fakeCloudflare>>} */
  let cloudflare;
  before(async () => {
    cloudflare = await fakeCloudflare();
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    const own = new Set([".git", ".dev.vars", ".wrangler", ".tools", "wrangler.toml"]);
    const link = (/** @type {string} */ from, /** @type {string} */ to) => {
      symlinkSync(from, to);
      // A link that is newer than the build would start another one.
      lutimesSync(to, 0, 0);
    };
    for (const name of readdirSync(root("."))) if (!own.has(name)) link(root(name), join(folder, name));
    mkdirSync(join(folder, ".tools/bin"), { recursive: true });
    for (const name of readdirSync(root(".tools"))) if (name !== "bin") link(root(`.tools/${name}`), join(folder, ".tools", name));
    for (const name of readdirSync(root(".tools/bin"))) link(root(`.tools/bin/${name}`), join(folder, ".tools/bin", name));
    const wrangler = `#!/bin/sh\nif [ "$1" = deploy ]; then echo "$@" >>"${folder}/deployed"; exit; fi\nexec "${root("node_modules/.bin/wrangler")}" "$@"\n`;
    writeFileSync(join(folder, ".tools/bin/wrangler"), wrangler);
    chmodSync(join(folder, ".tools/bin/wrangler"), 0o755);
  });
  after(async () => {
    await cloudflare.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const kv = { type: "kv_namespace", name: "ENTITLEMENTS", namespace_id: NAMESPACE };
  const variable = (/** @type {string} */ name, /** @type {string} */ text) => ({ type: "plain_text", name, text });
  const SECRETS = ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_KEY", "ENTGATE_TOKEN_SECRETS", "ENTGATE_SIGNING_KEY"];

  beforeEach(() => {
    rmSync(join(folder, "deployed"), { force: true });
    writeFileSync(join(folder, "wrangler.toml"), readFileSync(root("wrangler.toml")));
    cloudflare.workers = {};
    cloudflare.kv = {};
    cloudflare.faults = {};
  });

  /** A deployed Worker of one version. @param {object[]} bindings @param {string[]} secrets */
  const run = (bindings, secrets = SECRETS) => {
    cloudflare.workers.entgate = { versions: [{ id: "1f6b2a39-0000-4000-8000-000000000001", percentage: 100, bindings }], secrets };
  };

  /**
   * Runs `make deploy` with these variables and options, and returns its output and what was deployed.
   *
   * @param {Record<string, string>} [variables]
   * @param {string[]} args
   */
  const deploy = async (variables = {}, ...args) => {
    const { CONFIRM: _confirm, ENTGATE_URL: _url, ENTGATE_KEY: _key, ENTGATE_CATALOG: _catalog, ...rest } = process.env;
    const env = { ...rest, XDG_CONFIG_HOME: folder, ...cloudflare.env, ...variables };
    const { status, output } = await runToEnd("bash", ["scripts/deploy.sh", ...args], env, folder);
    const deployed = existsSync(join(folder, "deployed")) ? readFileSync(join(folder, "deployed"), "utf8").trim() : undefined;
    return { status, output, deployed };
  };

  test("a new Worker is deployed; the secrets that it needs are named afterwards", async () => {
    const { status, output, deployed } = await deploy();
    assert.equal(status, 0, output);
    assert.equal(deployed, "deploy");
    assert.match(output, /^deploy: entgate is new$/m);
    // The fake deploys nothing, so that there is no list of secrets. The deployment is no failure.
    assert.match(output, /^warning: the Worker is deployed, but its secrets are not known: failed to list the secrets:/m);
  });

  test("the same source is deployed again, with the options of the command", async () => {
    run([kv, variable("ENTGATE_SOURCE", "stripe")], ["ENTGATE_API_KEYS", "STRIPE_API_KEY"]);
    cloudflare.kv["entgate:deployment"] = '{"jurisdiction":null}';
    const { status, output, deployed } = await deploy({}, "--minify");
    assert.equal(status, 0, output);
    assert.equal(deployed, "deploy --minify");
    assert.match(
      output,
      /^STRIPE_WEBHOOK_SECRETS is not set: changes arrive by the list of events, up to a minute late\.\n {2}npx wrangler secret put STRIPE_WEBHOOK_SECRETS$/m,
    );
    assert.doesNotMatch(output, /STRIPE_API_KEY is not set|error/);
  });

  test("another source is refused until it is confirmed", async () => {
    run([kv, variable("ENTGATE_SOURCE", "catalog")]);
    const refused = await deploy();
    assert.equal(refused.status, 1);
    assert.equal(refused.deployed, undefined);
    assert.match(
      refused.output,
      /^error: ENTGATE_SOURCE would change from `catalog` to `stripe`\. Each customer's entitlements are then read from Stripe before the next answer; what Stripe does not have is denied\.\nIf that is intended: make deploy CONFIRM=source$/m,
    );
    const confirmed = await deploy({ CONFIRM: "source" });
    assert.deepEqual([confirmed.status, confirmed.deployed], [0, "deploy"], confirmed.output);
    assert.match(confirmed.output, /^deploy: every secret is set$/m);
  });

  test("another jurisdiction is refused, although wrangler.toml does not name the namespace", async () => {
    run([kv]);
    cloudflare.kv["entgate:deployment"] = '{"jurisdiction":"eu"}';
    const { status, output, deployed } = await deploy({ CONFIRM: "source" }, "--var", "ENTGATE_JURISDICTION:us");
    assert.deepEqual([status, deployed], [1, undefined], output);
    assert.match(
      output,
      /^error: ENTGATE_JURISDICTION is `us`, and the objects of this deployment are in `eu`\. .*`jurisdiction_changed`/m,
    );
    assert.match(output, /make deploy CONFIRM=jurisdiction$/m);
  });

  test("what cannot be read is not deployed over", async () => {
    run([kv]);
    for (const [why, faults, expected] of /** @type {[string, typeof cloudflare.faults, RegExp][]} */ ([
      [
        "the token is refused",
        {
          "/deployments": {
            status: 403,
            body: '{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"result":null}',
          },
        },
        /failed to read the current deployment:[\s\S]*Authentication error \[code: 10000\]/,
      ],
      ["a page of HTML", { "/versions/": { status: 502, body: "<html>502 Bad Gateway</html>" } }, /failed to read the version 1f6b2a39-/],
      [
        "KV fails",
        { "/storage/kv/": { status: 500, body: '{"success":false,"errors":[{"code":10001,"message":"internal error"}],"result":null}' } },
        /failed to read the KV key entgate:deployment:/,
      ],
    ])) {
      cloudflare.faults = faults;
      const { status, output, deployed } = await deploy();
      assert.deepEqual([status, deployed], [1, undefined], `${why}\n${output}`);
      assert.match(output, expected, why);
    }
  });

  test("without a login nothing is asked, and the message says how to log in", async () => {
    const { status, output, deployed } = await deploy({ CLOUDFLARE_API_TOKEN: "" });
    assert.deepEqual([status, deployed], [1, undefined], output);
    assert.match(
      output,
      /^error: failed to read the current deployment:[\s\S]*CLOUDFLARE_API_TOKEN[\s\S]*\nTo log in: npx wrangler login$/m,
    );
  });

  test("misuse is one line, before anything is asked", async () => {
    cloudflare.calls.length = 0;
    for (const [variables, args, line] of /** @type {[Record<string, string>, string[], string][]} */ ([
      [{ CONFIRM: "yes" }, [], "CONFIRM has `yes`; expected source, jurisdiction, or both with a comma"],
      [
        { ENTGATE_CATALOG: "no" },
        ["--var", "ENTGATE_SOURCE:catalog"],
        "ENTGATE_SOURCE is `catalog`, and ENTGATE_CATALOG=no builds a Worker without the catalog. Change one of them.",
      ],
    ])) {
      const { status, output, deployed } = await deploy(variables, ...args);
      assert.deepEqual([status, output, deployed], [1, `error: ${line}\n`, undefined]);
    }
    assert.deepEqual(cloudflare.calls, []);
  });
});
