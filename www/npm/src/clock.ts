// The clock of a gate.
//
// It follows this machine's clock forwards, and never goes back: after a correction backwards it continues at the pace
// of `performance.now`. So a set is never valid for longer than its lifetime, also if the machine slept in between.

/** Returns the time in Unix seconds. */
export type Clock = () => number;

export function createClock(): Clock {
  /** How far this machine's clock is ahead of `performance.now`, in milliseconds: the largest value so far. */
  let offset = -Infinity;
  let wall = 0;
  let time = 0;
  return () => {
    const next = Date.now();
    // In Chromium `performance.now` takes four times as long as `Date.now`: it is called once in a millisecond.
    if (next !== wall) {
      wall = next;
      const elapsed = performance.now();
      offset = Math.max(offset, wall - elapsed);
      time = Math.max(wall, elapsed + offset) / 1_000;
    }
    return time;
  };
}
