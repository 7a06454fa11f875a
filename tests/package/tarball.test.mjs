// The tarball, installed and run in each runtime that it supports, and its types.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { summary } from "../worker/support.mjs";
import { createToken, root, serveEdge } from "./support.mjs";
import { install, run } from "./tarball.mjs";

describe("the tarball", { timeout: 180_000 }, () => {
  let service;
  let installed;
  before(async () => {
    [service, installed] = await Promise.all([serveEdge(), install()]);
    await service.send(summary("cus_ada", ["sms"]));
  });
  after(async () => {
    installed?.remove();
    await service?.stop();
  });

  const runNode = async (name, text) => {
    const { stdout } = await run(process.execPath, [installed.write(name, text)], { cwd: installed.folder });
    return JSON.parse(stdout);
  };
  /** A program that prints the answers of a gate. */
  const program = async () => `
    const gate = createGate({ endpoint: "${service.url}", token: "${await createToken(service, "cus_ada")}" });
    const first = gate.has("sms");
    gate.waitFor("sms", { timeout: 10_000 }).then(() => {
      console.log(JSON.stringify([first, gate.has("sms"), gate.has("sso"), gate.state, gate.version]));
      gate.close();
    });`;
  const answers = [false, true, false, "ready", 1];

  test("contains the expected files only", () => {
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
    assert.deepEqual(await runNode("esm.mjs", `import { createGate } from "entgate"; ${await program()}`), answers);
  });

  test("runs in Node as CommonJS", async () => {
    assert.deepEqual(await runNode("cjs.cjs", `const { createGate } = require("entgate"); ${await program()}`), answers);
  });

  test("runs with the wasm as a file, and without it answers from JavaScript", async () => {
    const wasm = `import { createGate as open } from "entgate/slim";
      import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      const bytes = readFileSync(createRequire(import.meta.url).resolve("entgate/entgate.wasm"));
      const createGate = (options) => open({ ...options, wasm: new WebAssembly.Module(bytes) });`;
    assert.deepEqual(await runNode("slim.mjs", `${wasm} ${await program()}`), answers);
    assert.deepEqual(await runNode("js-core.cjs", `const { createGate } = require("entgate/slim"); ${await program()}`), answers);
  });

  test("has a gate for tests", async () => {
    const text = `
      const gate = createTestGate({ sms: true });
      const lists = [];
      gate.on("change", (same) => lists.push(same.list()));
      const waiting = gate.waitFor("sso");
      const before = [gate.has("sms"), gate.has("sso"), gate.check("sso").reason];
      gate.set({ sso: true, sms: false });
      gate.become("loading");
      waiting.then((granted) => console.log(JSON.stringify({ before, lists, granted, after: [gate.has("sso"), gate.check("sso").reason] })));`;
    const expected = { before: [true, false, "not_entitled"], lists: [["sso"], []], granted: false, after: [false, "not_known"] };
    const result = await runNode("testing.mjs", `import { createTestGate } from "entgate/testing"; ${text}`);
    assert.deepEqual(result, { ...expected, granted: result.granted });
    assert.deepEqual(await runNode("testing.cjs", `const { createTestGate } = require("entgate/testing"); ${text}`), result);
  });

  test("runs in workerd, which cannot compile bytes", async () => {
    const entry = installed.write(
      "worker.mjs",
      `import { createGate } from "entgate";
      import { verifySnapshot, remoteKeys } from "entgate/server";
      export default {
        async fetch(request) {
          const [endpoint, token, snapshot] = await request.json();
          const gate = createGate({ endpoint, token, live: false });
          const granted = await gate.waitFor("sms", { timeout: 10_000 });
          const { customer } = await verifySnapshot(snapshot, { keys: remoteKeys(endpoint), livemode: false });
          return Response.json([granted, gate.has("sso"), gate.state, customer]);
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
    const options = convertV4MiniflareOptions({
      modules: [
        { type: "ESModule", path: "worker.mjs", contents: bundle.outputFiles[0].text },
        {
          type: "CompiledWasm",
          path: "entgate.wasm",
          contents: readFileSync(join(installed.folder, "node_modules/entgate/dist/entgate.wasm")),
        },
      ],
      compatibilityDate: "2026-11-17",
      host: "127.0.0.1",
    });
    const workerd = new Miniflare(options);
    try {
      const { snapshot } = (await service.request("/v1/snapshot?customer=cus_ada")).json;
      const body = JSON.stringify([service.url, await createToken(service, "cus_ada"), snapshot]);
      const response = await workerd.dispatchFetch("http://worker/", { method: "POST", body });
      assert.deepEqual(await response.json(), [true, false, "ready", "cus_ada"]);
      assert.ok(bundle.outputFiles[0].text.includes('from "./entgate.wasm"'), "the bundle has the entry for workerd");
    } finally {
      await workerd.dispose();
    }
  });

  test("has types for every entry, as a module and as CommonJS, and for lookup keys", async () => {
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
      const client = createClient({ endpoint: "https://e", key: "sk_test_key", timeout: 500 });
      client.check({ customer: "cus_ada", feature: "sms" }).then((one) => one.entitled);
      client.check({ customer: "cus_ada", feature: ["sms", "sso"] as const }).then((all) => all.map(({ entitled }) => entitled));
      const until: Promise<number | null> = client.overrides
        .create("cus_ada", { feature: "sms", effect: "grant", reason: "trial", expiresIn: 60 })
        .then((override) => override.expires_at);
      client.overrides.update("cus_ada", "ovr_1", { expiresAt: null, metadata: { ticket: null } });
      // @ts-expect-error no such effect
      client.overrides.create("cus_ada", { feature: "sms", effect: "allow", reason: "trial" });
      // @ts-expect-error an end and a duration
      client.overrides.create("cus_ada", { feature: "sms", effect: "grant", reason: "trial", expiresAt: 1, expiresIn: 1 });
      const changed = async () => {
        for await (const { cause, added } of client.history("cus_ada", { created: { gte: 1 } })) return [cause.type, added?.length];
      };
      client.list("cus_ada", { limit: 100 }).then(({ data, has_more }) => has_more || data.map((row) => row.lookup_key));
      client.sync("cus_ada", { feature: "sms", wait: 10 }).then((set) => set.entitled === true);
      client.explain({ customer: "cus_ada", feature: "sms" }).then(({ contributions }) => {
        for (const part of contributions) if (part.type === "override") return part.override.reason;
      });
      verifySnapshot("", { keys: [], livemode: false });
      createElement(Entitled, { feature: "sms", loading: "wait" });
      createElement(GateProvider, { gate, livemode: false });
      const pending: boolean | undefined = document.querySelector("entitled-to")?.pending;
      void [pending, until, changed, createClient, verifySnapshot, verifyWebhook, remoteKeys, define, provider];`;
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
      // @ts-expect-error unknown key
      gate.has("smss");
      // @ts-expect-error unknown key
      createGate({ endpoint: "https://e", fallback: { smss: true } });
      const all: EntgateProviderOptions = { features: ["sms"] };
      // @ts-expect-error unknown key
      const other: EntitledProps = { feature: "smss" };
      // @ts-expect-error unknown key
      document.createElement("entitled-to").feature = "smss";`;
    installed.write("typed.mts", typed);
    installed.write("typed.cts", typed);
    // The peer dependencies of these entries.
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
    // One program each: an added member is visible in the whole program.
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
