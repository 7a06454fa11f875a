// A KV namespace on disk, for workerd without Cloudflare: the Worker behind the binding ENTITLEMENTS.
//
// workerd turns each call of the binding into an HTTP request to a service, and stores nothing itself. This Worker has what entgate
// uses: get, put and delete. The values are in the SQLite database of one Durable Object, so a put is acknowledged once it is on disk.
// workerd also bundles a KV Worker, which needs `--experimental` and may change with each release of workerd.
//
// | request        | response                        |
// |----------------|---------------------------------|
// | `GET /key`     | the value, or 404               |
// | `PUT /key`     | 200                             |
// | `DELETE /key`  | 200, also without a value       |
//
// Not here: lists, bulk reads, metadata and expiration, which are a 501. A read is never cached, so `cache_ttl` has no effect.

const MAX_KEY_BYTES = 512; // KV's limit.
const MAX_VALUE_BYTES = 25 * 1024 * 1024; // KV's limit.
const CHUNK_BYTES = 1024 * 1024; // A row of SQLite in workerd has at most 2 MB.

export default {
  fetch(request, env) {
    return env.NAMESPACE.get(env.NAMESPACE.idFromName("ENTITLEMENTS")).fetch(request);
  },
};

export class KvNamespace {
  constructor(state) {
    this.storage = state.storage;
    this.sql = state.storage.sql;
    this.sql.exec(
      "CREATE TABLE IF NOT EXISTS chunks (key TEXT, number INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (key, number)) WITHOUT ROWID",
    );
  }

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const key = decodeKey(pathname.slice(1));
    if (key === undefined) return failed(400, "the key is not valid");
    if (key === "") return failed(501, "lists are not supported");
    if (new TextEncoder().encode(key).length > MAX_KEY_BYTES) return failed(414, `a key has at most ${MAX_KEY_BYTES} bytes`);
    if (request.method === "GET") return this.get(key);
    if (request.method === "DELETE") return this.replace(key, []);
    if (request.method !== "PUT") return failed(501, `${request.method} is not supported`);
    const hasOption = ["expiration", "expiration_ttl"].some((name) => searchParams.has(name)) || request.headers.has("cf-kv-metadata");
    if (hasOption) return failed(501, "expiration and metadata are not supported");
    const value = new Uint8Array(await request.arrayBuffer());
    if (value.length > MAX_VALUE_BYTES) return failed(413, `a value has at most ${MAX_VALUE_BYTES} bytes`);
    return this.replace(key, split(value));
  }

  get(key) {
    const chunks = this.sql.exec("SELECT bytes FROM chunks WHERE key = ? ORDER BY number", key).toArray();
    if (chunks.length === 0) return failed(404, "not found");
    return new Response(chunks.length === 1 ? chunks[0].bytes : new Blob(chunks.map(({ bytes }) => bytes)));
  }

  replace(key, chunks) {
    this.storage.transactionSync(() => {
      this.sql.exec("DELETE FROM chunks WHERE key = ?", key);
      for (const [number, bytes] of chunks.entries()) this.sql.exec("INSERT INTO chunks VALUES (?, ?, ?)", key, number, bytes);
    });
    return new Response();
  }
}

/** The chunks of a value; one without bytes for an empty value. */
function split(value) {
  const chunks = [];
  do chunks.push(value.slice(chunks.length * CHUNK_BYTES, (chunks.length + 1) * CHUNK_BYTES));
  while (chunks.length * CHUNK_BYTES < value.length);
  return chunks;
}

function decodeKey(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}

const failed = (status, message) => new Response(`KV: ${message}`, { status });
