// The core and its twin: the same vectors, and both against each other.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import { root, source } from "./support.mjs";

const vectors = JSON.parse(readFileSync(root("tests/fixtures/client.json"), "utf8"));

/** The lines of a set by their kind: the kinds stand in no order. */
const sorted = (lines) => lines && Object.entries(Object.groupBy?.(lines.split("\n"), (line) => line[0] ?? "") ?? group(lines)).sort();
const group = (lines) => {
  const groups = {};
  for (const line of lines.split("\n")) (groups[line[0] ?? ""] ??= []).push(line);
  return groups;
};

describe("the core", () => {
  let wasm;
  let twin;
  before(async () => {
    ({ twin } = await source("core/js-core.ts"));
    const { core } = await source("core/wasm-core.ts");
    wasm = core(() => new WebAssembly.Module(readFileSync(root("www/npm/dist/entgate.wasm"))));
    assert.ok(wasm.verify, "the wasm was compiled");
  });

  test("both read what was said as the vectors have it", () => {
    let unseen = 0;
    for (const { why, said, lines, twin: differs } of vectors.reads) {
      assert.equal(wasm.read(said), lines ?? undefined, why);
      if (differs) {
        // JSON.parse cannot tell, and takes what the core refuses.
        assert.notEqual(twin.read(said), undefined, why);
        unseen += 1;
      } else assert.deepEqual(sorted(twin.read(said)), sorted(lines ?? undefined), why);
    }
    assert.equal(unseen, 4);
  });

  test("both answer as the vectors have it", () => {
    for (const { why, held, feature, now, answer } of vectors.checks) {
      assert.equal(wasm.check(held, feature, now), answer, why);
      assert.equal(twin.check(held, feature, now), answer, `${why}, twin`);
    }
  });

  test("what is longer than the core's memory is the twin's to read", () => {
    const entitlements = Array.from({ length: 60_000 }, (_, at) => `feature_number_${at}`);
    const said = JSON.stringify([{ version: 1, exp: 9, entitlements }]);
    assert.ok(said.length > 1 << 20);
    assert.deepEqual(sorted(wasm.read(said)), sorted(twin.read(said)));
    assert.equal(wasm.read(said).split("\n").length, 60_003);
  });

  test("what Node signs is genuine, whatever its length, and one changed byte is not", () => {
    for (let length = 0; length < 300; length += 7) {
      const { privateKey, publicKey } = generateKeyPairSync("ed25519");
      const key = Buffer.from(publicKey.export({ format: "jwk" }).x, "base64url");
      const message = Buffer.alloc(length, "entgate");
      const signature = sign(null, message, privateKey);
      assert.equal(wasm.verify(key, signature, message), true, `${length} bytes`);
      signature[length % 64] ^= 1;
      assert.equal(wasm.verify(key, signature, message), false, `${length} bytes, changed`);
    }
  });

  test("a key or a signature of another length proves nothing", () => {
    const bytes = (length) => new Uint8Array(length);
    for (const [key, signature] of [
      [31, 64],
      [33, 64],
      [32, 63],
      [32, 65],
      [0, 0],
    ]) {
      assert.equal(wasm.verify(bytes(key), bytes(signature), bytes(1)), false);
    }
    assert.equal(wasm.verify(bytes(32), bytes(64), bytes(1 << 20)), false);
  });

  test("where no wasm can be compiled the twin answers, and believes no signature", async () => {
    const { core } = await source("core/wasm-core.ts");
    const refused = core(() => {
      throw new WebAssembly.CompileError("unsafe-eval");
    });
    assert.equal(refused.verify, undefined);
    assert.equal(refused.check("v1\ne9\n+sms\n", "sms", 8), 1);
  });
});
