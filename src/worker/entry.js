// The Worker's entry: the platform calls this, and this calls the core.
//
// | request                          | goes                                                                      |
// |----------------------------------|---------------------------------------------------------------------------|
// | a plain check, `hotAsk` takes it | no further, where it is remembered; else to KV and to `hotTell`           |
// | an event of Stripe's             | to `hotReceive`, which is handed its bytes                                |
// | any other                        | to `fetch` of the core                                                    |
//
// A trap of the core (there is none that we know of) leaves its memory as it was in the middle of something. So the next
// call begins with a new one.

import module from "./index_bg.wasm";
import * as core from "entgate-core";

core.initSync({ module });

let trapped = false;
let life = 0;

addEventListener("error", ({ error }) => {
  trapped ||= error instanceof WebAssembly.RuntimeError;
});

/** Calls the core, in a new instance if the last one is not to be trusted. */
function call(work) {
  if (trapped) {
    trapped = false;
    life += 1;
    core.__wbg_reset_state();
  }
  try {
    return work();
  } catch (error) {
    trapped ||= error instanceof WebAssembly.RuntimeError;
    throw error;
  }
}

/** A name for a request in a log, and no secret: this isolate's, and a number. */
const isolate = `req_${hex(Math.random() * 2 ** 32)}`;
let requests = Math.random() * 2 ** 32;

function hex(number) {
  return (number >>> 0).toString(16).padStart(8, "0");
}

/** An answer, as the core's own are. `said` is what `hotAsk` or `hotTell` gave. */
function respond(said) {
  const id = isolate + hex(requests++);
  if (said.startsWith("{")) {
    return new Response(said, { headers: { "content-type": "application/json", "cache-control": "no-store", vary: "Origin", "request-id": id } });
  }
  const [version, asOf, servedBy, customer] = said.split("\n");
  return new Response(null, {
    status: 204,
    headers: {
      "entgate-version": version,
      "entgate-as-of": asOf,
      "entgate-served-by": servedBy,
      "cache-control": "no-store",
      "entgate-customer": customer,
      vary: "Origin",
      "request-id": id,
    },
  });
}

/** The most bytes of a body that are taken here; what is longer, or does not say, is read as it comes. */
const BODY_LIMIT = 1 << 20;

/** What stands behind the origin, which is at least `http://` and a letter. */
const target = (url) => url.slice(url.indexOf("/", "http://".length + 1));

const long = (request, env, context) => call(() => core.fetch(request, env, context));

export default {
  fetch(request, env, context) {
    if (request.method === "GET") {
      const { headers } = request;
      const authorization = headers.get("authorization");
      // A page of another origin is answered with what it may read of the answer.
      if (authorization && !headers.has("origin") && !headers.has("entgate-customer")) {
        const asked = call(() => core.hotAsk(request.url, authorization, env));
        if (asked && asked[0] !== "?") return respond(asked);
        if (asked) {
          return env.ENTITLEMENTS.get(asked.slice(1, asked.indexOf("\n")), "arrayBuffer").then(
            (record) => {
              const said = record && call(() => core.hotTell(asked, new Uint8Array(record)));
              return said ? respond(said) : long(request, env, context);
            },
            () => long(request, env, context),
          );
        }
      }
    }
    if (request.method === "POST" && target(request.url) === "/webhooks/stripe") {
      const { headers } = request;
      const length = headers.get("content-length");
      if (length && Number(length) <= BODY_LIMIT) {
        return request.arrayBuffer().then((body) => {
          const signature = headers.get("stripe-signature") ?? "";
          return call(() => core.hotReceive(signature, new Uint8Array(body), env)) ?? long(new Request(request, { body }), env, context);
        });
      }
    }
    return long(request, env, context);
  },

  scheduled: (event, env, context) => call(() => core.scheduled(event, env, context)),
};

/** A Durable Object's class, whose object in the core lives as long as the core does. */
function durable(Core) {
  return class {
    constructor(state, env) {
      Object.assign(this, { state, env });
      this.object();
    }

    object() {
      return call(() => {
        if (this.life !== life) [this.core, this.life] = [new Core(this.state, this.env), life];
        return this.core;
      });
    }

    fetch(request) {
      const object = this.object();
      return call(() => object.fetch(request));
    }
  };
}

/** One that has alarms. */
const alarmed = (Core) =>
  class extends durable(Core) {
    alarm() {
      const object = this.object();
      return call(() => object.alarm());
    }
  };

export class Customer extends alarmed(core.Customer) {
  webSocketMessage() {}

  webSocketClose(socket) {
    const object = this.object();
    return call(() => object.webSocketClose(socket));
  }

  webSocketError(socket) {
    const object = this.object();
    return call(() => object.webSocketError(socket));
  }
}

export class Catalog extends alarmed(core.Catalog) {}

export class Roster extends durable(core.Roster) {}

export class Journal extends durable(core.Journal) {}
