// What the components below one provider are answered by: the gate, and while that knows nothing what the
// page brought along. The server, and whatever is hydrated, has the answers of the page alone.

import { brought, type Brought } from "../ssr-snapshot.js";
import type { Feature } from "../features.js";
import type { Gate, Reason, State } from "../gate.js";

export interface Entitlement {
  readonly entitled: boolean;
  /** As in `gate.check`. */
  readonly reason: Reason;
  /** As in `gate.state`. */
  readonly state: State;
  readonly version: number;
}

const NOTHING = { entitled: false, reason: "not_known", version: 0 } as const;

export type Source = ReturnType<typeof source>;

export function source(gate: Gate | undefined, snapshot: string | undefined) {
  const first = brought(snapshot);
  const components = new Set<() => void>();
  let page = first;

  const tell = () => components.forEach((changed) => changed());

  return {
    subscribe(changed: () => void): () => void {
      components.add(changed);
      return () => void components.delete(changed);
    },
    gate: () => gate,
    /** The answer now. */
    answer: (feature: Feature): Entitlement => answer(feature, gate, page),
    /** The answer of the server, whatever has happened since. */
    served: (feature: Feature): Entitlement => answer(feature, undefined, first),
    /** Listens to a gate from now on; what it returns ends that. */
    hear(next: Gate | undefined): () => void {
      gate = next;
      const ends = gate ? [gate.on("change", tell), gate.on("state", tell)] : [];
      tell();
      return () => ends.forEach((end) => end());
    },
    /** Takes what the page brings along now, until its end. */
    bring(snapshot: string | undefined): () => void {
      page = brought(snapshot);
      tell();
      if (!page) return () => {};
      const over = setTimeout(
        () => {
          page = undefined;
          tell();
        },
        page.until * 1_000 - Date.now(),
      );
      return () => clearTimeout(over);
    },
  };
}

function answer(feature: Feature, gate: Gate | undefined, page: Brought | undefined): Entitlement {
  const told = gate?.check(feature);
  // A gate that has known something goes by that, also once it is over.
  const knew = told && (told.version || !["not_known", "fallback"].includes(told.reason));
  const { entitled, reason, version } = (knew ? told : page?.check(feature)) ?? told ?? NOTHING;
  return { entitled, reason, version, state: knew || !page ? (gate?.state ?? "loading") : "stale" };
}
