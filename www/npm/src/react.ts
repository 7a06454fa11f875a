"use client";
// `entgate/react`: a gate for the components below a provider. It takes a gate, and has none in it.
//
// | export           | is                                                                    |
// |------------------|-----------------------------------------------------------------------|
// | `GateProvider`   | hands on the gate, and the snapshot that the server rendered from     |
// | `useEntitlement` | may the customer use the feature, and why                             |
// | `Entitled`       | shows its children if so, and `fallback` if not                       |
// | `useGate`        | the gate itself, once there is one                                    |

import { createContext, createElement, Fragment, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { ReactElement, ReactNode } from "react";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Gate } from "./gate.js";
import { source, type Entitlement, type Source } from "./react/gate-store.js";

export type { Entitlement };

export interface GateProviderProps {
  /**
   * A gate that the page has made, or how to make one: that is called in the browser alone, once what the server
   * rendered stands, and closes with the provider.
   */
  gate?: Gate | (() => Gate) | undefined;
  /** The snapshot that the page came with: what the server renders and what the browser renders first are answered by it. */
  snapshot?: string | undefined;
  children?: ReactNode;
}

export interface EntitledProps {
  feature: Feature;
  /** What is shown instead; nothing if nothing is said. */
  fallback?: ReactNode;
  children?: ReactNode;
}

const Context = createContext<Source | undefined>(undefined);

// It never hands down another source: a new context would make React render what has not been hydrated yet.
export function GateProvider({ gate, snapshot, children }: GateProviderProps): ReactElement {
  const make = typeof gate === "function" ? gate : undefined;
  const given = typeof gate === "function" ? undefined : gate;
  const [below] = useState(() => source(given, snapshot));
  useEffect(() => below.bring(snapshot), [below, snapshot]);
  useEffect(() => {
    const made = make?.();
    const end = below.hear(made ?? given);
    return () => {
      end();
      made?.close();
    };
    // A function that is written into the element is another one each time.
  }, [below, !make, given]);
  return createElement(Context.Provider, { value: below }, children);
}

/** The gate; `undefined` on the server, and until there is one. */
export function useGate(): Gate | undefined {
  const above = useSource();
  return useSyncExternalStore(above.subscribe, above.gate, () => undefined);
}

/** May the customer use the feature? Renders again when something changes of what is read of the answer. */
export function useEntitlement(feature: Feature): Entitlement {
  const above = useSource();
  const [now, served] = useMemo(() => {
    const same = steady();
    return [() => same(above.answer(feature)), () => same(above.served(feature))];
  }, [above, feature]);
  return useSyncExternalStore(above.subscribe, now, served);
}

export function Entitled({ feature, fallback, children }: EntitledProps): ReactElement {
  const { entitled } = useEntitlement(feature);
  // Two forms, say, in one place are not one form.
  return createElement(Fragment, { key: `${entitled}` }, entitled ? children : fallback);
}

function useSource(): Source {
  const above = useContext(Context);
  if (!above) throw new GateError("there is no `<GateProvider>` around this component", "no_provider");
  return above;
}

/** Gives the former answer for another one that differs in nothing that was read of the former. */
function steady(): (next: Entitlement) => Entitlement {
  const read = new Set<keyof Entitlement>();
  let last: Entitlement | undefined;
  let noting: Entitlement | undefined;
  return (next) => {
    if (noting && [...read].every((member) => next[member] === last![member])) return noting;
    last = next;
    noting = new Proxy(next, {
      get(answer, member: keyof Entitlement) {
        read.add(member);
        return answer[member];
      },
    });
    return noting;
  };
}
