// A KV namespace in memory, as an HTTP server for workerd's KV binding. In a separate process: its CPU time does not count.
//
// `GET` and `PUT /<key>`: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/kv.c++. Sends its port to the parent process.
// Not here: expiration, metadata, lists.

import { createServer } from "node:http";

/** @type {Map<string, Buffer>} */
const values = new Map();

const server = createServer((request, response) => {
  const key = decodeURIComponent(new URL(request.url ?? "/", "http://kv").pathname.slice(1));
  if (request.method === "GET") {
    const value = values.get(key);
    response.writeHead(value ? 200 : 404, { "content-length": value?.length ?? 0 });
    return response.end(value);
  }
  /** @type {Buffer[]} */
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    values.set(key, Buffer.concat(chunks));
    response.writeHead(200, { "content-length": 0 }).end();
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") process.send?.(address?.port);
});
