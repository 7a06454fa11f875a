// Many who listen to one customer by server-sent events, each on a connection of its own.

import { connect } from "node:net";
import { bytes } from "./http-client.mjs";
import { KEYED } from "./workloads.mjs";

/** How long all may take to hear of a version, in milliseconds. */
const PATIENCE = 60_000;

/** How many open a stream at once. */
const AT_ONCE = 16;

/** Opens so many streams; what is answered waits until all have heard of a version. */
export async function listen(port, customer, count) {
  const heard = [];
  let told = () => {};
  const one = (at) =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1" });
      let rest = "";
      socket.setEncoding("latin1");
      socket.write(bytes({ path: `/v1/stream?customer=${customer}`, headers: KEYED }));
      socket.on("data", (data) => {
        rest += data;
        for (const [, version] of rest.matchAll(/\nid: ?(\d+)\r?\n/g)) heard[at] = Number(version);
        // An id may come in two parts.
        rest = rest.slice(Math.max(0, rest.lastIndexOf("\n", rest.length - 2)));
        if (heard[at] === undefined) return;
        resolve();
        told();
      });
      socket.on("error", reject);
      socket.on("close", () => reject(new Error(`a stream ended: ${rest}`)));
    });
  let next = 0;
  const opener = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, opener));
  return (version) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`not all were told of version ${version}`)), PATIENCE);
      told = () => {
        if (!heard.every((known) => known >= version)) return;
        clearTimeout(late);
        resolve();
      };
      told();
    });
}
