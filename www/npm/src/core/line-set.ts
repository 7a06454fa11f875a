// The lines of a set, read: what `src/client/held.rs` says of them.

import type { Lines } from "./core.js";

/** What lines of one kind say. */
const all = (lines: Lines, kind: string) =>
  lines
    .split("\n")
    .filter((line) => line[0] === kind)
    .map((line) => line.slice(1));

/** What the first line of a kind says. */
export const first = (lines: Lines, kind: string): string | undefined => all(lines, kind)[0];

/** The lookup keys that are granted, newest first. */
export const keys = (lines: Lines): string[] => [...new Set(all(lines, "+"))];
