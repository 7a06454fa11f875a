// The Worker's entry: the platform calls this, and this calls the two cores.
//
// | request                        | goes                                                                          |
// |--------------------------------|-------------------------------------------------------------------------------|
// | a plain question `ask` takes   | no further, where it is remembered; else to KV and to `tell`                  |
// | an event of Stripe's           | to `receive`, which is handed its bytes, to the customer's object, to `kept`  |
// | any other                      | to `fetch` of the `worker` core                                               |
//
// The `hot` core begins with the isolate. The `worker` core, many times as long, is not even compiled before it is needed:
// that is what the flag `new_module_registry` in wrangler.toml is for.

import module from "./hot.wasm";
import * as hot from "entgate-hot";

hot.initSync({ module });

/** The `worker` core, once it is loaded. */
let worker;

const load = async () => (worker ??= await import("./worker.js"));

// A trap of a core (there is none that we know of) leaves its memory as it was in the middle of something. So the next call
// begins with a new one.
const trapped = new Set();

/** How many there were of the `worker` core before this one. */
let life = 0;

// What goes on after an answer has no caller. Only the `worker` core does that.
const unheard = (error) => {
  if (error instanceof WebAssembly.RuntimeError) trapped.add(worker);
};
addEventListener("error", ({ error }) => unheard(error));
addEventListener("unhandledrejection", ({ reason }) => unheard(reason));

/** Calls a core. */
function call(core, work) {
  if (trapped.size && trapped.delete(core)) {
    if (core === worker) life += 1;
    core.__wbg_reset_state();
  }
  try {
    return work(core);
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) trapped.add(core);
    throw error;
  }
}

/** A name for a request in a log, and no secret: this isolate's, and a number. */
const isolate = `req_${hex(Math.random() * 2 ** 32)}`;
let requests = Math.random() * 2 ** 32;

function hex(number) {
  return (number >>> 0).toString(16).padStart(8, "0");
}

/** An answer: `said` is the object of a check, or a status, a line for each header, an empty one and a body. */
function answer(said) {
  const id = isolate + hex(requests++);
  if (said.startsWith("{")) {
    return new Response(said, {
      headers: { "content-type": "application/json", "cache-control": "no-store", vary: "Origin", "request-id": id },
    });
  }
  const end = said.indexOf("\n\n");
  const [status, ...lines] = said.slice(0, end).split("\n");
  // From a list of pairs the platform makes headers at many times the cost.
  const headers = { "request-id": id };
  for (const line of lines) {
    const colon = line.indexOf(": ");
    headers[line.slice(0, colon)] = line.slice(colon + 2);
  }
  // A 204 must have no body at all, not an empty one.
  return new Response(said.slice(end + 2) || null, { status, headers });
}

/** The most bytes of a body that are taken here; what is longer, or does not say, is read as it comes. */
const BODY_LIMIT = 1 << 20;

/** An object is found by its name; the URL only has to be one. */
const URL_OF_OBJECT = "https://customer/";

/** What stands behind the origin, which is at least `http://` and a letter. */
const target = (url) => url.slice(url.indexOf("/", "http://".length + 1));

/** Any request. */
const long = async (request, env, context) => call(worker ?? (await load()), (core) => core.fetch(request, env, context));

/** A question that is answered at once, or with one read of KV; none if it goes the long way. */
function question(request, env, context) {
  const { headers } = request;
  const authorization = headers.get("authorization");
  // A page of another origin is answered with what it may read of the answer.
  if (!authorization || headers.has("origin") || headers.has("entgate-customer")) return undefined;
  const asked = call(hot, () => hot.ask(request.url, authorization, env));
  if (!asked?.startsWith("?")) return asked && answer(asked);
  return env.ENTITLEMENTS.get(asked.slice(1, asked.indexOf("\n")), "arrayBuffer").then(
    (record) => {
      const said = record && call(hot, () => hot.tell(asked, new Uint8Array(record)));
      return said ? answer(said) : long(request, env, context);
    },
    () => long(request, env, context),
  );
}

/** An event of Stripe's: it is answered once the customer's object has kept it. */
async function event(request, env, context) {
  const body = await request.arrayBuffer();
  const signature = request.headers.get("stripe-signature") ?? "";
  const received = call(hot, () => hot.receive(signature, new Uint8Array(body), env));
  if (received && !received.startsWith("!")) return answer(received);
  if (received) {
    const [key, , message] = received.slice(1).split("\n", 3);
    const { CUSTOMERS } = env;
    try {
      const receipt = await CUSTOMERS.get(CUSTOMERS.idFromName(key)).fetch(URL_OF_OBJECT, { method: "POST", body: message });
      const text = await receipt.text();
      const said = receipt.status === 200 && call(hot, () => hot.kept(received, text));
      if (said) return answer(said);
    } catch {
      // It is told again below, which says what is the matter. Told twice, an event counts once.
    }
  }
  return long(new Request(request, { body }), env, context);
}

export default {
  fetch(request, env, context) {
    if (request.method === "GET") return question(request, env, context) ?? long(request, env, context);
    if (request.method === "POST" && target(request.url) === "/webhooks/stripe") {
      const length = request.headers.get("content-length");
      if (length && Number(length) <= BODY_LIMIT) return event(request, env, context);
    }
    return long(request, env, context);
  },

  scheduled: async (event, env, context) => call(worker ?? (await load()), (core) => core.scheduled(event, env, context)),
};

/** The class of a Durable Object, by its name in the core. Its object there lives as long as the core does. */
function durable(name) {
  return class {
    constructor(state, env) {
      Object.assign(this, { state, env });
      // Nothing is asked of it before that.
      if (!worker) state.blockConcurrencyWhile(load);
    }

    /** Calls its object. */
    call(work) {
      return call(worker, (core) => {
        if (this.life !== life) [this.object, this.life] = [new core[name](this.state, this.env), life];
        return work(this.object);
      });
    }

    fetch(request) {
      return this.call((object) => object.fetch(request));
    }
  };
}

/** One that has alarms. */
const alarmed = (name) =>
  class extends durable(name) {
    alarm() {
      return this.call((object) => object.alarm());
    }
  };

export class Customer extends alarmed("Customer") {
  webSocketMessage() {}

  webSocketClose(socket) {
    return this.call((object) => object.webSocketClose(socket));
  }

  webSocketError(socket) {
    return this.call((object) => object.webSocketError(socket));
  }
}

// `wrangler.toml` names it, whether or not the core has one.
export class Catalog extends alarmed("Catalog") {}

export class Roster extends durable("Roster") {}

export class Journal extends durable("Journal") {}
