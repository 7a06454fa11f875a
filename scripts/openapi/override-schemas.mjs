// The objects of overrides, of the history and of explanations.
//
// Not here: their routes (edge-routes.mjs), and the objects of the other routes of the edge (edge-schemas.mjs).

import { CHECK_REASON, changedKeys } from "./edge-schemas.mjs";
import {
  array,
  boolean,
  constant,
  entgateObject,
  integer,
  nonEmpty,
  nullable,
  oneOfStrings,
  ref,
  required,
  strictObject,
  string,
  timestamp,
} from "./schema-dsl.mjs";

const CUSTOMER = ref("CustomerId");
const VERSION = ref("Version");
const TIMESTAMP_OR_NULL = nullable(timestamp);

/** What an override does, and whether it is active. */
export const OVERRIDE_EFFECT = oneOfStrings("grant", "deny");
const OVERRIDE_STATUS = oneOfStrings("scheduled", "active", "ended");

/** The members of an override. @type {import("./schema-dsl.mjs").Members} */
const OVERRIDE = {
  id: nonEmpty(undefined, { pattern: "^ovr_[0-9A-Za-z]{24}$" }),
  customer: ref("CustomerId"),
  livemode: boolean,
  feature: ref("LookupKey"),
  effect: OVERRIDE_EFFECT,
  reason: nonEmpty(500),
  actor: nonEmpty(255),
  status: OVERRIDE_STATUS,
  starts_at: timestamp,
  expires_at: nullable(timestamp),
  created: timestamp,
  metadata: { type: "object", additionalProperties: string(500) },
  version: ref("Version"),
  deletion: {
    ...nullable(strictObject({ created: required(timestamp), reason: required(nullable(nonEmpty(500))), actor: required(nonEmpty(255)) })),
    description: "When, why and by which actor it was deleted. `null` if it was not.",
  },
};

/** What a contribution does to an answer. */
const EFFECT = oneOfStrings("grants", "denies", "none");

/**
 * One contribution of an explanation.
 *
 * @param {string} type
 * @param {import("./schema-dsl.mjs").Members} members
 */
const contribution = (type, members) => {
  const all = { type: constant(type), effect: EFFECT, ...members };
  return strictObject(Object.fromEntries(Object.entries(all).map(([name, schema]) => [name, required(schema)])));
};

/** @type {import("./schema-dsl.mjs").Members} */
export const OVERRIDE_SCHEMAS = {
  Override: entgateObject("entitlement_override", OVERRIDE),
  CreatedOverride: entgateObject("entitlement_override", OVERRIDE, {
    warnings: array(
      strictObject({ code: required(constant("unknown_feature")), param: required(constant("feature")), message: required(nonEmpty()) }),
      undefined,
      { description: "What is probably a mistake. The override is stored." },
    ),
  }),
  DeletedOverride: entgateObject("entitlement_override", {
    id: OVERRIDE.id,
    deleted: constant(true),
    customer: CUSTOMER,
    version: VERSION,
  }),
  ChangeCause: strictObject({
    type: required(oneOfStrings("event", "poll", "read", "reconcile", "override", "override_start", "override_end", "setting")),
    id: required(nullable(nonEmpty(undefined, { description: "The event or the override." }))),
    actor: required(nullable(nonEmpty(undefined, { description: "Who changed the override." }))),
  }),
  HistoryEntry: entgateObject("entitlement_change", {
    id: nonEmpty(undefined, { pattern: "^chg_[1-9][0-9]*$", description: "`chg_` and the version: unique within the customer." }),
    customer: CUSTOMER,
    livemode: boolean,
    created: { ...timestamp, description: "When the change took effect." },
    version: VERSION,
    cause: ref("ChangeCause"),
    added: changedKeys("change", "added"),
    removed: changedKeys("change", "removed"),
    added_count: integer(0),
    removed_count: integer(0),
  }),
  Explanation: entgateObject("explanation", {
    customer: CUSTOMER,
    livemode: boolean,
    feature: ref("LookupKey"),
    at: timestamp,
    entitled: { ...nullable(boolean), description: "`null` if the answer is unknown: a check is then a 503." },
    reason: nullable(CHECK_REASON),
    version: VERSION,
    as_of: TIMESTAMP_OR_NULL,
    strict: { ...boolean, description: "Whether only the ledger answers checks of the feature." },
    last_change: nullable(
      strictObject(
        { version: required(VERSION), created: required(timestamp), cause: required(ref("ChangeCause")) },
        { description: "The change that led to the answer." },
      ),
    ),
    contributions: array(ref("Contribution")),
  }),
  Contribution: {
    oneOf: [
      contribution("source_set", {
        source: oneOfStrings("stripe", "catalog"),
        completeness: {
          ...nullable(oneOfStrings("complete", "partial", "unknown")),
          description: "How much of the set is known. `null` if that is not known for a past time.",
        },
        active_entitlement: nullable(nonEmpty()),
        confirmed_at: TIMESTAMP_OR_NULL,
        since: TIMESTAMP_OR_NULL,
        cause: nullable(ref("ChangeCause")),
      }),
      contribution("subscription", {
        subscription: nonEmpty(),
        product: nonEmpty(),
        status: nonEmpty(),
        setting: nullable(
          strictObject(
            { name: required(nonEmpty()), value: required(oneOfStrings("keep", "revoke")) },
            { description: "The setting that decides whether this status grants features." },
          ),
        ),
      }),
      contribution("product", {
        product: nonEmpty(),
        name: { ...nullable(string()), description: "`null` if the product was not listed." },
        subscribed: boolean,
      }),
      contribution("subscriptions_unavailable", {
        message: nonEmpty(undefined, { description: "Why subscriptions or products may be missing." }),
      }),
      contribution("override", { override: ref("Override") }),
      contribution("default_feature", {
        setting: nullable(constant("ENTGATE_DEFAULT_FEATURES")),
        known: { ...boolean, description: "`false` for a past time." },
      }),
      contribution("replica", {
        state: oneOfStrings("current", "behind", "absent", "unavailable"),
        version: nullable(VERSION),
        entitled: nullable(boolean),
        as_of: TIMESTAMP_OR_NULL,
      }),
    ],
  },
};
