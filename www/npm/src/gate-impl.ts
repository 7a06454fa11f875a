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
// A set replaces the loaded one only if it is not older. All times are those of the gate's clock (`clock.ts`).
// Not here: the decision itself, which is the core's (`core/core.ts`).

import { createClock } from "./clock.js";
import { type Core, type Decision, GRANT, INDETERMINATE, type LineSet } from "./core/core.js";
import { firstLine, grantedKeys } from "./core/line-set.js";
import { createEdgeClient } from "./edge-client.js";
import { createEmitter } from "./emitter.js";
import { normalizeEndpoint } from "./endpoint.js";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Check, Events, Gate, Reason, State } from "./gate.js";
import type { Options } from "./options.js";
import { onReturn } from "./page-events.js";
import { type ReceivedSet, readSnapshot } from "./snapshot.js";
import { createSnapshotStore } from "./snapshot-store.js";
import { openStream, type Stream } from "./stream.js";
import { joinTabGroup, type TabGroup } from "./tab-group.js";
import { type BearerToken, createTokenSource, decodeToken } from "./token.js";
import { isSharingSafe, TIMER_LIMIT } from "./waiting.js";

interface LoadedSet extends ReceivedSet {
  lines: LineSet;
}

/** A message from the leading tab to the others. */
interface TabMessage {
  set?: ReceivedSet;
  streamFailed?: boolean;
}

/** The reasons by the numbers of the decisions. */
const REASONS: Record<Decision, Reason> = ["not_entitled", "active_entitlement", "unknown_customer", "not_known"];

/** The limit of the decision cache: a page checks some dozens of features. */
const MAX_CACHED_DECISIONS = 1_000;
/** Focus alone reads the set again at most this often, in seconds. */
const FOCUS_REFRESH_INTERVAL = 10;
/** The longest back-off after a failed read, in seconds. */
const MAX_BACKOFF = 60;
/** Changes are replayed over the last complete set. With more messages than this the set is read again. */
const MAX_MESSAGES = 20;
/** The longest delay of the timer, in milliseconds: a corrected clock and the end of a sleep are noticed after this time. */
const MAX_TIMER_DELAY = 3_000;

