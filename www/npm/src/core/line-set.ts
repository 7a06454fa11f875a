// Reads values from a loaded set. The format, one value per line, is defined in `src/gate/line_set.rs`.

import type { LineSet } from "./core.js";

/** Returns the values of all lines of one kind. */
const linesOfKind = (set: LineSet, kind: string) =>
  set
    .split("\n")
    .filter((line) => line[0] === kind)
    .map((line) => line.slice(1));

/** Returns the value of the first line of a kind. */
export const firstLine = (set: LineSet, kind: string): string | undefined => linesOfKind(set, kind)[0];

/** Returns the granted lookup keys, newest first. */
export const grantedKeys = (set: LineSet): string[] => [...new Set(linesOfKind(set, "+"))];
