// The same core in JavaScript, for a page whose policy forbids wasm, and for React Native. Both are held
// to `tests/fixtures/client.json`. It verifies no signatures, and JSON.parse tells it of no member twice.

import { NO, NOT_KNOWN, UNHEARD_OF, YES, type Core } from "./core.js";
import { first, keys } from "./line-set.js";

type Text = Record<string, unknown>;

/** A name as `src/id.rs` has it, by the bytes that it has at most. */
const name = (value: unknown, limit: number): string => {
  // Half a character, as JSON can write it, is none.
  const text = typeof value === "string" && !/[\ud800-\udfff]/u.test(value) ? value : "";
  const bytes = new TextEncoder().encode(text).length;
  if (!bytes || bytes > limit || /[\0-\x1f\x7f-\x9f]/.test(text)) throw 0;
  return text;
};
const number = (value: unknown): number => {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= 1e15) throw 0;
  return value as number;
};
const flag = (value: unknown): boolean => {
  if (typeof value !== "boolean") throw 0;
  return value;
};
const array = (value: unknown): unknown[] => {
  if (!Array.isArray(value)) throw 0;
  return value;
};
const lookupKeys = (value: unknown) => array(value).map((key) => name(key, 20_000));

/** The kind of a text by its members, as the table in `src/client/said.rs` has it. */
const kind = (text: Text) =>
  ["version", "exp", "entitlements", "data", "has_more", "added", "removed"]
    .map((member) => (Object.hasOwn(text, member) ? 1 : 0))
    .join("");

function read(said: string): string {
  let lines = "";
  let stage = 0;
  let version: number | undefined;
  let more = false;
  let unheardOf = false;
  let settled = new Set<string>();
  for (const value of array(JSON.parse(said))) {
    if (typeof value !== "object" || !value || Array.isArray(value)) throw 0;
    const text = value as Text;
    const of = kind(text);
    if (Object.hasOwn(text, "sub")) lines += `c${name(text.sub, 255)}\n`;
    if (Object.hasOwn(text, "livemode") && flag(text.livemode)) lines += "l\n";
    if (Object.hasOwn(text, "as_of") && text.as_of !== null && typeof text.as_of !== "number") throw 0;
    if (of[0] === "1") {
      if (version === undefined) lines += `v${number(text.version)}\n`;
      else if (version !== number(text.version)) throw 0;
      version = text.version as number;
    }
    if (of[1] === "1") lines += `e${number(text.exp)}\n`;
    const mention = (sign: string, found: string[]) => {
      for (const key of found) if (!settled.has(key)) lines += `${sign}${key}\n`;
    };
    if (of === "1000011" && stage === 0) {
      const [added, removed] = [lookupKeys(text.added), lookupKeys(text.removed)];
      mention("+", added);
      mention("-", removed);
      settled = new Set([...settled, ...added, ...removed]);
      version = (version as number) - 1;
    } else if (of === "1100000" && stage === 0) stage = 1;
    else if (of === "1110000" && stage === 0) {
      stage = 3;
      mention("+", lookupKeys(text.entitlements));
    } else if (of === "0001100" && (stage === 1 || stage === 2)) {
      stage = 2;
      mention("+", lookupKeys(array(text.data).map((item) => (item as Text).lookup_key)));
      more = flag(text.has_more);
    } else throw 0;
    if (stage % 2) unheardOf = text.as_of === null && !settled.size;
  }
  if (stage < 2) throw 0;
  return `${lines}${unheardOf ? "u\n" : ""}${more ? "m\n" : ""}`;
}

export const twin: Core = {
  read(said) {
    try {
      return read(said);
    } catch {
      return undefined;
    }
  },
  check(lines, feature, now) {
    if (!(now < +(first(lines, "e") ?? 0))) return NOT_KNOWN;
    if (keys(lines).includes(feature)) return YES;
    if (first(lines, "m") !== undefined) return NOT_KNOWN;
    return first(lines, "u") === undefined ? NO : UNHEARD_OF;
  },
};
