// Persists the last known set: a signed snapshot in `localStorage` or in the storage of the options.
//
// A user can edit the storage, but cannot sign. A stored snapshot is accepted only if its signature is valid and it is
// of this customer and mode; otherwise it is removed. An expired snapshot is ignored.

import { now } from "./clock.js";
import type { Core } from "./core/core.js";
import { firstLine } from "./core/line-set.js";
import { decodeBase64Url, parseJwt } from "./jwt.js";
import type { Jwk, Options, SnapshotStorage } from "./options.js";

/** The parts of the gate that the store reads and calls. */
export interface StoreOwner {
  customer(): string | undefined;
  livemode(): boolean | undefined;
  /** Whether the gate has a set that has not expired. */
  hasSet(): boolean;
  accept(snapshot: string, claims: string): void;
}

export function createSnapshotStore(core: Core, options: Options, owner: StoreOwner) {
  const storage = resolveStorage(options);
  /** A core that verifies no signatures writes to the storage, and reads nothing from it. */
  const canRestore = storage && core.verify;
  let isRestored = false;

  const getKey = () => {
    const customer = owner.customer();
    return customer === undefined ? undefined : `entgate:${options.endpoint}:${customer}`;
  };

  /** Loads a stored snapshot. Returns `false` if it is not a genuine one of this customer and mode. */
  const accept = (snapshot: string, keys: readonly Jwk[]): boolean => {
    const claims = verifiedClaims(core, snapshot, keys);
    const lines = claims === undefined ? undefined : core.load(`[${claims}]`);
    if (claims === undefined || lines === undefined || firstLine(lines, "c") !== owner.customer()) return false;
    const livemode = owner.livemode();
    if (livemode !== undefined && livemode !== (firstLine(lines, "l") !== undefined)) return false;
    if (!owner.hasSet() && Number(firstLine(lines, "e")) > now()) owner.accept(snapshot, claims);
    return true;
  };

  return {
    getKey,
    canRestore,
    /** Loads the stored snapshot, once the customer is known. With pinned keys and a synchronous storage it does not wait. */
    async restore(): Promise<void> {
      const key = getKey();
      if (isRestored || !key || !canRestore) return;
      isRestored = true;
      const pinned = options.keys;
      const stored = storage.getItem(key);
      // No `await` before this line: the first check already has its answer.
      if (typeof stored === "string" && pinned) return void (accept(stored, pinned) || storage.removeItem(key));
      const snapshot = await stored;
      if (!snapshot || owner.hasSet()) return;
      const keys: readonly Jwk[] =
        pinned ?? (await (await (options.fetch ?? fetch)(`${options.endpoint}/.well-known/jwks.json`)).json()).keys;
      if (!accept(snapshot, keys)) await storage.removeItem(key);
    },
    save(snapshot: string | undefined): void {
      const key = getKey();
      if (!snapshot || !key) return;
      try {
        // A storage that is full or blocked is treated as none.
        Promise.resolve(storage?.setItem(key, snapshot)).catch(() => {});
      } catch {}
    },
  };
}

/** Returns the configured storage; by default `localStorage`, if this is a page that may use it. */
function resolveStorage({ storage }: Options): SnapshotStorage | undefined {
  try {
    return storage === undefined && globalThis.document ? globalThis.localStorage : (storage ?? undefined);
  } catch {
    return undefined;
  }
}

/** Returns the claims of a snapshot, as JSON, if one of these keys signed it. */
function verifiedClaims(core: Core, snapshot: string, keys: readonly Jwk[]): string | undefined {
  const jwt = parseJwt(snapshot);
  if (jwt?.header?.alg !== "EdDSA" || jwt.header.typ !== "entitlements+jwt") return undefined;
  const isVerified = keys.some(({ crv, kid, x }) => {
    try {
      return crv === "Ed25519" && kid === jwt.header.kid && x && core.verify?.(decodeBase64Url(x), jwt.signature, jwt.signingInput);
    } catch {
      return false;
    }
  });
  return isVerified ? jwt.claims : undefined;
}
