// A Worker that issues customer tokens and signs snapshots, as the gate of the demo shop requires.

import { generateKeyPairSync } from "node:crypto";
import { launchBrowser } from "../worker/browser.mjs";
import { serve } from "../worker/support.mjs";
import { TestCatalog } from "../worker/test-catalog.mjs";

/**
 * Starts the Worker.
 *
 * @param {Record<string, string>} [settings]
 * @param {import("../worker/support.mjs").ServeOptions} [options]
 */
export function startWorker(settings = {}, options = {}) {
  const { kty, crv, x, d } = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  return serve({
    ...options,
    settings: {
      ENTGATE_TOKEN_SECRETS: "a-secret-of-the-tests-of-thirty-two-bytes-and-more",
      ENTGATE_SIGNING_KEY: JSON.stringify({ kty, crv, x, d, kid: "one" }),
      ...settings,
    },
  });
}

/** Starts the Worker with the catalog as its source, and a browser. @param {import("../worker/support.mjs").ServeOptions} [options] */
export async function startWithCatalog(options) {
  const service = await startWorker({ ENTGATE_SOURCE: "catalog" }, options);
  const catalog = new TestCatalog(service);
  const browser = await launchBrowser();
  return {
    service,
    catalog,
    browser,
    async stop() {
      await browser.close();
      await service.stop();
    },
  };
}
