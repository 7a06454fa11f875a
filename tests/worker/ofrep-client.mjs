// The words that tests of OpenFeature's remote evaluation speak in: its document, and whoever asks by it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import { KEY } from "./support.mjs";

export const FLAGS = "/ofrep/v1/evaluate/flags";

/** Settings with which customers have tokens, and with which the keys of another issuer cannot be had. */
export const TOKENS = {
  ENTGATE_TOKEN_SECRETS: "a-secret-of-thirty-three-letters.",
  ENTGATE_JWKS_URL: "http://127.0.0.1:9/jwks.json",
  ENTGATE_JWT_ISSUER: "https://issuer.example",
  ENTGATE_JWT_LIVEMODE: "false",
};

/** A token of that issuer's: whether it is genuine cannot be told. */
export const FOREIGN = ["eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ", "eyJzdWIiOiJjdXNfYWRhIn0", "c2ln"].join(".");

const document = JSON.parse(readFileSync(new URL("../fixtures/ofrep.openapi.json", import.meta.url), "utf8"));
// The one place where the document is not what it says: a flag with a value is one of its type, and it is to be exactly one
// kind, but this kind, "which has no `value` property", takes flags that have one too.
assert.deepEqual(document.components.schemas.codeDefaultFlag.properties, {});
document.components.schemas.codeDefaultFlag.not = { required: ["value"] };
const ajv = new Ajv({ strict: false, allErrors: true, formats: { float: true, uri: true, "date-time": true } });
ajv.addSchema(document, "ofrep");

/** Who asks, and which statuses were shown to be as the document says. */
export class Client {
  shown = new Set();

  constructor(service) {
    this.service = service;
  }

  /** A customer's own token. */
  async token(customer) {
    const { json } = await this.service.request("/v1/tokens", { method: "POST", body: new URLSearchParams({ customer }).toString() });
    return json.token;
  }

  /** One request, whose answer must be as the document says. */
  async ask(status, path, body, { key = KEY, headers = {} } = {}) {
    body = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await this.service.request(path, {
      method: "POST",
      body,
      key,
      headers: { "content-type": "application/json", ...headers },
    });
    const { pathname } = new URL(path, this.service.url);
    const route = pathname === FLAGS ? FLAGS : `${FLAGS}/{key}`;
    assert.equal(answer.status, status, `${path}: ${answer.text}`);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    const described = document.paths[route].post.responses[status];
    assert.ok(described, `${route} ${status}`);
    this.shown.add(`${route} ${status}`);
    if (!described.content) {
      assert.deepEqual([answer.text, answer.headers.get("content-type")], ["", null]);
      return answer;
    }
    assert.equal(answer.headers.get("content-type"), "application/json");
    const pointer = `/paths/${route.replaceAll("/", "~1").replace("{", "%7B").replace("}", "%7D")}/post/responses/${status}/content/application~1json/schema`;
    assert.ok(ajv.validate({ $ref: `ofrep#${pointer}` }, answer.json), `${path}: ${ajv.errorsText()} in ${answer.text}`);
    return answer;
  }

  single(status, key, customer, options) {
    return this.ask(status, `${FLAGS}/${encodeURIComponent(key)}`, about(customer), options);
  }

  bulk(status, customer, options) {
    return this.ask(status, FLAGS, about(customer), options);
  }

  /** `[key, value]` of all flags. */
  async values(customer) {
    return (await this.bulk(200, customer)).json.flags.map(({ key, value }) => [key, value]);
  }

  /** Whatever is at fault in a request, by both operations: 400, 401, 403, and what is not known: 500. */
  async refusals(customer, other) {
    const key = await this.token(customer);
    for (const path of [FLAGS, `${FLAGS}/sms`]) {
      for (const [body, code] of [
        ["{}", "TARGETING_KEY_MISSING"],
        ["", "PARSE_ERROR"],
        [about("\n"), "INVALID_CONTEXT"],
      ]) {
        const { json } = await this.ask(400, path, body);
        assert.equal(json.errorCode, code);
      }
      const unknown = await this.ask(401, path, about(customer), { key: "sk_test_other" });
      assert.equal(unknown.headers.get("www-authenticate"), 'Bearer realm="entgate"');
      await this.ask(403, path, about(other), { key });
      const undecided = await this.ask(500, path, about(customer), { key: FOREIGN });
      assert.deepEqual([undecided.json.errorCode, undecided.headers.get("retry-after"), undecided.json.value], ["GENERAL", "1", undefined]);
    }
  }

  /** Asserts that every status of the document was shown but 429: nothing here is limited. */
  assertShownAll() {
    const all = Object.entries(document.paths).flatMap(([route, { post }]) =>
      Object.keys(post.responses).map((status) => `${route} ${status}`),
    );
    assert.deepEqual([...this.shown].sort(), all.filter((shown) => !shown.endsWith(" 429")).sort());
  }
}

export function about(targetingKey) {
  return { context: { targetingKey } };
}
