// Client for `GET /v1/stream` (server-sent events), with reconnection.
//
// It uses `fetch` instead of `EventSource`, so the token is sent in a header and never in a URL. After a disconnect it
// reconnects with exponential back-off and full jitter, and sends `Last-Event-ID`. Not here: what an event means
// (`gate-impl.ts`).
//
// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

import type { EdgeClient } from "./edge-client.js";

export interface StreamHandlers {
  /** Returns the version of the current set; the stream sends the changes after it. */
  lastVersion(): number | undefined;
  onEvent(event: string, data: string): void;
  /** Called for the second failure in a row and for each one after it: a single failure is common. */
  onFailure(): void;
}

/** A silent stream is closed after this time, in milliseconds. The edge sends a heartbeat every 25 s; two may be lost. */
const SILENCE_TIMEOUT = 60_000;
/** The back-off before a reconnection, in milliseconds. The stream's `retry` field replaces the first. */
const INITIAL_BACKOFF = 1_000;
const MAX_BACKOFF = 30_000;

/** Opens the stream and keeps it open until `close`. `reconnect` ends the current back-off. */
export function openStream(
  client: EdgeClient,
  customer: string | undefined,
  handlers: StreamHandlers,
): { reconnect(): void; close(): void } {
  const closed = new AbortController();
  let backoff = INITIAL_BACKOFF;
  let failures = 0;
  let endBackoff = () => {};

  /** Reads one connection to its end. Returns `false` if another attempt would fail in the same way. */
  const connect = async (): Promise<boolean> => {
    const connection = new AbortController();
    const abort = () => connection.abort();
    closed.signal.addEventListener("abort", abort);
    let silence: ReturnType<typeof setTimeout> | undefined;
    const restartTimeout = () => {
      clearTimeout(silence);
      silence = setTimeout(abort, SILENCE_TIMEOUT);
    };
    try {
      restartTimeout();
      const version = handlers.lastVersion();
      const response = await client.request(`/v1/stream${customer === undefined ? "" : `?${new URLSearchParams({ customer })}`}`, {
        headers: { accept: "text/event-stream", ...(version === undefined ? {} : { "last-event-id": `${version}` }) },
        signal: connection.signal,
      });
      if (!response.ok || !response.body) {
        const retryAfter = +(response.headers.get("retry-after") ?? 0);
        await response.body?.cancel();
        backoff = Math.max(backoff, retryAfter * 1_000);
        // There is no such route, or this token may not use it.
        return ![403, 404, 405].includes(response.status);
      }
      failures = 0;
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return true;
        restartTimeout();
        const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
        rest = blocks.pop() ?? "";
        for (const block of blocks) {
          const field = (name: string) =>
            block
              .split(/\r?\n/)
              .filter((line) => line.startsWith(`${name}:`))
              .map((line) => line.slice(name.length + 1).replace(/^ /, ""));
          backoff = +(field("retry")[0] ?? backoff) || backoff;
          const data = field("data");
          if (data.length) handlers.onEvent(field("event")[0] ?? "message", data.join("\n"));
        }
      }
    } finally {
      clearTimeout(silence);
      closed.signal.removeEventListener("abort", abort);
      connection.abort();
    }
  };

  (async () => {
    while (!closed.signal.aborted) {
      let canRetry = true;
      try {
        canRetry = await connect();
      } catch {
        // A network failure: retried like the end of a stream.
      }
      if (!canRetry || closed.signal.aborted) break;
      if (failures++) handlers.onFailure();
      // Full jitter: clients that one outage disconnected must not reconnect at the same time.
      const delay = Math.random() * Math.min(MAX_BACKOFF, backoff * 2 ** Math.min(failures - 1, 6));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delay);
        endBackoff = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();

  return {
    reconnect() {
      failures = 0;
      endBackoff();
    },
    close() {
      closed.abort();
      endBackoff();
    },
  };
}
