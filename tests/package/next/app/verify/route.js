import { createGate } from "entgate";
import { verifySnapshot } from "entgate/server";
import { endpoint, keys } from "../../entgate";

// Where Next's middleware ran, and where no wasm is compiled from bytes.
export const runtime = "edge";

export async function POST(request) {
  const snapshot = await request.text();
  try {
    const { customer, entitlements } = await verifySnapshot(snapshot, { keys });
    const gate = createGate({ endpoint, snapshot });
    return Response.json({ customer, entitlements, sms: gate.has("sms"), sso: gate.check("sso").reason });
  } catch ({ code }) {
    return Response.json({ code }, { status: 403 });
  }
}
