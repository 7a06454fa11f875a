// Rounds in which each way has its turn, so that whatever else the machine does is borne by all, and what they come to.

import { drive } from "./http-client.mjs";

export const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** What each way took in each round, after `warmUp` that do not count. `once` is given a way and the number of the round, from 0. */
export async function measure(ways, rounds, once, warmUp = 2) {
  const taken = ways.map(() => []);
  for (let round = 0; round < rounds + warmUp; round++) {
    // Each round begins with another one.
    for (let at = 0; at < ways.length; at++) {
      const turn = (at + round) % ways.length;
      const took = await once(ways[turn], round);
      if (round >= warmUp) taken[turn].push(took);
    }
  }
  return taken;
}

/** What it took in the middle, and in the middle of the rounds as a ratio of what `first` took in the same round. */
export const summed = (taken, first) => ({ took: median(taken), ratio: median(taken.map((each, round) => each / first[round])) });

/** The CPU time of a Worker for one of these requests, in µs, with what it does within `after` milliseconds of the last answer. */
export async function spend({ port, cpu, goesOn }, requests, status = 200, after = 0) {
  const count = requests.length;
  const before = cpu();
  await drive(port, count, () => requests.pop(), status);
  if (goesOn) await sleep(after);
  return (cpu() - before) / count;
}
