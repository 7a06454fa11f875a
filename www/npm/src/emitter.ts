// Who listens, and to what.

type Heard = (...told: never[]) => void;

/** Listeners to events of these names. */
export function listeners<Events extends { [E in keyof Events]: Heard }>() {
  const all = new Set<[event: keyof Events, heard: Heard]>();
  return {
    /** Whoever listens twice is called twice. */
    on<E extends keyof Events>(event: E, heard: Events[E]): () => void {
      const own: [keyof Events, Heard] = [event, heard];
      all.add(own);
      return () => void all.delete(own);
    },
    call<E extends keyof Events>(event: E, ...told: Parameters<Events[E]>): void {
      for (const [name, heard] of [...all]) {
        if (name !== event) continue;
        try {
          heard(...(told as never[]));
        } catch (error) {
          // Whose listener fails hears of it where errors are heard of; the others are called all the same.
          (globalThis.reportError ?? console.error)(error);
        }
      }
    },
    forget: () => all.clear(),
  };
}
