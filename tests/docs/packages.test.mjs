// The packages as users install them: from the tarballs in dist/, on a PATH without Rust, and without a network. scripts/packages.sh
// builds them.
//
// wrangler and workerd come from this repository's node_modules by a link, because an install of them needs a registry.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { findFreePort, runToEnd } from "../packages/self-host.mjs";
import { eventually, Service } from "../worker/support.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const { version } = JSON.parse(readFileSync(root("www/npm/package.json"), "utf8"));
const TARBALLS = { entgate: `entgate-${version}.tgz`, worker: `entgate-worker-${version}.tgz`, create: `create-entgate-${version}.tgz` };
const tarball = (/** @type {keyof typeof TARBALLS} */ name) => root(`dist/${TARBALLS[name]}`);

/** The only commands on the PATH: none of them is a part of Rust. */
const COMMANDS = ["node", "npm", "npx", "sh", "env"];

/** @param {string} name */
function findCommand(name) {
  const folder = process.env.PATH?.split(delimiter).find((each) => existsSync(join(each, name)));
  if (!folder) throw new Error(`${name} is not on the PATH`);
  return realpathSync(join(folder, name));
}

describe("the packages", { timeout: 240_000 }, () => {
  /** @type {string} */
  let folder;
  /** @type {string} */
  let project;
  /** @type {NodeJS.ProcessEnv} */
  let env;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    project = join(folder, "my-gate");
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const name of COMMANDS) symlinkSync(findCommand(name), join(bin, name));
    env = {
      PATH: bin,
      HOME: folder,
      npm_config_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_update_notifier: "false",
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
    };
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /**
   * Runs a command that has to succeed, and returns its output.
   *
   * @param {string} cwd
   * @param {string} name  Of the PATH, or an absolute path.
   * @param {string[]} args
   */
  async function run(cwd, name, ...args) {
    const { status, output } = await runToEnd(resolve(folder, "bin", name), args, { ...env, INIT_CWD: cwd, PWD: cwd }, cwd);
    assert.equal(status, 0, `${name} ${args.join(" ")}\n${output}`);
    return output;
  }

  test("have no cargo and no rustup on their PATH", () => {
    for (const name of ["cargo", "rustc", "rustup", "wasm-bindgen"]) assert.equal(existsSync(join(folder, "bin", name)), false);
  });

  test("`npm create entgate` writes a project, and npm installs it", async () => {
    const output = await run(
      folder,
      "npm",
      "exec",
      "--yes",
      `--package=${tarball("create")}`,
      "--",
      "create-entgate",
      "my-gate",
      "--source",
      "stripe",
    );
    assert.match(output, /Next:\n {2}cd my-gate && npm install\n {2}npm run dev\n/);
    const path = join(project, "package.json");
    const content = JSON.parse(readFileSync(path, "utf8"));
    assert.deepEqual([content.dependencies, content.devDependencies.entgate], [{ "@entgate/worker": version }, version]);
    content.dependencies["@entgate/worker"] = `file:${tarball("worker")}`;
    content.devDependencies = { entgate: `file:${tarball("entgate")}` };
    writeFileSync(path, JSON.stringify(content));
    await run(project, "npm", "install");
    for (const name of ["wrangler", "workerd"]) {
      symlinkSync(realpathSync(root(`node_modules/${name}`)), join(project, "node_modules", name));
      symlinkSync(`../${name}/bin/${name === "wrangler" ? "wrangler.js" : name}`, join(project, "node_modules/.bin", name));
    }
  });

  test("`npm run dev` serves the Worker and the console, and the README's commands end with a granted check", async (t) => {
    const port = await findFreePort();
    const child = spawn(join(folder, "bin/npm"), ["run", "dev", "--", "--port", `${port}`], {
      cwd: project,
      env,
      detached: true,
      stdio: "pipe",
    });
    t.after(async () => {
      const ended = new Promise((resolve) => child.once("close", resolve));
      process.kill(-Number(child.pid), "SIGTERM");
      await ended;
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (log += text));
    const service = new Service(undefined, new URL(`http://localhost:${port}`));
    await eventually(() => service.request("/healthz", { key: null }), 60_000).catch((error) => assert.fail(`${error}\n${log}`));
    assert.match(await (await fetch(service.url)).text(), /<title>entgate/);

    const [, block] = /export ENTGATE_KEY=sk_test_entgate\n([\s\S]*?)```/.exec(readFileSync(join(project, "README.md"), "utf8")) ?? [];
    env = { ...env, ENTGATE_KEY: "sk_test_entgate", ENTGATE_URL: service.url.origin };
    let output = "";
    for (const line of block?.trim().split("\n") ?? []) {
      const [name, ...args] = line.split(" ");
      output = await run(project, name, ...args);
    }
    await eventually(async () => {
      output = await run(project, "npx", "entgate", "check", "--customer", "cus_ada", "--feature", "sms");
      assert.deepEqual(JSON.parse(output).reason, "active_entitlement");
    });
  });

  test("wrangler deploys the Worker with and without the catalog, and within a Worker of the user", async () => {
    const deploy = async (/** @type {(config: string) => string} */ change) => {
      const config = change(readFileSync(join(project, "wrangler.jsonc"), "utf8"));
      writeFileSync(join(project, "other.jsonc"), config);
      const output = await run(project, "npx", "wrangler", "deploy", "--dry-run", "--config", "other.jsonc");
      return Number(/Total Upload: [\d.]+ KiB \/ gzip: ([\d.]+) KiB/.exec(output)?.[1]);
    };
    const withCatalog = await deploy((config) => config);
    const without = await deploy((config) => config.replace(/(?<="main": ".*)with-catalog/, "without-catalog"));
    assert.ok(without > 200 && without < 0.8 * withCatalog, `${without} of ${withCatalog} KiB`);
    const [, example] = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(project, "node_modules/@entgate/worker/README.md"), "utf8")) ?? [];
    writeFileSync(join(project, "worker.ts"), example ?? "");
    const own = await deploy((config) =>
      config
        .replace(/"main": ".*"/, '"main": "worker.ts"')
        .replace('"no_bundle": true,', "")
        .replace(/"rules": \[[\s\S]*?\n {2}\],/, ""),
    );
    assert.ok(Math.abs(own - withCatalog) < 0.1 * withCatalog, `${own} of ${withCatalog} KiB`);
  });

  test("the types of the Worker agree with the types that wrangler writes", async () => {
    await run(project, "npx", "wrangler", "types");
    writeFileSync(
      join(project, "types.ts"),
      `import worker, { type EntitlementsBinding, type Env, Ledger } from "@entgate/worker";
       export const handler: ExportedHandler<Env> = worker;
       export const object: new (state: DurableObjectState, env: Env) => DurableObject = Ledger;
       export const settings: Pick<Env, "ENTGATE_SOURCE"> = { ENTGATE_SOURCE: "catalog" };
       // @ts-expect-error -- Not a source.
       settings.ENTGATE_SOURCE = "paddle";
       export async function ask(gate: EntitlementsBinding): Promise<[boolean, boolean | null | undefined, string | undefined]> {
         const { entitled } = await gate.check({ customer: "cus_ada", feature: "sms" });
         const several = await gate.check({ customer: "cus_ada", feature: ["sms", "fax"], fresh: true });
         const list = await gate.list({ customer: "cus_ada", limit: 1 });
         // @ts-expect-error -- A customer is required.
         await gate.authorize({ feature: "sms" });
         return [entitled, several.data[0]?.entitled, list.data[0]?.lookup_key];
       }`,
    );
    const options = {
      module: "esnext",
      moduleResolution: "bundler",
      target: "es2024",
      lib: ["es2024"],
      types: [],
      strict: true,
      noEmit: true,
    };
    const files = ["types.ts", "worker.ts", "worker-configuration.d.ts"];
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files }));
    await run(project, "node", root("node_modules/typescript/bin/tsc"), "-p", "tsconfig.json");
  });

  test("`npx entgate-self-host` writes a configuration that workerd accepts", async () => {
    await run(project, "npx", "entgate-self-host", "--write-only", "--without-catalog");
    await run(project, join(project, "node_modules/.bin/workerd"), "compile", "--config-only", "entgate-workerd/config.capnp");
  });

  test("contain their license and their documentation, and nothing of this machine", async () => {
    assert.deepEqual(
      readdirSync(root("dist"))
        .filter((name) => name.endsWith(".tgz"))
        .toSorted(),
      Object.values(TARBALLS).toSorted(),
    );
    for (const name of ["entgate", "@entgate/worker"]) {
      const installed = join(project, "node_modules", name);
      for (const file of ["README.md", "LICENSE-MIT", "LICENSE-APACHE"]) assert.ok(existsSync(join(installed, file)), `${name}/${file}`);
      for (const path of readdirSync(installed, { recursive: true, encoding: "utf8" })) {
        if (!/\.(?:js|cjs|json|ts|md|wasm)$/.test(path)) continue;
        assert.equal(readFileSync(join(installed, path), "latin1").includes(root("")), false, `${name}/${path}`);
      }
    }
  });
});
