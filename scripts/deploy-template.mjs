// Writes templates/deploy, the template for Cloudflare's Deploy button, or with `--check` compares it with what it would write.
//
// Accepts the requirements of the Worker, and the files of create-entgate. The button copies this folder into a repository of the user,
// and asks for each name in `.dev.vars.example`, with the description from package.json. So that file has required secrets only, without
// values: https://developers.cloudflare.com/workers/platform/deploy-buttons/

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { packageJson, REQUIRED_SECRETS } from "../packages/create-entgate/files/package-json.js";
import { wranglerConfig } from "../packages/create-entgate/files/wrangler-config.js";
import { readRequirements } from "./worker-requirements.mjs";

const FOLDER = new URL("../templates/deploy/", import.meta.url);
const NAME = "entgate";
const SOURCE = "stripe";

/** @param {string} path */
const readJson = (path) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));

const { version } = readJson("packages/create-entgate/package.json");
const { wrangler } = readJson("package.json").devDependencies;
const bindings = Object.fromEntries(Object.entries(REQUIRED_SECRETS).map(([name, description]) => [name, { description }]));

/** @type {Record<string, string>} */
const files = {
  "wrangler.jsonc": wranglerConfig({ name: NAME, source: SOURCE, requirements: await readRequirements() }),
  "package.json": packageJson({ name: NAME, source: SOURCE, version, wrangler, more: { cloudflare: { bindings } } }),
  ".dev.vars.example": Object.keys(REQUIRED_SECRETS)
    .map((name) => `${name}=\n`)
    .join(""),
  ".gitignore": "node_modules/\n.dev.vars\n.wrangler/\n",
};

const isCheck = process.argv.includes("--check");
const differing = [];
mkdirSync(fileURLToPath(FOLDER), { recursive: true });
for (const [name, text] of Object.entries(files)) {
  const path = new URL(name, FOLDER);
  if (readIfPresent(path) === text) continue;
  if (isCheck) differing.push(name);
  else writeFileSync(path, text);
}
if (differing.length) {
  console.error(`templates/deploy is out of date: ${differing.join(", ")}. Run: node scripts/deploy-template.mjs`);
  process.exitCode = 1;
}

/** @param {URL} path */
function readIfPresent(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
