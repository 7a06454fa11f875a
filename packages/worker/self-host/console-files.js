// The files of the console with their response headers, as Cloudflare serves a Worker's assets: by path, with the type of the file and
// the headers of `_headers`.

import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

const INDEX = "index.html";
const HEADERS = "_headers";

/** @type {Record<string, string>} */
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
};

/** @typedef {Record<string, { name: string, headers: Record<string, string> }>} ConsoleFiles */

/**
 * @param {string} folder
 * @returns {ConsoleFiles}
 */
export function listConsoleFiles(folder) {
  const rules = parseHeaders(readFileSync(join(folder, HEADERS), "utf8"));
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => name.replaceAll("\\", "/"));
  /** @type {ConsoleFiles} */
  const files = {};
  for (const name of names) {
    const type = TYPES[extname(name)];
    if (!type) continue;
    const path = name === INDEX ? "/" : `/${name}`;
    const matching = rules.filter(({ pattern }) => pattern === path || (pattern.endsWith("*") && path.startsWith(pattern.slice(0, -1))));
    const headers = { "content-type": type, "cache-control": "public, max-age=0, must-revalidate" };
    files[path] = { name, headers: Object.assign(headers, ...matching.map((rule) => rule.headers)) };
  }
  return files;
}

/**
 * Parses `_headers`: a line with a path, then indented lines with a header each.
 *
 * @param {string} text
 */
function parseHeaders(text) {
  /** @type {{ pattern: string, headers: Record<string, string> }[]} */
  const rules = [];
  for (const line of text.split("\n")) {
    const content = line.trim();
    if (!content || content.startsWith("#")) continue;
    const separator = content.indexOf(":");
    if (!/^\s/.test(line)) rules.push({ pattern: content, headers: {} });
    else Object.assign(rules.at(-1)?.headers ?? {}, { [content.slice(0, separator).toLowerCase()]: content.slice(separator + 1).trim() });
  }
  return rules;
}
