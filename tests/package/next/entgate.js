import { createClient, remoteKeys } from "entgate/server";

/** @param {"ENTGATE_ENDPOINT" | "ENTGATE_KEY"} name */
const setting = (name) => process.env[name] ?? "";

export const endpoint = setting("ENTGATE_ENDPOINT");
export const entgate = createClient({ endpoint, key: setting("ENTGATE_KEY") });
export const keys = remoteKeys(endpoint);
