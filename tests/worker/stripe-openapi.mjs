// Stripe's OpenAPI document, reduced to the Entitlements API, to validate JSON against.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";

const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(JSON.parse(readFileSync(new URL("../fixtures/entitlements.openapi.json", import.meta.url), "utf8")), "stripe");

export const ERROR_SCHEMA = "/components/schemas/error";

/** The schema of a successful response to a GET request. @param {string} path As the document writes it. */
export const responseSchema = (path) => `/paths/${path.replaceAll("/", "~1")}/get/responses/200/content/application~1json/schema`;

/** Asserts that JSON matches a schema of the document. @param {string} schema A JSON pointer. @param {unknown} json */
export function assertMatches(schema, json) {
  assert.ok(ajv.validate({ $ref: `stripe#${schema}` }, json), ajv.errorsText());
}
