// A client of OpenFeature's remote evaluation (OFREP) that validates every response against OFREP's document.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { KEY } from "./support.mjs";
import { encodePart } from "./token-fixtures.mjs";

/** @import { RequestOptions, Service } from "./support.mjs" */

export const FLAGS = "/ofrep/v1/evaluate/flags";

/** Settings with which customers have tokens, and with which the JWKS of another issuer cannot be fetched. */
export const TOKEN_SETTINGS = {
  ENTGATE_TOKEN_SECRETS: "a-secret-of-thirty-three-letters.",
  ENTGATE_JWKS_URL: "http://127.0.0.1:9/jwks.json",
  ENTGATE_JWT_ISSUER: "https://issuer.example",
  ENTGATE_JWT_LIVEMODE: "false",
};

/** A token of that issuer, valid until 2100. Its signature can be neither confirmed nor rejected. */
const UNVERIFIABLE_TOKEN = [
  encodePart({ alg: "RS256", kid: "a" }),
  encodePart({ iss: TOKEN_SETTINGS.ENTGATE_JWT_ISSUER, sub: "cus_ada", exp: 4_102_444_800 }),
  encodePart("sig"),
].join(".");

const document = JSON.parse(readFileSync(new URL("../fixtures/ofrep.openapi.json", import.meta.url), "utf8"));
// The document contradicts itself in one place. A flag with a value must match exactly one type of flag, but the schema
// of a flag without a value, "which has no `value` property", also matches flags with one.
assert.deepEqual(document.components.schemas.codeDefaultFlag.properties, {});
document.components.schemas.codeDefaultFlag.not = { required: ["value"] };
const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { float: true, uri: true, "date-time": true } });
ajv.addSchema(document, "ofrep");

export class OfrepClient {
  /** The responses that were validated: `<route> <status>`. @type {Set<string>} */
  validated = new Set();

  /** @param {Service} service */
  constructor(service) {
    this.service = service;
  }

  /** Creates a token of a customer. @param {string} customer @returns {Promise<string>} */
  async createToken(customer) {
    const { json } = await this.service.request("/v1/tokens", { method: "POST", body: new URLSearchParams({ customer }).toString() });
    return json.token;
  }

  /**
   * Sends one request, and asserts the status of the response and that the document describes the response.
   *
   * @param {number} status
   * @param {string} path
   * @param {object | string} body
   * @param {Pick<RequestOptions, "key" | "headers">} [options]
   */
  async post(status, path, body, { key = KEY, headers = {} } = {}) {
    const response = await this.service.request(path, {
      method: "POST",
      body: typeof body === "string" ? body : JSON.stringify(body),
      key,
      headers: { "content-type": "application/json", ...headers },
    });
    const { pathname } = new URL(path, this.service.url);
    const route = pathname === FLAGS ? FLAGS : `${FLAGS}/{key}`;
    assert.equal(response.status, status, `${path}: ${response.text}`);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const described = document.paths[route].post.responses[status];
    assert.ok(described, `${route} ${status}`);
    this.validated.add(`${route} ${status}`);
    if (!described.content) {
      assert.deepEqual([response.text, response.headers.get("content-type")], ["", null]);
      return response;
    }
    assert.equal(response.headers.get("content-type"), "application/json");
    const pointer = `/paths/${route.replaceAll("/", "~1").replace("{", "%7B").replace("}", "%7D")}/post/responses/${status}/content/application~1json/schema`;
    assert.ok(ajv.validate({ $ref: `ofrep#${pointer}` }, response.json), `${path}: ${ajv.errorsText()} in ${response.text}`);
    return response;
  }

  /**
   * Evaluates one flag.
   *
   * @param {number} status
   * @param {string} key
   * @param {string} customer
   * @param {Pick<RequestOptions, "key" | "headers">} [options]
   */
  single(status, key, customer, options) {
    return this.post(status, `${FLAGS}/${encodeURIComponent(key)}`, contextOf(customer), options);
  }

  /**
   * Evaluates all flags.
   *
   * @param {number} status
   * @param {string} customer
   * @param {Pick<RequestOptions, "key" | "headers">} [options]
   */
  bulk(status, customer, options) {
    return this.post(status, FLAGS, contextOf(customer), options);
  }

  /** `[key, value]` of all flags. @param {string} customer @returns {Promise<[string, boolean][]>} */
  async values(customer) {
    return (await this.bulk(200, customer)).json.flags.map((/** @type {{ key: string, value: boolean }} */ { key, value }) => [key, value]);
  }

  /**
   * Asserts the responses of both operations to bad requests: 400, 401, 403, and 500 for a token that cannot be verified.
   *
   * @param {string} customer
   * @param {string} otherCustomer
   */
  async assertErrors(customer, otherCustomer) {
    const key = await this.createToken(customer);
    for (const path of [FLAGS, `${FLAGS}/sms`]) {
      for (const [body, code] of /** @type {[object | string, string][]} */ ([
        ["{}", "TARGETING_KEY_MISSING"],
        ["", "PARSE_ERROR"],
        [contextOf("\n"), "INVALID_CONTEXT"],
      ])) {
        const { json } = await this.post(400, path, body);
        assert.equal(json.errorCode, code);
      }
      const unknownKey = await this.post(401, path, contextOf(customer), { key: "sk_test_other" });
      assert.equal(unknownKey.headers.get("www-authenticate"), 'Bearer realm="entgate"');
      await this.post(403, path, contextOf(otherCustomer), { key });
      const { json, headers } = await this.post(500, path, contextOf(customer), { key: UNVERIFIABLE_TOKEN });
      assert.deepEqual([json.errorCode, headers.get("retry-after"), json.value], ["GENERAL", "1", undefined]);
    }
  }

  /** Asserts that a response with each status of the document was validated. The Worker does not limit rates, so 429 is left out. */
  assertAllStatusesValidated() {
    const all = Object.entries(document.paths).flatMap(([route, { post }]) =>
      Object.keys(post.responses).map((status) => `${route} ${status}`),
    );
    assert.deepEqual([...this.validated].sort(), all.filter((response) => !response.endsWith(" 429")).sort());
  }
}

/** The evaluation context of a customer. @param {string} targetingKey */
export function contextOf(targetingKey) {
  return { context: { targetingKey } };
}
