// The error of all entries: `code` is for programs, `message` for people.

export class GateError extends Error {
  override name = "GateError";
  /** The URL of the request that failed; only for errors of `entgate/server`. */
  declare url?: string;
  /** The API's name of the parameter that is wrong; only for errors of `entgate/server`. */
  declare param?: string;
  constructor(
    message: string,
    readonly code: string,
    readonly status?: number,
    /** The delay before the next attempt, in seconds, if the response contains one. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }

  /** Converts an error response; `message` and `code` are those of its body. */
  static async of(response: Response): Promise<GateError> {
    let error: { message?: string; code?: string } = {};
    try {
      error = (await response.json()).error ?? {};
    } catch {
      // An intermediate proxy can return a body of its own.
    }
    const { status, headers } = response;
    const retry = headers.get("retry-after");
    return new GateError(error.message ?? `HTTP ${status}`, error.code ?? "api_error", status, retry ? +retry || 1 : undefined);
  }
}
