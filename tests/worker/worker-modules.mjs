// Modules for Miniflare that stand before or beside the built Worker in tests: a KV namespace that fails on
// demand, a clock that a test can set, ledgers that list their statements, and a customer index that is broken.
// All of them are source text.

import { fileURLToPath } from "node:url";

/** A path in the repository. @param {string} path From the root. */
export const repositoryPath = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * A KV namespace whose puts fail as the namespace `FAULTS` says. Key `puts` lists one fault for each of the next
 * puts; key `each` names a fault for every n-th other put. A put fails `before` the write, `after` it, or at once
 * and still writes three seconds `late`. A `slow` put takes ten seconds and succeeds. `mixed` puts take turns: one
 * succeeds after up to four seconds, one fails at once and writes 3.9 seconds later, one fails, one succeeds.
 * `FAULTS` also records every put of a customer's record with its time. A get returns what is stored under `old:` and its key, if
 * anything: as at a location that is behind. This namespace takes the place of `ENTITLEMENTS` for the Worker and for
 * its Durable Objects.
 */
const FAULTY_REPLICA = `
  import Entgate, * as classes from "./index.js";
  const sleep = (pause) => new Promise((resolve) => setTimeout(resolve, pause));
  let puts = 0;
  const faulty = ({ ENTITLEMENTS, FAULTS }) => {
    const record = (kind, key) => FAULTS.put(kind + ":" + Date.now() + ":" + crypto.randomUUID(), "", { metadata: { key, at: Date.now() } });
    const nextFault = async () => {
      const [fault, ...rest] = (await FAULTS.get("puts", "json")) ?? [];
      if (fault) {
        await FAULTS.put("puts", JSON.stringify(rest));
        return fault;
      }
      const each = await FAULTS.get("each", "json");
      if (!each || (puts += 1) % each.n !== 0) return undefined;
      return each.fault === "mixed" ? ["delayed", "latest", "before", undefined][puts % 4] : each.fault;
    };
    return {
      get: async (key, options) => (await FAULTS.get("old:" + key, options)) ?? ENTITLEMENTS.get(key, options),
      async put(key, ...request) {
        if (key === "entgate:deployment") return ENTITLEMENTS.put(key, ...request);
        await record("put", key);
        const fault = await nextFault();
        if (fault === "delayed") await sleep(1_000 + (puts % 3) * 1_400);
        if (fault === "late" || fault === "latest") {
          sleep(fault === "late" ? 3_000 : 3_900).then(() => ENTITLEMENTS.put(key, ...request)).then(() => record("landed", key));
          await record("late", key);
        }
        if (["before", "late", "latest"].includes(fault)) throw new Error("KV PUT failed: 429 Too Many Requests");
        if (fault === "slow") await sleep(10_000);
        await ENTITLEMENTS.put(key, ...request);
        if (fault === "after") throw new Error("KV PUT failed: 500 Internal Server Error");
      },
    };
  };
  const withFaults = (env) => ({ ...env, ENTITLEMENTS: faulty(env) });
  export class Ledger extends classes.Ledger {
    constructor(state, env) {
      super(state, withFaults(env));
    }
  }
  export const { CustomerIndex, SourceCoordinator, Catalog } = classes;
  export default {
    fetch: (request, env, context) => Entgate.fetch(request, withFaults(env), context),
    scheduled: (event, env, context) => Entgate.scheduled(event, withFaults(env), context),
  };`;

/** An entry module that replaces `Date`. A request to `/__clock` sets by how many seconds it is ahead. */
const CLOCK = `
  import Entgate from "./index.js";
  export * from "./index.js";
  let offset = 0;
  const SystemDate = Date;
  globalThis.Date = class extends SystemDate {
    constructor(...parts) {
      if (parts.length) super(...parts);
      else super(SystemDate.now() + offset);
    }
    static now() {
      return SystemDate.now() + offset;
    }
  };
  export default {
    ...Entgate,
    fetch(request, env, context) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname !== "/__clock") return Entgate.fetch(request, env, context);
      offset = Number(searchParams.get("offset")) * 1000;
      return new Response();
    },
  }`;

/**
 * An entry module with jurisdictions, which workerd does not have: in a jurisdiction, each name is another object. A request to
 * `/__stubs` returns which stubs were created: the binding, the jurisdiction and the location hint.
 */
const JURISDICTIONS = `
  import Entgate, * as classes from "./index.js";
  const stubs = new Set();
  const inJurisdiction = (namespace, binding, jurisdiction) => ({
    jurisdiction: (name) => inJurisdiction(namespace, binding, name),
    idFromName: (name) => namespace.idFromName(jurisdiction + "/" + name),
    get(id, options) {
      stubs.add([binding, jurisdiction, options?.locationHint].join(" "));
      return namespace.get(id, options);
    },
  });
  const withJurisdictions = (env) => {
    const bindings = ["LEDGERS", "CUSTOMER_INDEX", "SOURCE_COORDINATOR", "CATALOG"];
    return { ...env, ...Object.fromEntries(bindings.map((name) => [name, inJurisdiction(env[name], name, "none")])) };
  };
  const wrapped = (Class) => class extends Class {
    constructor(state, env) {
      super(state, withJurisdictions(env));
    }
  };
  export class Ledger extends wrapped(classes.Ledger) {}
  export class CustomerIndex extends wrapped(classes.CustomerIndex) {}
  export class SourceCoordinator extends wrapped(classes.SourceCoordinator) {}
  export class Catalog extends wrapped(classes.Catalog) {}
  export default {
    fetch(request, env, context) {
      if (new URL(request.url).pathname === "/__stubs") return Response.json([...stubs].sort());
      return Entgate.fetch(request, withJurisdictions(env), context);
    },
    scheduled: (event, env, context) => Entgate.scheduled(event, withJurisdictions(env), context),
  };`;

