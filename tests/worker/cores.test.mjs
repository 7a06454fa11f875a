// The two cores of the Worker: the larger one is compiled when it is first needed, and a trap of either ends no more
// than the requests that it was answering. The cores that trap are the built ones, with a counter before some exports.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import binaryen from "binaryen";
import { eventually, KEY, serve, summary } from "./support.mjs";
import { repositoryPath } from "./worker-modules.mjs";

/** @import { Service } from "./support.mjs" */

/** @param {string} name */
const readCore = (name) => readFileSync(repositoryPath(`build/${name}.wasm`));

/**
 * A core of which one call traps: the call of this number, counted in each instance over all exports with such a name.
 *
 * @param {string} core
 * @param {RegExp} name The names of the exports.
 * @param {number} number
 */
function withTrap(core, name, number) {
  const module = binaryen.readBinary(readCore(core));
  module.setFeatures(binaryen.Features.All);
  const exports = Array.from({ length: module.getNumExports() }, (_, index) => binaryen.getExportInfo(module.getExportByIndex(index)));
  const matching = exports.filter((found) => found.kind === binaryen.ExternalFunction && name.test(found.name));
  if (!matching.length) throw new Error(`${core} has no export ${name}`);
  module.addGlobal("calls", binaryen.i32, true, module.i32.const(0));
  for (const { name: exported, value } of matching) {
    const { params, results } = binaryen.getFunctionInfo(module.getFunction(value));
    const calls = () => module.global.get("calls", binaryen.i32);
    const args = binaryen.expandType(params).map((type, position) => module.local.get(position, type));
    const trapping = `trapping ${exported}`;
    module.addFunction(
      trapping,
      params,
      results,
      [],
      module.block(null, [
        module.global.set("calls", module.i32.add(calls(), module.i32.const(1))),
        module.if(module.i32.eq(calls(), module.i32.const(number)), module.unreachable()),
        module.call(value, args, results),
      ]),
    );
    module.removeExport(exported);
    module.addFunctionExport(trapping, exported);
  }
  const binary = new Uint8Array(module.emitBinary());
  module.dispose();
  return { [core]: binary };
}

/** The statuses of this many fresh checks, one after the other. @param {Service} service @param {number} count */
async function freshChecks(service, count) {
  const statuses = [];
  for (let number = 0; number < count; number += 1) {
    const { status, json } = await service.check("cus_ada", "sms", { fresh: true });
    if (status === 200) assert.equal(json.entitled, true);
    statuses.push(status);
  }
  return statuses;
}

test("a check on the fast path does not compile the larger core", async () => {
  const folder = mkdtempSync(join(tmpdir(), "entgate-"));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const complete = await serve({ folder });
  await complete.send(summary("cus_ada", ["sms"]));
  await eventually(async () => assert.ok(await complete.replicaRecord("cus_ada")));
  await complete.stop();

  const service = await serve({ folder, log: [], cores: { worker: readCore("worker").subarray(0, 1_000) } });
  try {
    const { status, json } = await service.check("cus_ada", "sms");
    assert.deepEqual([status, json.entitled, json.served_by], [200, true, "replica"]);
    assert.equal((await service.check("cus_ada", "sms", { fresh: true })).status, 500, "the slow path needs it");
    assert.equal((await service.check("cus_ada", "sms")).status, 200);
  } finally {
    await service.stop();
  }
});

describe("a trap fails the requests that wait, and the next one is answered by a new instance", { timeout: 120_000 }, () => {
  /**
   * With the number of requests in a row that may fail. Work in the background waits too: if it traps, the request of that moment fails.
   *
   * @type {[string, string, RegExp, number, number][]}
   */
  const TRAPS = [
    ["the slow path", "worker", /^fetch$/, 3, 1],
    ["work after an await", "worker", /^wasm_bindgen__convert__closures_+invoke__/, 100, 2],
    ["a ledger", "worker", /^ledgerobject_request$/, 3, 1],
  ];
  for (const [where, core, name, number, failures] of TRAPS) {
    test(`in ${where}`, async () => {
      const service = await serve({ log: [], cores: withTrap(core, name, number) });
      try {
        const event = summary("cus_ada", ["sms"]);
        await eventually(async () => assert.equal((await service.send(event)).status, 200));
        const statuses = await freshChecks(service, 40);
        assert.ok(statuses.includes(200) && statuses.some((status) => status >= 500), `${statuses}`);
        for (let index = 0; index + failures < statuses.length; index += 1) {
          assert.ok(statuses.slice(index, index + failures + 1).includes(200), `the requests after a trap: ${statuses}`);
        }
        // The event was stored once.
        assert.equal((await service.send(event)).json.outcome, "duplicate");
      } finally {
        await service.stop();
      }
    });
  }

  test("a request that waits while another one traps fails too, instead of never", async () => {
    const service = await serve({ log: [], cores: withTrap("worker", /^fetch$/, 3) });
    try {
      await eventually(async () => assert.equal((await service.send(summary("cus_ada", ["sms"]))).status, 200));
      // The Worker waits for the rest of this body. The head is sent once the first part is pulled.
      const { promise: sent, resolve: onSent } = Promise.withResolvers();
      const pull = (/** @type {ReadableStreamDefaultController} */ controller) => {
        controller.enqueue(new TextEncoder().encode("customer="));
        onSent(undefined);
        return new Promise(() => {});
      };
      const body = new ReadableStream({ pull }, { highWaterMark: 0 });
      /** @type {RequestInit & { duplex: "half" }} */
      const post = { method: "POST", body, headers: { authorization: `Bearer ${KEY}` }, duplex: "half" };
      const waiting = fetch(new URL("/v1/customers/cus_ada/sync", service.url), post);
      await sent;
      assert.deepEqual((await freshChecks(service, 3)).sort(), [200, 200, 500]);
      assert.equal((await waiting).status, 500);
    } finally {
      await service.stop();
    }
  });

  test("in the fast path", async () => {
    const service = await serve({ log: [], cores: withTrap("fast_path", /^lookup$/, 3) });
    try {
      await service.send(summary("cus_ada", ["sms"]));
      await eventually(async () => assert.ok(await service.replicaRecord("cus_ada")));
      const statuses = [];
      for (let count = 0; count < 6; count += 1) statuses.push((await service.check("cus_ada", "sms")).status);
      assert.deepEqual(statuses, [200, 200, 500, 200, 200, 500]);
    } finally {
      await service.stop();
    }
  });
});
