// The decision core in JavaScript, for pages whose policy forbids wasm, and for React Native.
//
// It accepts and returns the same as the Rust core, with two differences. It verifies no signatures. And it does not
// detect duplicate members or integers such as `1.0`, because `JSON.parse` does not report them.

import { type Core, DENY, DENY_UNKNOWN_CUSTOMER, GRANT, INDETERMINATE } from "./core.js";
import { firstLine, grantedKeys } from "./line-set.js";

type Message = Record<string, unknown>;

/** The limits of `src/id.rs`, in bytes of UTF-8. */
const MAX_CUSTOMER_ID_LEN = 255;
const MAX_LOOKUP_KEY_LEN = 20_000;

// The parsers below throw for an invalid value; `load` turns that into `undefined`.

/** Parses an id or a lookup key by the rules of `src/id.rs`. */
const id = (value: unknown, maxLen: number): string => {
  // JSON can escape half of a surrogate pair, which is not a valid character.
  const text = typeof value === "string" && !/[\ud800-\udfff]/u.test(value) ? value : "";
  const length = new TextEncoder().encode(text).length;
  if (!length || length > maxLen || /\p{Cc}/u.test(text)) throw 0;
  return text;
};
const integer = (value: unknown): number => {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= 1e15) throw 0;
  return value as number;
};
const boolean = (value: unknown): boolean => {
  if (typeof value !== "boolean") throw 0;
  return value;
};
const array = (value: unknown): unknown[] => {
  if (!Array.isArray(value)) throw 0;
  return value;
};
const lookupKeys = (value: unknown) => array(value).map((key) => id(key, MAX_LOOKUP_KEY_LEN));

/** Returns which members a message has, one digit each: this identifies its kind, as in `src/gate/replay.rs`. */
const memberBits = (message: Message) =>
  ["version", "exp", "entitlements", "data", "has_more", "added", "removed"]
    .map((member) => (Object.hasOwn(message, member) ? 1 : 0))
    .join("");

/** What the messages that were read so far allow next: changes, then one snapshot, or the headers of a list and its pages. */
const CHANGES = 0;
const LIST_HEADERS = 1;
const LIST_PAGES = 2;
const SNAPSHOT = 3;

function replay(messages: string): string {
  let lines = "";
  let stage = CHANGES;
  let version: number | undefined;
  let hasMore = false;
  let unknownCustomer = false;
  let overridden = new Set<string>();
  for (const value of array(JSON.parse(messages))) {
    if (typeof value !== "object" || !value || Array.isArray(value)) throw 0;
    const message = value as Message;
    const bits = memberBits(message);
    if (Object.hasOwn(message, "sub")) lines += `c${id(message.sub, MAX_CUSTOMER_ID_LEN)}\n`;
    if (Object.hasOwn(message, "livemode") && boolean(message.livemode)) lines += "l\n";
    if (Object.hasOwn(message, "as_of") && message.as_of !== null && typeof message.as_of !== "number") throw 0;
    if (bits[0] === "1") {
      if (version === undefined) lines += `v${integer(message.version)}\n`;
      else if (version !== integer(message.version)) throw 0;
      version = message.version as number;
    }
    if (bits[1] === "1") lines += `e${integer(message.exp)}\n`;
    const addLines = (sign: string, keys: string[]) => {
      for (const key of keys) if (!overridden.has(key)) lines += `${sign}${key}\n`;
    };
    if (bits === "1000011" && stage === CHANGES) {
      const [added, removed] = [lookupKeys(message.added), lookupKeys(message.removed)];
      addLines("+", added);
      addLines("-", removed);
      overridden = new Set([...overridden, ...added, ...removed]);
      version = (version as number) - 1;
    } else if (bits === "1100000" && stage === CHANGES) stage = LIST_HEADERS;
    else if (bits === "1110000" && stage === CHANGES) {
      stage = SNAPSHOT;
      addLines("+", lookupKeys(message.entitlements));
    } else if (bits === "0001100" && (stage === LIST_HEADERS || stage === LIST_PAGES)) {
      stage = LIST_PAGES;
      addLines("+", lookupKeys(array(message.data).map((item) => (item as Message).lookup_key)));
      hasMore = boolean(message.has_more);
    } else throw 0;
    if (stage === LIST_HEADERS || stage === SNAPSHOT) unknownCustomer = message.as_of === null && !overridden.size;
  }
  if (stage < LIST_PAGES) throw 0;
  return `${lines}${unknownCustomer ? "u\n" : ""}${hasMore ? "m\n" : ""}`;
}

export const jsCore: Core = {
  load(messages) {
    try {
      return replay(messages);
    } catch {
      return undefined;
    }
  },
  check(set, feature, now) {
    if (!(now < Number(firstLine(set, "e") ?? 0))) return INDETERMINATE;
    if (grantedKeys(set).includes(feature)) return GRANT;
    if (firstLine(set, "m") !== undefined) return INDETERMINATE;
    return firstLine(set, "u") === undefined ? DENY : DENY_UNKNOWN_CUSTOMER;
  },
};
