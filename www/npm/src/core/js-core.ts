// The decision core in JavaScript, for pages whose policy forbids wasm, and for React Native.
//
// It accepts and returns the same as the Rust core, with two differences. It verifies no signatures. And it does not
// detect duplicate members or integers such as `1.0`, because `JSON.parse` does not report them.

import { encodeUtf8 } from "../text.js";
import { type Core, DENY, DENY_UNKNOWN_CUSTOMER, GRANT, INDETERMINATE } from "./core.js";
import { firstLine, grantedKeys } from "./line-set.js";

type Message = Record<string, unknown>;

/** The limits of `src/id.rs`, in bytes of UTF-8. */
const MAX_CUSTOMER_ID_LEN = 255;
const MAX_LOOKUP_KEY_LEN = 20_000;

// `load` turns what these functions throw into `undefined`.

function check(isValid: unknown): asserts isValid {
  if (!isValid) throw 0;
}
/** Parses an id or a lookup key by the rules of `src/id.rs`. */
const id = (value: unknown, maxLen: number): string => {
  const text = typeof value === "string" ? value : "";
  // Throws for half of a surrogate pair, which JSON can escape.
  const { length } = encodeUtf8(text);
  check(length && length <= maxLen && !/\p{Cc}/u.test(text));
  return text;
};
const integer = (value: unknown): number => {
  check(Number.isInteger(value) && (value as number) >= 0 && (value as number) < 1e15);
  return value as number;
};
const boolean = (value: unknown): boolean => {
  check(typeof value === "boolean");
  return value;
};
const array = (value: unknown): unknown[] => {
  check(Array.isArray(value));
  return value;
};
const lookupKeys = (value: unknown) => array(value).map((key) => id(key, MAX_LOOKUP_KEY_LEN));

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
    check(typeof value === "object" && value && !Array.isArray(value));
    const { sub, livemode, as_of, version: next, exp, entitlements, data, has_more, added, removed } = value as Message;
    // Which members the message has: this identifies its kind, as in `src/gate/replay.rs`.
    const bits = [next, exp, entitlements, data, has_more, added, removed].map((member) => +(member !== undefined)).join("");
    if (sub !== undefined) lines += `c${id(sub, MAX_CUSTOMER_ID_LEN)}\n`;
    if (livemode !== undefined && boolean(livemode)) lines += "l\n";
    check(typeof (as_of ?? 0) === "number");
    if (next !== undefined) {
      if (version === undefined) lines += `v${integer(next)}\n`;
      check((version ?? next) === integer(next));
      version = next as number;
    }
    if (exp !== undefined) lines += `e${integer(exp)}\n`;
    const addLines = (sign: string, keys: string[]) => {
      for (const key of keys) if (!overridden.has(key)) lines += `${sign}${key}\n`;
    };
    if (bits === "1000011" && stage === CHANGES) {
      const [granted, revoked] = [lookupKeys(added), lookupKeys(removed)];
      addLines("+", granted);
      addLines("-", revoked);
      overridden = new Set([...overridden, ...granted, ...revoked]);
      version = (version as number) - 1;
    } else if (bits === "1100000" && stage === CHANGES) stage = LIST_HEADERS;
    else if (bits === "1110000" && stage === CHANGES) {
      stage = SNAPSHOT;
      addLines("+", lookupKeys(entitlements));
    } else if (bits === "0001100" && (stage === LIST_HEADERS || stage === LIST_PAGES)) {
      stage = LIST_PAGES;
      addLines("+", lookupKeys(array(data).map((item) => (item as Message).lookup_key)));
      hasMore = boolean(has_more);
    } else check(false);
    if (stage === LIST_HEADERS || stage === SNAPSHOT) unknownCustomer = as_of === null && !overridden.size;
  }
  check(stage >= LIST_PAGES);
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
    if (!(now < +(firstLine(set, "e") ?? 0))) return INDETERMINATE;
    if (grantedKeys(set).includes(feature)) return GRANT;
    if (firstLine(set, "m") !== undefined) return INDETERMINATE;
    return firstLine(set, "u") === undefined ? DENY : DENY_UNKNOWN_CUSTOMER;
  },
};
