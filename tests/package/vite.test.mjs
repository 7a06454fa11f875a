// The tarball in pages of Vite, with no plugin and no option: in the dev server, and built.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { build, createServer } from "vite";
import { launchBrowser } from "../worker/browser.mjs";
import { assertPageFollowsChanges, NO_WASM_POLICY, serveFiles } from "./pages.mjs";
import { serveEdge } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in Vite", { timeout: 60_000 }, () => {
  let service;
  let installed;
  let browser;
  let built;
  let strict;
  let dev;
  before(async () => {
    [service, installed, browser] = await Promise.all([serveEdge(), install("vite"), launchBrowser()]);
    const config = { root: installed.folder, configFile: /** @type {const} */ (false), logLevel: /** @type {const} */ ("warn") };
    await build(config);
    const folder = join(installed.folder, "dist");
    [built, strict] = await Promise.all([serveFiles(folder), serveFiles(folder, { policy: NO_WASM_POLICY })]);
    dev = await createServer({ ...config, server: { host: "127.0.0.1", port: 0 } });
    await dev.listen();
  });
  after(async () => {
    await browser?.close();
    await Promise.all([dev?.close(), built?.stop(), strict?.stop()]);
    installed?.remove();
    await service?.stop();
  });

  /** Returns the number of wasm instances that the page created. */
  const open = (url, customer) => assertPageFollowsChanges(service, browser, url, customer);

  test("a page of the dev server answers from wasm", async () => {
    assert.equal(await open(dev.resolvedUrls.local[0], "cus_dev"), 1);
  });

  test("a built page answers from wasm", async () => {
    assert.equal(await open(built.url, "cus_built"), 1);
  });

  test("a built page whose policy forbids wasm has the same answers from JavaScript", async () => {
    assert.equal(await open(strict.url, "cus_strict"), 0);
  });

  test("a React page answers from wasm, in the dev server and built", async () => {
    assert.equal(await open(`${dev.resolvedUrls.local[0]}?react`, "cus_dev_react"), 1);
    assert.equal(await open(`${built.url}?react`, "cus_built_react"), 1);
  });

  test("a page with the wasm as a file answers from that file, in the dev server and built", async () => {
    assert.equal(await open(`${dev.resolvedUrls.local[0]}?slim`, "cus_dev_slim"), 1);
    assert.equal(await open(`${built.url}?slim`, "cus_built_slim"), 1);
  });
});
