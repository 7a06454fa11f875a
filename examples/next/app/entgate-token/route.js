import { entgate } from "../../entgate";

/** Creates a token for the customer. A real app takes the customer from its session. @param {Request} request */
export async function GET(request) {
  const customer = new URL(request.url).searchParams.get("customer") || "cus_demo_team";
  try {
    return new Response((await entgate.token(customer)).token);
  } catch (error) {
    console.error(`failed to create a token: ${error.message}`);
    return new Response(null, { status: 503 });
  }
}
