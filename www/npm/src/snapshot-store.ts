// Persists the last known set: a signed snapshot in `localStorage` or in the storage of the options.
//
// A user can edit the storage, but cannot sign. A stored snapshot is used only if its signature is valid; otherwise it is
// removed. Keys are never read from the storage. Not here: customer, mode and expiry of a snapshot (`gate-impl.ts`).

import type { Core } from "./core/core.js";
import { parseJwt } from "./jwt.js";
import type { Jwk, Options, SnapshotStorage } from "./options.js";
import { decodeBase64Url, toBytes } from "./text.js";

/** `load` is called with a stored snapshot whose signature is valid, and returns `false` if it is not of this customer. */
export function createSnapshotStore(
  core: Core,
  options: Options,
  getCustomer: () => string | undefined,
  load: (snapshot: string) => boolean,
) {
  const storage = resolveStorage(options);
  /** A core that verifies no signatures writes to the storage, and reads nothing from it. */
  const canRestore = storage && core.verify;
  let isRestoring = false;

  const getKey = () => {
    const customer = getCustomer();
    return customer === undefined ? undefined : `entgate:${options.endpoint}:${customer}`;
  };

  return {
    getKey,
    canRestore,
    /** Loads the stored snapshot, if the customer is known. With pinned keys and a synchronous storage it does not wait. */
    async restore(): Promise<void> {
      const key = getKey();
      if (isRestoring || !key || !canRestore) return;
      isRestoring = true;
      try {
        let { keys } = options;
        const stored = storage.getItem(key);
        // No `await` for text: the first check already has its answer.
        const snapshot = typeof stored === "string" ? stored : await stored;
        if (!snapshot) return;
        keys ??= (await (await (options.fetch ?? fetch)(`${options.endpoint}/.well-known/jwks.json`)).json()).keys as Jwk[];
        if (!isSigned(core, snapshot, keys) || !load(snapshot)) await storage.removeItem(key);
      } catch {
        // A storage that cannot be read, or keys that cannot be fetched, are treated as none.
      } finally {
        isRestoring = false;
      }
    },
    async save(snapshot: string | undefined): Promise<void> {
      const key = getKey();
      try {
        if (snapshot && key) await storage?.setItem(key, snapshot);
      } catch {
        // A storage that is full or blocked is treated as none.
      }
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

/** Returns whether one of these keys signed the snapshot. */
function isSigned(core: Core, snapshot: string, keys: readonly Jwk[]): boolean {
  const jwt = parseJwt(snapshot);
  const { alg, typ, kid } = jwt?.header ?? {};
  return keys.some(
    (key) =>
      jwt &&
      alg === "EdDSA" &&
      typ === "entitlements+jwt" &&
      key.crv === "Ed25519" &&
      key.kid === kid &&
      core.verify?.(toBytes(decodeBase64Url(key.x ?? "")), jwt.signature, jwt.signingInput),
  );
}
