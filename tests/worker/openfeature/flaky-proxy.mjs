// A TCP proxy to entgate that a test can disconnect.

import { connect, createServer } from "node:net";
import { listenOnFreePort } from "../free-port.mjs";

/** @import { Socket } from "node:net" */

/** Starts a proxy to a server of this machine. @param {URL} target */
export async function startFlakyProxy(target) {
  /** @type {Set<Socket>} */
  const open = new Set();
  let connected = true;
  const proxy = createServer((client) => {
    if (!connected) {
      client.destroy();
      return;
    }
    const server = connect(Number(target.port), target.hostname);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ]) {
      open.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  const port = await listenOnFreePort(proxy);
  const disconnect = () => {
    connected = false;
    for (const socket of open) socket.destroy();
  };
  return {
    url: new URL(`http://127.0.0.1:${port}`),
    /** Closes all connections, and rejects new ones. */
    disconnect,
    /** Accepts connections again. */
    reconnect() {
      connected = true;
    },
    close() {
      disconnect();
      proxy.close();
    },
  };
}
