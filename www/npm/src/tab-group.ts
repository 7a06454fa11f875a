// Tabs of one customer share one connection: whichever has the lock listens, and tells the others. A tab
// that has no locks or no channel is alone, and listens itself.

export interface Tabs<T> {
  tell(message: T): void;
  close(): void;
}

/** `lead` is called once this tab is the one that listens, and gives how to stop. */
export function tabs<T>(name: string | undefined, lead: () => () => void, heard: (message: T) => void): Tabs<T> {
  const locks = globalThis.navigator?.locks;
  if (name === undefined || !locks || !globalThis.BroadcastChannel || !globalThis.document) {
    const stop = lead();
    return { tell() {}, close: stop };
  }
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }) => heard(data);
  const leaving = new AbortController();
  let release = () => {};
  locks
    .request(name, { signal: leaving.signal }, () => {
      const stop = lead();
      return new Promise<void>((resolve) => {
        release = () => {
          stop();
          resolve();
        };
      });
    })
    // Refused, as in a frame of another origin, or not wanted any more.
    .catch(() => {
      if (!leaving.signal.aborted) release = lead();
    });
  return {
    tell: (message) => channel.postMessage(message),
    close() {
      leaving.abort();
      release();
      channel.close();
    },
  };
}
