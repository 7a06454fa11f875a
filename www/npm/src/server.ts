// `entgate/server`: for backends, Next's proxy and Workers.
//
// | export           | does                                                               | needs           |
// |------------------|--------------------------------------------------------------------|-----------------|
// | `createClient`   | checks, tokens, snapshots, lists, overrides, history, explanations | a server key    |
// | `verifySnapshot` | verifies a snapshot, and returns its entitlements                  | the public keys |
// | `verifyWebhook`  | verifies the signature of a webhook, and returns its event         | your secrets    |

export { GateError } from "./error.js";
export * from "./features.js";
export type { Jwk } from "./options.js";
export type { ClientOptions } from "./server/api.js";
export { type Checked, type Client, createClient, type Minted, type Question, type Questions } from "./server/client.js";
export type { ActiveEntitlement, CustomerSync } from "./server/entitlements.js";
export type { CheckReason, Contribution, Explanation, ExplanationQuery } from "./server/explanation.js";
export type { ChangeCause, EntitlementChange, TimeRange } from "./server/history.js";
export type { DeletedOverride, EntitlementOverride, NewOverride, OverrideChanges, Overrides } from "./server/overrides.js";
export type { List, PageOptions, Pages } from "./server/pages.js";
export { type Keys, remoteKeys, type Snapshot, type VerifyOptions, verifySnapshot } from "./server/snapshot.js";
export { verifyWebhook } from "./server/webhook.js";
