// The clock of a gate.
//
// It follows this machine's clock forwards, and never goes back: after a correction backwards it continues at the pace
// of `performance.now`. So a set is never valid for longer than its lifetime, also if the machine slept in between.

/** Returns the time in Unix seconds. */
export type Clock = () => number;

export function createClock(): Clock {
  /** How far this machine's clock is ahead of `performance.now`, in milliseconds: the largest value so far. */
  let offset = -Infinity;
  return () => {
    const [wall, elapsed] = [Date.now(), performance.now()];
    offset = Math.max(offset, wall - elapsed);
    return Math.max(wall, elapsed + offset) / 1_000;
  };
}
