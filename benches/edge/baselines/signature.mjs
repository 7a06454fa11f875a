// Stripe's signature, by the platform's own HMAC.

const encoder = new TextEncoder();
let key;

/** Whether a body was signed so, and lately. */
export async function genuine(header, body, secret) {
  key ??= await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  const parts = header.split(",");
  const at = parts.find((part) => part.startsWith("t=")).slice(2);
  const signature = Uint8Array.from(
    parts
      .find((part) => part.startsWith("v1="))
      .slice(3)
      .match(/../g),
    (hex) => parseInt(hex, 16),
  );
  return Math.abs(Date.now() / 1000 - at) <= 300 && crypto.subtle.verify("HMAC", key, signature, encoder.encode(`${at}.${body}`));
}
