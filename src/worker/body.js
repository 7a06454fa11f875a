// Reads the body of a client's request, up to a size and for a limited time.
//
// A core receives only a body that has arrived completely: its memory never shrinks, and a request whose client hangs up
// leaves its future there. What is read here is freed by the runtime. Not here: the limits (src/api/body.rs).

/** The results for a body that was not read completely. */
export const TOO_LARGE = "too_large";
export const TIMED_OUT = "timed_out";

/** How much of a body is discarded, in bytes, and for how long, in milliseconds. */
const MAX_DISCARDED_BYTES = 65_536;
const DISCARD_TIMEOUT = 50;

/**
 * Reads a body of at most `limit` bytes within `timeout` milliseconds.
 *
 * @param {Request} request
 * @param {number} limit
 * @param {number} timeout
 * @returns {Promise<ArrayBuffer | typeof TOO_LARGE | typeof TIMED_OUT>} Rejects if the connection ends before the body does.
 */
export async function readBody(request, limit, timeout) {
  const length = request.headers.get("content-length");
  if (Number(length) > limit) return TOO_LARGE;
  // To ask for `body` creates a stream, which `arrayBuffer` does not need.
  const body = length ? undefined : request.body;
  if (body === null) return new ArrayBuffer(0);
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<typeof TIMED_OUT>} */
  const timedOut = new Promise((resolve) => {
    timer = setTimeout(resolve, timeout, TIMED_OUT);
  });
  try {
    return await Promise.race([body ? readChunks(body, limit) : request.arrayBuffer(), timedOut]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Discards a body that is not needed, if it is small and has almost arrived: otherwise workerd closes the connection after the
 * response, and the client's next request on it fails. Nothing is kept.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
export async function discardBody(body) {
  const reader = body.getReader();
  const timer = setTimeout(() => reader.cancel().catch(() => {}), DISCARD_TIMEOUT);
  try {
    for (let length = 0; length <= MAX_DISCARDED_BYTES; ) {
      const { done, value } = await reader.read();
      if (done) return;
      length += value.byteLength;
    }
    await reader.cancel();
  } catch {
    // The client has hung up.
  } finally {
    clearTimeout(timer);
  }
}

/** @param {ReadableStream<Uint8Array<ArrayBuffer>>} body @param {number} limit */
async function readChunks(body, limit) {
  const chunks = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > limit) return TOO_LARGE;
    chunks.push(chunk);
  }
  return new Blob(chunks).arrayBuffer();
}
