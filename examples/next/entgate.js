// entgate for the server: the key never leaves it.

import { createClient, remoteKeys } from "entgate/server";

export const endpoint = process.env.ENTGATE_URL ?? "http://localhost:8787";
export const entgate = createClient({ endpoint, key: process.env.ENTGATE_KEY ?? "sk_test_entgate" });
export const keys = remoteKeys(endpoint);
