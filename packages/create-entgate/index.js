#!/usr/bin/env node
// `npm create entgate my-gate`: writes a project that deploys entgate. Run again, it upgrades the project.
//
// Accepts a folder and options, asks for what they do not name if there is a terminal, and prints what it wrote. It installs nothing and
// sends no request. Its only dependency is Node.

import { readFileSync } from "node:fs";
import { basename, relative, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { ProjectError, readManifest, writeProject } from "./project.js";

const USAGE = `Usage: npm create entgate [folder] [-- options]

Writes a project that deploys entgate to Cloudflare Workers. In a folder that
it has written before, it upgrades the project and keeps your changes.

Options:
  --name <name>      the name of the Worker (the name of the folder)
  --source <source>  where entitlements come from: stripe or catalog (stripe)
  --jurisdiction <jurisdiction>
                     where customers' data is stored: none, eu, us or fedramp (none).
                     It cannot be changed after the first event
  --yes              ask nothing
  --help             print this help`;

const SOURCES = ["stripe", "catalog"];

/** `none` is anywhere. */
const JURISDICTIONS = ["none", "eu", "us", "fedramp"];
const DEFAULT_FOLDER = "my-gate";

/** Names of Workers are labels of host names. */
const WORKER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ProjectError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}

/** @param {string[]} args */
async function main(args) {
  const { values, positionals } = parseOptions(args);
  if (values.help) return console.log(USAGE);
  const ask = values.yes || !process.stdin.isTTY ? undefined : createAsker();
  try {
    const folder = resolve(positionals[0] ?? (await ask?.text("Folder", DEFAULT_FOLDER)) ?? DEFAULT_FOLDER);
    const manifest = readManifest(folder);
    const name = values.name ?? manifest?.name ?? (await ask?.text("Name of the Worker", toWorkerName(folder))) ?? toWorkerName(folder);
    if (!WORKER_NAME.test(name)) {
      throw new ProjectError(`--name: \`${name}\` is not the name of a Worker. Use up to 63 lower-case letters, digits and hyphens.`);
    }
    const choose = async (
      /** @type {"source" | "jurisdiction"} */ option,
      /** @type {string} */ question,
      /** @type {string[]} */ choices,
    ) => {
      const choice = values[option] ?? manifest?.[option] ?? (await ask?.choice(question, choices)) ?? choices[0];
      if (!choices.includes(choice))
        throw new ProjectError(`--${option}: \`${choice}\` is not a ${option}. Use one of: ${choices.join(", ")}.`);
      return choice;
    };
    const source = await choose("source", "Source of entitlements", SOURCES);
    const jurisdiction = await choose("jurisdiction", "Jurisdiction of the data", JURISDICTIONS);
    if (manifest && jurisdiction !== (manifest.jurisdiction ?? "none")) {
      throw new ProjectError("--jurisdiction: the data of a deployment cannot be moved. Write another project, with another name.");
    }
    report(writeProject(folder, { name, source, jurisdiction }), folder, manifest);
  } finally {
    ask?.close();
  }
}

/** @param {string[]} args */
function parseOptions(args) {
  try {
    const parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        name: { type: "string" },
        source: { type: "string" },
        jurisdiction: { type: "string" },
        yes: { type: "boolean", short: "y" },
        help: { type: "boolean", short: "h" },
      },
    });
    if (parsed.positionals.length > 1) throw new ProjectError(`one folder is expected, not ${parsed.positionals.length}\n\n${USAGE}`);
    return parsed;
  } catch (error) {
    throw error instanceof ProjectError ? error : new ProjectError(`${error.message}\n\n${USAGE}`);
  }
}

/** The name of a folder as that of a Worker. @param {string} folder */
function toWorkerName(folder) {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return name || DEFAULT_FOLDER;
}

/** Asks in the terminal. An empty answer is the default. */
function createAsker() {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const text = async (/** @type {string} */ question, /** @type {string} */ preset) =>
    (await terminal.question(`${question} (${preset}): `)).trim() || preset;
  return {
    text,
    async choice(/** @type {string} */ question, /** @type {string[]} */ choices) {
      for (;;) {
        const answer = await text(`${question}: ${choices.join(" or ")}`, choices[0]);
        if (choices.includes(answer)) return answer;
        console.log(`Enter one of: ${choices.join(", ")}.`);
      }
    },
    close: () => terminal.close(),
  };
}

/**
 * @param {import("./project.js").Decision[]} files
 * @param {string} folder
 * @param {object | undefined} manifest  Of an earlier run.
 */
function report(files, folder, manifest) {
  const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
  console.log(`\nentgate ${version} in ${folder}\n`);
  for (const { path, outcome } of files) console.log(`  ${path.padEnd(16)} ${outcome}`);
  const conflicts = files.filter(({ hasNew }) => hasNew).map(({ path }) => path);
  if (conflicts.length) {
    console.log(
      `\nYou changed ${conflicts.join(" and ")}. Compare with the new version beside it, whose name ends with .new, then delete that file.`,
    );
  }
  if (manifest) return console.log("\nRun npm install, then npm run deploy.");
  const path = relative(process.cwd(), folder);
  const change = path ? `cd ${/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`} && ` : "";
  console.log(`\nNext:\n  ${change}npm install\n  npm run dev\n\nREADME.md continues from there.`);
}
