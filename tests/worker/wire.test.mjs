// The strings between the fast path and JavaScript: the vectors of tests/vectors, which the native tests read too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decodeEvent, decodeReceipt, decodeRecordKey, decodeResponse } from "../../src/worker/wire.js";

const vectors = JSON.parse(readFileSync(new URL("../vectors/fast-path.json", import.meta.url), "utf8"));

/** A string of a vector. @param {string | (string | [string, number])[]} value @returns {string} */
const expand = (value) =>
  [value]
    .flat()
    .map((part) => (typeof part === "string" ? part : part[0].repeat(part[1])))
    .join("");

test("a query contains the key of its record", () => {
  for (const { why, encoded, record_key } of vectors.queries) assert.equal(decodeRecordKey(expand(encoded)), expand(record_key), why);
});

test("an event contains the customer's key and the ledger request", () => {
  for (const { why, encoded, key, message } of vectors.events) {
    assert.deepEqual(decodeEvent(expand(encoded)), { key: expand(key), message: expand(message) }, why);
  }
});

test("a response has the encoded status, headers and body, and the id of the request", async () => {
  for (const { why, encoded, status, headers, body } of [...vectors.answers, ...vectors.responses]) {
    const response = decodeResponse(expand(encoded), "req_0123456789abcdef");
    const expected = Object.entries(headers).map(([name, value]) => [name, expand(value)]);
    assert.equal(response.status, status, why);
    const added = { "request-id": "req_0123456789abcdef", "x-content-type-options": "nosniff" };
    assert.deepEqual(Object.fromEntries(response.headers), { ...Object.fromEntries(expected), ...added }, why);
    assert.equal(await response.text(), body, why);
  }
});

test("a receipt is the body of a 200, and of no other status", () => {
  assert.equal(decodeReceipt('200\n{"outcome":"applied","version":1}'), '{"outcome":"applied","version":1}');
  for (const response of ["500\nout of memory", "503\nwritten by a newer release", "200", ""])
    assert.equal(decodeReceipt(response), undefined);
});

test("the marker tells a query, an event and a response apart", () => {
  for (const { encoded } of vectors.queries) assert.equal(decodeEvent(expand(encoded)), undefined);
  for (const { encoded } of vectors.events) assert.equal(decodeRecordKey(expand(encoded)), undefined);
  for (const { encoded } of [...vectors.answers, ...vectors.responses]) {
    assert.deepEqual([decodeRecordKey(expand(encoded)), decodeEvent(expand(encoded))], [undefined, undefined]);
  }
});
