// Client for `GET /v1/stream` (server-sent events), with reconnection.
//
// It uses `fetch` instead of `EventSource`, so the token is sent in a header and never in a URL. After a disconnect it
// reconnects with exponential back-off and full jitter, and sends `Last-Event-ID`. Not here: what an event means
// (`gate-impl.ts`).
//
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

import type { EdgeClient } from "./edge-client.js";
import type { GateError } from "./error.js";
import { decodeUtf8, toBinary } from "./text.js";
import { TIMER_LIMIT } from "./waiting.js";

/** A silent stream is closed after this time, in milliseconds. The edge sends a heartbeat every 25 s; two may be lost. */
const SILENCE_TIMEOUT = 60_000;
/** A connection that ends earlier counts as a failure, in milliseconds: a proxy may cut every stream at once. */
const MIN_DURATION = 5_000;
/** The back-off before a reconnection, in milliseconds. The stream's `retry` field replaces the first. */
const INITIAL_BACKOFF = 1_000;
const MAX_BACKOFF = 30_000;

export interface Stream {
  /** Ends the current back-off. */
  reconnect(): void;
  close(): void;
}

/**
 * Opens the stream, and keeps it open until it is closed. `getVersion` returns the version of the current set; the stream
 * sends the changes after it. `onFailure` is called for the second failure in a row and for each one after it: a single
 * failure is common.
 */
export function openStream(
  client: EdgeClient,
  getVersion: () => number | undefined,
  onEvent: (event: string, data: string) => void,
  onFailure: () => void,
): Stream {
  let isClosed = false;
  let firstBackoff = INITIAL_BACKOFF;
  let failures = 0;
  let endConnection = () => {};
  let endBackoff = () => {};

  /** Reads one connection to its end. Returns the shortest time until the next one, in milliseconds. */
  const connect = async (): Promise<number> => {
    let openedAt = Infinity;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const connection = new AbortController();
    endConnection = () => connection.abort();
    const restartTimeout = () => {
      clearTimeout(silence);
      silence = setTimeout(endConnection, SILENCE_TIMEOUT);
    };
    try {
      restartTimeout();
      const version = getVersion();
      const { ok, body, headers, status } = await client.send("/v1/stream", {
        headers: { accept: "text/event-stream", ...(version !== undefined && { "last-event-id": `${version}` }) },
        signal: connection.signal,
      });
      // There is no such route, or this token may not use it: another attempt would fail in the same way.
      if ([403, 404, 405].includes(status)) return Infinity;
      // With status 200 and another type it is the page of a proxy.
      if (!ok || !body || !/^text\/event-stream/i.test(headers.get("content-type") ?? ""))
        return +(headers.get("retry-after") ?? 0) * 1_000 || 0;
      openedAt = Date.now();
      const reader = body.getReader();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return 0;
        restartTimeout();
        const blocks = (rest + toBinary(value)).split(/\r?\n\r?\n/);
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const field = (name: string) =>
            Array.from(block.matchAll(new RegExp(`^${name}: ?(.*)`, "gm")), ([, value]) => decodeUtf8(value as string));
          firstBackoff = +(field("retry")[0] ?? 0) || firstBackoff;
          const data = field("data");
          if (data.length) onEvent(field("event")[0] ?? "message", data.join("\n"));
        }
      }
    } finally {
      clearTimeout(silence);
      endConnection();
      if (Date.now() - openedAt > MIN_DURATION) failures = 0;
    }
  };

  (async () => {
    while (!isClosed) {
      let pause = 0;
      try {
        pause = await connect();
      } catch (error) {
        // A network failure is retried like the end of a stream. A function that returns no token would return none again.
        if ((error as GateError).code === "token_failed") pause = Infinity;
      }
      if (isClosed) break;
      if (failures++ && pause < Infinity) onFailure();
      const backoff = failures > 1 ? INITIAL_BACKOFF * 2 ** (failures - 2) : firstBackoff;
      // Full jitter: clients that one outage disconnected must not reconnect at the same time.
      const delay = Math.max(pause, Math.random() * Math.min(MAX_BACKOFF, backoff));
      // A longer pause, after an absurd `Retry-After`, lasts until `reconnect`.
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        endBackoff = resolve;
        if (delay < TIMER_LIMIT) timer = setTimeout(resolve, delay);
      });
      clearTimeout(timer);
    }
  })();

  return {
    reconnect: () => endBackoff(),
    close() {
      isClosed = true;
      endConnection();
      endBackoff();
    },
  };
}
