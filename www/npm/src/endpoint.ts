// Where entgate is, as it stands before a path.

import { GateError } from "./error.js";

/** Without the slash at its end. A setting that is missing is said at once, not by the first request. */
export function base(endpoint: string): string {
  if (typeof endpoint !== "string") throw new GateError("`endpoint` has to be the URL of entgate", "endpoint_missing");
  return endpoint.replace(/\/+$/, "");
}
