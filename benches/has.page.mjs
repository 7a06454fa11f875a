// What benches/has.mjs asks in a page: the same forty questions, in every way that answers them there and then.

import { GrowthBook } from "@growthbook/growthbook";
import { InMemoryProvider, OpenFeature } from "@openfeature/web-sdk";
import { initialize } from "launchdarkly-js-client-sdk";
import { InMemoryStorageProvider, UnleashClient } from "unleash-proxy-client";
import { createGate } from "../www/npm/dist/index.js";
import { createGate as slim } from "../www/npm/dist/slim.js";

const KEYS = Array.from({ length: 50 }, (_, at) => `feature_${at}`);
const ASKED = [...KEYS.slice(0, 20), ...Array.from({ length: 20 }, (_, at) => `other_${at}`)];
const ROUNDS = 25_000;
const RUNS = 9;

/** What each key is given by those who answer by flags. */
const flags = (flag) => Object.fromEntries(KEYS.map((key) => [key, flag]));

function entgate() {
  const encoded = (value) => btoa(JSON.stringify(value)).replace(/=/g, "").replace(/\+/g, "-").replace(/\//g, "_");
  const snapshot = `${encoded({})}.${encoded({ version: 1, exp: 4_000_000_000, entitlements: KEYS })}.`;
  const given = { endpoint: "https://entgate.invalid", snapshot };
  return [createGate(given), slim(given)];
}

async function openFeature() {
  OpenFeature.setLogger({ error() {}, warn() {}, info() {}, debug() {} });
  await OpenFeature.setProviderAndWait(
    new InMemoryProvider(flags({ variants: { on: true, off: false }, defaultVariant: "on", disabled: false })),
  );
  return OpenFeature.getClient();
}

async function unleash() {
  const bootstrap = KEYS.map((name) => ({ name, enabled: true, variant: { name: "disabled", enabled: false }, impressionData: false }));
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

async function launchDarkly() {
  const logger = { error() {}, warn() {}, info() {}, debug() {} };
  const quiet = { sendEvents: false, fetchGoals: false, diagnosticOptOut: true, streaming: false, logger };
  const client = initialize("key", { kind: "user", key: "ada" }, { bootstrap: flags(true), ...quiet });
  await client.waitForInitialization(5);
  return client;
}

/** Nanoseconds a question, in this run. */
function measure(ask, rounds) {
  let granted = 0;
  const began = performance.now();
  for (let round = 0; round < rounds; round++) for (const key of ASKED) granted += ask(key);
  const took = performance.now() - began;
  if (granted !== rounds * 20) throw new Error(`${granted} of ${rounds * 20} were granted`);
  return (took * 1e6) / (rounds * ASKED.length);
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

globalThis.bench = async () => {
  const set = new Set(KEYS);
  const [gate, twin] = entgate();
  const [of, un, ld] = await Promise.all([openFeature(), unleash(), launchDarkly()]);
  const growthBook = new GrowthBook({ features: flags({ defaultValue: true }) });
  const ways = [
    ["a JavaScript Set", (key) => set.has(key), ROUNDS],
    ["entgate: has(), wasm", (key) => gate.has(key), ROUNDS],
    ["entgate: has(), twin", (key) => twin.has(key), ROUNDS],
    ["Unleash's proxy client: isEnabled()", (key) => un.isEnabled(key), ROUNDS / 10],
    ["GrowthBook: isOn()", (key) => growthBook.isOn(key), ROUNDS / 50],
    ["LaunchDarkly's JS client: variation()", (key) => ld.variation(key, false), ROUNDS / 50],
    ["OpenFeature's web SDK, a provider in memory", (key) => of.getBooleanValue(key, false), ROUNDS / 100],
  ];
  const taken = ways.map(() => []);
  // In turns, so that what else the machine does meets all of them; the first one warms up.
  for (let run = 0; run <= RUNS; run++) {
    ways.forEach(([, ask, rounds], way) => (run ? taken[way].push(measure(ask, rounds)) : measure(ask, rounds)));
  }

  // The first question about a feature crosses to the core; the next ones are remembered until the set changes.
  const began = performance.now();
  for (let at = 0; at < 500; at++) gate.has(`never_${at}`);
  return { medians: ways.map(([name], way) => [name, median(taken[way])]), first: ((performance.now() - began) * 1e3) / 500 };
};
