// The tarball in pages of webpack, with no plugin, no loader and no option except the paths.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import webpack from "webpack";
import { launchBrowser } from "../worker/browser.mjs";
import { assertPageFollowsChanges, NO_WASM_POLICY, serveFiles } from "./pages.mjs";
import { serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

/**
 * Builds, and returns the errors and warnings.
 *
 * @param {import("webpack").Configuration} options
 */
const build = (options) =>
  new Promise((resolve, reject) => {
    webpack(options, (error, stats) => (error ? reject(error) : resolve(stats?.toJson({ all: false, errors: true, warnings: true }))));
  });

describe("in webpack", { timeout: 60_000 }, () => {
  let service;
  let installed;
  let browser;
  let problems;
  let built;
  let strict;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install("webpack"), launchBrowser()]);
    const output = { path: join(installed.folder, "dist") };
    problems = await build({ mode: "production", context: installed.folder, entry: "./page.js", output });
    [built, strict] = await Promise.all([serveFiles(installed.folder), serveFiles(installed.folder, { policy: NO_WASM_POLICY })]);
  });
  after(async () => {
    await browser?.close();
    await Promise.all([built?.stop(), strict?.stop()]);
    installed?.remove();
    await service?.stop();
  });
  /** Returns the number of wasm instances that the page created. */
  const open = (url, customer) => assertPageFollowsChanges(service, browser, url, customer);

  test("a page is built without a warning, and answers from wasm", async () => {
    assert.deepEqual(problems, { errors: [], warnings: [] });
    assert.equal(await open(built.url, "cus_built"), 1);
  });

  test("a page whose policy forbids wasm has the same answers from JavaScript", async () => {
    assert.equal(await open(strict.url, "cus_strict"), 0);
  });

  test("a page with the wasm as a file answers from that file", async () => {
    assert.equal(await open(`${built.url}?slim`, "cus_slim"), 1);
  });
});
