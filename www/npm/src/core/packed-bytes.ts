// Bytes in a text, as `scripts/npm.mjs` packs them. Frequent bytes are one character and the others two, so
// that what repeats in the bytes repeats in the text: minified and gzipped the whole entry is 11.6 kB, where it
// is 12.2 kB with hex and 12.7 kB with base64 (`benches/size.mjs`), and any encoding of the page will do for it.

/** How many bytes have a character of their own; the others have one of the two signs that follow before them. */
const SINGLE = 90;
/** What is added to a byte first: it brings wasm's most frequent ones below `SINGLE`. */
const SHIFT = 8;

export function unpack(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  let sign = 0;
  for (const character of text) {
    const code = character === "!" ? 57 : character.charCodeAt(0) - 35;
    if (code < SINGLE) {
      bytes.push(sign * SINGLE + code - SHIFT);
      sign = 0;
    } else sign = code - SINGLE + 1;
  }
  return Uint8Array.from(bytes);
}
