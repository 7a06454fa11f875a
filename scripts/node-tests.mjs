// Runs test files of Node side by side: node scripts/node-tests.mjs CONCURRENCY FILE…
//
// The files that took longest in the last run start first, so that at the end no processor waits for one long file. `node --test` always
// sorts them by name. The durations are in target/test-durations.json; a file without one starts before the others.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const DURATIONS = "target/test-durations.json";

const [concurrency, ...names] = process.argv.slice(2);
/** Milliseconds by file. @type {Record<string, number>} */
const durations = existsSync(DURATIONS) ? JSON.parse(readFileSync(DURATIONS, "utf8")) : {};
const files = names.map((name) => resolve(name)).sort((a, b) => (durations[b] ?? Infinity) - (durations[a] ?? Infinity));

run({ files, concurrency: Number(concurrency) })
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .on("test:summary", ({ file, duration_ms }) => {
    if (file) durations[file] = Math.round(duration_ms);
  })
  .on("end", () => {
    mkdirSync("target", { recursive: true });
    writeFileSync(DURATIONS, JSON.stringify(durations));
  })
  .compose(spec)
  .pipe(process.stdout);
