// The base URL of an entgate deployment.

import { GateError } from "./error.js";

/** Removes trailing slashes. Throws at once if the setting is missing, before the first request. */
export function normalizeEndpoint(endpoint: string): string {
  if (typeof endpoint !== "string") throw new GateError("`endpoint` has to be the URL of entgate", "endpoint_missing");
  return endpoint.replace(/\/+$/, "");
}