/**
 * An entry module with a dataset and a clock that only a read of KV moves: by 7 ms. A request to `/__points` returns and forgets the data
 * points so far.
 */
const DATASET = `
  import Entgate, * as classes from "./index.js";
  export * from "./index.js";
  let points = [];
  // workerd has no time before the first request.
  let now;
  const start = Date.now;
  Date.now = () => now ?? start();
  const METRICS = { writeDataPoint: (point) => points.push(point) };
  const withDataset = (env) => ({
    ...env,
    METRICS,
    ENTITLEMENTS: {
      put: (...request) => env.ENTITLEMENTS.put(...request),
      async get(...request) {
        const record = await env.ENTITLEMENTS.get(...request);
        now += 7;
        return record;
      },
    },
  });
  export class Entitlements extends classes.Entitlements {
    constructor(context, env) {
      super(context, withDataset(env));
    }
  }
  export default {
    ...Entgate,
    fetch(request, env, context) {
      now ??= start();
      if (new URL(request.url).pathname !== "/__points") return Entgate.fetch(request, withDataset(env), context);
      return Response.json(points.splice(0));
    },
  };`;

/**
 * An entry module that lists the subrequests of the Worker: the binding of each. A request to `/__subrequests` returns and forgets the
 * list.
 */
const SUBREQUESTS = `
  import Entgate from "./index.js";
  export * from "./index.js";
  const sent = [];
  const objects = (namespace, binding) => ({
    idFromName: (name) => namespace.idFromName(name),
    get(...request) {
      const stub = namespace.get(...request);
      const call = (method) => (...request) => (sent.push(binding), stub[method](...request));
      return { request: call("request"), fetch: call("fetch") };
    },
  });
  const withList = (env) => {
    const { ENTITLEMENTS } = env;
    const call = (method) => (...request) => (sent.push("ENTITLEMENTS"), ENTITLEMENTS[method](...request));
    const bindings = ["LEDGERS", "CUSTOMER_INDEX", "SOURCE_COORDINATOR", "CATALOG"].map((name) => [name, objects(env[name], name)]);
    return { ...env, ENTITLEMENTS: { get: call("get"), put: call("put") }, ...Object.fromEntries(bindings) };
  };
  export default {
    ...Entgate,
    fetch(request, env, context) {
      if (new URL(request.url).pathname === "/__subrequests") return Response.json(sent.splice(0).sort());
      return Entgate.fetch(request, withList(env), context);
    },
  };`;

/**
 * An entry module whose ledgers list the statements that they run, and their other calls of the storage. A request to
 * `/__storage-calls` returns the list and empties it.
 */
const STORAGE_CALLS = `
  import Entgate, * as classes from "./index.js";
  export class Ledger extends classes.Ledger {
    constructor(state, env) {
      const calls = [];
      const { storage } = state;
      const record = (object, method, describe) => {
        const call = object[method].bind(object);
        object[method] = (...request) => {
          calls.push(...describe(...request));
          return call(...request);
        };
      };
      record(storage.sql, "exec", (statements) => statements.split(";"));
      for (const method of ["transactionSync", "setAlarm", "deleteAlarm"]) record(storage, method, () => [method]);
      super(state, env);
      this.calls = calls;
    }
    fetch(request) {
      if (new URL(request.url).pathname === "/__storage-calls") return Response.json(this.calls.splice(0));
      return super.fetch(request);
    }
  }
  export const { CustomerIndex, SourceCoordinator, Catalog } = classes;
  export default Entgate;`;

/** Entry modules that stand before the built Worker, by name. @type {Record<string, string>} */
const ENTRIES = {
  clock: CLOCK,
  "faulty-replica": FAULTY_REPLICA,
  jurisdictions: JURISDICTIONS,
  dataset: DATASET,
  subrequests: SUBREQUESTS,
  "storage-calls": STORAGE_CALLS,
};

/**
 * The modules of the built Worker.
 *
 * @param {string} [entry] The entry module in place of the Worker's own.
 * @param {Record<string, Uint8Array<ArrayBuffer>>} [cores] WebAssembly modules in place of the built ones, by name.
 */
export const workerModules = (entry, cores = {}) => [
  ...(entry ? [{ type: /** @type {const} */ ("ESModule"), path: repositoryPath(`build/${entry}.js`), contents: ENTRIES[entry] }] : []),
  ...["index", "worker"].map((name) => ({ type: /** @type {const} */ ("ESModule"), path: repositoryPath(`build/${name}.js`) })),
  ...["fast_path", "worker"].map((name) => ({
    type: /** @type {const} */ ("CompiledWasm"),
    path: repositoryPath(`build/${name}.wasm`),
    contents: cores[name],
  })),
];

/** A customer index whose objects respond to every `message` with what these statements return. @param {string} statements */
export const otherCustomerIndex = (statements) => `
  import { DurableObject } from "cloudflare:workers";
  let asked = 0;
  export class CustomerIndex extends DurableObject {
    async request(message) { ${statements} }
  }
  export default {};`;
