// The tarball, installed and run where it is said to run.

import { build } from "esbuild";
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Miniflare } from "miniflare";
import { eventually, summary } from "../worker/support.mjs";
import { edge, root, token } from "./support.mjs";
import { install, run } from "./tarball.mjs";

describe("the tarball", { timeout: 180_000 }, () => {
  let service;
  let installed;
  before(async () => {
    [service, installed] = await Promise.all([edge(), install()]);
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(async () => {
    installed?.remove();
    await service?.stop();
  });

  const node = async (name, text) => {
    const { stdout } = await run(process.execPath, [installed.write(name, text)], { cwd: installed.folder });
    return JSON.parse(stdout);
  };
  /** What a program says that asks a gate. */
  const asking = async () => `
    const gate = createGate({ endpoint: "${service.url}", token: "${await token(service, "cus_ada")}" });
    const first = gate.has("sms");
    gate.waitFor("sms", { timeout: 10_000 }).then(() => {
      console.log(JSON.stringify([first, gate.has("sms"), gate.has("sso"), gate.state, gate.version]));
      gate.close();
    });`;
  const asked = [false, true, false, "ready", 1];

  test("holds what is meant to be there, and no more", () => {
    for (const path of installed.files) assert.match(path, /^(dist\/|package\.json$|README\.md$|LICENSE-)/);
    for (const path of [
      "README.md",
      "LICENSE-MIT",
      "dist/index.js",
      "dist/index.cjs",
      "dist/index.d.ts",
      "dist/index.d.cts",
      "dist/entgate.wasm",
    ]) {
      assert.ok(installed.files.includes(path), path);
    }
    const { dependencies, scripts } = JSON.parse(readFileSync(join(installed.folder, "node_modules/entgate/package.json"), "utf8"));
    assert.deepEqual([dependencies, scripts], [undefined, undefined]);
  });

  test("runs in Node as a module", async () => {
    assert.deepEqual(await node("esm.mjs", `import { createGate } from "entgate"; ${await asking()}`), asked);
  });

  test("runs in Node as CommonJS", async () => {
    assert.deepEqual(await node("cjs.cjs", `const { createGate } = require("entgate"); ${await asking()}`), asked);
  });

  test("is slim where the wasm is brought along, and without it the twin answers", async () => {
    const wasm = `import { createGate as open } from "entgate/slim";
      import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      const bytes = readFileSync(createRequire(import.meta.url).resolve("entgate/entgate.wasm"));
      const createGate = (options) => open({ ...options, wasm: new WebAssembly.Module(bytes) });`;
    assert.deepEqual(await node("slim.mjs", `${wasm} ${await asking()}`), asked);
    assert.deepEqual(await node("twin.cjs", `const { createGate } = require("entgate/slim"); ${await asking()}`), asked);
  });

  test("has answers for tests", async () => {
    const text = `
      const gate = createTestGate({ sms: true });
      const heard = [];
      gate.on("change", (same) => heard.push(same.list()));
      const waiting = gate.waitFor("sso");
      const before = [gate.has("sms"), gate.has("sso"), gate.check("sso").reason];
      gate.set({ sso: true, sms: false });
      gate.become("loading");
      waiting.then((there) => console.log(JSON.stringify({ before, heard, there, after: [gate.has("sso"), gate.check("sso").reason] })));`;
    const expected = { before: [true, false, "not_entitled"], heard: [["sso"], []], there: false, after: [false, "not_known"] };
    const said = await node("testing.mjs", `import { createTestGate } from "entgate/testing"; ${text}`);
    assert.deepEqual(said, { ...expected, there: said.there });
    assert.deepEqual(await node("testing.cjs", `const { createTestGate } = require("entgate/testing"); ${text}`), said);
  });

  test("runs in workerd, where bytes cannot be compiled", async () => {
    const entry = installed.write(
      "worker.mjs",
      `import { createGate } from "entgate";
      import { verifySnapshot, remoteKeys } from "entgate/server";
      export default {
        async fetch(request) {
          const [endpoint, token, snapshot] = await request.json();
          const gate = createGate({ endpoint, token, live: false });
          const there = await gate.waitFor("sms", { timeout: 10_000 });
          const { customer } = await verifySnapshot(snapshot, { keys: remoteKeys(endpoint) });
          return Response.json([there, gate.has("sso"), gate.state, customer]);
        },
      };`,
    );
    const wasm = {
      name: "wasm",
      setup: ({ onResolve }) => onResolve({ filter: /\.wasm$/ }, () => ({ path: "./entgate.wasm", external: true })),
    };
    const bundle = await build({
      entryPoints: [entry],
      bundle: true,
      format: "esm",
      write: false,
      conditions: ["workerd", "worker", "browser"],
      plugins: [wasm],
    });
    const workerd = new Miniflare({
      modules: [
        { type: "ESModule", path: "worker.mjs", contents: bundle.outputFiles[0].text },
        {
          type: "CompiledWasm",
          path: "entgate.wasm",
          contents: readFileSync(join(installed.folder, "node_modules/entgate/dist/entgate.wasm")),
        },
      ],
      compatibilityDate: "2026-04-01",
      host: "127.0.0.1",
    });
    try {
      const { snapshot } = (await service.request("/v1/snapshot?customer=cus_ada")).json;
      const body = JSON.stringify([service.url, await token(service, "cus_ada"), snapshot]);
      const answer = await workerd.dispatchFetch("http://worker/", { method: "POST", body });
      assert.deepEqual(await answer.json(), [true, false, "ready", "cus_ada"]);
      assert.ok(bundle.outputFiles[0].text.includes('from "./entgate.wasm"'), "it took the entry for workerd");
    } finally {
      await workerd.dispose();
    }
  });

  test("has types for every entry, in both kinds of modules, and lookup keys can be typed", async () => {
    const free = `
      import { createGate, type Gate, type Check } from "entgate";
      import { createGate as slim } from "entgate/slim";
      import { createTestGate } from "entgate/testing";
      import { createClient, verifySnapshot, verifyWebhook, remoteKeys } from "entgate/server";
      import { Entitled, GateProvider, useEntitlement, useGate, type Entitlement } from "entgate/react";
      import { define, type EntitledToElement } from "entgate/element";
      import { EntgateProvider } from "entgate/openfeature";
      import type { Provider } from "@openfeature/web-sdk";
      import { createElement } from "react";
      const gate: Gate = createGate({ endpoint: "https://e", token: async () => "t", fallback: { sms: true } });
      const entitled: boolean = gate.has("whatever");
      const check: Check = slim({ endpoint: "https://e" }).check("sms");
      gate.on("change", (same) => same.list());
      gate.on("state", (state) => state === "ready");
      // @ts-expect-error no such event
      gate.on("changed", () => {});
      createTestGate({ sms: entitled }).set({ sms: check.entitled });
      const element: EntitledToElement | null = document.querySelector("entitled-to");
      element?.addEventListener("change", () => [element.entitled, element.feature, element.state]);
      const provider: Provider = new EntgateProvider(gate, { features: ["sms"] });
      new EntgateProvider((customer) => createGate({ endpoint: "https://e", customer }));
      const Part = () => createElement("p", null, (useEntitlement("sms") satisfies Entitlement).reason, useGate()?.version);
      createElement(GateProvider, { gate: () => gate, snapshot: undefined }, createElement(Entitled, { feature: "sms", fallback: "no" }, createElement(Part)));
      void [createClient, verifySnapshot, verifyWebhook, remoteKeys, define, provider];`;
    installed.write("free.mts", free);
    installed.write("free.cts", free);
    const typed = `
      import { createGate } from "entgate";
      import type {} from "entgate/element";
      import type { EntgateProviderOptions } from "entgate/openfeature";
      import type { EntitledProps } from "entgate/react";
      declare module "entgate" { interface Features { sms: true; sso: true } }
      const gate = createGate({ endpoint: "https://e", fallback: { sms: true } });
      gate.has("sms");
      // @ts-expect-error misspelt
      gate.has("smss");
      // @ts-expect-error misspelt
      createGate({ endpoint: "https://e", fallback: { smss: true } });
      const all: EntgateProviderOptions = { features: ["sms"] };
      // @ts-expect-error misspelt
      const other: EntitledProps = { feature: "smss" };
      // @ts-expect-error misspelt
      document.createElement("entitled-to").feature = "smss";`;
    installed.write("typed.mts", typed);
    installed.write("typed.cts", typed);
    // Whoever uses these entries has installed what they are for.
    mkdirSync(join(installed.folder, "node_modules/@types"));
    for (const peer of ["@openfeature", "@types/react", "react"])
      symlinkSync(root(`node_modules/${peer}`), join(installed.folder, "node_modules", peer));
    const tsc = async (module, moduleResolution, files) => {
      const compilerOptions = { module, moduleResolution, target: "es2022", lib: ["es2022", "dom"], types: [], strict: true, noEmit: true };
      const project = installed.write("tsconfig.json", JSON.stringify({ compilerOptions, files }));
      await run(process.execPath, [root("node_modules/typescript/bin/tsc"), "-p", project]).catch(({ stdout }) =>
        assert.fail(`${files} ${module}\n${stdout}`),
      );
    };
    // What is added to a module is added to the whole program.
    for (const files of [["free.mts", "free.cts"], ["typed.mts"], ["typed.cts"]]) await tsc("nodenext", "nodenext", files);
    await tsc("esnext", "bundler", ["free.mts"]);
    await tsc("esnext", "bundler", ["typed.mts"]);
  });

  test("publint and arethetypeswrong find nothing", async () => {
    const failed = ({ stdout, stderr }) => assert.fail(stdout + stderr);
    await run(process.execPath, [root("node_modules/publint/src/cli.js"), "run", "--strict", installed.tarball]).catch(failed);
    await run(process.execPath, [
      root("node_modules/@arethetypeswrong/cli/dist/index.js"),
      installed.tarball,
      "--exclude-entrypoints",
      "entgate.wasm",
    ]).catch(failed);
  });
});
