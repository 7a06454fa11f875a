// Promises that always settle: an operation with a limited time, and one that several callers share.

import { GateError } from "./error.js";

/**
 * Whether a promise can be shared by all callers. In Cloudflare Workers it cannot: a request that ends takes its timers
 * and connections with it, and a promise that waits for them never settles.
 */
export const isSharingSafe = !("WebSocketPair" in globalThis);

/** `setTimeout` fires at once for this delay and longer ones, in milliseconds. */
export const TIMER_LIMIT = 2 ** 31;

/** Returns a function that joins a run in progress, if there is one. */
export function shared<T>(run: () => Promise<T>): () => Promise<T> {
  let inFlight: Promise<T> | undefined;
  return () => {
    if (!isSharingSafe) return run();
    inFlight ??= run().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  };
}

/** Runs an operation, and rejects after this number of milliseconds. The signal then aborts it, if it supports that. */
export const withTimeout = <T>(milliseconds: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      reject(new GateError(`no response within ${milliseconds} ms`, "timeout"));
      abort.abort();
    }, milliseconds);
    run(abort.signal)
      .finally(() => clearTimeout(timer))
      .then(resolve, reject);
  });
