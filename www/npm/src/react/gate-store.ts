// The external store of one `GateProvider`: https://react.dev/reference/react/useSyncExternalStore
//
// Answers come from the gate; until the gate has loaded a set that is as new, they come from the snapshot in the page.
// The server, and each component during hydration, gets the answers of the first snapshot only, so both renders are the
// same.

import type { Feature } from "../features.js";
import type { Gate, Reason, State } from "../gate.js";
import { parseSsrSnapshot, type SsrSnapshot } from "../ssr-snapshot.js";
import { TIMER_LIMIT } from "../waiting.js";

export interface Entitlement {
  readonly entitled: boolean;
  /** Whether the answer is not known yet: `reason` is `not_known`. */
  readonly pending: boolean;
  /** As in `gate.check`. */
  readonly reason: Reason;
  /** As in `gate.state`. */
  readonly state: State;
  readonly version: number;
}

const NOT_LOADED = { entitled: false, reason: "not_known", version: 0 } as const;

export type GateStore = ReturnType<typeof createGateStore>;

export function createGateStore(gate: Gate | undefined, snapshot: string | undefined, livemode: boolean) {
  const firstPage = parseSsrSnapshot(snapshot, livemode);
  const subscribers = new Set<() => unknown>();
  let page = firstPage;

  const notify = () => {
    for (const onChange of subscribers) onChange();
  };

  return {
    subscribe(onChange: () => unknown): () => void {
      subscribers.add(onChange);
      return () => void subscribers.delete(onChange);
    },
    getGate: () => gate,
    getEntitlement: (feature: Feature): Entitlement => entitlement(feature, gate, page),
    /** The entitlement for the server and for hydration: it never changes. */
    getServerEntitlement: (feature: Feature): Entitlement => entitlement(feature, undefined, firstPage),
    /** Replaces the gate, and returns a function that removes the listeners on it. */
    connect(next: Gate | undefined): () => void {
      gate = next;
      const removers = gate ? [gate.on("change", notify), gate.on("state", notify)] : [];
      notify();
      return () => {
        for (const remove of removers) remove();
      };
    },
    /** Replaces the snapshot of the page until it expires, and returns a function that clears the timer. */
    setPage(snapshot: string | undefined): () => void {
      page = parseSsrSnapshot(snapshot, livemode);
      notify();
      if (!page) return () => {};
      const expiry = setTimeout(
        () => {
          page = undefined;
          notify();
        },
        Math.min(page.timeLeft, TIMER_LIMIT - 1),
      );
      return () => clearTimeout(expiry);
    },
  };
}

function entitlement(feature: Feature, gate: Gate | undefined, page: SsrSnapshot | undefined): Entitlement {
  const check = gate?.check(feature);
  // A gate that has loaded a set is used from then on, also after the set has expired. A set that is older than the page is
  // a stored one, or one of a replica that lags behind.
  const isLoaded = check && (check.version || !["not_known", "fallback"].includes(check.reason)) && check.version >= (page?.version ?? 0);
  const { entitled, reason, version } = (isLoaded ? check : page?.check(feature)) ?? check ?? NOT_LOADED;
  return { entitled, pending: reason === "not_known", reason, version, state: isLoaded || !page ? (gate?.state ?? "loading") : "stale" };
}
