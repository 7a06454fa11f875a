// Helpers for asynchronous work in panels: keep only the latest request of a kind, and poll while the page is visible.

/**
 * @typedef {object} LatestOnly
 * @property {(kind: string) => AbortSignal} signal  Aborts the previous request of this kind and returns the signal for the next one.
 * @property {() => void} abortAll  Aborts every pending request.
 */

/**
 * Creates abort signals for requests of which only the latest of a kind matters.
 *
 * @returns {LatestOnly}
 */
export function latestOnly() {
  /** @type {Map<string, AbortController>} */
  const controllers = new Map();
  return {
    signal(kind) {
      controllers.get(kind)?.abort();
      const controller = new AbortController();
      controllers.set(kind, controller);
      return controller.signal;
    },
    abortAll() {
      for (const controller of controllers.values()) controller.abort();
    },
  };
}

/**
 * @typedef {object} Poller
 * @property {() => void} start
 * @property {() => void} stop
 */

/**
 * Repeats a task between `start` and `stop`, while the page is visible. The next run starts `intervalMs` after the previous one ended.
 *
 * @param {number} intervalMs
 * @param {() => Promise<void>} task
 * @returns {Poller}
 */
export function poll(intervalMs, task) {
  let started = false;
  let running = false;
  let rerun = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const run = async () => {
    clearTimeout(timer);
    if (!started || document.hidden) return;
    rerun = running;
    if (running) return;
    running = true;
    try {
      await task();
    } finally {
      running = false;
    }
    if (rerun) run();
    else if (started) timer = setTimeout(run, intervalMs);
  };
  document.addEventListener("visibilitychange", run);
  return {
    start() {
      if (started) return;
      started = true;
      run();
    },
    stop() {
      started = false;
      clearTimeout(timer);
    },
  };
}
