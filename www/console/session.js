// What every panel works with: the key, what the Worker says of itself, a way to ask it, and a log of what was asked.
//
// The key is held in this module's memory and nowhere else: it is neither stored, nor part of an address, nor logged. No request
// throws: what went wrong stands in the reply, as a sentence.

const DEADLINE_MS = 40_000; // A sync waits for up to 25 s, and its read takes a while.
const LOGGED = 500;

/** A desk, with no key on it yet. */
export function createDesk() {
  const keys = bell();
  const healths = bell();
  const requests = bell();
  const refusals = bell();
  let key = "";
  let refused = false;

  const desk = {
    /** The server key, or an empty string. */
    get key() {
      return key;
    },
    /** Takes a key in place of the one before; one that was refused is tried again. */
    take(text) {
      if (text === key && !refused) return;
      key = text;
      refused = false;
      keys.ring(key);
    },
    onKey: keys.listen,
    /** Rung when the Worker does not take the key. */
    onRefusal: refusals.listen,
    /** "test" or "live", as the key says; without one, or with another kind, undefined. */
    get mode() {
      return /^(?:sk|rk)_(test|live)_/.exec(key)?.[1];
    },

    /** What `/healthz` said last, and how it came; undefined until something did. */
    health: undefined,
    /** "stripe" or "catalog", once it is known. */
    source: undefined,
    settings: {},
    /** Calls at once if something is known, and whenever something is heard. */
    onHealth(heard) {
      if (desk.health) heard(desk.health);
      return healths.listen(heard);
    },
    /** Asks the Worker how it does. */
    async examine() {
      const reply = await desk.ask("/healthz", { key: "" });
      desk.health = reply;
      if (reply.body.object === "health") {
        desk.source = reply.body.source ?? "stripe";
        desk.settings = reply.body.settings ?? {};
      }
      healths.ring(reply);
      return reply;
    },

    /** The last requests of this page, the newest last. */
    log: [],
    onLog: requests.listen,

    /**
     * Sends one request. `form` goes into the body as Stripe's SDKs write it, `json` as JSON; `key` takes the place of the desk's
     * own. Where the reply is not what was asked for, `problem` says why, and `field` which parameter it is about; `status` is 0
     * when nothing came. Nobody but this Worker is asked, whatever `path` says: the key is its own.
     */
    async ask(path, { method = "GET", form, json, idempotencyKey, signal, key: other } = {}) {
      const bearer = other ?? key;
      const address = within(path);
      if (!address) return nothing("Nobody but this Worker is asked.");
      if (bearer && !/^[\x21-\x7e]+$/.test(bearer)) {
        return nothing("A key has no spaces and only ASCII characters.", "key");
      }
      const headers = {
        ...(bearer && { authorization: `Bearer ${bearer}` }),
        ...(form && { "content-type": "application/x-www-form-urlencoded" }),
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey && { "idempotency-key": idempotencyKey }),
      };
      const body = form ? encode(form) : json === undefined ? undefined : JSON.stringify(json);
      const deadline = AbortSignal.timeout(DEADLINE_MS);
      const started = performance.now();
      const note = (status) => {
        const took = performance.now() - started;
        desk.log.push({ at: Date.now(), method, path: address.pathname, status, took });
        desk.log.splice(0, desk.log.length - LOGGED);
        requests.ring(desk.log.at(-1));
        return took;
      };
      try {
        const response = await fetch(address, {
          method,
          headers,
          body,
          cache: "no-store",
          signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
        });
        const text = await response.text();
        const took = note(response.status);
        const reply = { status: response.status, body: parse(text), text, took, headers: response.headers };
        if (response.status === 401 && other === undefined) {
          refused = true;
          refusals.ring(reply);
        }
        return { ...reply, ...fault(reply) };
      } catch {
        if (signal?.aborted) return nothing("This was called off.");
        note(0);
        return nothing(
          deadline.aborted
            ? `The Worker did not answer within ${DEADLINE_MS / 1000} s.`
            : "The Worker cannot be reached. Is it running, and is this browser online?",
        );
      }
    },

    /** Goes to a panel: `customers?customer=cus_ada`. */
    go(place) {
      location.hash = place;
    },
  };
  return desk;
}

/** Those who want to hear of something. */
function bell() {
  const ears = new Set();
  return {
    listen(heard) {
      ears.add(heard);
      return () => ears.delete(heard);
    },
    ring: (news) => ears.forEach((heard) => heard(news)),
  };
}

/** The address of a path of this Worker; nothing where it leads elsewhere, or nowhere. */
function within(path) {
  try {
    const address = new URL(path, location.origin);
    return address.origin === location.origin ? address : undefined;
  } catch {
    return undefined;
  }
}

/** A reply where none came. */
function nothing(problem, field) {
  return { status: 0, body: {}, text: "", took: undefined, headers: new Headers(), problem, field };
}

/** Why a reply is not the answer, and what it is about; nothing where it is one. */
function fault({ status, body, headers }) {
  if (status < 400) return {};
  const { message, param } = body.error ?? {};
  const said = typeof message === "string" ? message : `The answer (status ${status}) is not one of entgate’s.`;
  const field = status === 401 ? "key" : typeof param === "string" ? param.split("[")[0] : undefined;
  return { problem: status === 503 ? `${said} ${later(headers)}` : said, field };
}

/** `Retry-After` as a sentence. */
export function later(headers) {
  const when = headers.get("retry-after");
  if (!when) return "Ask again shortly.";
  return `Ask again ${/^\d+$/.test(when) ? `in ${when} s` : `after ${when}`} (Retry-After).`;
}

/** The object that `text` is the JSON of; an empty one when it is not. */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

/** A form as Stripe's SDKs encode it: `items[0][price]=…`; null empties, undefined is left out. */
export function encode(form) {
  const pairs = (name, value) => {
    if (value === undefined) return [];
    if (value === null) return [[name, ""]];
    if (typeof value !== "object") return [[name, String(value)]];
    return Object.entries(value).flatMap(([part, inner]) => pairs(name ? `${name}[${part}]` : part, inner));
  };
  return new URLSearchParams(pairs("", form)).toString();
}

/** Signals for requests of which only the last of its kind counts; the one before, if still under way, is dropped. */
export function turns() {
  const held = {};
  const turn = (kind) => {
    held[kind]?.abort();
    held[kind] = new AbortController();
    return held[kind].signal;
  };
  turn.stop = () => Object.values(held).forEach((controller) => controller.abort());
  return turn;
}

/** Does something again and again, `pause` ms after it was done, between `start` and `stop` and while the page is looked at. */
export function pulse(pause, work) {
  let running = false;
  let busy = false;
  let again = false;
  let timer;
  const beat = async () => {
    clearTimeout(timer);
    if (!running || document.hidden) return;
    again = busy;
    if (busy) return;
    busy = true;
    try {
      await work();
    } finally {
      busy = false;
    }
    if (again) beat();
    else if (running) timer = setTimeout(beat, pause);
  };
  document.addEventListener("visibilitychange", beat);
  return {
    start() {
      if (running) return;
      running = true;
      beat();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
  };
}
