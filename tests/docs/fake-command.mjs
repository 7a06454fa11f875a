#!/usr/bin/env node
// Stands in for commands that the documentation names and a test cannot run: what they would build, install, deploy or delete. It accepts
// only what exists: targets of the Makefile, commands of wrangler and npm, and settings of docs/configuration.md.
//
//   fake-command.mjs <name> <arguments…>
//
// `npx entgate` runs the built command line, and confirms its question. The root of the repository is in ENTGATE_ROOT.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const [name, ...args] = process.argv.slice(2);
const { ENTGATE_ROOT: root = "." } = process.env;
const read = (/** @type {string} */ path) => readFileSync(`${root}/${path}`, "utf8");
const line = args.join(" ");

/** The longest time for a command that follows changes, in milliseconds. */
const FOLLOW_TIMEOUT = 2_000;

const WRANGLER = [
  /^login$/,
  /^deploy(?: --(?:var|env) \S+)*$/,
  /^delete$/,
  /^rollback$/,
  /^kv namespace create [A-Z]+$/,
  /^kv namespace delete --namespace-id [0-9a-f]{32}$/,
];
const NPM = [
  /^create entgate(?:@latest)? \S+$/,
  /^exec --package=\.\/dist\/create-entgate-[\d.]+\.tgz -- create-entgate \S+$/,
  /^install$/,
  /^i entgate$/,
  /^run (?:dev|deploy|secrets)$/,
];

/** @param {RegExp[]} patterns */
const matches = (patterns) => patterns.some((pattern) => pattern.test(line.replace(/^wrangler /, "")));

function isMakeTarget() {
  const targets = new Set([...read("Makefile").matchAll(/^([a-z-]+):/gm)].map(([, target]) => target));
  return args.filter((each) => !/^[A-Z]+=/.test(each)).every((target) => targets.has(target));
}

function isSecret() {
  const setting = /^wrangler secret put ([A-Z_]+)(?: --env \w+)?$/.exec(line)?.[1];
  return setting && read("docs/configuration.md").includes(`| \`${setting}\` (secret) |`);
}

if (name === "npx" && args[0] === "entgate") {
  const timeout = args[1] === "listen" ? FOLLOW_TIMEOUT : undefined;
  // There is no terminal in which a question could be confirmed.
  const confirm = args[1] === "apply" ? ["--confirm"] : [];
  const command = [`${root}/www/npm/dist/cli.js`, ...args.slice(1), ...confirm];
  const { status, signal } = spawnSync(process.execPath, command, { stdio: "inherit", timeout });
  process.exit(signal ? 0 : status);
}
const exists =
  name === "make" ? isMakeTarget() : name === "npm" ? matches(NPM) : args[0] === "wrangler" && (isSecret() || matches(WRANGLER));
if (!exists) {
  console.error(`the documentation names a command that does not exist: ${name} ${line}`);
  process.exit(1);
}
