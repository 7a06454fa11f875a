// The tarball in pages of webpack, with no plugin, no loader and no option but where things are.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import webpack from "webpack";
import { browse } from "../worker/browser.mjs";
import { files, open, STRICT } from "./pages.mjs";
import { edge } from "./support.mjs";
import { install } from "./tarball.mjs";

/** Builds, and gives what was complained of. */
const build = (options) =>
  new Promise((resolve, reject) => {
    webpack(options, (error, stats) => (error ? reject(error) : resolve(stats.toJson({ all: false, errors: true, warnings: true }))));
  });

describe("in webpack", { timeout: 60_000 }, () => {
  let service;
  let installed;
  let browser;
  let complaints;
  let built;
  let strict;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install("webpack"), browse()]);
    const output = { path: join(installed.folder, "dist") };
    complaints = await build({ mode: "production", context: installed.folder, entry: "./page.js", output });
    [built, strict] = await Promise.all([files(installed.folder), files(installed.folder, { policy: STRICT })]);
  });
  after(async () => {
    await browser?.close();
    await Promise.all([built?.stop(), strict?.stop()]);
    installed?.remove();
    await service?.stop();
  });
  const opens = (url, customer) => open(service, browser, url, customer);

  test("a page is built without a complaint, and answers from wasm", async () => {
    assert.deepEqual(complaints, { errors: [], warnings: [] });
    assert.equal(await opens(built.url, "cus_built"), 1);
  });

  test("a page whose policy forbids wasm has the same answers from the twin", async () => {
    assert.equal(await opens(strict.url, "cus_strict"), 0);
  });

  test("a page that brings the wasm as a file answers from that", async () => {
    assert.equal(await opens(`${built.url}?slim`, "cus_slim"), 1);
  });
});
