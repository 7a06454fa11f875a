// `entgate/server`: for backends, Next's proxy and Workers.
//
// | export           | does                                                              | needs           |
// |------------------|-------------------------------------------------------------------|-----------------|
// | `createClient`   | sends checks in batches, creates tokens, fetches snapshots        | a server key    |
// | `verifySnapshot` | verifies a snapshot, and returns its entitlements                 | the public keys |
// | `verifyWebhook`  | verifies the signature of a webhook, and returns its event        | your secrets    |

export { GateError } from "./error.js";
export * from "./features.js";
export type { Jwk } from "./options.js";
export {
  type Checked,
  type Client,
  type ClientOptions,
  createClient,
  type Minted,
  type Question,
  type Questions,
} from "./server/client.js";
export { type Keys, remoteKeys, type Snapshot, type VerifyOptions, verifySnapshot } from "./server/snapshot.js";
export { verifyWebhook } from "./server/webhook.js";
