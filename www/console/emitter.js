// A minimal event emitter for one kind of event.

/**
 * @template T
 * @typedef {object} Emitter
 * @property {(listener: (value: T) => void) => () => void} on  Adds a listener; the returned function removes it.
 * @property {(value: T) => void} emit  Calls every listener with this value.
 */

/**
 * Creates an emitter without listeners.
 *
 * @template T
 * @returns {Emitter<T>}
 */
export function createEmitter() {
  /** @type {Set<(value: T) => void>} */
  const listeners = new Set();
  return {
    on(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    emit(value) {
      for (const listener of listeners) listener(value);
    },
  };
}
