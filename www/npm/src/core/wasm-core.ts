// The Rust core. Only numbers cross to it: texts pass through a place in its memory (`src/browser.rs`).

import { NOT_KNOWN, type Answer, type Core } from "./core.js";
import { twin } from "./js-core.js";

interface Exports {
  memory: WebAssembly.Memory;
  buffer_ptr(): number;
  load(length: number): number;
  check(set_len: number, feature_len: number, now: number): number;
  verify(length: number): number;
}

/** As many bytes as `LIMIT` in `src/browser.rs`. */
const LIMIT = 1 << 20;

/** The core in this module; the twin, where it cannot be compiled. */
export function core(module: () => WebAssembly.Module): Core {
  try {
    return over(new WebAssembly.Instance(module()).exports as unknown as Exports);
  } catch {
    return twin;
  }
}

function over(wasm: Exports): Core {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const place = new Uint8Array(wasm.memory.buffer, wasm.buffer_ptr(), LIMIT);

  /** Writes parts one after the other; whether there is room for them. */
  const write = (...parts: Uint8Array[]) => {
    let at = 0;
    for (const part of parts) {
      if (at + part.length > LIMIT) return false;
      place.set(part, at);
      at += part.length;
    }
    return true;
  };

  return {
    read(said) {
      const text = encoder.encode(said);
      if (!write(text)) return twin.read(said);
      const length = wasm.load(text.length);
      return length ? decoder.decode(place.subarray(0, length)) : undefined;
    },
    check(lines, feature, now) {
      const [held, name] = [encoder.encode(lines), encoder.encode(feature)];
      return write(held, name) ? (wasm.check(held.length, name.length, now) as Answer) : NOT_KNOWN;
    },
    verify(key, signature, message) {
      const sized = key.length === 32 && signature.length === 64;
      return sized && write(key, signature, message) && !!wasm.verify(message.length);
    },
  };
}
