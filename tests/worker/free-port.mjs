// Servers on free ports of this machine.

/** @import { Server } from "node:net" */

/**
 * Starts to listen on a free port of 127.0.0.1.
 *
 * @param {Server} server
 * @returns {Promise<number>} The port.
 */
export async function listenOnFreePort(server) {
  await /** @type {Promise<void>} */ (new Promise((resolve) => server.listen(0, "127.0.0.1", resolve)));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error(`the server listens on ${address}, not on a port`);
  return address.port;
}
