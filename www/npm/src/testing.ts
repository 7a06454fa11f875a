// `entgate/testing`: a gate whose answers a test chooses. It fetches nothing, and knows nothing else.

import type { Feature } from "./features.js";
import type { Check, Events, Gate, State } from "./gate.js";
import { listeners } from "./emitter.js";

export * from "./api.js";

/** Features that are granted (`true`) or not; the others are not. */
export type Answers = { readonly [F in Feature]?: boolean };

export interface TestGate extends Gate {
  /** Changes answers, as an event would, and tells whoever listens. */
  set(answers: Answers): void;
  /** Lets the gate know nothing, or know it again. */
  become(state: State): void;
}

export function createTestGate(answers: Answers = {}, { state = "ready" as State } = {}): TestGate {
  const held = new Map<string, boolean>(Object.entries(answers as Record<string, boolean>));
  const { on, call } = listeners<Events>();
  const endings = new Set<() => void>();
  let version = 1;
  const knows = () => state === "ready" || state === "stale";

  const check = (feature: Feature): Check => {
    const entitled = knows() && held.get(feature) === true;
    const reason = entitled ? "active_entitlement" : knows() ? "not_entitled" : "not_known";
    return { feature, entitled, reason, version: knows() ? version : 0 };
  };

  const gate: TestGate = {
    has: (feature) => check(feature).entitled,
    check,
    list: () => (knows() ? [...held].filter(([, entitled]) => entitled).map(([key]) => key) : []),
    get version() {
      return knows() ? version : 0;
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
          clearTimeout(late);
          endings.delete(end);
          resolve(gate.has(feature));
        };
        const off = on("change", () => gate.has(feature) && end());
        const late = timeout === undefined ? undefined : setTimeout(end, timeout);
        endings.add(end);
      });
    },
    refresh: async () => {},
    close: () => [...endings].forEach((end) => end()),
    set(more) {
      for (const [key, entitled] of Object.entries(more as Record<string, boolean>)) held.set(key, entitled);
      version += 1;
      call("change", gate);
    },
    become(next) {
      state = next;
      call("state", state);
      call("change", gate);
    },
  };
  return gate;
}
