// Carries out the changes of a plan, one request after the other. A request that may succeed later is sent again with the same
// idempotency key, so that it has its effect once.

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const MAX_ATTEMPTS = 4;
const RETRY_BACKOFF_MS = 500;
const MAX_RETRY_AFTER_S = 30;

/** 0 is no response. 409: another request with this key is in progress. */
const RETRIABLE = new Set([0, 409, 429, 500, 502, 503, 504]);

/** @typedef {import("./plan.js").Change} Change */

/**
 * Applies the changes in their order. Stops at the first failure, which it returns: what is done stays, and the next plan has the rest.
 *
 * @param {import("./plan.js").Plan} plan
 * @param {import("../session.js").Session} session
 * @param {(change: Change) => void} onApplied
 * @param {AbortSignal} signal
 * @returns {Promise<{ change: Change, problem: string } | undefined>}
 */
export async function applyPlan({ changes, ids }, session, onApplied, signal) {
  for (const change of changes) {
    for (const { method, path, form, saves } of change.steps) {
      if (signal.aborted) return { change, problem: "Canceled." };
      const reply = await send(session, path(ids), {
        method,
        form: form?.(ids),
        idempotencyKey: method === "POST" ? randomUUID() : undefined,
        signal,
      });
      if (reply.problem) return { change, problem: reply.problem };
      if (saves) ids.set(saves, reply.body.id);
    }
    onApplied(change);
  }
  return undefined;
}

/**
 * @param {import("../session.js").Session} session
 * @param {string} path
 * @param {import("../session.js").RequestOptions & { signal: AbortSignal }} options
 */
async function send(session, path, options) {
  for (let attempt = 1; ; attempt += 1) {
    const reply = await session.request(path, options);
    if (!RETRIABLE.has(reply.status) || attempt === MAX_ATTEMPTS || options.signal.aborted) return reply;
    const seconds = Number(reply.headers.get("retry-after") ?? 0);
    const pause = Math.max(RETRY_BACKOFF_MS * 2 ** (attempt - 1), Math.min(seconds || 0, MAX_RETRY_AFTER_S) * 1_000);
    await sleep(pause, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
