// What went wrong, for programs (`code`) and for people (`message`).

export class GateError extends Error {
  override name = "GateError";
  constructor(
    message: string,
    readonly code: string,
    readonly status?: number,
    /** When to ask again, in seconds, if the edge said so. */
    readonly retryAfter?: number,
  ) {
    super(message);
  }

  /** What the edge answered, in its own words. */
  static async of(response: Response): Promise<GateError> {
    let told: { message?: string; code?: string } = {};
    try {
      told = (await response.json()).error ?? {};
    } catch {
      // A proxy in between answers in its own way.
    }
    const { status, headers } = response;
    const retry = headers.get("retry-after");
    return new GateError(told.message ?? `HTTP ${status}`, told.code ?? "api_error", status, retry ? +retry || 1 : undefined);
  }
}
