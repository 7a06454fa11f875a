// The package at the top level of a Worker: what one request began must not stop the next one. A request that ends takes its
// timers and connections with it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { build } from "esbuild";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { KEY, summary } from "../worker/support.mjs";
import { createToken, root, serveEdge } from "./support.mjs";

describe("in a Worker", { timeout: 90_000 }, () => {
  let service;
  let workerd;
  let snapshot;
  before(async () => {
    service = await serveEdge();
    await service.send(summary("cus_ada", ["sms"]));
    ({ snapshot } = (await service.request("/v1/snapshot?customer=cus_ada")).json);
    const endpoint = JSON.stringify(service.url.origin);
    const contents = `
      import { createGate } from "./www/npm/dist/index.workerd.js";
      import { createClient, remoteKeys, verifySnapshot } from "./www/npm/dist/server.js";
      const client = createClient({ endpoint: ${endpoint}, key: "${KEY}" });
      const keys = remoteKeys(${endpoint});
      const gate = createGate({ endpoint: ${endpoint}, token: async () => "${await createToken(service, "cus_ada")}", live: false });
      const operations = {
        check: async () => (await client.check({ customer: "cus_ada", feature: "sms", fresh: true })).entitled,
        verify: async (snapshot) => (await verifySnapshot(snapshot, { keys, livemode: false })).has("sms"),
        refresh: async () => { await gate.refresh(); return gate.has("sms"); },
        wait: () => gate.waitFor("sms", { timeout: 5_000 }),
      };
      export default { async fetch(request) {
        const { operation, forgets } = Object.fromEntries(new URL(request.url).searchParams);
        const answer = operations[operation](await request.text());
        if (forgets) { answer.catch(() => {}); return Response.json("went on"); }
        try { return Response.json(await answer); } catch (error) { return Response.json(String(error)); }
      } };`;
    const external = ["./entgate.wasm"];
    const { outputFiles } = await build({
      stdin: { contents, resolveDir: root("") },
      bundle: true,
      format: "esm",
      write: false,
      external,
      logLevel: "error",
    });
    const options = convertV4MiniflareOptions({
      modules: [
        { type: "ESModule", path: "worker.mjs", contents: outputFiles[0].text },
        { type: "CompiledWasm", path: "entgate.wasm", contents: readFileSync(root("www/npm/dist/entgate.wasm")) },
      ],
      compatibilityDate: "2026-11-17",
      host: "127.0.0.1",
    });
    workerd = new Miniflare(options);
    await workerd.ready;
  });
  after(async () => {
    await workerd?.dispose();
    await service?.stop();
  });

  const ask = async (operation, more = "") => {
    const url = new URL(`/?operation=${operation}${more}`, await workerd.ready);
    const response = await fetch(url, { method: "POST", body: snapshot, signal: AbortSignal.timeout(10_000) });
    return response.json();
  };

  for (const operation of ["check", "verify", "refresh", "wait"]) {
    test(`${operation}: a request that does not wait for its answer does not stop the next ones`, async () => {
      assert.equal(await ask(operation, "&forgets=yes"), "went on");
      assert.deepEqual(await Promise.all([1, 2, 3].map(() => ask(operation))), [true, true, true]);
      assert.equal(await ask(operation, "&forgets=yes"), "went on");
      assert.equal(await ask(operation), true);
    });
  }
});
