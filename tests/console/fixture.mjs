// A Worker that makes tokens and signs snapshots, as the shop's gate wants it.

import { generateKeyPairSync } from "node:crypto";
import { browse } from "../worker/browser.mjs";
import { Shop } from "../worker/catalog.mjs";
import { serve } from "../worker/support.mjs";

export function edge(settings = {}) {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return serve({
    settings: {
      ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more",
      ENTGATE_SIGNING_KEY: JSON.stringify({ kty, crv, x, d, kid: "one" }),
      ...settings,
    },
  });
}

/** A catalog that tells this Worker of its events, who sells there, its endpoint, and a browser; and how all of it ends. */
export async function stage() {
  const service = await edge({ ENTGATE_SOURCE: "catalog" });
  const seller = new Shop(service);
  const browser = await browse();
  const own = await seller.registerItself();
  return {
    service,
    seller,
    own,
    browser,
    async end() {
      await browser.close();
      await service.stop();
    },
  };
}
