// What a question costs, in one run: `has()` of the gate, and what else could be asked in its place. Ratios, since
// machines differ: a JavaScript Set is 1.
//
//   scripts/npm.sh && node benches/has.mjs

import { InMemoryProvider, OpenFeature } from "@openfeature/web-sdk";
import { createGate } from "../www/npm/dist/index.js";
import { createGate as slim } from "../www/npm/dist/slim.js";

const KEYS = Array.from({ length: 50 }, (_, at) => `feature_${at}`);
const ASKED = [...KEYS.slice(0, 20), ...Array.from({ length: 20 }, (_, at) => `other_${at}`)];
const ROUNDS = 25_000;
const RUNS = 9;

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const snapshot = `${encoded({})}.${encoded({ version: 1, exp: 4_000_000_000, entitlements: KEYS })}.`;
const given = { endpoint: "https://entgate.invalid", snapshot };

const flag = { variants: { on: true, off: false }, defaultVariant: "on", disabled: false };
await OpenFeature.setProviderAndWait(new InMemoryProvider(Object.fromEntries(KEYS.map((key) => [key, flag]))));
const client = OpenFeature.getClient();
OpenFeature.setLogger({ error() {}, warn() {}, info() {}, debug() {} });

const set = new Set(KEYS);
const gate = createGate(given);
const twin = slim(given);
const ways = [
  ["a JavaScript Set", (key) => set.has(key), ROUNDS],
  ["entgate: has(), wasm", (key) => gate.has(key), ROUNDS],
  ["entgate: has(), twin", (key) => twin.has(key), ROUNDS],
  ["OpenFeature's web SDK, a provider in memory", (key) => client.getBooleanValue(key, false), ROUNDS / 100],
];

/** Nanoseconds a question, in this run. */
function measure(ask, rounds) {
  let granted = 0;
  const began = process.hrtime.bigint();
  for (let round = 0; round < rounds; round++) for (const key of ASKED) granted += ask(key);
  const took = Number(process.hrtime.bigint() - began) / (rounds * ASKED.length);
  if (granted !== rounds * 20) throw new Error(`${granted} of ${rounds * 20} were granted`);
  return took;
}

const taken = ways.map(() => []);
// In turns, so that what else the machine does meets all of them; the first one warms up.
for (let run = 0; run <= RUNS; run++) ways.forEach(([, ask, rounds], way) => run ? taken[way].push(measure(ask, rounds)) : measure(ask, rounds));
const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const medians = taken.map(median);
console.table(Object.fromEntries(ways.map(([name], way) => [name, { "ns a question": +medians[way].toFixed(1), "times a Set": +(medians[way] / medians[0]).toFixed(1) }])));

// The first question about a feature crosses to the core; the next ones are remembered until the set changes.
const first = Array.from({ length: 500 }, (_, at) => {
  const began = process.hrtime.bigint();
  gate.has(`never_${at}`);
  return Number(process.hrtime.bigint() - began);
});
console.log(`the first question about a feature: ${(median(first) / 1_000).toFixed(1)} µs`);
