// `entgate/server`: for backends, Next's middleware and Workers, which hold a server key or nothing at all.
//
// | export           | does                                                         |
// |------------------|--------------------------------------------------------------|
// | `verifySnapshot` | a snapshot and the public keys → what the customer has        |
// | `verifyWebhook`  | the raw body, its header, your secrets → the event            |
// | `createClient`   | checks over HTTP, those of one moment in one request; tokens  |

export { GateError } from "./error.js";
export * from "./features.js";
export type { Jwk } from "./options.js";
export { createClient, type Checked, type Client, type ClientOptions, type Minted, type Question } from "./server/client.js";
export { remoteKeys, verifySnapshot, type Keys, type Snapshot } from "./server/snapshot.js";
export { verifyWebhook } from "./server/webhook.js";
