// The implementation of a gate: answers checks from the loaded set, and keeps that set up to date.
//
// | source of a set        | module              | used                                                              |
// |------------------------|---------------------|-------------------------------------------------------------------|
// | snapshot in the page   | `options.snapshot`  | at once                                                           |
// | storage                | `snapshot-store.ts` | at the start, if its signature is valid                           |
// | the edge               | `edge-client.ts`    | at the start, before the set expires, on focus, after a gap       |
// | the stream             | `stream.ts`         | for each change; only in the tab that leads (`tab-group.ts`)      |
// | another tab            | `tab-group.ts`      | for each set and change that the leader receives                  |
//
// A set replaces the loaded one only if it is not older. Times are compared by the edge's clock (`clockSkew`).
// Not here: the decision itself, which is the core's (`core/core.ts`).

import { now } from "./clock.js";
import { type Core, DENY, DENY_UNKNOWN_CUSTOMER, type Decision, GRANT, INDETERMINATE, type LineSet } from "./core/core.js";
import { firstLine, grantedKeys } from "./core/line-set.js";
import { createEdgeClient, type FetchedSet } from "./edge-client.js";
import { createEmitter } from "./emitter.js";
import { normalizeEndpoint } from "./endpoint.js";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Check, Events, Gate, Reason, State } from "./gate.js";
import { parseJwt } from "./jwt.js";
import type { Options } from "./options.js";
import { createSnapshotStore } from "./snapshot-store.js";
import { openStream } from "./stream.js";
import { joinTabGroup, type TabGroup } from "./tab-group.js";
import { type BearerToken, createTokenSource, decodeToken } from "./token.js";

interface LoadedSet extends FetchedSet {
  lines: LineSet;
  version: number;
  /** In Unix seconds, by the edge's clock. */
  expiresAt: number;
}

/** A message from the leading tab to the others. */
interface TabMessage {
  set?: FetchedSet;
  streamFailed?: boolean;
}

const REASONS: Record<Decision, Reason> = {
  [DENY]: "not_entitled",
  [GRANT]: "active_entitlement",
  [DENY_UNKNOWN_CUSTOMER]: "unknown_customer",
  [INDETERMINATE]: "not_known",
};

/** The limit of the decision cache: a page checks some dozens of features. */
const MAX_CACHED_DECISIONS = 1_000;
/** Focus alone reads the set again at most this often, in seconds. */
const FOCUS_REFRESH_INTERVAL = 10;
/** The longest back-off after a failed read, in seconds. */
const MAX_BACKOFF = 60;
/** Changes are replayed over the last complete set. With more messages than this the set is read again. */
const MAX_MESSAGES = 20;
/** The longest delay of a timer, in milliseconds. */
const MAX_TIMER_DELAY = 2 ** 31 - 1;

