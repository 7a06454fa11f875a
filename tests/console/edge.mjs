// A Worker that makes tokens and signs snapshots, as the shop's gate wants it.

import { generateKeyPairSync } from "node:crypto";
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
