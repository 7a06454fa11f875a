// The tarball in pages of Vite, with no plugin and no option: served as they are written, and built.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { build, createServer } from "vite";
import { browse } from "../worker/browser.mjs";
import { files, open, STRICT } from "./pages.mjs";
import { edge } from "./support.mjs";
import { install } from "./tarball.mjs";

describe("in Vite", { timeout: 60_000 }, () => {
  let service;
  let installed;
  let browser;
  let built;
  let strict;
  let dev;
  before(async () => {
    [service, installed, browser] = await Promise.all([edge(), install("vite"), browse()]);
    const vite = { root: installed.folder, configFile: false, logLevel: "warn" };
    await build(vite);
    const folder = join(installed.folder, "dist");
    [built, strict] = await Promise.all([files(folder), files(folder, { policy: STRICT })]);
    dev = await createServer({ ...vite, server: { host: "127.0.0.1", port: 0 } });
    await dev.listen();
  });
  after(async () => {
    await browser?.close();
    await Promise.all([dev?.close(), built?.stop(), strict?.stop()]);
    installed?.remove();
    await service?.stop();
  });

  const opens = (url, customer) => open(service, browser, url, customer);

  test("a page of the dev server answers from wasm", async () => {
    assert.equal(await opens(dev.resolvedUrls.local[0], "cus_dev"), 1);
  });

  test("a built page answers from wasm", async () => {
    assert.equal(await opens(built.url, "cus_built"), 1);
  });

  test("a built page whose policy forbids wasm has the same answers from the twin", async () => {
    assert.equal(await opens(strict.url, "cus_strict"), 0);
  });

  test("a page of React answers from wasm, in both", async () => {
    assert.equal(await opens(`${dev.resolvedUrls.local[0]}?react`, "cus_dev_react"), 1);
    assert.equal(await opens(`${built.url}?react`, "cus_built_react"), 1);
  });

  test("a page that brings the wasm as a file answers from that, in both", async () => {
    assert.equal(await opens(`${dev.resolvedUrls.local[0]}?slim`, "cus_dev_slim"), 1);
    assert.equal(await opens(`${built.url}?slim`, "cus_built_slim"), 1);
  });
});
