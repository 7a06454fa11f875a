// Interleaved measurement: in each round every subject has its turn, so that other load on the machine affects all of them equally.
//
// Accepts subjects and a function that measures one of them, returns samples and their summary. Not here: what is measured.

import { setTimeout as sleep } from "node:timers/promises";
import { sendRequests } from "./http-client.mjs";

/** @typedef {import("./workerd.mjs").RunningWorker} RunningWorker */

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/**
 * Measures each subject once per round. Returns the samples of each subject, without those of the first `warmUp` rounds.
 *
 * @template T
 * @param {T[]} subjects
 * @param {number} rounds
 * @param {(subject: T, round: number) => Promise<number>} measure
 * @param {number} [warmUp]
 * @returns {Promise<number[][]>}
 */
export async function measureInterleaved(subjects, rounds, measure, warmUp = 2) {
  /** @type {number[][]} */
  const samples = subjects.map(() => []);
  for (let round = 0; round < rounds + warmUp; round++) {
    // Each round starts with another subject.
    for (let offset = 0; offset < subjects.length; offset++) {
      const index = (offset + round) % subjects.length;
      const sample = await measure(subjects[index], round);
      if (round >= warmUp) samples[index].push(sample);
    }
  }
  return samples;
}

/**
 * Returns the median of the samples, and the median of their ratios to the samples of `reference` in the same round.
 *
 * @param {number[]} samples
 * @param {number[]} reference
 */
export const summarize = (samples, reference) => ({
  median: median(samples),
  ratio: median(samples.map((sample, round) => sample / reference[round])),
});

/**
 * Returns the CPU time of a Worker per request, in µs. Includes its background work within `backgroundTime` milliseconds of the last
 * response.
 *
 * @param {RunningWorker} worker
 * @param {Buffer[]} requests
 * @param {number} [status]
 * @param {number} [backgroundTime]
 */
export async function cpuPerRequest({ port, cpuTime, hasBackgroundWork }, requests, status = 200, backgroundTime = 0) {
  const before = cpuTime();
  await sendRequests(port, requests, status);
  if (hasBackgroundWork) await sleep(backgroundTime);
  return (cpuTime() - before) / requests.length;
}
