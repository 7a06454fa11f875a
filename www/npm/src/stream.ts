// Live changes: `GET /v1/stream` as server-sent events, read through fetch, so that the token stands in a
// header and in no URL. https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

import type { Edge } from "./edge-client.js";

export interface Ears {
  /** The version that is held, from which on changes are told. */
  version(): number | undefined;
  heard(event: string, data: string): void;
  /** How many attempts in a row came to nothing; `undefined` for the first sign of life. */
  trouble(attempts: number | undefined): void;
}

/** The edge sends a sign of life every 25 s; two may be lost. */
const SILENCE = 60_000;
const LONGEST_PAUSE = 30_000;

/** Listens until told to end. `nudge` tries again at once. */
export function listen(edge: Edge, customer: string | undefined, ears: Ears): { nudge(): void; end(): void } {
  const ended = new AbortController();
  let pause = 1_000;
  let attempts = 0;
  let awake = () => {};

  const once = async (): Promise<boolean> => {
    const hearing = new AbortController();
    const hush = () => hearing.abort();
    ended.signal.addEventListener("abort", hush);
    let silence: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(hush, SILENCE);
    };
    try {
      alive();
      const version = ears.version();
      const response = await edge.ask(`/v1/stream${customer === undefined ? "" : `?${new URLSearchParams({ customer })}`}`, {
        headers: { accept: "text/event-stream", ...(version === undefined ? {} : { "last-event-id": `${version}` }) },
        signal: hearing.signal,
      });
      if (!response.ok || !response.body) {
        const after = +(response.headers.get("retry-after") ?? 0);
        await response.body?.cancel();
        pause = Math.max(pause, after * 1_000);
        // There is no such route, or nothing that this token opens.
        return ![403, 404, 405].includes(response.status);
      }
      attempts = 0;
      ears.trouble(undefined);
      const reader = response.body.getReader();
      const decoder = new TextDecoder();
      for (let rest = ""; ; ) {
        const { value, done } = await reader.read();
        if (done) return true;
        alive();
        const blocks = (rest + decoder.decode(value, { stream: true })).split(/\r?\n\r?\n/);
        rest = blocks.pop()!;
        for (const block of blocks) {
          const field = (name: string) =>
            block
              .split(/\r?\n/)
              .filter((line) => line.startsWith(`${name}:`))
              .map((line) => line.slice(name.length + 1).replace(/^ /, ""));
          pause = +(field("retry")[0] ?? pause) || pause;
          const data = field("data");
          if (data.length) ears.heard(field("event")[0] ?? "message", data.join("\n"));
        }
      }
    } finally {
      clearTimeout(silence);
      ended.signal.removeEventListener("abort", hush);
      hearing.abort();
    }
  };

  (async () => {
    while (!ended.signal.aborted) {
      let goes = true;
      try {
        goes = await once();
      } catch {
        // The network; it is tried again.
      }
      if (!goes || ended.signal.aborted) break;
      if (attempts++) ears.trouble(attempts);
      // All of the jitter: whom one outage cut off does not come back at one moment.
      const wait = Math.random() * Math.min(LONGEST_PAUSE, pause * 2 ** Math.min(attempts - 1, 6));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, wait);
        awake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  })();

  return {
    nudge() {
      attempts = 0;
      awake();
    },
    end() {
      ended.abort();
      awake();
    },
  };
}
