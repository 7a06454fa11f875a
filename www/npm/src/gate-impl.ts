// How a gate works: what is held, the questions asked of it, and what keeps it true.

import { NO, NOT_KNOWN, UNHEARD_OF, YES, type Answer, type Core, type Lines } from "./core/core.js";
import { first, keys } from "./core/line-set.js";
import { now } from "./clock.js";
import { edge, type Told } from "./edge-client.js";
import { base } from "./endpoint.js";
import { GateError } from "./error.js";
import type { Feature } from "./features.js";
import type { Check, Events, Gate, Reason, State } from "./gate.js";
import { parse } from "./jwt.js";
import { listeners } from "./emitter.js";
import type { Jwk, Options } from "./options.js";
import { claims, shelf } from "./storage.js";
import { listen } from "./stream.js";
import { tabs, type Tabs } from "./tab-group.js";
import { bearer, read, type Bearer } from "./token.js";

interface Held extends Told {
  lines: Lines;
  version: number;
  until: number;
}

/** What tabs tell each other. */
interface Message {
  told?: Told;
  trouble?: boolean;
}

const REASONS: Record<Answer, Reason> = {
  [NO]: "not_entitled",
  [YES]: "active_entitlement",
  [UNHEARD_OF]: "unknown_customer",
  [NOT_KNOWN]: "not_known",
};

/** How many answers are remembered: a page asks about some dozens of features. */
const REMEMBERED = 1_000;
/** How often focus alone asks anew, in seconds. */
const QUIET = 10;
/** The longest pause after a failure, in seconds. */
const LONGEST_PAUSE = 60;
/** After so many changes the set is read whole: what was said is kept until then. */
const CHANGES = 20;
/** The longest time that a timer can run. */
const LONGEST_TIMER = 2 ** 31 - 1;

