// Tabs of one customer share one stream. The tab that holds a Web Lock is the leader: it opens the stream and
// broadcasts what it receives. If locks or channels are not available, each tab is its own leader.
//
// https://www.w3.org/TR/web-locks/

export interface TabGroup<T> {
  broadcast(message: T): void;
  close(): void;
}

/** `lead` is called when this tab becomes the leader, and returns a function that stops its work. */
export function joinTabGroup<T>(name: string | undefined, lead: () => () => void, onMessage: (message: T) => void): TabGroup<T> {
  let isClosed = false;
  let channel: BroadcastChannel | undefined;
  let stop: (() => void) | undefined;
  /** Releases the lock. */
  let release = () => {};

  const join = async () => {
    // A browser denies locks and channels to some documents, such as a cross-origin frame: each of these can throw.
    const locks = globalThis.navigator?.locks;
    if (name === undefined || !locks || !globalThis.document) return;
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => onMessage(data);
    await locks.request(name, () => {
      if (isClosed) return undefined;
      stop = lead();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
  };
  join()
    .catch(() => {})
    .then(() => {
      if (!isClosed) stop ??= lead();
    });

  return {
    broadcast: (message) => channel?.postMessage(message),
    close() {
      isClosed = true;
      stop?.();
      release();
      channel?.close();
    },
  };
}
