// Conversions between text, bytes and base64url, without `TextEncoder` and `TextDecoder`: React Native and jsdom may
// have neither.
//
// A binary string has one character for each byte. `escape` and `unescape` are the shortest way to and from its UTF-8:
// https://tc39.es/ecma262/#sec-escape-string

export const toBytes = (binary: string): Uint8Array<ArrayBuffer> => Uint8Array.from(binary, (character) => character.charCodeAt(0));

export const decodeBase64Url = (text: string): string => atob(text.replace(/-/g, "+").replace(/_/g, "/"));

/** Decodes the UTF-8 in a binary string. Throws a `URIError` if it is invalid. */
export const decodeUtf8 = (binary: string): string => decodeURIComponent(escape(binary));

/** Encodes text as UTF-8, in a binary string. Throws a `URIError` for half of a surrogate pair. */
export const encodeUtf8 = (text: string): string => unescape(encodeURIComponent(text));

export const toBinary = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
