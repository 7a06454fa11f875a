"use client";
// `entgate/react`: React bindings. The gate is passed in; this entry contains none.
//
// | export           | does                                                                  |
// |------------------|-----------------------------------------------------------------------|
// | `GateProvider`   | provides the gate, and the snapshot that the server rendered from     |
// | `useEntitlement` | returns whether the customer may use a feature, and why               |
// | `Entitled`       | renders its children if so, and `fallback` otherwise                  |
// | `useGate`        | returns the gate, once there is one                                   |

import type { ReactElement, ReactNode } from "react";
import { createContext, createElement, Fragment, useContext, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Gate } from "./gate.js";
import { createGateStore, type Entitlement, type GateStore } from "./react/gate-store.js";

export type { Entitlement };

export interface GateProviderProps {
  /**
   * A gate, or a function that creates one. The function is called only in the browser, after hydration; its gate is
   * closed when the provider unmounts.
   */
  gate?: Gate | (() => Gate) | undefined;
  /** The snapshot in the page. The server and the browser's first render use it. */
  snapshot?: string | undefined;
  children?: ReactNode;
}

export interface EntitledProps {
  feature: Feature;
  /** Rendered if the customer may not use the feature; nothing by default. */
  fallback?: ReactNode;
  children?: ReactNode;
}

const Context = createContext<GateStore | undefined>(undefined);

// One store for the lifetime of the provider: a new context value would make React render parts that are not hydrated yet.
export function GateProvider({ gate, snapshot, children }: GateProviderProps): ReactElement {
  const create = typeof gate === "function" ? gate : undefined;
  const given = typeof gate === "function" ? undefined : gate;
  const [store] = useState(() => createGateStore(given, snapshot));
  useEffect(() => store.setPage(snapshot), [store, snapshot]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: an inline function is another one in each render; it is called once
  useEffect(() => {
    const created = create?.();
    const disconnect = store.connect(created ?? given);
    return () => {
      disconnect();
      created?.close();
    };
  }, [store, !create, given]);
  return createElement(Context.Provider, { value: store }, children);
}

/** Returns the gate; `undefined` on the server and until a gate is created. */
export function useGate(): Gate | undefined {
  const store = useStore();
  return useSyncExternalStore(store.subscribe, store.getGate, () => undefined);
}

/** Returns whether the customer may use the feature. The component renders again only if a property that it has read changes. */
export function useEntitlement(feature: Feature): Entitlement {
  const store = useStore();
  const [getEntitlement, getServerEntitlement] = useMemo(() => {
    const stabilize = createStabilizer();
    return [() => stabilize(store.getEntitlement(feature)), () => stabilize(store.getServerEntitlement(feature))];
  }, [store, feature]);
  return useSyncExternalStore(store.subscribe, getEntitlement, getServerEntitlement);
}

export function Entitled({ feature, fallback, children }: EntitledProps): ReactElement {
  const { entitled } = useEntitlement(feature);
  // The key separates the two subtrees, so React does not reuse the state of one in the other.
  return createElement(Fragment, { key: `${entitled}` }, entitled ? children : fallback);
}

function useStore(): GateStore {
  const store = useContext(Context);
  if (!store) throw new GateError("there is no `<GateProvider>` around this component", "no_provider");
  return store;
}

/** Returns the previous object for one that differs in no property that was read from the previous. */
function createStabilizer(): (next: Entitlement) => Entitlement {
  const read = new Set<keyof Entitlement>();
  let last: Entitlement | undefined;
  let tracked: Entitlement | undefined;
  return (next) => {
    if (tracked && [...read].every((property) => next[property] === last?.[property])) return tracked;
    last = next;
    tracked = new Proxy(next, {
      get(target, property: keyof Entitlement) {
        read.add(property);
        return target[property];
      },
    });
    return tracked;
  };
}
