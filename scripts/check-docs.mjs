// Checks the pages of the documentation: links and anchors, the words of the glossary, and what a shell would make of a command block.
//
//   node scripts/check-docs.mjs
//
// Prints each problem as `file:line: problem`, and exits with 1 if there is one. Not here: whether the commands and the examples work
// (tests/docs), and whether routes, settings and codes are complete (scripts/openapi.mjs, tests/it).

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { anchorOf } from "./openapi/markdown.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Words that the glossary replaces, and what to write. */
const WORDS = [
  [/\b(?:whoever|whom|nobody)\b/i, "the caller, the client, or who it is"],
  [/\banew\b/i, "again"],
  [/\bof itself\b/i, "without a request"],
  [/\bin vain\b/i, "failed"],
  [/\bthe long way\b/i, "slow path"],
  [/\bat hand\b/i, "replica, or stored"],
  [/\bput off\b/i, "postponed"],
  [/\bleft alone\b/i, "not changed, or in back-off"],
  [/\b(?:owes|owed|debts?)\b/i, "pending task"],
  [/\b(?:told|tells|untold)\b/i, "reports, returns, sends or names"],
  [/\bis none\b/i, "is not a valid …"],
  [/\b(?:holds|held)\b/i, "stores, has"],
  [/\bstrangers?\b/i, "unauthenticated client, unknown customer"],
  [/\bsettl(?:e|es|ed)\b/i, "complete, run"],
  [/\b(?:roster|parcels?|courier|desk|shelf|minted)\b/i, "the term of docs/development/glossary.md"],
  [/\bcomes? to\b/i, "results in"],
  [/\b(?:tries|tried) without end\b/i, "retried until it succeeds"],
];

/** Directories of the PATH on which a command block runs. A function with the name of a program there would hide the program. */
const PROGRAM_FOLDERS = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
  .trim()
  .split("\n");
const pages = tracked.filter((path) => /\.md$|^llms\.txt$/.test(path) && existsSync(join(ROOT, path)));

/** @type {string[]} */
const problems = [];

/** @param {string} path @param {number} line @param {string} problem */
const report = (path, line, problem) => problems.push(`${path}:${line}: ${problem}`);

/** @type {Map<string, Set<string>>} */
const anchorsByPage = new Map();

/** The anchors of a page, as GitHub numbers repeated ones. @param {string} path */
function anchorsOf(path) {
  const known = anchorsByPage.get(path);
  if (known) return known;
  /** @type {Map<string, number>} */
  const counts = new Map();
  const anchors = new Set();
  for (const { text, isCode } of linesOf(path)) {
    const heading = isCode ? undefined : /^#+ (.*)$/.exec(text)?.[1];
    if (heading === undefined) continue;
    const anchor = anchorOf(heading);
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    anchors.add(count ? `${anchor}-${count}` : anchor);
  }
  anchorsByPage.set(path, anchors);
  return anchors;
}

/**
 * The lines of a page. A line of a code block has the language of the block.
 *
 * @param {string} path
 */
function linesOf(path) {
  let language = "";
  let isCode = false;
  return readFileSync(join(ROOT, path), "utf8")
    .split("\n")
    .map((text, index) => {
      const fence = /^\s*```(\w*)/.exec(text);
      if (fence) {
        isCode = !isCode;
        language = isCode ? fence[1] : "";
        return { text, number: index + 1, isCode: true, isFence: true, language };
      }
      return { text, number: index + 1, isCode, isFence: false, language };
    });
}

/** @param {string} path @param {number} line @param {string} target */
function checkLink(path, line, target) {
  if (/^[a-z]+:/.test(target)) return;
  const [file, anchor] = target.split("#");
  const resolved = file ? relative(ROOT, join(ROOT, dirname(path), file)) : path;
  const full = join(ROOT, resolved);
  if (!existsSync(full)) return report(path, line, `the link \`${target}\` leads nowhere`);
  if (anchor === undefined) return;
  if (statSync(full).isDirectory() || !resolved.endsWith(".md")) return report(path, line, `\`${target}\`: only pages have anchors`);
  if (!anchorsOf(resolved).has(anchor)) report(path, line, `${resolved} has no heading with the anchor \`#${anchor}\``);
}

/** @param {string} path @param {number} line @param {string} text */
function checkShell(path, line, text) {
  const unquoted = text.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, "_");
  if (/(?:^|\s)#/.test(unquoted)) report(path, line, "an interactive zsh has no comments: write it above the block");
  if (/"[^"]*![^"]*"/.test(text.replaceAll(/'[^']*'/g, "_")))
    report(path, line, "`!` in double quotes is the history of an interactive shell");
  if (/\bhttps?:[^\s"']*[?[]/.test(text.replaceAll(/'[^']*'|"(?:[^"\\]|\\.)*"/g, "_")))
    report(path, line, "quote URLs with `?` or `[`: zsh expands them");
  const name = /^\s*(\w+)\(\)/.exec(text)?.[1];
  const program = name && PROGRAM_FOLDERS.find((folder) => existsSync(join(folder, name)));
  if (program) report(path, line, `the function \`${name}\` hides ${program}/${name}`);
}

for (const path of pages) {
  for (const { text, number, isCode, isFence, language } of linesOf(path)) {
    if (isFence) continue;
    if (isCode) {
      if (language === "sh" && !path.startsWith("examples/")) checkShell(path, number, text);
      continue;
    }
    const prose = text.replaceAll(/`[^`]*`/g, "`…`");
    for (const [, target] of prose.matchAll(/\]\(([^)\s]+)\)/g)) checkLink(path, number, target);
    for (const [, target] of prose.matchAll(/(?:src|srcset|href)="([^"]+)"/g)) checkLink(path, number, target);
    if (/development\/glossary\.md$/.test(path)) continue;
    for (const [pattern, instead] of /** @type {[RegExp, string][]} */ (WORDS)) {
      const found = pattern.exec(prose)?.[0];
      if (found) report(path, number, `\`${found}\`: write ${instead}`);
    }
  }
}

// Every page can be found: the README links to each page of docs/.
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
for (const path of pages.filter((path) => path.startsWith("docs/"))) {
  if (!readme.includes(`](${path})`)) report(path, 1, "README.md does not link to this page");
}

// What the code says about a page.
for (const path of tracked.filter((path) => /\.(?:rs|mjs|js|ts|sh|toml|yml)$/.test(path) && existsSync(join(ROOT, path)))) {
  readFileSync(join(ROOT, path), "utf8")
    .split("\n")
    .forEach((text, index) => {
      for (const [page] of text.matchAll(/\bdocs\/[\w/-]+\.md\b/g)) {
        if (!existsSync(join(ROOT, page))) report(path, index + 1, `there is no ${page}`);
      }
    });
}

if (problems.length) {
  console.error(problems.join("\n"));
  process.exit(1);
}
