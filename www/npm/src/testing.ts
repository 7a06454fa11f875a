// `entgate/testing`: a gate whose answers a test sets. It sends no requests, and has no core.

import { createEmitter } from "./emitter.js";
import type { Feature } from "./features.js";
import type { Check, Events, Gate, State } from "./gate.js";

export * from "./api.js";

/** The answer for each feature; `false` for every feature that is not listed. */
export type Answers = { readonly [F in Feature]?: boolean };

export interface TestGate extends Gate {
  /** Changes answers as an event of the edge does, and calls the listeners. */
  set(answers: Answers): void;
  /** Changes the state. In `loading` and `error` no answer is known. */
  become(state: State): void;
}

export function createTestGate(answers: Answers = {}, { state = "ready" as State } = {}): TestGate {
  const entitledByKey = new Map<string, boolean>(Object.entries(answers as Record<string, boolean>));
  const { on, emit } = createEmitter<Events>();
  /** The functions that end a pending `waitFor`. */
  const waiters = new Set<() => void>();
  let version = 1;
  const isKnown = () => state === "ready" || state === "stale";

  const check = (feature: Feature): Check => {
    const entitled = isKnown() && entitledByKey.get(feature) === true;
    const reason = entitled ? "active_entitlement" : isKnown() ? "not_entitled" : "not_known";
    return { feature, entitled, reason, version: isKnown() ? version : 0 };
  };

  const gate: TestGate = {
    has: (feature) => check(feature).entitled,
    check,
    list: () => (isKnown() ? [...entitledByKey].filter(([, entitled]) => entitled).map(([key]) => key) : []),
    get version() {
      return isKnown() ? version : 0;
    },
    get state() {
      return state;
    },
    error: undefined,
    on,
    waitFor(feature, { timeout } = {}) {
      if (gate.has(feature)) return Promise.resolve(true);
      return new Promise((resolve) => {
        const end = () => {
          off();
          clearTimeout(deadline);
          waiters.delete(end);
          resolve(gate.has(feature));
        };
        const off = on("change", () => gate.has(feature) && end());
        const deadline = timeout === undefined ? undefined : setTimeout(end, timeout);
        waiters.add(end);
      });
    },
    refresh: async () => {},
    close() {
      for (const end of [...waiters]) end();
    },
    set(changes) {
      for (const [key, entitled] of Object.entries(changes as Record<string, boolean>)) entitledByKey.set(key, entitled);
      version += 1;
      emit("change", gate);
    },
    become(next) {
      state = next;
      emit("state", state);
      emit("change", gate);
    },
  };
  return gate;
}
