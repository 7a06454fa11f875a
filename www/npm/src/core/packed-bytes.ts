// Decodes the wasm core from the string that `scripts/npm.mjs` embeds in the bundles.
//
// Each frequent byte is one character; each other byte is two. A repetition in the bytes stays a repetition in the
// string, so it compresses well. The minified and gzipped entry is 0.6 kB smaller than with hex, and 1.1 kB smaller
// than with base64 (`benches/size.mjs`). All characters are ASCII, so the charset of the page does not matter.

/** The number of byte values that need one character. Other bytes are preceded by one of two prefix characters. */
const SINGLE_CHAR_VALUES = 90;
/** Added to each byte before encoding: it moves the most frequent bytes of wasm below `SINGLE_CHAR_VALUES`. */
const OFFSET = 8;

export function unpack(packed: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let prefix = 0;
  for (const character of packed) {
    const code = character === "!" ? 57 : character.charCodeAt(0) - 35;
    if (code < SINGLE_CHAR_VALUES) {
      bytes.push(prefix * SINGLE_CHAR_VALUES + code - OFFSET);
      prefix = 0;
    } else prefix = code - SINGLE_CHAR_VALUES + 1;
  }
  return Uint8Array.from(bytes);
}
