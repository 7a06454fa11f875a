// The Worker's entry point: what the Workers runtime calls. It calls one of two WebAssembly modules ("cores").
//
// | request                                | path                                                                           |
// |----------------------------------------|--------------------------------------------------------------------------------|
// | a plain check, authorize or list       | `lookup` answers from the isolate's cache; else one KV read, `answer_from_record` |
// | a call of the service binding          | as a plain check, authorize or list, without a key                             |
// | a webhook of Stripe                    | `verify_webhook`, the customer's ledger object, `webhook_response`             |
// | anything else                          | slow path: `fetch` of the `worker` core                                        |
//
// The fast path core is instantiated with the isolate. The `worker` core is several times larger: the runtime compiles it when it
// is first imported, not before an isolate's first response.

import { DurableObject } from "cloudflare:workers";
import * as fastPath from "entgate-fast-path";
import { objectStub } from "../objects.js";
import { discardBody, readBody } from "./body.js";
import { decidedBy, decidedByCall, decisionsOf, isLogged, logDecisions, writeDataPoints } from "./decisions.js";
import { boundEntitlements } from "./entitlements.js";
import module from "./fast_path.wasm";
import { decodeAnswer, decodeEvent, decodePlacement, decodeReceipt, decodeRecordKey, decodeResponse } from "./wire.js";

fastPath.initSync({ module });

/**
 * The `worker` core, once it is loaded.
 *
 * @type {typeof import("./worker.js") | undefined}
 */
let worker;

const loadWorker = async () => (worker ??= await import("./worker.js"));

// A trap leaves a core's memory in an undefined state, so the next call starts with a new instance.
const trappedCores = new Set();

/** How many instances of the `worker` core came before this one. */
let generation = 0;

/** The functions that reject the calls of the `worker` core that are not settled. @type {Set<(error: Error) => void>} */
const pendingCalls = new Set();

/** Notes a trap. What the instance was waiting for would never end: it is in the memory that is lost. */
function onError(core, error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  trappedCores.add(core);
  if (core !== worker) return;
  for (const reject of pendingCalls) reject(error);
  pendingCalls.clear();
}

// After an `await` of a core, no caller catches its errors. Only the `worker` core waits.
addEventListener("error", ({ error }) => onError(worker, error));
addEventListener("unhandledrejection", ({ reason }) => onError(worker, reason));

/** Calls a core, with a new instance if it trapped before. */
function callCore(core, work) {
  if (trappedCores.size && trappedCores.delete(core)) {
    if (core === worker) generation += 1;
    core.__wbg_reset_state();
  }
  try {
    return work(core);
  } catch (error) {
    onError(core, error);
    throw error;
  }
}

/** Calls the `worker` core. The promise is rejected if the core traps before it is settled. */
function callWorker(work) {
  const result = callCore(worker, work);
  return new Promise((resolve, reject) => {
    pendingCalls.add(reject);
    const settle = (done) => (value) => {
      pendingCalls.delete(reject);
      done(value);
    };
    Promise.resolve(result).then(settle(resolve), settle(reject));
  });
}

/** Notes that a feature exists, so that the fast path may deny it. @param {boolean} livemode @param {string} feature */
const noteExistingFeature = (livemode, feature) => callCore(fastPath, () => fastPath.note_existing_feature(livemode, feature));

/** Random numbers for request ids: one call fills as many as 256 ids need. */
const randomNumbers = new Uint32Array(512);
let usedNumbers = randomNumbers.length;

/** Creates a request id, `req_` and 16 hex digits. It reveals nothing about other requests, such as their number. */
function newRequestId() {
  if (usedNumbers === randomNumbers.length) {
    crypto.getRandomValues(randomNumbers);
    usedNumbers = 0;
  }
  return `req_${nextHex()}${nextHex()}`;
}

const nextHex = () => randomNumbers[usedNumbers++].toString(16).padStart(8, "0");

const maxWebhookBytes = fastPath.max_webhook_bytes();
const bodyTimeout = fastPath.body_timeout();

