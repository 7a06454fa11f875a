// Checks whether the catalog sends its events to this Worker. Without such an endpoint, purchases do not change any entitlement here.

import { command, notice } from "../elements.js";
import { withQuery } from "../form.js";
import { bodyOf } from "../session.js";

const WEBHOOK_PATH = "/webhooks/stripe";

/**
 * Returns a notice with the command that registers the Worker, or nothing if an enabled endpoint exists.
 *
 * @param {import("../session.js").Session} session
 * @returns {Promise<HTMLElement[]>}
 */
export async function missingWebhookNotice(session) {
  /** @type {{ data: { url: string, status: string }[] }} */
  const { data } = await bodyOf(session.request(withQuery("/v1/webhook_endpoints", { limit: 100 })));
  if (data.some(({ url, status }) => status === "enabled" && URL.parse(url)?.pathname === WEBHOOK_PATH)) return [];
  const text = `The catalog has no enabled webhook endpoint at ${WEBHOOK_PATH}, so no section will unlock. On your own machine, this command registers the Worker. The documentation has the command for Cloudflare.`;
  return [notice(text, "warning", command(`node scripts/register-self-webhook.mjs ${location.origin}`))];
}
