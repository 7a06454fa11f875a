// The strings that entry.js exchanges with the fast path: the counterpart of src/api/fast_path/wire.rs, which documents their
// format. A function here changes nothing but its result. tests/vectors/fast-path.json has strings for the tests of both sides.

/** The key of the record that a query needs; undefined if the string is not a query. @param {string} encoded */
export const decodeRecordKey = (encoded) => (encoded.startsWith("?") ? encoded.slice(1, encoded.indexOf("\n")) : undefined);

/** Where the objects and the records of the deployment are. @param {string} encoded */
export function decodePlacement(encoded) {
  const [jurisdiction, locationHint, keyPrefix, record] = encoded.split("\n");
  return { jurisdiction, locationHint, keyPrefix, record };
}

/** The customer's key and the ledger request of an event; undefined if the string is not an event. @param {string} encoded */
export function decodeEvent(encoded) {
  if (!encoded.startsWith("!")) return undefined;
  const keyEnd = encoded.indexOf("\n");
  return { key: encoded.slice(1, keyEnd), message: encoded.slice(encoded.indexOf("\n", keyEnd + 1) + 1) };
}

/** The receipt of an event in the response of a ledger object (src/worker/rpc.rs); undefined if it failed. @param {string} response */
export const decodeReceipt = (response) => (response.startsWith("200\n") ? response.slice("200\n".length) : undefined);

/** The response of a check or a response, with this request id. @param {string} encoded @param {string} requestId */
export function decodeResponse(encoded, requestId) {
  if (encoded.startsWith("{")) {
    return new Response(encoded, {
      headers: {
        "content-type": "application/json",
        "cache-control": "no-store",
        vary: "Origin",
        "x-content-type-options": "nosniff",
        "request-id": requestId,
      },
    });
  }
  // workerd builds `Headers` from an object at a fraction of what a list of pairs costs.
  const { status, headers, body } = parseResponse(encoded, { "x-content-type-options": "nosniff", "request-id": requestId });
  // A 204 must have no body at all, not an empty one.
  return new Response(body || null, { status, headers });
}

/** The status, the headers and the body of a check or a response, without a `Response`. @param {string} encoded */
export const decodeAnswer = (encoded) =>
  encoded.startsWith("{") ? { status: 200, headers: {}, body: encoded } : parseResponse(encoded, {});

/** Adds the headers of a response to `headers`. @param {string} encoded @param {Record<string, string>} headers */
function parseResponse(encoded, headers) {
  const end = encoded.indexOf("\n\n");
  const [status, ...lines] = encoded.slice(0, end).split("\n");
  for (const line of lines) {
    const colon = line.indexOf(": ");
    headers[line.slice(0, colon)] = line.slice(colon + 2);
  }
  return { status: Number(status), headers, body: encoded.slice(end + 2) };
}
