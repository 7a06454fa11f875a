// Verifies webhooks that Stripe or entgate's catalog signed: https://docs.stripe.com/webhooks#verify-manually

import { GateError } from "../error.js";

/** The largest difference between a signature's timestamp and now, in seconds: as in `src/webhook/signature.rs`. */
const TOLERANCE = 300;

/**
 * Verifies the signature of a webhook with one of your secrets, and returns its event. `body` must be the raw body:
 * JSON that was parsed and serialized again has other bytes.
 *
 * Throws a `GateError` with a code: `signature_malformed`, `signature_mismatch`, `signature_stale`.
 */
export async function verifyWebhook<Event = unknown>(
  body: string | Uint8Array,
  header: string | null | undefined,
  secrets: string | readonly string[],
  { tolerance = TOLERANCE, now = Date.now() / 1000 } = {},
): Promise<Event> {
  const elements = (header ?? "").split(",").map((element) => element.split("=", 2) as [string, string?]);
  const valuesOf = (scheme: string) => elements.filter(([name]) => name === scheme).map(([, value = ""]) => value);
  const [timestamps, signatures] = [valuesOf("t"), valuesOf("v1")];
  const signedAt = timestamps[0] ?? "";
  if (!/^\d{1,15}$/.test(signedAt) || timestamps.some((other) => other !== signedAt) || !signatures.length) {
    throw new GateError("malformed signature header", "signature_malformed");
  }
  const encoder = new TextEncoder();
  const raw = typeof body === "string" ? encoder.encode(body) : body;
  const signedPayload = new Uint8Array([...encoder.encode(`${signedAt}.`), ...raw]);
  let matches = 0;
  for (const secret of [secrets].flat()) {
    // With an empty secret any client can sign.
    if (!secret) continue;
    const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const expected = toHex(new Uint8Array(await crypto.subtle.sign("HMAC", key, signedPayload)));
    // All pairs are compared, so the time does not depend on which one matches.
    for (const signature of signatures) matches |= +isEqual(expected, signature);
  }
  if (!matches) throw new GateError("no signature matches", "signature_mismatch");
  if (!(Math.abs(now - +signedAt) <= tolerance)) {
    throw new GateError(`signed at ${signedAt}, more than ${tolerance} s from now`, "signature_stale");
  }
  // Text is used as it is: some test environments have no `TextDecoder`.
  return JSON.parse(typeof body === "string" ? body : new TextDecoder("utf-8", { fatal: true }).decode(body)) as Event;
}

const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Compares two strings in a time that does not depend on their contents. */
function isEqual(expected: string, actual: string): boolean {
  let difference = expected.length ^ actual.length;
  for (let at = 0; at < expected.length; at++) difference |= expected.charCodeAt(at) ^ actual.charCodeAt(at % (actual.length || 1));
  return difference === 0;
}
