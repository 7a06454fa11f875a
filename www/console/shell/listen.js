// `listen`: prints the events that the catalog sends and the outcomes of this Worker, until its signal is aborted.

import { findOutcome } from "../activity-feed.js";
import { withQuery } from "../form.js";

const POLL_INTERVAL_MS = 1_000;
const PAGE_SIZE = 100;

/**
 * @param {import("./grammar.js").ListenCommand} command
 * @param {import("./run.js").Shell} shell
 */
export async function listen({ customer, events }, { session, screen, signal }) {
  const isSelected = (/** @type {string} */ type) => events.includes("*") || events.includes(type);
  const tails = [];
  if (session.source === "catalog") {
    tails.push(
      tail(session, "/v1/events", {}, ({ id, type, created }) => {
        if (isSelected(type) && !customer)
          screen.printSpans([formatTimestamp(created * 1_000), "muted"], ["   --> ", "muted"], [type], [` [${id}]`, "muted"]);
      }),
    );
  }
  tails.push(
    tail(session, "/v1/activity", { customer }, ({ at, event, outcome, customer: id, version }) => {
      screen.printSpans(
        [formatTimestamp(at), "muted"],
        ["  <--  ", "muted"],
        [outcome, findOutcome(outcome).tone],
        [` ${id} version ${version}`],
        [event ? ` [${event}]` : "", "muted"],
      );
    }),
  );

  for (const each of tails) {
    const problem = await each.start(signal);
    if (signal.aborted) return;
    if (problem) return screen.print(problem, "danger");
  }
  const shown = session.source === "catalog" ? "Events (-->) and outcomes (<--)" : "Outcomes (<--)";
  screen.print(`Ready! ${shown} appear as they arrive (^C to quit)`, "success");
  let lastProblem;
  while (!signal.aborted) {
    await sleep(POLL_INTERVAL_MS, signal);
    for (const each of tails) {
      const problem = await each.next(signal);
      if (problem && problem !== lastProblem && !signal.aborted) screen.print(problem, "danger");
      lastProblem = problem;
    }
  }
}

/**
 * Follows a list, newest first: `start` skips the existing items, `next` passes each new one to `onItem`, oldest first. Both return the
 * problem of a failed request.
 *
 * @param {import("./run.js").Shell["session"]} session
 * @param {string} path
 * @param {object} params
 * @param {(item: any) => void} onItem
 */
function tail(session, path, params, onItem) {
  /** @type {string | undefined} */
  let newestId;
  const requestPage = (/** @type {object} */ page, /** @type {AbortSignal} */ signal) =>
    session.request(withQuery(path, { ...params, ...page }), { signal });
  return {
    /** @param {AbortSignal} signal */
    async start(signal) {
      const { body, problem } = await requestPage({ limit: 1 }, signal);
      newestId = body.data?.[0]?.id;
      return problem;
    },
    /** @param {AbortSignal} signal */
    async next(signal) {
      for (let hasMore = true; hasMore && !signal.aborted; ) {
        const { body, problem } = await requestPage({ limit: PAGE_SIZE, ending_before: newestId }, signal);
        if (problem) return problem;
        for (const item of body.data.toReversed()) onItem(item);
        hasMore = body.has_more && newestId !== undefined;
        newestId = body.data[0]?.id ?? newestId;
      }
      return undefined;
    },
  };
}

/**
 * Resolves after `ms`, or as soon as the signal is aborted.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}

/**
 * Formats a timestamp in the reader's time zone as Stripe's CLI does.
 *
 * @param {number} ms  Since 1970.
 */
function formatTimestamp(ms) {
  const date = new Date(ms);
  const twoDigits = (/** @type {number} */ value) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join("-");
  return `${day} ${[date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":")}`;
}
