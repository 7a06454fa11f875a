// Modules for Miniflare that stand before or beside the built Worker in tests: a KV namespace that fails on
// demand, a clock that a test can set, and an activity log that is broken. All of them are source text.

import { fileURLToPath } from "node:url";

/** A path in the repository. @param {string} path From the root. */
export const repositoryPath = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/**
 * A KV namespace whose puts fail as the namespace `FAULTS` says. Key `puts` lists one fault for each of the next
 * puts; key `each` names a fault for every n-th other put. A put fails `before` the write, `after` it, or at once
 * and still writes three seconds `late`. A `slow` put takes six seconds and succeeds. `FAULTS` also records every
 * put with its time.
 */
export const FAULTY_REPLICA = `
  const sleep = (pause) => new Promise((resolve) => setTimeout(resolve, pause));
  let puts = 0;
  export default ({ REPLICA, FAULTS }) => {
    const record = (kind, key) => FAULTS.put(kind + ":" + Date.now() + ":" + crypto.randomUUID(), "", { metadata: { key, at: Date.now() } });
    const nextFault = async () => {
      const [fault, ...rest] = (await FAULTS.get("puts", "json")) ?? [];
      if (fault) {
        await FAULTS.put("puts", JSON.stringify(rest));
        return fault;
      }
      const each = await FAULTS.get("each", "json");
      return each && (puts += 1) % each.n === 0 ? each.fault : undefined;
    };
    return {
      get: (...request) => REPLICA.get(...request),
      async put(key, ...request) {
        await record("put", key);
        const fault = await nextFault();
        if (fault === "late") {
          sleep(3_000).then(() => REPLICA.put(key, ...request)).then(() => record("landed", key));
          await record("late", key);
        }
        if (fault === "before" || fault === "late") throw new Error("KV PUT failed: 429 Too Many Requests");
        if (fault === "slow") await sleep(6_000);
        await REPLICA.put(key, ...request);
        if (fault === "after") throw new Error("KV PUT failed: 500 Internal Server Error");
      },
    };
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

/** The modules of the built Worker, with the clock as the entry. @param {string} main The path of the Worker's entry. */
export const modulesWithClock = (main) => [
  { type: /** @type {const} */ ("ESModule"), path: repositoryPath("build/clock.js"), contents: CLOCK },
  { type: /** @type {const} */ ("ESModule"), path: main },
  { type: /** @type {const} */ ("ESModule"), path: repositoryPath("build/worker.js") },
  ...["fast_path", "worker"].map((name) => ({ type: /** @type {const} */ ("CompiledWasm"), path: repositoryPath(`build/${name}.wasm`) })),
];

/** A Durable Object that handles every request with these statements. @param {string} statements */
export const brokenActivityLog = (statements) => `export class ActivityLog { fetch() { ${statements} } } export default {};`;
