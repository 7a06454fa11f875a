// What a request decided, from its response: for the log, and for the dataset of the binding METRICS.
//
// | column  | content                                                                                        |
// |---------|------------------------------------------------------------------------------------------------|
// | index1  | the first 32 characters of the feature, or the route of a request without one                  |
// | blob1   | the route: `/v1/check`, or `Entitlements.check` for a call of the service binding              |
// | blob2   | the decision, below                                                                            |
// | blob3   | the reason of a check, or the code of an error                                                 |
// | blob4   | `served_by`                                                                                    |
// | blob5   | the feature                                                                                    |
// | blob6   | the customer, with ENTGATE_METRICS_CUSTOMERS only                                              |
// | double1 | the latency in milliseconds                                                                    |
// | double2 | the status                                                                                     |
//
// | decision                        | of                                                                     |
// |---------------------------------|------------------------------------------------------------------------|
// | `grant`, `deny`                 | a check of one feature                                                 |
// | `unknown`                       | a check that has no answer: a 5xx, or `null` in a list of checks       |
// | `applied`, `duplicate` and others | an event: the outcome of its receipt                                 |
// | `answered`                      | a list, a bulk evaluation, a snapshot or a sync                        |
// | `failed`                        | an event, a list, a snapshot or a sync with a 5xx                      |
// | `rejected`                      | any request with another error, such as an invalid parameter           |
//
// A dataset is optional: without it, only what failed or changed something is read here, for the log. Neither has a key, a token or a
// header. Not here: how a request is answered.

/** The longest feature as an index, in characters: Analytics Engine allows 96 bytes, and a UTF-16 code unit has at most three. */
const MAX_FEATURE_INDEX_LENGTH = 32;

/** The longest feature or customer, in characters. A data point has at most 16 KB. */
const MAX_BLOB_LENGTH = 1_000;

/** The routes that decide something: pattern, and name in the dataset. @type {[RegExp, string][]} */
const ROUTES = [
  [/^\/v1\/check$/, "/v1/check"],
  [/^\/v1\/authorize$/, "/v1/authorize"],
  [/^\/v1\/entitlements\/active_entitlements$/, "/v1/entitlements/active_entitlements"],
  [/^\/webhooks\/stripe$/, "/webhooks/stripe"],
  [/^\/v1\/customer\/[^/]+\/entitlements$/, "/v1/customer/{id}/entitlements"],
  [/^\/v1\/customers\/[^/]+\/sync$/, "/v1/customers/{id}/sync"],
  [/^\/ofrep\/v1\/evaluate\/flags$/, "/ofrep/v1/evaluate/flags"],
  [/^\/ofrep\/v1\/evaluate\/flags\/.+$/, "/ofrep/v1/evaluate/flags/{key}"],
  [/^\/v1\/snapshot$/, "/v1/snapshot"],
];

/** Routes that decide one feature, or several. */
const CHECKS = ["/v1/check", "/v1/authorize", "/ofrep/v1/evaluate/flags/{key}", "Entitlements.check", "Entitlements.authorize"];

/** The codes of a 403 that denies a feature. */
const DENIALS = ["denied_by_override", "not_entitled", "unknown_feature", "unknown_customer"];

/**
 * @typedef {object} Decision
 * @property {string} decision
 * @property {string} [reason]
 * @property {string} [servedBy]
 * @property {string} [feature]
 * @property {string} [customer]
 * @property {string} [event]
 * @property {number} [version]
 */

/**
 * A request that decided something. `param` returns a parameter of its query.
 *
 * @typedef {{ route: string, param: (name: string) => string | undefined }} Decided
 */

/** The route of a request; undefined if it decides nothing. @param {Request} request @returns {Decided | undefined} */
export function decidedBy({ url }) {
  const { pathname, searchParams } = new URL(url);
  const route = ROUTES.find(([pattern]) => pattern.test(pathname))?.[1];
  return route === undefined ? undefined : { route, param: (name) => searchParams.get(name) ?? undefined };
}

/** A call of the service binding. @param {string} target @returns {Decided} */
export function decidedByCall(target) {
  const { pathname, searchParams } = new URL(target, "http://localhost");
  const method = { "/v1/check": "check", "/v1/authorize": "authorize", "/v1/explain": "explain" }[pathname] ?? "list";
  return { route: `Entitlements.${method}`, param: (name) => searchParams.get(name) ?? undefined };
}

