// Many subscribers of one customer by server-sent events, each on its own connection.
//
// Returns a function that waits until all of them have received a version. Not here: the content of the events.

import { connect } from "node:net";
import { encodeRequest } from "./http-client.mjs";
import { AUTHORIZED } from "./workloads.mjs";

/** Maximum time until all subscribers have received a version, in milliseconds. */
const BROADCAST_TIMEOUT = 60_000;

/** Streams that are opened concurrently. */
const MAX_CONCURRENT = 16;

/**
 * Opens `count` streams of a customer. The returned function resolves when every stream has received the version.
 *
 * @param {number} port
 * @param {string} customer
 * @param {number} count
 * @returns {Promise<(version: number) => Promise<void>>}
 */
export async function openStreams(port, customer, count) {
  /** @type {number[]} */
  const versions = [];
  let onVersion = () => {};
  /** @param {number} index */
  const open = (index) =>
    /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: "127.0.0.1" });
        let buffer = "";
        socket.setEncoding("latin1");
        socket.write(encodeRequest({ path: `/v1/stream?customer=${customer}`, headers: AUTHORIZED }));
        socket.on("data", (data) => {
          buffer += data;
          for (const [, version] of buffer.matchAll(/\nid: ?(\d+)\r?\n/g)) versions[index] = Number(version);
          // The line of an id may arrive in two chunks: keep the last line.
          buffer = buffer.slice(Math.max(0, buffer.lastIndexOf("\n", buffer.length - 2)));
          if (versions[index] === undefined) return;
          resolve();
          onVersion();
        });
        socket.on("error", reject);
        socket.on("close", () => reject(new Error(`a stream ended: ${buffer}`)));
      })
    );
  let next = 0;
  const opener = async () => {
    while (next < count) await open(next++);
  };
  await Promise.all(Array.from({ length: MAX_CONCURRENT }, opener));
  return (version) =>
    new Promise((resolve, reject) => {
      const timeout = setTimeout(() => reject(new Error(`not every stream received version ${version}`)), BROADCAST_TIMEOUT);
      onVersion = () => {
        if (!versions.every((received) => received >= version)) return;
        clearTimeout(timeout);
        resolve();
      };
      onVersion();
    });
}
