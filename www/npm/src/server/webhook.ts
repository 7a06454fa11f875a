// Webhooks, as Stripe signs them and entgate's catalog does: https://docs.stripe.com/webhooks#verify-manually

import { GateError } from "../error.js";

/** How far from now a signature may be dated, in seconds: as in `src/webhook/signature.rs`. */
const TOLERANCE = 300;

/**
 * The event in a body that one of your secrets signed, not long ago. The body is the raw one: what was parsed
 * and written anew has other bytes.
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
  const of = (scheme: string) => elements.filter(([name]) => name === scheme).map(([, value = ""]) => value);
  const [dated, signatures] = [of("t"), of("v1")];
  const signedAt = dated[0] ?? "";
  if (!/^\d{1,15}$/.test(signedAt) || dated.some((other) => other !== signedAt) || !signatures.length) {
    throw new GateError("malformed signature header", "signature_malformed");
  }
  const encoder = new TextEncoder();
  const raw = typeof body === "string" ? encoder.encode(body) : body;
  const signed = new Uint8Array([...encoder.encode(`${signedAt}.`), ...raw]);
  let genuine = 0;
  for (const secret of [secrets].flat()) {
    // Anybody can sign with nothing.
    if (!secret) continue;
    const key = await crypto.subtle.importKey("raw", encoder.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const expected = hex(new Uint8Array(await crypto.subtle.sign("HMAC", key, signed)));
    // Every pair is compared to its end, so that time does not tell which one was close.
    for (const signature of signatures) genuine |= +equal(expected, signature);
  }
  if (!genuine) throw new GateError("no signature matches", "signature_mismatch");
  if (Math.abs(now - +signedAt) > tolerance) {
    throw new GateError(`signed at ${signedAt}, more than ${tolerance} s from now`, "signature_stale");
  }
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw)) as Event;
}

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whether two texts are the same, in a time that depends on neither. */
function equal(expected: string, given: string): boolean {
  let differs = expected.length ^ given.length;
  for (let at = 0; at < expected.length; at++) differs |= expected.charCodeAt(at) ^ given.charCodeAt(at % (given.length || 1));
  return differs === 0;
}