/** Creates a gate that decides with this core. */
export function createGateWithCore(core: Core, givenOptions: Options): Gate {
  const options = { ...givenOptions, endpoint: normalizeEndpoint(givenOptions.endpoint) };
  const { token, fallback = {}, live = true } = options;
  const now = createClock();
  const getToken = createTokenSource(token ?? "", now);
  const client = createEdgeClient(options, getToken, now);
  const decisions = new Map<string, Decision>();
  const { on, emit, clear } = createEmitter<Events>();

  let set: LoadedSet | undefined;
  /** The version of the last set. */
  let version = 0;
  let lastState: State = "loading";
  let error: GateError | undefined;
  /** Whether the edge confirmed the set since the last failure. */
  let isConfirmed = false;
  let { customer, livemode } = options;
  /** Whether the token's customer and mode are known. */
  let isIdentified = false;
  let isClosed = false;
  /** The functions that end a pending `waitFor`. */
  const waiters = new Set<() => void>();
  /** The newest version that was announced and is not loaded yet. */
  let minVersion = 0;
  let failures = 0;
  let lastRead = -Infinity;
  let inFlight: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** The time of the next read, in Unix seconds. */
  let refreshAt = Infinity;
  let tabs: TabGroup<TabMessage> | undefined;
  let stream: Stream | undefined;
  let stopListening = () => {};

  /** Returns the loaded set, if it has not expired. */
  const validSet = () => {
    if (!set || now() < set.expiresAt) return set;
    if (set.expiresAt) {
      // The first answer that finds the set expired asks for the next one. Not at once: React may be rendering.
      set.expiresAt = refreshAt = 0;
      scheduleTimer();
    }
    return undefined;
  };

  const getState = (): State => (validSet() ? (isConfirmed ? "ready" : "stale") : error ? "error" : "loading");

  const updateState = () => {
    const state = getState();
    if (state === lastState) return;
    lastState = state;
    emit("state", state);
  };

  const decide = (feature: string): Decision => {
    const valid = validSet();
    if (!valid) return INDETERMINATE;
    let decision = decisions.get(feature);
    if (decision === undefined) {
      if (decisions.size >= MAX_CACHED_DECISIONS) decisions.clear();
      // The set has not expired by the gate's clock. The core would compare with the edge's clock.
      decision = core.check(valid.lines, feature, 0);
      decisions.set(feature, decision);
    }
    return decision;
  };

  const check = (feature: Feature): Check => {
    // A value that is not a string gets the answer of a feature that no customer has.
    const key = typeof feature === "string" ? feature : "";
    const decision = decide(key);
    const isFallback = decision === INDETERMINATE && Object.hasOwn(fallback, key);
    const entitled = isFallback ? !!fallback[key as Feature] : decision === GRANT;
    return { feature, entitled, reason: isFallback ? "fallback" : REASONS[decision], version };
  };

  /** A string that differs if the answers differ. */
  const fingerprint = () => {
    const valid = validSet();
    return valid && grantedKeys(valid.lines).join("\n") + firstLine(valid.lines, "m");
  };
  let lastFingerprint: string | undefined;
  const emitIfChanged = () => {
    const next = fingerprint();
    if (next !== lastFingerprint) {
      lastFingerprint = next;
      emit("change", gate);
    }
  };

  const confirm = (isFromEdge: boolean) => {
    isConfirmed = isFromEdge;
    if (isFromEdge) error = undefined;
    updateState();
  };

  const replaceSet = (next: LoadedSet | undefined, nextVersion: number, isFromEdge: boolean) => {
    set = next;
    version = nextVersion;
    decisions.clear();
    scheduleTimer();
    emitIfChanged();
    confirm(isFromEdge);
  };

  /** Returns whether a set is of this customer, and a snapshot of this mode: the token's, and live mode while that is not known. */
  const isOwn = (received: ReceivedSet, lines: LineSet, isFromEdge: boolean): boolean => {
    const owner = firstLine(lines, "c") ?? customer;
    const mode = livemode ?? (isFromEdge ? received.livemode : true);
    return owner === (customer ?? owner) && (!received.snapshot || received.livemode === mode);
  };

  /** Loads a set, unless it is older than the current one. Returns `false` if it is not a valid set of this customer and mode. */
  const accept = (received: ReceivedSet | undefined, isFromEdge: boolean): boolean => {
    const lines = received && core.load(`[${received.messages}]`);
    if (!lines || !(received.expiresAt > 0) || !isOwn(received, lines, isFromEdge)) return false;
    const next = +(firstLine(lines, "v") as string);
    const valid = validSet();
    if (valid && (next < version || (next === version && received.expiresAt < valid.expiresAt))) return true;
    if (isFromEdge) {
      customer ??= firstLine(lines, "c");
      livemode ??= received.livemode;
    }
    replaceSet({ ...received, lines }, next, isFromEdge);
    return true;
  };

  const unreadable = new GateError("no set of this customer and mode", "unreadable");

  const snapshotStore = createSnapshotStore(
    core,
    options,
    () => customer,
    (snapshot) => {
      const stored = readSnapshot(snapshot, now());
      // One of the other mode is ignored: the token's mode may not be known yet.
      const isUsed = stored && !isConfirmed && stored.livemode === (livemode ?? true) && now() < stored.expiresAt;
      return isUsed ? accept(stored, false) : !!stored;
    },
  );

  /** Uses the customer and mode of the token. An embedded or stored set of another customer or mode is dropped. */
  const adoptIdentity = (bearer: Omit<BearerToken, "value">) => {
    customer ??= bearer.customer;
    livemode = bearer.livemode ?? livemode;
    if (set && !isOwn(set, set.lines, false)) replaceSet(undefined, 0, false);
    if (!set) accept(readSnapshot(options.snapshot ?? "", now()), false);
    if (token !== undefined) void snapshotStore.restore();
  };

  /** Sets the timer to the next read or to the expiry of the set, whichever is first. */
  const scheduleTimer = () => {
    clearTimeout(timer);
    const delay = Math.min(refreshAt, validSet()?.expiresAt ?? Infinity) - now();
    if (isClosed || delay === Infinity) return;
    timer = setTimeout(wake, Math.min(delay * 1_000 + 1, MAX_TIMER_DELAY));
    // In Node a gate alone does not keep the process running.
    (timer as { unref?: () => void }).unref?.();
  };

  const wake = () => {
    emitIfChanged();
    updateState();
    if (now() < refreshAt) scheduleTimer();
    else void refresh();
  };

  /** Returns when the loaded set is read again: before it expires, with jitter, and when an entitlement of it starts or ends. */
  const nextRefresh = (fraction: number): number => {
    const { expiresAt = 0, changesAt = 0 } = set ?? {};
    const beforeExpiry = now() + (expiresAt - now()) * (fraction + Math.random() / 10);
    return changesAt > now() ? Math.min(beforeExpiry, changesAt + Math.random()) : beforeExpiry;
  };

  const readOnce = async (fresh: boolean) => {
    lastRead = now();
    refreshAt = Infinity;
    try {
      if (!isIdentified) adoptIdentity(await getToken());
      isIdentified = true;
      if (isClosed) return;
      const received = await client.fetchSet(Math.max(minVersion, validSet() ? version : 0), fresh);
      if (isClosed) return;
      if (!received || !accept(received, true) || !validSet()) throw unreadable;
      confirm(true);
      failures = 0;
      // A newer version can have been announced during the read.
      if (minVersion <= version) minVersion = 0;
      refreshAt = nextRefresh(0.7);
      void snapshotStore.save(received.snapshot);
      tabs ??= joinTabs();
      tabs.broadcast({ set: received });
    } catch (thrown) {
      if (isClosed) return;
      error = thrown instanceof GateError ? thrown : new GateError(String((thrown as Error)?.message ?? thrown), "unreachable");
      confirm(false);
      const { status, retryAfter = 0, code } = error;
      // Such a request is rejected again, so there is no automatic retry.
      const isPermanent = code === "token_failed" || (/^4(?!29)/.test(`${status}`) && (status !== 401 || typeof token === "string"));
      const backoff = Math.min(2 ** failures++, MAX_BACKOFF);
      if (!isPermanent) refreshAt = now() + Math.max(retryAfter, backoff * (0.5 + Math.random() / 2));
    }
    scheduleTimer();
  };

  /** Reads the set; joins a read that is in flight, and reads again after it if that one is not new enough. Never rejects. */
  const refresh = async (atLeast = 0, fresh = false): Promise<void> => {
    if (isClosed || token === undefined) return;
    minVersion = Math.max(minVersion, atLeast);
    if (inFlight && isSharingSafe) {
      await inFlight;
      if (fresh || (atLeast && minVersion > version)) await refresh(atLeast, fresh);
      return;
    }
    // At the top level of a Worker even a timer is denied.
    inFlight = readOnce(fresh).catch(() => {});
    await inFlight;
    inFlight = undefined;
  };

  const onStreamEvent = (event: string, data: string) => {
    if (event !== "change" && event !== "version") return;
    const { version: announced, customer: owner = customer } = JSON.parse(data) as { version: number; customer?: string };
    const valid = validSet();
    // The token source can return another customer's token after a login: its events are for another gate.
    if (customer !== undefined && owner !== customer) return;
    if (valid && announced <= version) {
      if (event === "version" && announced === version && !isConfirmed) confirm(true);
      return;
    }
    // Without the set before it a change cannot be replayed: the set is read, at this version or newer.
    if (event === "version" || !valid) return void refresh(announced);
    const { snapshot, ...rest } = valid;
    if (!accept({ ...rest, messages: [data, ...valid.messages] }, true)) return void refresh(announced);
    if (set) tabs?.broadcast({ set });
    if ((snapshotStore.canRestore && snapshot) || valid.messages.length > MAX_MESSAGES) {
      // Reads a snapshot to store. Postponed, so a burst of changes is one read.
      refreshAt = Math.min(refreshAt, now() + 1 + Math.random());
      scheduleTimer();
    }
  };

  const lead = () => {
    if (!live) return () => {};
    stream = openStream(
      client,
      () => (validSet() ? version : undefined),
      onStreamEvent,
      () => {
        tabs?.broadcast({ streamFailed: true });
        confirm(false);
      },
    );
    return stream.close;
  };

  const joinTabs = () => {
    const key = snapshotStore.getKey();
    return joinTabGroup<TabMessage>(key && key + livemode, lead, ({ set: received, streamFailed }) => {
      if (streamFailed) confirm(false);
      if (!accept(received, true)) return;
      // The tab that sent the set reads it again first.
      refreshAt = nextRefresh(0.85);
      scheduleTimer();
    });
  };

  const onPageReturn = () => {
    stream?.reconnect();
    if (now() - lastRead > FOCUS_REFRESH_INTERVAL || error) void refresh();
  };

  const gate: Gate = {
    has: (feature) => check(feature).entitled,
    check,
    list: () => grantedKeys(validSet()?.lines ?? ""),
    get version() {
      return version;
    },
    get state() {
      return getState();
    },
    get error() {
      return error;
    },
    on,
    waitFor(feature, { timeout } = {}) {
      const isGranted = () => check(feature).reason === REASONS[GRANT];
      return new Promise((resolve) => {
        const end = () => {
          off();
          clearTimeout(deadline);
          waiters.delete(end);
          resolve(isGranted());
        };
        const off = on("change", () => isGranted() && end());
        const deadline = (timeout as number) < TIMER_LIMIT ? setTimeout(end, timeout) : undefined;
        waiters.add(end);
        if (isGranted() || isClosed) end();
        else if (!validSet()) void refresh();
      });
    },
    refresh: () => refresh(0, true),
    close() {
      isClosed = true;
      clearTimeout(timer);
      tabs?.close();
      stopListening();
      for (const end of waiters) end();
      clear();
    },
  };

  let identity = {};
  try {
    if (typeof token === "string") identity = decodeToken(token, now);
  } catch {
    // The first read fails in the same way, and reports it.
  }
  adoptIdentity(identity);
  if (token !== undefined) {
    stopListening = onReturn(onPageReturn);
    void refresh();
  } else if (options.snapshot && !set) {
    error = unreadable;
  }
  return gate;
}
