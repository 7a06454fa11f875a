// Waits until a Worker on this machine is healthy, and says what is wrong if it is not.
//
// Accepts its URL and a secret key, returns what `/healthz` says. Only the status `ok` is healthy.

import { setTimeout as sleep } from "node:timers/promises";

/** How often the Worker is asked, and for how long it may answer anything but `ok`, in milliseconds. */
const INTERVAL = 500;
const PATIENCE = 10_000;
const RESPONSE_TIMEOUT = 10_000;

/**
 * @typedef {object} Health
 * @property {string} [problem] Why the Worker is not healthy; undefined if it is.
 * @property {string} [advice] What to do about it.
 * @property {string} [source]
 * @property {string[]} unknownSettings
 */

/**
 * Asks until the Worker is healthy, or until it is clear that it will not be.
 *
 * @param {string} url
 * @param {string | undefined} key
 * @param {AbortSignal} signal  Ends the wait.
 * @returns {Promise<Health>}
 */
export async function waitForHealth(url, key, signal) {
  /** @type {number | undefined} */
  let answeredAt;
  for (;;) {
    const health = await askHealth(url, key, signal);
    if (health) {
      if (health.problem === undefined || health.isFinal) return health;
      answeredAt ??= Date.now();
      if (Date.now() - answeredAt >= PATIENCE) return health;
    }
    await sleep(INTERVAL, undefined, { signal });
  }
}

/**
 * What the Worker says; undefined if it does not answer.
 *
 * @param {string} url
 * @param {string | undefined} key
 * @param {AbortSignal} signal
 * @returns {Promise<(Health & { isFinal: boolean }) | undefined>}
 */
async function askHealth(url, key, signal) {
  const headers = key ? { authorization: `Bearer ${key}` } : undefined;
  let response;
  let text;
  try {
    response = await fetch(`${url}/healthz`, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(RESPONSE_TIMEOUT)]) });
    text = await response.text();
  } catch (error) {
    if (signal.aborted) throw error;
    return undefined;
  }
  return readHealth(response.status, text);
}

/**
 * Reads a response of `/healthz`.
 *
 * @param {number} status
 * @param {string} text
 * @returns {Health & { isFinal: boolean }} `isFinal` if only a change of a setting can help.
 */
export function readHealth(status, text) {
  /** @type {any} */
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  const restart = "Change it in .dev.vars (.dev.vars.example has every line that it needs). Then stop with Ctrl-C, and run make dev again.";
  const { error, status: state, message, source, unknown_settings: unknownSettings = [] } = body ?? {};
  if (error?.message) return { problem: error.message, advice: restart, unknownSettings: [], isFinal: true };
  if (body?.object !== "health") {
    const problem = `/healthz answers ${status}, and not as entgate does: ${JSON.stringify(text.slice(0, 100))}.`;
    return { problem, advice: "Choose another port: make dev PORT=8800", unknownSettings: [], isFinal: false };
  }
  if (state === "ok") return { source, unknownSettings, isFinal: true };
  const problem = `/healthz says \`${state}\`.${message ? ` ${message}` : ""}`;
  const advice = {
    unconfigured: restart,
    degraded:
      "If it is about stored data that you do not need, stop with Ctrl-C, delete it with rm -r .wrangler/state, and run make dev again.",
  };
  return {
    problem,
    advice: advice[/** @type {keyof typeof advice} */ (state)] ?? restart,
    source,
    unknownSettings,
    isFinal: state === "unconfigured",
  };
}
