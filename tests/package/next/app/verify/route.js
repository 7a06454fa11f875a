import { createGate } from "entgate";
import { verifySnapshot } from "entgate/server";
import { endpoint, keys } from "../../entgate.js";

// The edge runtime compiles no wasm from bytes.
export const runtime = "edge";

/** @param {Request} request */
export async function POST(request) {
  const snapshot = await request.text();
  try {
    const { customer, entitlements } = await verifySnapshot(snapshot, { keys, livemode: false });
    const gate = createGate({ endpoint, livemode: false, snapshot });
    return Response.json({ customer, entitlements, sms: gate.has("sms"), sso: gate.check("sso").reason });
  } catch ({ code }) {
    return Response.json({ code }, { status: 403 });
  }
}
