// The Rust core in wasm (`src/browser.rs`), called through a shared buffer.
//
// Only numbers are passed as arguments. Strings and bytes are copied into the buffer, a fixed range of the module's
// memory. So the module needs no allocator, and no string conversion of wasm-bindgen. Messages larger than the buffer
// are loaded by the core in JavaScript.

import { type Core, type Decision, INDETERMINATE } from "./core.js";
import { jsCore } from "./js-core.js";

/** The exports of `src/browser.rs`. */
interface Exports {
  memory: WebAssembly.Memory;
  buffer_ptr(): number;
  load(length: number): number;
  check(set_len: number, feature_len: number, now: number): number;
  verify(message_len: number): number;
}

/** The size of the buffer in `src/browser.rs`, in bytes. */
const BUFFER_LEN = 1 << 20;
/** The sizes of an Ed25519 key and signature, in bytes (RFC 8032). */
const PUBLIC_KEY_LEN = 32;
const SIGNATURE_LEN = 64;

/** Creates a core from a wasm module; returns the core in JavaScript if the module cannot be compiled. */
export function createWasmCore(compile: () => WebAssembly.Module): Core {
  try {
    return wrap(new WebAssembly.Instance(compile()).exports as unknown as Exports);
  } catch {
    return jsCore;
  }
}

function wrap(wasm: Exports): Core {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(wasm.memory.buffer, wasm.buffer_ptr(), BUFFER_LEN);

  /** Writes the parts one after the other. Returns `false` if they do not fit into the buffer. */
  const write = (...parts: Uint8Array[]) => {
    let offset = 0;
    try {
      for (const part of parts) {
        buffer.set(part, offset);
        offset += part.length;
      }
      return true;
    } catch {
      return false;
    }
  };

  return {
    load(messages) {
      const bytes = encoder.encode(messages);
      if (!write(bytes)) return jsCore.load(messages);
      const length = wasm.load(bytes.length);
      return length ? decoder.decode(buffer.subarray(0, length)) : undefined;
    },
    check(set, feature, now) {
      const [setBytes, featureBytes] = [encoder.encode(set), encoder.encode(feature)];
      return write(setBytes, featureBytes) ? (wasm.check(setBytes.length, featureBytes.length, now) as Decision) : INDETERMINATE;
    },
    verify(publicKey, signature, message) {
      const isSized = publicKey.length === PUBLIC_KEY_LEN && signature.length === SIGNATURE_LEN;
      return isSized && write(publicKey, signature, message) && !!wasm.verify(message.length);
    },
  };
}
