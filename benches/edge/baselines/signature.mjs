// Verifies Stripe's webhook signature with WebCrypto.
//
// Not here: several secrets, several signatures, malformed headers.

const encoder = new TextEncoder();
/**
 * The key of the last secret: a Worker has only one.
 *
 * @type {CryptoKey | undefined}
 */
let key;

/**
 * Whether the signature of a body is valid and at most 300 s old.
 *
 * @param {string | null} header
 * @param {string} body
 * @param {string} secret
 */
export async function isValidSignature(header, body, secret) {
  key ??= await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const parts = (header ?? "").split(",");
  const element = (/** @type {string} */ name) => parts.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  const timestamp = element("t");
  const signature = Uint8Array.from(element("v1").match(/../g) ?? [], (hex) => parseInt(hex, 16));
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > 300) return false;
  return crypto.subtle.verify("HMAC", key, signature, encoder.encode(`${timestamp}.${body}`));
}