/**
 * Where the objects and the records of the deployment are, once it was needed.
 *
 * @type {ReturnType<typeof decodePlacement> | undefined}
 */
let knownPlacement;

/** The placement. Only a request that the fast path has parsed needs it: no setting is malformed then. */
const placement = (env) => (knownPlacement ??= decodePlacement(callCore(fastPath, () => fastPath.placement(env)) ?? ""));

/** Creates the stub of a customer's ledger object: the fast path calls no other object. */
function ledgerStub(env, key) {
  const { jurisdiction, locationHint } = placement(env);
  return objectStub(env.LEDGERS, key, jurisdiction, locationHint);
}

/** How a record is read from KV: a location may answer from its cache for 30 s, the least that KV allows. */
const READ_OPTIONS = { type: "arrayBuffer", cacheTtl: 30 };

/** Reads the record of a customer from the replica. */
const readRecord = (env, key) => env.ENTITLEMENTS.get(placement(env).keyPrefix + key, READ_OPTIONS);

/** Whether the record of the deployment in KV has named the jurisdiction of the settings to this isolate. */
let isDeploymentConfirmed = false;

/** Reads the record of the deployment. The slow path writes it, and reports another one. */
async function confirmDeployment(env) {
  const record = await env.ENTITLEMENTS.get("entgate:deployment").catch(() => null);
  isDeploymentConfirmed = record === placement(env).record;
  return isDeploymentConfirmed;
}

/** How often an isolate makes sure that the alarms of the coordinators are set, in milliseconds. */
const ARM_INTERVAL = 60_000;

/** When that last began; undefined before the first request. @type {number | undefined} */
let armedAt;

/**
 * Makes sure that the alarms of the coordinators are set, after the response. A platform may lose an alarm, and local servers run no
 * cron trigger.
 */
async function armCoordinators(env, response) {
  armedAt = Date.now();
  try {
    await response;
  } catch {
    // Its caller handles the error.
  }
  // A coordinator must not work in another jurisdiction. With a malformed setting none is known.
  if (!isDeploymentConfirmed && !(await confirmDeployment(env))) return;
  const { jurisdiction, locationHint } = placement(env);
  const arm = async (mode) => objectStub(env.SOURCE_COORDINATOR, mode, jurisdiction, locationHint).request('"arm"');
  // A failure is repaired by the next attempt, or by the cron trigger.
  await Promise.allSettled(["test", "live"].map(arm));
}

/** The path and query of a URL, whose origin has at least `http://` and one character. */
const pathAndQuery = (url) => url.slice(url.indexOf("/", "http://".length + 1));

/**
 * Answers any request with the `worker` core. The core calls `read` with its limit if it needs the body: once the caller is
 * authenticated. A body that it does not need is discarded. `boundLivemode` is the mode of a call of the service binding.
 */
async function slowPath(request, env, context, read = (limit) => readBody(request, limit, bodyTimeout), boundLivemode = undefined) {
  let isNeeded = false;
  const readIfNeeded = (limit) => {
    isNeeded = true;
    return read(limit);
  };
  if (!worker) await loadWorker();
  const answer = callWorker((core) => core.fetch(request, env, context, newRequestId(), readIfNeeded, boundLivemode, noteExistingFeature));
  // Other requests may wait for what this one reads: it must end even if its client disconnects.
  context.waitUntil(answer);
  if (armedAt !== undefined && Date.now() - armedAt >= ARM_INTERVAL) context.waitUntil(armCoordinators(env, answer));
  const response = await answer;
  if (boundLivemode === undefined && (response.status >= 500 || request.method === "POST")) logResponse(request, response, context);
  if (!isNeeded && request.body && !request.body.locked) await discardBody(request.body);
  return response;
}

/** What the log and the dataset take from a response. */
const readDecisions = async (decided, response) =>
  decisionsOf(decided, { status: response.status, header: (name) => response.headers.get(name) ?? undefined, body: await response.text() });

