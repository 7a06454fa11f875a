// Tabs of one customer share one stream. The tab that holds a Web Lock is the leader: it opens the stream and
// broadcasts what it receives. If locks or channels are not available, each tab is its own leader.
//
// https://www.w3.org/TR/web-locks/

export interface TabGroup<T> {
  broadcast(message: T): void;
  close(): void;
}

/** `onLeader` is called when this tab becomes the leader, and returns a function that stops its work. */
export function joinTabGroup<T>(name: string | undefined, onLeader: () => () => void, onMessage: (message: T) => void): TabGroup<T> {
  const locks = globalThis.navigator?.locks;
  if (name === undefined || !locks || !globalThis.BroadcastChannel || !globalThis.document) {
    const stop = onLeader();
    return { broadcast() {}, close: stop };
  }
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => onMessage(data);
  const closed = new AbortController();
  let release = () => {};
  locks
    .request(name, { signal: closed.signal }, () => {
      const stop = onLeader();
      return new Promise<void>((resolve) => {
        release = () => {
          stop();
          resolve();
        };
      });
    })
    // The browser denies locks to some documents, such as a cross-origin frame. Or the group was closed.
    .catch(() => {
      if (!closed.signal.aborted) release = onLeader();
    });
  return {
    broadcast: (message) => channel.postMessage(message),
    close() {
      closed.abort();
      release();
      channel.close();
    },
  };
}
