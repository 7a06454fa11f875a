// The Rust core and the core in JavaScript: both against the shared test vectors, and against each other.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { importSource, root } from "./support.mjs";

const vectors = JSON.parse(readFileSync(root("tests/fixtures/gate.json"), "utf8"));

/**
 * Groups the lines of a set by their kind: the order of the kinds is not specified.
 *
 * @param {string | undefined} set
 */
function groupLines(set) {
  if (set === undefined) return undefined;
  /** @type {Record<string, string[]>} */
  const groups = {};
  for (const line of set.split("\n")) {
    const kind = line[0] ?? "";
    groups[kind] ??= [];
    groups[kind].push(line);
  }
  return Object.entries(groups).sort();
}

describe("the core", () => {
  let wasmCore;
  let jsCore;
  before(async () => {
    ({ jsCore } = await importSource("core/js-core.ts"));
    const { createWasmCore } = await importSource("core/wasm-core.ts");
    wasmCore = createWasmCore(() => new WebAssembly.Module(readFileSync(root("www/npm/dist/entgate.wasm"))));
    assert.ok(wasmCore.verify, "the wasm was compiled");
  });

  test("both cores load the messages of the vectors into the expected sets", () => {
    let undetected = 0;
    for (const { why, messages, lines, accepted_by_js: reason } of vectors.replays) {
      assert.equal(wasmCore.load(messages), lines ?? undefined, why);
      if (reason) {
        // JSON.parse does not report the error, so the core in JavaScript accepts the messages.
        assert.notEqual(jsCore.load(messages), undefined, why);
        undetected += 1;
      } else assert.deepEqual(groupLines(jsCore.load(messages)), groupLines(lines ?? undefined), why);
    }
    assert.equal(undetected, 4);
  });

  test("both cores return the decisions of the vectors", () => {
    for (const { why, set, feature, now, answer } of vectors.checks) {
      assert.equal(wasmCore.check(set, feature, now), answer, why);
      assert.equal(jsCore.check(set, feature, now), answer, `${why}, in JavaScript`);
    }
  });

  test("messages that are larger than the buffer of the wasm are loaded in JavaScript", () => {
    const entitlements = Array.from({ length: 60_000 }, (_, at) => `feature_number_${at}`);
    const messages = JSON.stringify([{ version: 1, exp: 9, entitlements }]);
    assert.ok(messages.length > 1 << 20);
    assert.deepEqual(groupLines(wasmCore.load(messages)), groupLines(jsCore.load(messages)));
    assert.equal(wasmCore.load(messages).split("\n").length, 60_003);
  });

  test("signatures of Node are valid for messages of any length, and invalid after one byte changes", () => {
    for (let length = 0; length < 300; length += 7) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      const key = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url");
      const message = Buffer.alloc(length, "entgate");
      const signature = sign(null, message, privateKey);
      assert.equal(wasmCore.verify(key, signature, message), true, `${length} bytes`);
      signature[length % 64] ^= 1;
      assert.equal(wasmCore.verify(key, signature, message), false, `${length} bytes, changed`);
    }
  });

  test("a key, signature or message of an invalid length is not verified", () => {
    const bytes = (length) => new Uint8Array(length);
    for (const [key, signature] of [
      [31, 64],
      [33, 64],
      [32, 63],
      [32, 65],
      [0, 0],
    ]) {
      assert.equal(wasmCore.verify(bytes(key), bytes(signature), bytes(1)), false);
    }
    assert.equal(wasmCore.verify(bytes(32), bytes(64), bytes(1 << 20)), false);
  });

  test("where wasm cannot be compiled the core in JavaScript answers, and verifies no signature", async () => {
    const { createWasmCore } = await importSource("core/wasm-core.ts");
    const core = createWasmCore(() => {
      throw new WebAssembly.CompileError("unsafe-eval");
    });
    assert.equal(core.verify, undefined);
    assert.equal(core.check("v1\ne9\n+sms\n", "sms", 8), 1);
  });
});
