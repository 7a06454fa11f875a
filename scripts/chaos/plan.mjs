// The options of the chaos test, and its plan: which events arrive, and when the Worker is killed.
//
// The plan depends on the options only, so a seed repeats the choices of a run. Not here: how the plan is carried out (../chaos.mjs).

import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";

const USAGE = `Usage: node scripts/chaos.mjs [options]
  --rate <number>       new events per second (200)
  --seconds <number>    duration of the load (60)
  --customers <number>  number of customers (500)
  --kills <number>      number of kills during the load (10)
  --seed <number>       random seed, to repeat the choices of a run (random)`;

/** `created` of event 0, in Unix seconds. Each event is one second newer than the event before it. */
export const FIRST_CREATED = 1_700_000_000;
/** Approximate duration of a restart, in milliseconds. */
const RESTART_ESTIMATE = 3_000;
/** Features that a set may contain besides the feature that names the event. */
const FEATURES = ["sms", "export", "sso", "audit_log", "api", "seats"];

/**
 * One event of the plan.
 *
 * @typedef {object} PlannedEvent
 * @property {number} number
 * @property {string} customer
 * @property {string[]} keys
 * @property {number} delay Milliseconds by which the first delivery is late, so that newer events overtake it.
 * @property {number | undefined} duplicate If set, an acknowledged event is repeated: this fraction is its position among all of them.
 * @property {number} jitter Fraction by which retry pauses are longer.
 * @property {boolean} acknowledged
 * @property {string} [body]
 */

/** @typedef {ReturnType<typeof readOptions>} Options */

/** Reads the options of the command line. Exits with 2 if one is invalid. */
export function readOptions() {
  const defaults = { rate: 200, seconds: 60, customers: 500, kills: 10, seed: randomInt(2 ** 32) };
  const definitions = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [name, { type: /** @type {const} */ ("string"), default: String(value) }]),
  );
  try {
    const { values } = parseArgs({ options: definitions });
    /** @param {keyof typeof defaults} name */
    const parse = (name) => {
      const value = values[name] ?? "";
      if (/^\d{1,10}$/.test(value)) return Number(value);
      throw new Error(`--${name}: \`${value}\` is not a whole number`);
    };
    return {
      rate: parse("rate"),
      seconds: parse("seconds"),
      customers: parse("customers"),
      kills: parse("kills"),
      seed: parse("seed"),
    };
  } catch (error) {
    console.error(`${error.message}\n\n${USAGE}`);
    process.exit(2);
  }
}

/**
 * Returns the events in the order of their times, and how long the Worker runs before each kill.
 *
 * @param {Options} options
 */
export function createPlan(options) {
  const random = mulberry32(options.seed);
  return {
    events: Array.from({ length: options.rate * options.seconds }, (_, number) => planEvent(number, options, random)),
    uptimes: planUptimes(options, random),
  };
}

/**
 * @param {number} number
 * @param {Options} options
 * @param {() => number} random
 * @returns {PlannedEvent}
 */
function planEvent(number, options, random) {
  /** @param {number} probability */
  const chance = (probability) => random() < probability;
  return {
    number,
    customer: `cus_${Math.floor(random() * options.customers)}`,
    keys: [`f${number}`, ...FEATURES.filter(() => chance(0.4))],
    delay: chance(0.05) ? random() * 3_000 : 0,
    duplicate: chance(0.05) ? random() : undefined,
    jitter: random() * 0.5,
    acknowledged: false,
  };
}

/**
 * Returns how long the Worker runs before each kill, in milliseconds. Exponential: some kills follow a restart immediately.
 *
 * @param {Options} options
 * @param {() => number} random
 */
function planUptimes(options, random) {
  const pauses = Array.from({ length: options.kills + 1 }, () => -Math.log(1 - random()));
  const sum = pauses.reduce((total, pause) => total + pause);
  const uptime = Math.max(options.seconds * 500, options.seconds * 1_000 - options.kills * RESTART_ESTIMATE);
  return pauses.slice(1).map((pause) => (pause / sum) * uptime);
}

/**
 * Returns a generator of numbers in [0, 1), which is deterministic for a seed.
 *
 * @param {number} state
 */
export function mulberry32(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
