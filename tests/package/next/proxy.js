import { NextResponse } from "next/server.js";
import { entgate } from "./entgate.js";

export const config = { matcher: "/export" };

/**
 * Denies the page to customers without the feature, and while the answer is not known.
 *
 * @param {import("next/server.js").NextRequest} request
 */
export async function proxy(request) {
  const customer = request.cookies.get("customer")?.value;
  if (!customer) return new NextResponse("log in", { status: 401 });
  try {
    const { entitled } = await entgate.check({ customer, feature: "export" });
    return entitled ? NextResponse.next() : new NextResponse("not in your plan", { status: 403 });
  } catch {
    return new NextResponse("try again", { status: 503 });
  }
}
