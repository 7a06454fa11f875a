// The objects of OpenFeature's Remote Evaluation Protocol (OFREP) 0.3.0.
//
// Not here: their routes (edge-routes.mjs).
//
// Specification: https://github.com/open-feature/protocol.

import { array, boolean, constant, integer, nonEmpty, oneOfStrings, ref, required, strictObject } from "./schema-dsl.mjs";

/** @type {import("./schema-dsl.mjs").Members} */
export const OFREP_SCHEMAS = {
  Flag: {
    type: "object",
    properties: {
      key: nonEmpty(),
      value: boolean,
      reason: oneOfStrings("STATIC", "TARGETING_MATCH", "SPLIT", "DISABLED", "UNKNOWN"),
      variant: { type: "string" },
      metadata: { type: "object" },
    },
    required: ["key", "value", "reason", "variant"],
  },
  Flags: {
    type: "object",
    properties: {
      flags: array(ref("Flag")),
      metadata: { type: "object" },
      eventStreams: array(
        strictObject({
          type: required(constant("sse")),
          endpoint: required(strictObject({ requestUri: required(nonEmpty(undefined, { pattern: "^/ofrep/v1/stream\\?token=" })) })),
          inactivityDelaySec: integer(1),
        }),
      ),
    },
    required: ["flags"],
  },
  FlagFailure: {
    type: "object",
    properties: { key: { type: "string" }, errorCode: nonEmpty(), errorDetails: nonEmpty() },
    required: ["key", "errorCode", "errorDetails"],
  },
  FlagsFailure: {
    type: "object",
    properties: { errorCode: nonEmpty(), errorDetails: nonEmpty() },
    required: ["errorCode", "errorDetails"],
  },
  FlagsEvent: strictObject({ type: required(constant("refetchEvaluation")), etag: required(nonEmpty()) }),
};
