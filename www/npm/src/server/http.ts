// Requests of a backend: with a limited time, and errors that name the URL.

import { GateError } from "../error.js";
import { withTimeout } from "../waiting.js";

/** The default timeout in milliseconds: a check that takes longer delays the response of the backend. */
export const DEFAULT_TIMEOUT = 2_000;

/** Returns the JSON of a response. Each failure is a `GateError` with the URL, in its message too. */
export async function fetchJson(send: typeof fetch, url: string, timeout: number, init?: RequestInit) {
  try {
    return await withTimeout(timeout, async (signal) => {
      const response = await send(url, { ...init, signal });
      if (!response.ok) throw await errorOf(response);
      return response.json();
    });
  } catch (thrown) {
    const error = thrown instanceof GateError ? thrown : new GateError(String((thrown as Error).cause ?? thrown), "unreachable");
    error.url = url;
    error.message += ` (${url})`;
    throw error;
  }
}

/** Converts an error response. Errors of the gate have no `param`: its requests have few parameters, and its code has to be small. */
async function errorOf(response: Response): Promise<GateError> {
  const copy = response.clone();
  const error = await GateError.of(response);
  const { param } = (await copy.json().catch(() => undefined))?.error ?? {};
  if (typeof param === "string") error.param = param;
  return error;
}