export function open(core: Core, given: Options): Gate {
  const options = { ...given, endpoint: base(given.endpoint) };
  const { token, fallback = {}, live = true, expiresIn = 3_600 } = options;
  const show = bearer(token ?? "");
  const edges = edge(options, show);
  const shelves = shelf(options);
  const answers = new Map<string, Answer>();
  const { on, call, forget } = listeners<Events>();
  const opened = new AbortController();

  let held: Held | undefined;
  let state: State = "loading";
  let error: GateError | undefined;
  let confirmed = false;
  let customer = options.customer;
  let livemode: boolean | undefined;
  let closed = false;

  const current = () => (held && now() + held.skew < held.until ? held : undefined);

  const settle = () => {
    const next = current() ? (confirmed ? "ready" : "stale") : error ? "error" : "loading";
    if (next !== state) {
      state = next;
      call("state", state);
    }
  };

  const answer = (asked: unknown): Answer => {
    // What is no text is no feature, and has the answer of one that nobody has.
    const feature = typeof asked === "string" ? asked : "";
    if (!held || now() + held.skew >= held.until) return NOT_KNOWN;
    let known = answers.get(feature);
    if (known === undefined) {
      if (answers.size >= REMEMBERED) answers.clear();
      answers.set(feature, (known = core.check(held.lines, feature, now() + held.skew)));
    }
    return known;
  };

  /** What was chosen for the time in which it is not known. */
  const fell = (feature: unknown): boolean | undefined =>
    typeof feature === "string" && Object.hasOwn(fallback, feature) ? (fallback as Record<string, boolean>)[feature] : undefined;

  const has = (feature: Feature): boolean => {
    const answered = answer(feature);
    return answered === YES || (answered === NOT_KNOWN && fell(feature) === true);
  };

  const check = (feature: Feature): Check => {
    const answered = answer(feature);
    const reason = answered === NOT_KNOWN && fell(feature) !== undefined ? "fallback" : REASONS[answered];
    return { feature, entitled: has(feature), reason, version: held?.version ?? 0 };
  };

  /** What differs between two sets, for whoever asks. */
  const shown = () => (current() ? keys(held!.lines).join("\n") + first(held!.lines, "m") : undefined);
  let before = shown();
  const compare = () => {
    const after = shown();
    if (after !== before) {
      before = after;
      call("change", gate);
    }
  };

  /** Takes a set that is no older than what is held. */
  const take = (told: Told, isCertain: boolean): boolean => {
    const lines = core.read(`[${told.said}]`);
    if (!lines) return false;
    const [version, until, whose] = [+first(lines, "v")!, +first(lines, "e")!, first(lines, "c")];
    if (customer !== undefined && whose !== undefined && whose !== customer) return false;
    const set = current();
    if (set && (version < set.version || (version === set.version && until < set.until))) return true;
    held = { ...told, lines, version, until };
    customer ??= whose;
    answers.clear();
    confirmed = isCertain;
    if (isCertain) error = undefined;
    wake();
    compare();
    settle();
    return true;
  };

  const key = () => (customer === undefined ? undefined : `entgate:${options.endpoint}:${customer}`);

  /** Takes the stored set, if it is one; gives `false` if it proves nothing. */
  const restore = (stored: string, signers: readonly Jwk[]) => {
    const said = claims(core, stored, signers);
    const lines = said === undefined ? undefined : core.read(`[${said}]`);
    const genuine =
      said !== undefined &&
      lines !== undefined &&
      first(lines, "c") === customer &&
      (livemode === undefined || livemode === (first(lines, "l") !== undefined));
    if (genuine && !current() && +first(lines!, "e")! > now()) take({ said: [said!], skew: 0, snapshot: stored }, false);
    return genuine;
  };

  let restored = false;
  const recall = async () => {
    const at = key();
    if (restored || !at || !core.verify || !shelves) return;
    restored = true;
    const pinned = options.keys;
    const stored = shelves.getItem(at);
    // At once, if all is here: then the first question has its answer.
    if (typeof stored === "string" && pinned) return void (restore(stored, pinned) || shelves.removeItem(at));
    const found = await stored;
    if (!found || current()) return;
    const signers: readonly Jwk[] =
      pinned ?? (await (await (options.fetch ?? fetch)(`${options.endpoint}/.well-known/jwks.json`)).json()).keys;
    if (!restore(found, signers)) await shelves.removeItem(at);
  };

  const store = (snapshot: string | undefined) => {
    const at = key();
    if (!snapshot || !at) return;
    try {
      // A full shelf, or one that may not be used, is none.
      Promise.resolve(shelves?.setItem(at, snapshot)).catch(() => {});
    } catch {}
  };

  let group: Tabs<Message> | undefined;
  let wanted = 0;
  let failures = 0;
  let lastRead = -Infinity;
  let reading: Promise<void> | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = Infinity;

  /** Wakes up when the set has to be read anew, and when it is over. */
  const wake = () => {
    clearTimeout(timer);
    if (closed) return;
    const left = held ? held.until - held.skew - now() : Infinity;
    const next = Math.min(Math.max(due - now(), 0), left > 0 ? left : Infinity);
    if (next === Infinity) return;
    timer = setTimeout(
      () => {
        compare();
        settle();
        if (now() >= due) void refresh();
        else wake();
      },
      Math.min(next * 1_000 + 1, LONGEST_TIMER),
    );
    // In Node a gate alone is no reason to go on.
    (timer as { unref?: () => void }).unref?.();
  };

  const once = async (fresh: boolean) => {
    lastRead = now();
    due = Infinity;
    try {
      const atLeast = Math.max(wanted, current()?.version ?? 0);
      const told = await edges.tell(atLeast, fresh);
      if (closed) return;
      if (!take(told, true)) throw new GateError("the edge said what makes no set of this customer", "unreadable");
      confirmed = true;
      error = undefined;
      failures = 0;
      // More may have been heard of while it was read.
      if (wanted <= held!.version) wanted = 0;
      // Before the end, and not all at the same moment.
      due = now() + expiresIn * (0.7 + Math.random() / 10);
      store(told.snapshot);
      group?.tell({ told });
    } catch (thrown) {
      if (closed) return;
      error = thrown instanceof GateError ? thrown : new GateError(String((thrown as Error)?.message ?? thrown), "unreachable");
      confirmed = false;
      const { status = 0, retryAfter } = error;
      // What the edge refuses it refuses again, until something else is asked or somebody else asks.
      const hopeless = status >= 400 && status < 500 && status !== 429 && (status !== 401 || typeof token === "string");
      const pause = Math.min(2 ** failures++, LONGEST_PAUSE);
      if (!hopeless) due = now() + Math.max(retryAfter ?? 0, pause * (0.5 + Math.random() / 2));
    }
    wake();
    settle();
  };

  const refresh = (atLeast = 0, fresh = false): Promise<void> => {
    if (closed || token === undefined) return Promise.resolve();
    wanted = Math.max(wanted, atLeast);
    if (reading)
      return fresh || atLeast
        ? reading.then(() => (fresh || wanted > (held?.version ?? 0) ? refresh(atLeast, fresh) : undefined))
        : reading;
    reading = once(fresh).finally(() => (reading = undefined));
    return reading;
  };

  const heard = (event: string, data: string) => {
    if (event !== "change" && event !== "version") return;
    const { version, customer: whose = customer } = JSON.parse(data) as { version: number; customer?: string };
    const set = current();
    // Somebody else has logged in meanwhile: that is another gate's to hear.
    if (customer !== undefined && whose !== customer) return;
    if (set && version <= set.version) {
      if (event === "version" && version === set.version) confirm();
      return;
    }
    // The set without a version is read anew, and is as new as what was heard.
    if (event === "version" || !set || !take({ said: [data, ...set.said], skew: set.skew }, true)) return void refresh(version);
    group?.tell({ told: held! });
    const stored = shelves && core.verify && set.snapshot !== undefined;
    if (stored || set.said.length > CHANGES) {
      // What is stored should be what is held; a burst of changes is stored once.
      due = Math.min(due, now() + 1 + Math.random());
      wake();
    }
  };

  const confirm = () => {
    if (!current() || confirmed) return;
    confirmed = true;
    error = undefined;
    settle();
  };

  const doubt = () => {
    confirmed = false;
    settle();
  };

  let stream: ReturnType<typeof listen> | undefined;
  const lead = () => {
    if (!live) return () => {};
    stream = listen(edges, options.customer, {
      version: () => current()?.version,
      heard,
      trouble(attempts) {
        // One attempt in vain is the weather.
        if (!attempts || attempts < 2) return;
        group?.tell({ trouble: true });
        doubt();
      },
    });
    return () => stream?.end();
  };

  const look = () => {
    if (globalThis.document?.visibilityState === "hidden") return;
    stream?.nudge();
    if (now() - lastRead > QUIET || error) void refresh();
  };

  const start = async () => {
    const watch = { signal: opened.signal };
    globalThis.document?.addEventListener?.("visibilitychange", look, watch);
    globalThis.addEventListener?.("focus", look, watch);
    globalThis.addEventListener?.("online", look, watch);
    void recall().catch(() => {});
    try {
      known(await show());
    } catch {
      // Reading fails in the same way, and tells.
    }
    if (closed) return;
    void recall().catch(() => {});
    await refresh();
    if (closed) return;
    group = tabs<Message>(key(), lead, ({ told, trouble }) => {
      if (trouble) doubt();
      if (!told || !take(told, true) || !held) return;
      // Whoever told it reads it anew first.
      due = Math.max(due, now() + (held.until - held.skew - now()) * (0.85 + Math.random() / 10));
      wake();
    });
  };

  const known = (shown: Bearer) => {
    customer ??= shown.customer;
    livemode ??= shown.livemode;
  };

  const gate: Gate = {
    has,
    check,
    list: () => (current() ? keys(held!.lines) : []),
    get version() {
      return held?.version ?? 0;
    },
    get state() {
      return state;
    },
    get error() {
      return error;
    },
    on,
    waitFor(feature, { timeout } = {}) {
      const granted = () => answer(feature) === YES;
      if (granted() || closed) return Promise.resolve(granted());
      return new Promise((resolve) => {
        const end = () => {
          off();
          clearTimeout(late);
          opened.signal.removeEventListener("abort", end);
          resolve(granted());
        };
        const off = on("change", () => granted() && end());
        const late = timeout === undefined ? undefined : setTimeout(end, timeout);
        opened.signal.addEventListener("abort", end);
      });
    },
    refresh: () => refresh(0, true),
    close() {
      closed = true;
      clearTimeout(timer);
      group?.close();
      opened.abort();
      forget();
    },
  };

  if (options.snapshot) take({ said: [parse(options.snapshot)?.claims ?? ""], skew: 0, snapshot: options.snapshot }, false);
  if (token !== undefined) {
    if (typeof token === "string") known(read(token));
    void start();
  }
  return gate;
}