/** Logs a response of the slow path if it failed or changed something. */
function logResponse(request, response, context) {
  const decided = decidedBy(request);
  if (!decided || !isLogged(decided.route, response.status)) return;
  const { status, headers } = response;
  const log = async (copy) =>
    logDecisions(decided, await readDecisions(decided, copy), { status, requestId: headers.get("request-id") ?? undefined });
  context.waitUntil(log(response.clone()));
}

/** Writes what a response decided to the dataset of METRICS. */
async function measured(request, answer, env, context, started) {
  const response = await answer;
  const decided = decidedBy(request);
  if (decided) {
    const { status } = response;
    const latency = Date.now() - started;
    const write = async (copy) => writeDataPoints(env, decided, await readDecisions(decided, copy), { status, latency });
    context.waitUntil(write(response.clone()));
  }
  return response;
}

/** Answers a `GET` without the `worker` core, with at most one KV read; undefined if it needs the slow path. */
function tryFastPath(request, env, context) {
  const { headers } = request;
  const authorization = headers.get("authorization");
  // A page of another origin needs CORS headers, which the slow path sets.
  if (!authorization || headers.has("origin") || headers.has("entgate-customer")) return undefined;
  const found = callCore(fastPath, () => fastPath.lookup(request.url, authorization, env));
  if (!found) return undefined;
  const key = decodeRecordKey(found);
  if (!key) return decodeResponse(found, newRequestId());
  return readRecord(env, key).then(
    (record) => {
      const encoded = record && callCore(fastPath, () => fastPath.answer_from_record(found, new Uint8Array(record)));
      return encoded ? decodeResponse(encoded, newRequestId()) : slowPath(request, env, context);
    },
    () => slowPath(request, env, context),
  );
}

/** Answers a call of the service binding, and logs and measures it as a request. */
async function answerBound(target, livemode, env, context) {
  const started = env.METRICS && Date.now();
  const answered = await answerTarget(target, livemode, env, context);
  const { status, headers, body } = answered;
  if (env.METRICS || status >= 500) {
    const decided = decidedByCall(target);
    const decisions = decisionsOf(decided, { status, header: (name) => headers[name], body });
    if (status >= 500) logDecisions(decided, decisions, { status, requestId: headers["request-id"] });
    if (env.METRICS) writeDataPoints(env, decided, decisions, { status, latency: Date.now() - started });
  }
  return answered;
}

