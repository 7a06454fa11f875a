// A typed event emitter.

type Listener = (...args: never[]) => void;

export function createEmitter<Events extends { [E in keyof Events]: Listener }>() {
  const listeners = new Set<[event: keyof Events, listener: Listener]>();
  return {
    /** Adds a listener, and returns a function that removes it. A listener that is added twice is called twice. */
    on<E extends keyof Events>(event: E, listener: Events[E]): () => void {
      const entry: [keyof Events, Listener] = [event, listener];
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
    /** Calls every listener of the event. An exception of one is reported, and does not affect the others. */
    emit<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): void {
      for (const [name, listener] of [...listeners]) {
        if (name !== event) continue;
        try {
          listener(...(args as never[]));
        } catch (error) {
          (globalThis.reportError ?? console.error)(error);
        }
      }
    },
    clear: () => listeners.clear(),
  };
}
