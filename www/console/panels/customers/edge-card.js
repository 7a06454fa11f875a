// The card "State at the edge": how a plain check of the customer is answered.

import { descriptionList, element, notice, time } from "../../elements.js";
import { withQuery } from "../../form.js";

const PLACEHOLDER_FEATURE = "entgate"; // Checked if there are no entitlements, because the response contains the version.

/**
 * Creates the card.
 *
 * @param {import("../../session.js").Session} session
 */
export function createEdgeCard(session) {
  const root = element("section", "card");
  return {
    root,
    /**
     * @param {string} customer
     * @param {string | undefined} feature
     * @param {string} count  Of the customer's features.
     * @param {AbortSignal} signal
     */
    async load(customer, feature, count, signal) {
      const reply = await session.request(withQuery("/v1/check", { customer, feature: feature ?? PLACEHOLDER_FEATURE }), { signal });
      if (signal.aborted) return;
      const known = reply.status === 200;
      root.replaceChildren(
        element("h2", "", "State at the edge"),
        descriptionList([
          ["Version", known ? String(reply.body.version ?? "–") : "–"],
          ["As of", known ? time(reply.body.as_of) : "–"],
          ["Served by", known ? reply.body.served_by : "–"],
          ["Features", count],
          ["Round trip", reply.durationMs === undefined ? "–" : `${Math.ceil(reply.durationMs)} ms`],
        ]),
      );
      if (!known) root.append(notice(reply.problem ?? "The edge response for this customer is unknown.", "warning"));
    },
  };
}
