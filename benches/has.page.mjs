// The page of benches/has.mjs: runs the same forty feature checks with every client, half of them granted.
//
// Defines `bench()`, which returns the median time per call of each client, in ns, and the time of a first call of `has()`, in µs.

import { GrowthBook } from "@growthbook/growthbook";
import { InMemoryProvider, OpenFeature } from "@openfeature/web-sdk";
import { initialize } from "launchdarkly-js-client-sdk";
import { InMemoryStorageProvider, UnleashClient } from "unleash-proxy-client";
import { createGate } from "../www/npm/dist/index.js";
import { createGate as createSlimGate } from "../www/npm/dist/slim.js";

const GRANTED = Array.from({ length: 50 }, (_, index) => `feature_${index}`);
const CHECKED = [...GRANTED.slice(0, 20), ...Array.from({ length: 20 }, (_, index) => `other_${index}`)];
const ROUNDS = 25_000;
const RUNS = 9;

/**
 * Returns an object with the same flag for each granted feature.
 *
 * @template T
 * @param {T} flag
 */
const flags = (flag) => Object.fromEntries(GRANTED.map((key) => [key, flag]));

function createGates() {
  /** @param {unknown} value */
  const base64Url = (value) => btoa(JSON.stringify(value)).replace(/=/g, "").replace(/\+/g, "-").replace(/\//g, "_");
  const snapshot = `${base64Url({})}.${base64Url({ livemode: true, version: 1, iat: 1, exp: 4_000_000_000, entitlements: GRANTED })}.`;
  const options = { endpoint: "https://entgate.invalid", snapshot };
  return [createGate(options), createSlimGate(options)];
}

async function createOpenFeature() {
  OpenFeature.setLogger({ error() {}, warn() {}, info() {}, debug() {} });
  await OpenFeature.setProviderAndWait(
    new InMemoryProvider(flags({ variants: { on: true, off: false }, defaultVariant: "on", disabled: false })),
  );
  return OpenFeature.getClient();
}

async function createUnleash() {
  const bootstrap = GRANTED.map((name) => ({ name, enabled: true, variant: { name: "disabled", enabled: false }, impressionData: false }));
  const client = new UnleashClient({
    url: "https://unleash.invalid",
    clientKey: "key",
    appName: "bench",
    bootstrap,
    storageProvider: new InMemoryStorageProvider(),
    disableRefresh: true,
    disableMetrics: true,
  });
  await new Promise((resolve) => client.on("ready", resolve));
  return client;
}

async function createLaunchDarkly() {
  const logger = { error() {}, warn() {}, info() {}, debug() {} };
  const offline = { sendEvents: false, fetchGoals: false, diagnosticOptOut: true, streaming: false, logger };
  const client = initialize("key", { kind: "user", key: "ada" }, { bootstrap: flags(true), ...offline });
  await client.waitForInitialization(5);
  return client;
}

/**
 * Returns the nanoseconds per call.
 *
 * @param {(key: string) => boolean} check
 * @param {number} rounds
 */
function measure(check, rounds) {
  let granted = 0;
  const began = performance.now();
  for (let round = 0; round < rounds; round++) for (const key of CHECKED) granted += Number(check(key));
  const milliseconds = performance.now() - began;
  if (granted !== rounds * 20) throw new Error(`expected ${rounds * 20} granted checks, received ${granted}`);
  return (milliseconds * 1e6) / (rounds * CHECKED.length);
}

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function bench() {
  const set = new Set(GRANTED);
  const [gate, slimGate] = createGates();
  const [openFeature, unleash, launchDarkly] = await Promise.all([createOpenFeature(), createUnleash(), createLaunchDarkly()]);
  const growthBook = new GrowthBook({ features: flags({ defaultValue: true }) });
  /** @type {[name: string, check: (key: string) => boolean, rounds: number][]} */
  const clients = [
    ["a JavaScript Set", (key) => set.has(key), ROUNDS],
    ["entgate: has(), wasm core", (key) => gate.has(key), ROUNDS],
    ["entgate: has(), JavaScript core", (key) => slimGate.has(key), ROUNDS],
    ["Unleash's proxy client: isEnabled()", (key) => unleash.isEnabled(key), ROUNDS / 10],
    ["GrowthBook: isOn()", (key) => growthBook.isOn(key), ROUNDS / 50],
    ["LaunchDarkly's JS client: variation()", (key) => launchDarkly.variation(key, false), ROUNDS / 50],
    ["OpenFeature's web SDK, in-memory provider", (key) => openFeature.getBooleanValue(key, false), ROUNDS / 100],
  ];
  /** @type {number[][]} */
  const samples = clients.map(() => []);
  // Interleaved, so that other load affects all clients equally. The first run is a warm-up.
  for (let run = 0; run <= RUNS; run++) {
    for (const [index, [, check, rounds]] of clients.entries()) {
      const sample = measure(check, rounds);
      if (run) samples[index].push(sample);
    }
  }

  // The first call for a feature calls the wasm core. Later calls use a cache until the set changes.
  const began = performance.now();
  for (let index = 0; index < 500; index++) gate.has(`never_${index}`);
  return {
    medians: clients.map(([name], index) => [name, median(samples[index])]),
    first: ((performance.now() - began) * 1e3) / 500,
  };
}

Object.assign(globalThis, { bench });
