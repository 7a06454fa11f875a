// create-entgate: the project that it writes, and how it upgrades one without losing what a user changed.
//
// The package runs from a copy with the requirements of the Worker, as scripts/packages.mjs packs it. The tarballs are in
// tests/docs/packages.test.mjs.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { readRequirements } from "../../scripts/worker-requirements.mjs";

const root = (/** @type {string} */ path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

const FILES = [".dev.vars", ".entgate.json", ".gitignore", "README.md", "package.json", "wrangler.jsonc"];

/** @param {string} text JSON with comments on lines of their own. */
const parseJsonc = (text) => JSON.parse(text.replace(/^\s*\/\/.*$/gm, ""));

describe("create-entgate", { timeout: 60_000 }, () => {
  /** @type {string} */
  let folder;
  /** @type {string} */
  let project;
  /** @type {Awaited<ReturnType<typeof readRequirements>>} */
  let requirements;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "entgate-"));
    cpSync(root("packages/create-entgate"), join(folder, "package"), { recursive: true });
    requirements = await readRequirements();
    setRequirements({ ...requirements, wrangler: "4.164.0" });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  beforeEach(() => {
    project = mkdtempSync(join(folder, "project-"));
  });

  const setRequirements = (/** @type {object} */ value) => writeFileSync(join(folder, "package/requirements.json"), JSON.stringify(value));
  const setVersion = (/** @type {string} */ version) => {
    const path = join(folder, "package/package.json");
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), version }));
  };
  const read = (/** @type {string} */ name) => readFileSync(join(project, name), "utf8");
  const write = (/** @type {string} */ name, /** @type {string} */ text) => writeFileSync(join(project, name), text);

  /**
   * Runs the command without a terminal.
   *
   * @param {string[]} args
   * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
   */
  const create = (...args) =>
    new Promise((resolve) => {
      execFile(process.execPath, [join(folder, "package/index.js"), ...args], { cwd: folder }, (error, stdout, stderr) =>
        resolve({ status: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });

  /** The outcomes by file, as the command printed them. @param {{ stdout: string }} result */
  const outcomes = ({ stdout }) =>
    Object.fromEntries(
      [...stdout.matchAll(/^ {2}(\S*[.]\S+) +(written|updated.*|kept.*|up to date)$/gm)].map(([, path, outcome]) => [path, outcome]),
    );

  test("writes a project whose configuration has what the Worker requires", async () => {
    const { status, stdout, stderr } = await create(project, "--name", "my-gate", "--source", "stripe");
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /npm install\n {2}npm run dev\n/);
    assert.deepEqual(readdirSync(project).toSorted(), FILES);
    const { $schema, name, main, assets, vars, no_bundle, workers_dev, ...others } = parseJsonc(read("wrangler.jsonc"));
    assert.deepEqual([name, vars, no_bundle, workers_dev], ["my-gate", { ENTGATE_SOURCE: "stripe" }, true, true]);
    assert.deepEqual(
      [main, assets.directory],
      ["node_modules/@entgate/worker/with-catalog/index.js", "node_modules/@entgate/worker/console"],
    );
    assert.deepEqual(others, requirements);
  });

  test("writes the settings of `make dev`, which git ignores and only their owner can read", async () => {
    await create(project);
    assert.deepEqual(parseEnv(read(".dev.vars")), parseEnv(readFileSync(root(".dev.vars.example"), "utf8")));
    assert.match(read(".gitignore"), /^\.dev\.vars$/m);
    assert.equal(statSync(join(project, ".dev.vars")).mode & 0o777, 0o600);
  });

  test("asks for the secrets of the source", async () => {
    await create(project, "--source", "stripe");
    const ask = (/** @type {string} */ name) => `wrangler secret put ${name}`;
    const scripts = () => JSON.parse(read("package.json")).scripts;
    assert.equal(scripts().secrets, ["ENTGATE_API_KEYS", "STRIPE_WEBHOOK_SECRETS", "STRIPE_API_KEY"].map(ask).join(" && "));
    assert.match(read("README.md"), /webhooks\/stripe/);
    rmSync(project, { recursive: true });
    await create(project, "--source", "catalog");
    assert.equal(scripts().secrets, ask("ENTGATE_API_KEYS"));
    assert.doesNotMatch(read("README.md"), /webhooks\/stripe/);
  });

  test("takes the name of the folder as the name of the Worker, and rejects a name that is none", async () => {
    const spaced = join(project, "My Gate 2!");
    await create(spaced);
    assert.equal(JSON.parse(readFileSync(join(spaced, "package.json"), "utf8")).name, "my-gate-2");
    for (const name of ["My-Gate", "-gate", "gate-", "a".repeat(64), ""]) {
      const { status, stderr } = await create(join(project, "other"), `--name=${name}`);
      assert.deepEqual([status, stderr.split("`")[1]], [1, name]);
    }
    assert.equal((await create(join(project, "longest"), `--name=${"a".repeat(63)}`)).status, 0);
    assert.equal(existsSync(join(project, "other")), false);
  });

  test("sets the jurisdiction of the deployment, and none for a local Worker", async () => {
    await create(project, "--jurisdiction", "eu");
    assert.deepEqual(parseJsonc(read("wrangler.jsonc")).vars, { ENTGATE_SOURCE: "stripe", ENTGATE_JURISDICTION: "eu" });
    assert.equal(parseEnv(read(".dev.vars")).ENTGATE_JURISDICTION, "");
    assert.equal((await create(project)).status, 0, "an upgrade keeps it");
    assert.equal(parseJsonc(read("wrangler.jsonc")).vars.ENTGATE_JURISDICTION, "eu");
    assert.equal(
      (await create(project, "--jurisdiction", "us")).stderr,
      "--jurisdiction: the data of a deployment cannot be moved. Write another project, with another name.\n",
    );
    assert.equal(
      (await create(join(project, "other"), "--jurisdiction", "mars")).stderr,
      "--jurisdiction: `mars` is not a jurisdiction. Use one of: none, eu, us, fedramp.\n",
    );
  });

  test("rejects a source that does not exist, and options that do not exist", async () => {
    assert.equal(
      (await create(project, "--source", "paddle")).stderr,
      "--source: `paddle` is not a source. Use one of: stripe, catalog.\n",
    );
    assert.match((await create(project, "--force")).stderr, /--force[\s\S]*Usage: npm create entgate/);
    assert.match((await create("a", "b")).stderr, /^one folder is expected, not 2/);
    assert.deepEqual(readdirSync(project), []);
  });

  test("does not write into a folder with other files", async () => {
    write("index.html", "hello");
    const { status, stderr } = await create(project);
    assert.equal(status, 1);
    assert.match(stderr, /is not empty, and has no \.entgate\.json: it was not written by create-entgate/);
    assert.deepEqual(readdirSync(project), ["index.html"]);
    rmSync(join(project, "index.html"));
    mkdirSync(join(project, ".git"));
    assert.equal((await create(project)).status, 0, "a repository without files is empty");
  });

  describe("run again", () => {
    after(() => {
      setVersion("0.1.0");
      setRequirements({ ...requirements, wrangler: "4.164.0" });
    });
    const upgrade = async () => {
      setVersion("0.2.0");
      setRequirements({ ...requirements, compatibility_date: "2027-01-01", wrangler: "4.200.0" });
      return create(project);
    };
    beforeEach(() => {
      setVersion("0.1.0");
      setRequirements({ ...requirements, wrangler: "4.164.0" });
    });

    test("changes nothing in a project that is up to date", async () => {
      await create(project, "--name", "my-gate", "--source", "catalog");
      const contents = FILES.map(read);
      assert.deepEqual([...new Set(Object.values(outcomes(await create(project))))], ["up to date"]);
      assert.deepEqual(FILES.map(read), contents, "the name and the source are those of the first run");
    });

    test("upgrades the files that were not changed, and the versions in package.json", async () => {
      await create(project, "--name", "my-gate");
      const changed = JSON.parse(read("package.json"));
      write(
        "package.json",
        JSON.stringify({
          ...changed,
          scripts: { ...changed.scripts, dev: "wrangler dev --port 9000" },
          dependencies: { ...changed.dependencies, hono: "4.0.0" },
        }),
      );
      const result = await upgrade();
      assert.deepEqual(outcomes(result), {
        "wrangler.jsonc": "updated",
        "package.json": "updated: @entgate/worker 0.1.0 -> 0.2.0, entgate 0.1.0 -> 0.2.0, wrangler ^4.164.0 -> ^4.200.0",
        ".dev.vars": "up to date",
        ".gitignore": "up to date",
        "README.md": "up to date",
      });
      assert.equal(parseJsonc(read("wrangler.jsonc")).compatibility_date, "2027-01-01");
      const { dependencies, scripts } = JSON.parse(read("package.json"));
      assert.deepEqual(dependencies, { "@entgate/worker": "0.2.0", hono: "4.0.0" });
      assert.equal(scripts.dev, "wrangler dev --port 9000");
    });

    test("keeps a changed file, and writes the new version beside it if that differs", async () => {
      await create(project);
      write("wrangler.jsonc", `${read("wrangler.jsonc")}// mine\n`);
      write("README.md", "mine");
      const [changed] = [read("wrangler.jsonc")];
      assert.deepEqual(outcomes(await create(project))["wrangler.jsonc"], "kept, with your changes");
      assert.equal(existsSync(join(project, "wrangler.jsonc.new")), false);
      const result = await upgrade();
      assert.equal(outcomes(result)["wrangler.jsonc"], "kept, with your changes; the new version is wrangler.jsonc.new");
      assert.equal(outcomes(result)["README.md"], "kept, with your changes");
      assert.match(result.stdout, /You changed wrangler\.jsonc\./);
      assert.deepEqual([read("wrangler.jsonc"), read("README.md")], [changed, "mine"]);
      assert.equal(parseJsonc(read("wrangler.jsonc.new")).compatibility_date, "2027-01-01");
    });

    test("writes a missing file again, and keeps a wrangler that is newer", async () => {
      await create(project);
      rmSync(join(project, ".dev.vars"));
      write("package.json", read("package.json").replace("^4.164.0", "^5.0.0"));
      const result = outcomes(await upgrade());
      assert.equal(result[".dev.vars"], "written");
      assert.equal(JSON.parse(read("package.json")).devDependencies.wrangler, "^5.0.0");
    });

    test("stops before it writes anything if package.json or .entgate.json is not JSON", async () => {
      await create(project);
      for (const name of ["package.json", ".entgate.json"]) {
        const before = read(name);
        write(name, "{");
        const config = read("wrangler.jsonc");
        const { status, stderr } = await upgrade();
        assert.equal(status, 1);
        assert.match(stderr, new RegExp(`^${name.replace(".", "\\.")} is not JSON: .* Correct it, then run the command again\\.`));
        assert.equal(read("wrangler.jsonc"), config);
        write(name, before);
      }
    });
  });
});
