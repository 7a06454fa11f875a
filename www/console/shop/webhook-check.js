// Whether this Worker hears of what the catalog does. Where it does not, nothing opens, and nothing else says why.

import { command, notice } from "../elements.js";
import { expect } from "./demo-products.js";

const PATH = "/webhooks/stripe";

/** What to do where the catalog tells nobody here; nothing where it does. */
export async function deaf(desk) {
  const { data } = await expect(desk.ask("/v1/webhook_endpoints?limit=100"));
  if (data.some(({ url, status }) => status === "enabled" && URL.parse(url)?.pathname === PATH)) return [];
  const said = `The catalog tells nobody at ${PATH} of its events, so that no part will open. On your own machine this registers the Worker; the README has the command for Cloudflare.`;
  return [notice(said, "maybe", command(`node scripts/own-endpoint.mjs ${location.origin}`))];
}