/** Creates a gate that decides with this core. */
export function createGateWithCore(core: Core, givenOptions: Options): Gate {
  const options = { ...givenOptions, endpoint: normalizeEndpoint(givenOptions.endpoint) };
  const { token, fallback = {}, live = true, expiresIn = 3_600 } = options;
  const getToken = createTokenSource(token ?? "");
  const client = createEdgeClient(options, getToken);
  const decisions = new Map<string, Decision>();
  const { on, emit, clear } = createEmitter<Events>();
  const abort = new AbortController();

  let set: LoadedSet | undefined;
  let state: State = "loading";
  let error: GateError | undefined;
  /** Whether the edge confirmed the set since the last failure. */
  let isConfirmed = false;
  let customer = options.customer;
  let livemode: boolean | undefined;
  let isClosed = false;

  /** Returns the loaded set, if it has not expired. */
  const validSet = () => (set && now() + set.clockSkew < set.expiresAt ? set : undefined);

  const updateState = () => {
    const next = validSet() ? (isConfirmed ? "ready" : "stale") : error ? "error" : "loading";
    if (next !== state) {
      state = next;
      emit("state", state);
    }
  };

  const decide = (requested: unknown): Decision => {
    // A value that is not a string gets the answer of a feature that no customer has.
    const feature = typeof requested === "string" ? requested : "";
    const valid = validSet();
    if (!valid) return INDETERMINATE;
    let decision = decisions.get(feature);
    if (decision === undefined) {
      if (decisions.size >= MAX_CACHED_DECISIONS) decisions.clear();
      decision = core.check(valid.lines, feature, now() + valid.clockSkew);
      decisions.set(feature, decision);
    }
    return decision;
  };

  const fallbackFor = (feature: unknown): boolean | undefined =>
    typeof feature === "string" && Object.hasOwn(fallback, feature) ? (fallback as Record<string, boolean>)[feature] : undefined;

  const has = (feature: Feature): boolean => {
    const decision = decide(feature);
    return decision === GRANT || (decision === INDETERMINATE && fallbackFor(feature) === true);
  };

  const check = (feature: Feature): Check => {
    const decision = decide(feature);
    const reason = decision === INDETERMINATE && fallbackFor(feature) !== undefined ? "fallback" : REASONS[decision];
    return { feature, entitled: has(feature), reason, version: set?.version ?? 0 };
  };

  /** A string that differs if the answers differ. */
  const fingerprint = () => {
    const valid = validSet();
    return valid && grantedKeys(valid.lines).join("\n") + firstLine(valid.lines, "m");
  };
  let lastFingerprint = fingerprint();
  const emitIfChanged = () => {
    const next = fingerprint();
    if (next !== lastFingerprint) {
      lastFingerprint = next;
      emit("change", gate);
    }
  };

  /** Loads a set, unless it is older than the current one. Returns `false` if it is not a valid set of this customer. */
  const accept = (fetched: FetchedSet, isFromEdge: boolean): boolean => {
    const lines = core.load(`[${fetched.messages}]`);
    if (!lines) return false;
    const version = Number(firstLine(lines, "v"));
    const expiresAt = Number(firstLine(lines, "e"));
    const owner = firstLine(lines, "c");
    if (customer !== undefined && owner !== undefined && owner !== customer) return false;
    const valid = validSet();
    if (valid && (version < valid.version || (version === valid.version && expiresAt < valid.expiresAt))) return true;
    set = { ...fetched, lines, version, expiresAt };
    customer ??= owner;
    decisions.clear();
    isConfirmed = isFromEdge;
    if (isFromEdge) error = undefined;
    scheduleTimer();
    emitIfChanged();
    updateState();
    return true;
  };

  const acceptSnapshot = (snapshot: string, claims: string) => accept({ messages: [claims], clockSkew: 0, snapshot }, false);

  const snapshotStore = createSnapshotStore(core, options, {
    customer: () => customer,
    livemode: () => livemode,
    hasSet: () => validSet() !== undefined,
    accept: acceptSnapshot,
  });

  let tabs: TabGroup<TabMessage> | undefined;
  /** The newest version that was announced and is not loaded yet. */
  let minVersion = 0;
  let failures = 0;
  let lastRead = -Infinity;
  let inFlight: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of the next read, in Unix seconds. */
  let refreshAt = Infinity;

  /** Sets the timer to the next read or to the expiry of the set, whichever is first. */
  const scheduleTimer = () => {
    clearTimeout(timer);
    if (isClosed) return;
    const timeLeft = set ? set.expiresAt - set.clockSkew - now() : Infinity;
    const delay = Math.min(Math.max(refreshAt - now(), 0), timeLeft > 0 ? timeLeft : Infinity);
    if (delay === Infinity) return;
    timer = setTimeout(
      () => {
        emitIfChanged();
        updateState();
        if (now() >= refreshAt) void refresh();
        else scheduleTimer();
      },
      Math.min(delay * 1_000 + 1, MAX_TIMER_DELAY),
    );
    // In Node a gate alone does not keep the process running.
    (timer as { unref?: () => void }).unref?.();
  };

  const readOnce = async (fresh: boolean) => {
    lastRead = now();
    refreshAt = Infinity;
    try {
      const fetched = await client.fetchSet(Math.max(minVersion, validSet()?.version ?? 0), fresh);
      if (isClosed) return;
      if (!accept(fetched, true)) throw new GateError("the response is not a valid entitlement set of this customer", "unreadable");
      isConfirmed = true;
      error = undefined;
      failures = 0;
      // A newer version can have been announced during the read.
      if (set && minVersion <= set.version) minVersion = 0;
      // Before the set expires, with jitter.
      refreshAt = now() + expiresIn * (0.7 + Math.random() / 10);
      snapshotStore.save(fetched.snapshot);
      tabs?.broadcast({ set: fetched });
    } catch (thrown) {
      if (isClosed) return;
      error = thrown instanceof GateError ? thrown : new GateError(String((thrown as Error)?.message ?? thrown), "unreachable");
      isConfirmed = false;
      const { status = 0, retryAfter } = error;
      // Such a request is rejected again, so there is no automatic retry.
      const isPermanent = status >= 400 && status < 500 && status !== 429 && (status !== 401 || typeof token === "string");
      const backoff = Math.min(2 ** failures++, MAX_BACKOFF);
      if (!isPermanent) refreshAt = now() + Math.max(retryAfter ?? 0, backoff * (0.5 + Math.random() / 2));
    }
    scheduleTimer();
    updateState();
  };

  /** Reads the set; joins a read that is in flight, and reads again after it if that one is not new enough. */
  const refresh = (atLeast = 0, fresh = false): Promise<void> => {
    if (isClosed || token === undefined) return Promise.resolve();
    minVersion = Math.max(minVersion, atLeast);
    if (inFlight)
      return fresh || atLeast
        ? inFlight.then(() => (fresh || minVersion > (set?.version ?? 0) ? refresh(atLeast, fresh) : undefined))
        : inFlight;
    inFlight = readOnce(fresh).finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  };

  const onStreamEvent = (event: string, data: string) => {
    if (event !== "change" && event !== "version") return;
    const { version, customer: owner = customer } = JSON.parse(data) as { version: number; customer?: string };
    const valid = validSet();
    // The token source can return another customer's token after a login: its events are for another gate.
    if (customer !== undefined && owner !== customer) return;
    if (valid && version <= valid.version) {
      if (event === "version" && version === valid.version) markConfirmed();
      return;
    }
    // Without the set before it a change cannot be replayed: the set is read, at this version or newer.
    if (event === "version" || !valid || !accept({ messages: [data, ...valid.messages], clockSkew: valid.clockSkew }, true))
      return void refresh(version);
    if (set) tabs?.broadcast({ set });
    const isStored = snapshotStore.canRestore && valid.snapshot !== undefined;
    if (isStored || valid.messages.length > MAX_MESSAGES) {
      // Reads a snapshot to store. Postponed, so a burst of changes is one read.
      refreshAt = Math.min(refreshAt, now() + 1 + Math.random());
      scheduleTimer();
    }
  };

  const markConfirmed = () => {
    if (!validSet() || isConfirmed) return;
    isConfirmed = true;
    error = undefined;
    updateState();
  };

  const markStale = () => {
    isConfirmed = false;
    updateState();
  };

  let stream: ReturnType<typeof openStream> | undefined;
  const onLeader = () => {
    if (!live) return () => {};
    stream = openStream(client, options.customer, {
      lastVersion: () => validSet()?.version,
      onEvent: onStreamEvent,
      onFailure() {
        tabs?.broadcast({ streamFailed: true });
        markStale();
      },
    });
    return () => stream?.close();
  };

  const onFocus = () => {
    if (globalThis.document?.visibilityState === "hidden") return;
    stream?.reconnect();
    if (now() - lastRead > FOCUS_REFRESH_INTERVAL || error) void refresh();
  };

  const adoptIdentity = (bearer: BearerToken) => {
    customer ??= bearer.customer;
    livemode ??= bearer.livemode;
  };

  const start = async () => {
    const listenerOptions = { signal: abort.signal };
    globalThis.document?.addEventListener?.("visibilitychange", onFocus, listenerOptions);
    globalThis.addEventListener?.("focus", onFocus, listenerOptions);
    globalThis.addEventListener?.("online", onFocus, listenerOptions);
    void snapshotStore.restore().catch(() => {});
    try {
      adoptIdentity(await getToken());
    } catch {
      // The read below fails in the same way, and reports it.
    }
    if (isClosed) return;
    void snapshotStore.restore().catch(() => {});
    await refresh();
    if (isClosed) return;
    tabs = joinTabGroup<TabMessage>(snapshotStore.getKey(), onLeader, ({ set: fetched, streamFailed }) => {
      if (streamFailed) markStale();
      if (!fetched || !accept(fetched, true) || !set) return;
      // The tab that sent the set reads it again first.
      refreshAt = Math.max(refreshAt, now() + (set.expiresAt - set.clockSkew - now()) * (0.85 + Math.random() / 10));
      scheduleTimer();
    });
  };

  const gate: Gate = {
    has,
    check,
    list() {
      const valid = validSet();
      return valid ? grantedKeys(valid.lines) : [];
    },
    get version() {
      return set?.version ?? 0;
    },
    get state() {
      return state;
    },
    get error() {
      return error;
    },
    on,
    waitFor(feature, { timeout } = {}) {
      const isGranted = () => decide(feature) === GRANT;
      if (isGranted() || isClosed) return Promise.resolve(isGranted());
      return new Promise((resolve) => {
        const end = () => {
          off();
          clearTimeout(deadline);
          abort.signal.removeEventListener("abort", end);
          resolve(isGranted());
        };
        const off = on("change", () => isGranted() && end());
        const deadline = timeout === undefined ? undefined : setTimeout(end, timeout);
        abort.signal.addEventListener("abort", end);
      });
    },
    refresh: () => refresh(0, true),
    close() {
      isClosed = true;
      clearTimeout(timer);
      tabs?.close();
      abort.abort();
      clear();
    },
  };

  if (options.snapshot) acceptSnapshot(options.snapshot, parseJwt(options.snapshot)?.claims ?? "");
  if (token !== undefined) {
    if (typeof token === "string") adoptIdentity(decodeToken(token));
    void start();
  }
  return gate;
}
