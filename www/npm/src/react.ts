"use client";
// `entgate/react`: React bindings. The gate is passed in; this entry contains none.
//
// | export           | does                                                                  |
// |------------------|-----------------------------------------------------------------------|
// | `GateProvider`   | provides the gate, and the snapshot that the server rendered from     |
// | `useEntitlement` | returns whether the customer may use a feature, and why               |
// | `Entitled`       | renders its children if so, `fallback` if not, `loading` until known  |
// | `useGate`        | returns the gate, once there is one                                   |

import type { ReactElement, ReactNode } from "react";
import {
  createContext,
  createElement,
  Fragment,
  useContext,
  useEffect,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Gate } from "./gate.js";
import { createGateStore, type Entitlement, type GateStore } from "./react/gate-store.js";

export type { Entitlement };

export interface GateProviderProps {
  /**
   * A gate, or a function that creates one. The function is called only in the browser, after hydration and before the
   * next paint; its gate is closed when the provider unmounts.
   */
  gate?: Gate | (() => Gate) | undefined;
  /** The snapshot in the page. The server and the browser's first render use it. */
  snapshot?: string | undefined;
  /** The mode of the snapshot: `true` by default. A snapshot of the other mode is ignored. */
  livemode?: boolean | undefined;
  children?: ReactNode;
}

export interface EntitledProps {
  feature: Feature;
  /** Rendered if the customer may not use the feature; nothing by default. */
  fallback?: ReactNode;
  /** Rendered while the answer is not known; nothing by default. */
  loading?: ReactNode;
  children?: ReactNode;
}

const Context = createContext<GateStore | undefined>(undefined);

// A server has no layout, and React 18 warns about this effect there.
const useBrowserLayoutEffect = typeof window === "undefined" ? useEffect : useLayoutEffect;

// One store for the lifetime of the provider: a new context value would make React render parts that are not hydrated yet.
export function GateProvider({ gate, snapshot, livemode = true, children }: GateProviderProps): ReactElement {
  const create = typeof gate === "function" ? gate : undefined;
  const given = typeof gate === "function" ? undefined : gate;
  const [store] = useState(() => createGateStore(given, snapshot, livemode));
  useEffect(() => store.setPage(snapshot), [store, snapshot]);
  // Before the paint: a stored set of the gate is then in the first one.
  // An inline function is another one in each render; it is called once.
  useBrowserLayoutEffect(() => {
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
  return useStoreValue(store, store.getGate, () => undefined);
}

/**
 * Returns whether the customer may use the feature. The component renders again only if a property that it has read
 * changes. Each property has its current value, also if it is read after the render, as in an event handler.
 */
export function useEntitlement(feature: Feature): Entitlement {
  const store = useStore();
  const [getEntitlement, getServerEntitlement] = useMemo(() => {
    const track = createTracker();
    return [track(() => store.getEntitlement(feature)), track(() => store.getServerEntitlement(feature))] as const;
  }, [store, feature]);
  return useStoreValue(store, getEntitlement, getServerEntitlement);
}

export function Entitled({ feature, fallback, loading, children }: EntitledProps): ReactElement {
  const { entitled, pending } = useEntitlement(feature);
  // The key separates the subtrees, so React does not reuse the state of one in another.
  return createElement(Fragment, { key: `${pending ? "loading" : entitled}` }, pending ? loading : entitled ? children : fallback);
}

function useStore(): GateStore {
  const store = useContext(Context);
  if (!store) throw new GateError("there is no `<GateProvider>` around this component", "no_provider");
  return store;
}

/** As `useSyncExternalStore`, which subscribes after the first paint. Here a change before that paint is in it. */
function useStoreValue<T>(store: GateStore, get: () => T, getServer: () => T): T {
  const value = useSyncExternalStore(store.subscribe, get, getServer);
  const [, renderAgain] = useReducer((renders: number) => renders + 1, 0);
  const unsubscribe = useRef(() => {});
  useBrowserLayoutEffect(() => {
    unsubscribe.current = store.subscribe(() => get() !== value && renderAgain());
    return () => unsubscribe.current();
  }, [store, get, value]);
  // After React's own effect, which has subscribed: the effects of a component run in order.
  // biome-ignore lint/correctness/useExhaustiveDependencies: this effect follows each run of the one above
  useEffect(() => unsubscribe.current(), [store, get, value]);
  return value;
}

/**
 * Wraps functions that return the current entitlement. The result is a new object only if a property that was read has
 * changed. A property that is read later, as in an event handler, has its value at that time, also in an older object.
 */
function createTracker(): (getCurrent: () => Entitlement) => () => Entitlement {
  const read = new Set<keyof Entitlement>();
  let getLatest: () => Entitlement;
  let last: Entitlement | undefined;
  let tracked: Entitlement | undefined;
  return (getCurrent) => () => {
    getLatest = getCurrent;
    const [previous, next] = [last, getCurrent()];
    last = next;
    if (tracked && previous && [...read].every((property) => next[property] === previous[property])) return tracked;
    tracked = new Proxy(next, {
      get(_, property: keyof Entitlement) {
        read.add(property);
        return getLatest()[property];
      },
    });
    return tracked;
  };
}
