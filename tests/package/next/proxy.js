import { NextResponse } from "next/server";
import { entgate } from "./entgate";

export const config = { matcher: "/export" };

/** Lets nobody reach the page who may not use the feature, nor while that is not known. */
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
