// The service binding: `check`, `list`, `authorize` and `explain` for other Workers of the account, without HTTP and without a key.
//
// | method      | resolves with                                                        | throws                               |
// |-------------|----------------------------------------------------------------------|--------------------------------------|
// | `check`     | what `GET /v1/check` returns                                         | if the answer is unknown             |
// | `list`      | what `GET /v1/entitlements/active_entitlements` returns              | if the set is unknown                |
// | `authorize` | the customer and the headers of a 204 of `GET /v1/authorize`         | if a feature is denied, or unknown   |
// | `explain`   | what `GET /v1/explain` returns                                       | if the ledger cannot be asked        |
//
// The arguments are the parameters of these routes. An error has the code, the status and the other members that the HTTP API
// returns. The binding names the mode: `props.livemode`. Not here: how a request is answered, which is in entry.js. No method writes.

import { WorkerEntrypoint } from "cloudflare:workers";

/** The longest path and query, in characters: Cloudflare's limit of a URL is 16 KB. */
const MAX_TARGET_LENGTH = 16_000;

/** An error as the HTTP API returns it, for the bound Worker. Own properties cross the binding. */
function entgateError({ message, ...members }, status) {
  const { code = members.type } = members;
  return Object.assign(new Error(message), members, { name: "EntgateError", code, status });
}

const invalidArgument = (param, message) => entgateError({ type: "invalid_request_error", code: "parameter_invalid", param, message }, 400);

/** A part of a query. The fast path reads no escapes, so only what needs one is escaped. @param {string} text */
const escapePart = (text) => (/^[\w.~:@/-]*$/.test(text) ? text : encodeURIComponent(text));

/** `name=value` for a parameter, or `name[]=value` for each value of an array. */
function queryPairs(name, value) {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item) => queryPairs(`${name}[]`, item));
  if (!["string", "number", "boolean"].includes(typeof value)) {
    throw invalidArgument(name, `Invalid argument '${name.slice(0, 100)}': expected a string, a number, a boolean or an array of these.`);
  }
  return [`${escapePart(name)}=${escapePart(String(value))}`];
}

/** The path with the arguments of a method as its query. */
function targetOf(path, args) {
  if (typeof args !== "object" || args === null || Array.isArray(args)) {
    throw invalidArgument(undefined, "Invalid arguments: expected one object, such as { customer, feature }.");
  }
  const pairs = Object.entries(args).flatMap(([name, value]) => queryPairs(name, value));
  const target = `${path}?${pairs.join("&")}`;
  if (target.length <= MAX_TARGET_LENGTH) return target;
  throw invalidArgument(undefined, `The arguments are longer than ${MAX_TARGET_LENGTH} characters. Ask for fewer features in one call.`);
}

/** The mode of a binding. */
function livemodeOf(props) {
  const livemode = props?.livemode;
  if (typeof livemode === "boolean") return livemode;
  throw entgateError(
    {
      type: "invalid_request_error",
      code: "livemode_missing",
      param: "props.livemode",
      message: 'The service binding names no mode: add "props": { "livemode": true } to it, or false for test mode.',
    },
    400,
  );
}

/** The members of an error of the HTTP API, from its response. */
function errorOf({ status, headers, body }) {
  const { error } = JSON.parse(body);
  const retryAfter = Number(headers["retry-after"]);
  const more = { request_id: headers["request-id"], ...(retryAfter && { retry_after: retryAfter }) };
  return entgateError({ ...error, ...more }, status);
}

/**
 * An answer of the Worker to a bound one: the status, the headers by their names in lower case, and the body.
 *
 * @typedef {{ status: number, headers: Record<string, string>, body: string }} BoundAnswer
 */

/**
 * The class of the service binding.
 *
 * @param {(target: string, livemode: boolean, env: object, context: object) => Promise<BoundAnswer>} answer Answers a `GET` of
 *   this path and query, for this mode.
 */
export const boundEntitlements = (answer) =>
  class extends WorkerEntrypoint {
    async #get(path, args) {
      const answered = await answer(targetOf(path, args), livemodeOf(this.ctx.props), this.env, this.ctx);
      if (answered.status >= 400) throw errorOf(answered);
      return answered;
    }

    async check(args) {
      return JSON.parse((await this.#get("/v1/check", args)).body);
    }

    async list(args) {
      return JSON.parse((await this.#get("/v1/entitlements/active_entitlements", args)).body);
    }

    async authorize(args) {
      const { headers } = await this.#get("/v1/authorize", args);
      return {
        object: "authorization",
        customer: args.customer,
        version: Number(headers["entgate-version"]),
        as_of: headers["entgate-as-of"] === undefined ? null : Number(headers["entgate-as-of"]),
        served_by: headers["entgate-served-by"],
      };
    }

    async explain(args) {
      return JSON.parse((await this.#get("/v1/explain", args)).body);
    }
  };
