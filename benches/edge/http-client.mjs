// Requests over some connections, one after the other on each, as a pool of a backend sends them.

import { connect } from "node:net";

const CONNECTIONS = 8;

/** How long an answer may take, in milliseconds: a machine may be busy, and a run is to end. */
const PATIENCE = 60_000;

/** A request as bytes. */
export function bytes({ method = "GET", path, headers = {}, body = "" }) {
  const lines = [`${method} ${path} HTTP/1.1`, "host: bench", ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`)];
  if (method !== "GET") lines.push(`content-length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** Sends so many requests; `next` makes each. Fails unless all are answered with `status`. */
export async function drive(port, count, next, status) {
  let left = count;
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      let heard = "";
      const send = () => {
        if (left-- <= 0) return socket.destroy();
        heard = "";
        socket.write(next());
      };
      socket.setEncoding("latin1");
      socket.setTimeout(PATIENCE, () => socket.destroy(new Error(`no answer within ${PATIENCE} ms`)));
      socket.on("connect", send);
      socket.on("data", (data) => {
        heard += data;
        const head = heard.indexOf("\r\n\r\n");
        if (head < 0) return;
        const length = /\r\ncontent-length: (\d+)/i.exec(heard);
        const chunked = !length && /\r\ntransfer-encoding: chunked/i.test(heard.slice(0, head));
        if (chunked ? !heard.endsWith("0\r\n\r\n") : heard.length < head + 4 + Number(length?.[1] ?? 0)) return;
        if (heard.slice(9, 12) !== `${status}`) return socket.destroy(new Error(`not ${status}: ${heard}`));
        send();
      });
      socket.on("error", reject);
      socket.on("close", (failed) => failed || resolve());
    });
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
}
