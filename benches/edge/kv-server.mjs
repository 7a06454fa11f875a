// KV, as workerd asks for it: values by key, kept in memory. In a process of its own, so that its work is nobody's there.
//
// `GET` and `PUT /<key>`: https://github.com/cloudflare/workerd/blob/main/src/workerd/api/kv.c++

import { createServer } from "node:http";

const values = new Map();

createServer((request, response) => {
  const key = decodeURIComponent(new URL(request.url, "http://kv").pathname.slice(1));
  if (request.method === "GET") {
    const value = values.get(key);
    response.writeHead(value ? 200 : 404, { "content-length": value?.length ?? 0 });
    return response.end(value);
  }
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    values.set(key, Buffer.concat(parts));
    response.writeHead(200, { "content-length": 0 }).end();
  });
}).listen(0, "127.0.0.1", function () {
  process.send(this.address().port);
});
