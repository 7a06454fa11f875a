import { createClient, remoteKeys } from "entgate/server";

export const endpoint = process.env.ENTGATE_ENDPOINT;
export const entgate = createClient({ endpoint, key: process.env.ENTGATE_KEY });
export const keys = remoteKeys(endpoint);