/**
 * What a response says. There are several decisions only for a list of checks.
 *
 * @param {Decided} decided
 * @param {{ status: number, header: (name: string) => string | undefined, body: string }} response
 * @returns {Decision[]}
 */
export function decisionsOf({ route, param }, { status, header, body }) {
  const isCheck = CHECKS.includes(route);
  const known = { servedBy: header("entgate-served-by"), feature: param("feature"), customer: param("customer") };
  let json;
  try {
    json = body ? JSON.parse(body) : undefined;
  } catch {
    json = undefined;
  }
  if (status === 204 && isCheck) return [{ ...known, decision: "grant" }];
  if (status >= 400) {
    const reason = json?.error?.code ?? json?.error?.type ?? json?.errorCode;
    const feature = known.feature ?? json?.key;
    if (DENIALS.includes(reason) && status === 403) return [{ ...known, decision: "deny", reason }];
    return [{ ...known, feature, reason, decision: status < 500 ? "rejected" : isCheck ? "unknown" : "failed" }];
  }
  if (json?.object === "entitlement_check") return [ofCheck(json)];
  if (json?.object === "list" && isCheck) return json.data.map(ofCheck);
  if (json?.object === "webhook_receipt") {
    const { outcome, event, customer, version } = json;
    return [{ decision: outcome, event, customer, version }];
  }
  if (isCheck && typeof json?.value === "boolean") {
    return [{ ...known, decision: json.value ? "grant" : "deny", reason: json.metadata?.reason, feature: json.key }];
  }
  const { served_by: servedBy = known.servedBy, customer = known.customer, version } = json ?? {};
  return [{ ...known, servedBy, customer, version, decision: "answered" }];
}

/** A check of a response. @returns {Decision} */
function ofCheck({ customer, feature, entitled, reason, served_by: servedBy, error }) {
  if (entitled === null) return { decision: "unknown", reason: error?.code ?? error?.type, feature, customer };
  return { decision: entitled ? "grant" : "deny", reason, servedBy, feature, customer };
}

/**
 * Writes one data point for each decision. Does not wait, and never throws.
 *
 * @param {{ METRICS: { writeDataPoint(point: object): void }, ENTGATE_METRICS_CUSTOMERS?: unknown }} env
 * @param {Decided} decided
 * @param {Decision[]} decisions
 * @param {{ status: number, latency: number }} request
 */
export function writeDataPoints({ METRICS, ENTGATE_METRICS_CUSTOMERS }, { route }, decisions, { status, latency }) {
  const hasCustomers = String(ENTGATE_METRICS_CUSTOMERS) === "true";
  try {
    for (const { decision, reason = "", servedBy = "", feature = "", customer = "" } of decisions) {
      const blobs = [route, decision, reason, servedBy, feature.slice(0, MAX_BLOB_LENGTH)];
      if (hasCustomers) blobs.push(customer.slice(0, MAX_BLOB_LENGTH));
      METRICS.writeDataPoint({ indexes: [feature.slice(0, MAX_FEATURE_INDEX_LENGTH) || route], blobs, doubles: [latency, status] });
    }
  } catch (error) {
    console.error(`failed to write to the dataset of METRICS: ${error}`);
  }
}

/** Outcomes of an event that change nothing. */
const UNCHANGED = ["unchanged", "duplicate", "stale", "ignored"];

/** Whether a response may have a decision for the log. @param {string} route @param {number} status */
export const isLogged = (route, status) =>
  status >= 500 || route === "/webhooks/stripe" || (route === "/v1/customers/{id}/sync" && status === 200);

/**
 * Logs what failed or changed something: one line of JSON for each decision.
 *
 * @param {Decided} decided
 * @param {Decision[]} decisions
 * @param {{ status: number, requestId: string | undefined }} request
 */
export function logDecisions({ route }, decisions, { status, requestId: request_id }) {
  for (const { servedBy: served_by, ...decision } of decisions) {
    if (UNCHANGED.includes(decision.decision)) continue;
    const line = JSON.stringify({ message: "decision", route, status, ...decision, served_by, request_id });
    if (status >= 400) console.error(line);
    else console.log(line);
  }
}