/** Answers a call of the service binding: on the fast path as a `GET`, with this path and query. */
async function answerTarget(target, livemode, env, context) {
  let encoded = callCore(fastPath, () => fastPath.lookup_bound(target, livemode, env));
  const key = encoded && decodeRecordKey(encoded);
  if (key) {
    const record = await readRecord(env, key).catch(() => null);
    encoded = record && callCore(fastPath, () => fastPath.answer_from_record(encoded, new Uint8Array(record)));
  }
  if (encoded) return decodeAnswer(encoded);
  // In development too, the Worker answers under this host name.
  const response = await slowPath(new Request(`http://localhost${target}`), env, context, undefined, livemode);
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

/** Logs an event that changed something or is not valid. Returns the response. */
function logWebhook(response, encoded) {
  const { status, body } = decodeAnswer(encoded);
  const decided = { route: "/webhooks/stripe", param: () => undefined };
  const requestId = response.headers.get("request-id") ?? undefined;
  logDecisions(decided, decisionsOf(decided, { status, header: () => undefined, body }), { status, requestId });
  return response;
}

/** Handles a webhook of Stripe: responds once the customer's ledger object has stored the event. */
async function handleWebhook(request, env, context) {
  const signature = request.headers.get("stripe-signature") ?? "";
  // The slow path answers with the reason.
  if (!callCore(fastPath, () => fastPath.accepts_webhook(signature, env))) return slowPath(request, env, context);
  const body = await readBody(request, maxWebhookBytes, bodyTimeout);
  const verified =
    typeof body !== "string" && callCore(fastPath, () => fastPath.verify_webhook(request.url, signature, new Uint8Array(body), env));
  if (verified) {
    const event = decodeEvent(verified);
    if (!event) return logWebhook(decodeResponse(verified, newRequestId()), verified);
    // An event must not reach the ledger of another jurisdiction.
    if (!isDeploymentConfirmed && !(await confirmDeployment(env))) return slowPath(request, env, context, async () => body);
    try {
      const receipt = decodeReceipt(await ledgerStub(env, event.key).request(event.message));
      const encoded = receipt && callCore(fastPath, () => fastPath.webhook_response(verified, receipt));
      if (encoded) return logWebhook(decodeResponse(encoded, newRequestId()), encoded);
    } catch {
      // The slow path below sends the event again and reports the error. The ledger ignores a duplicate.
    }
  }
  return slowPath(request, env, context, async () => body);
}

/** Answers any request. */
function respond(request, env, context) {
  if (request.method === "GET" && !request.body) return tryFastPath(request, env, context) ?? slowPath(request, env, context);
  if (request.method === "POST" && pathAndQuery(request.url) === "/webhooks/stripe") return handleWebhook(request, env, context);
  return slowPath(request, env, context);
}

export default {
  fetch(request, env, context) {
    const started = env.METRICS && Date.now();
    const answer = respond(request, env, context);
    const response = env.METRICS ? measured(request, answer, env, context, started) : answer;
    if (armedAt === undefined) context.waitUntil(armCoordinators(env, response));
    return response;
  },

  async scheduled(event, env, context) {
    if (!worker) await loadWorker();
    return callWorker((core) => core.scheduled(event, env, context));
  },
};

/** The service binding, for other Workers of the account. */
export class Entitlements extends boundEntitlements(answerBound) {}

/** Calls the core's object of a Durable Object. It is created again after a trap. Not a method: the holders of a stub could call it. */
function callObject(durable, work) {
  return callWorker((core) => {
    if (durable.generation !== generation) {
      durable.object = new core[durable.constructor.coreClass](durable.ctx, durable.env);
      durable.generation = generation;
    }
    return work(durable.object);
  });
}

const runAlarm = (durable) => callObject(durable, (object) => object.alarm());

/** A Durable Object over an object of the core. */
class CoreObject extends DurableObject {
  /** The name of the core's class. @type {string} */
  static coreClass;

  /** @type {InstanceType<typeof import("entgate-worker").LedgerObject> | undefined} */
  object;
  /** The instance of the core that created `object`. @type {number | undefined} */
  generation;

  constructor(state, env) {
    super(state, env);
    // The runtime delivers no event before the core is loaded.
    if (!worker) state.blockConcurrencyWhile(loadWorker);
  }
}

/** A Durable Object that responds to messages: see src/worker/rpc.rs. */
class MessageObject extends CoreObject {
  /** @param {string} message */
  request(message) {
    return callObject(this, (object) => object.request(message));
  }
}

export class Ledger extends MessageObject {
  static coreClass = "LedgerObject";

  /** Subscribes to the customer's changes. */
  fetch(request) {
    return callObject(this, (object) => object.fetch(request));
  }

  alarm() {
    return runAlarm(this);
  }

  webSocketMessage() {}

  webSocketClose(socket) {
    return callObject(this, (object) => object.webSocketClose(socket));
  }

  webSocketError(socket) {
    return callObject(this, (object) => object.webSocketError(socket));
  }
}

/** wrangler.toml names this class whether or not the core is built with the catalog. */
export class Catalog extends CoreObject {
  static coreClass = "CatalogObject";

  fetch(request) {
    return callObject(this, (object) => object.fetch(request));
  }

  alarm() {
    return runAlarm(this);
  }
}

export class CustomerIndex extends MessageObject {
  static coreClass = "CustomerIndexObject";
}

export class SourceCoordinator extends MessageObject {
  static coreClass = "CoordinatorObject";

  alarm() {
    return runAlarm(this);
  }
}
