// Runs one Worker in its own workerd process, with KV in another process. The CPU time of workerd is then that of the Worker and the
// runtime.
//
// Accepts the modules and bindings of a Worker, returns its port, its CPU time and a function that stops it. CPU time is from Linux's
// /proc. Not here: which Workers run (workers.mjs).

import { fork, spawn } from "node:child_process";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { killOnExit, temporaryFolder } from "./shutdown.mjs";
import { KEY } from "./workloads.mjs";

/**
 * A Worker. `modules` starts with the main module. `objects` has the classes of Durable Objects by binding; they are stored on disk, in
 * `storage`. `kv` is the port of the KV server.
 *
 * @typedef {object} WorkerConfig
 * @property {number} kv
 * @property {{ name: string, path: string }[]} modules
 * @property {Record<string, string>} [bindings]
 * @property {Record<string, string>} [objects]
 * @property {string} [storage]
 * @property {{ name: string, path: string }} [front] The module of a Worker that receives the requests in its place, and calls it over
 *   `HTTP` and over `ENTITLEMENTS`, its service binding.
 */

/**
 * A Worker that runs. `cpuTime` returns the CPU time of its process so far, in µs. `hasBackgroundWork` is whether it may work after a
 * response. `stop` resolves when the process has exited.
 *
 * @typedef {object} RunningWorker
 * @property {number} port
 * @property {boolean} hasBackgroundWork
 * @property {() => number} cpuTime
 * @property {() => Promise<void>} stop
 */

/** @typedef {Awaited<ReturnType<typeof startKv>>} Kv */

const { default: workerd } = createRequire(import.meta.url)("workerd");

/** Starts a KV server. */
export async function startKv() {
  const child = killOnExit(fork(fileURLToPath(new URL("kv-server.mjs", import.meta.url))));
  /** @type {number} */
  const port = await new Promise((resolve) => child.once("message", resolve));
  return {
    port,
    /**
     * @param {string} key
     * @param {string} body
     */
    put: (key, body) => fetch(`http://127.0.0.1:${port}/${encodeURIComponent(key)}`, { method: "PUT", body }),
  };
}

/** @returns {Promise<number>} */
async function findFreePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || !address) throw new Error("no port was assigned");
  return address.port;
}

/** @param {unknown} value */
const quote = (value) => JSON.stringify(value);

/** The configuration of a Worker before the measured one. @param {string} module */
const frontService = (module) => `(name = "front", worker = (
      modules = [(name = ${quote(module)}, esModule = embed ${quote(module)})],
      compatibilityDate = "2026-11-17",
      bindings = [
        (name = "HTTP", service = "worker"),
        (name = "ENTITLEMENTS", service = (name = "worker", entrypoint = "Entitlements", props = (json = "{\\"livemode\\":false}"))),
        (name = "KEY", text = ${quote(KEY)}),
      ],
    )),`;

const DEFAULT_FIRST_REQUEST = { path: "/nothing", headers: {} };

/**
 * Starts a Worker. Sends `firstRequest` until there is a response.
 *
 * @param {WorkerConfig} worker
 * @param {{ path: string, headers: Record<string, string> }} [firstRequest]
 * @returns {Promise<RunningWorker>}
 */
export async function serve(
  { kv, modules, bindings = {}, objects = {}, storage = temporaryFolder(), front },
  firstRequest = DEFAULT_FIRST_REQUEST,
) {
  const folder = temporaryFolder();
  const port = await findFreePort();
  // workerd resolves embedded files relative to the configuration.
  for (const { name, path } of [...modules, ...(front ? [front] : [])]) copyFileSync(path, join(folder, name));
  const embedded = modules.map(
    ({ name }) => `(name = ${quote(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${quote(name)})`,
  );
  const bound = [
    `(name = "ENTITLEMENTS", kvNamespace = "kv")`,
    ...Object.entries(bindings).map(([name, value]) => `(name = ${quote(name)}, text = ${quote(value)})`),
    ...Object.entries(objects).map(([name, className]) => `(name = ${quote(name)}, durableObjectNamespace = ${quote(className)})`),
  ];
  const classes = Object.values(objects).map(
    (className) => `(className = ${quote(className)}, uniqueKey = ${quote(className)}, enableSql = true)`,
  );
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = (
      modules = [${embedded.join(", ")}],
      compatibilityDate = "2026-11-17",
      bindings = [${bound.join(", ")}],
      ${classes.length ? `durableObjectNamespaces = [${classes.join(", ")}], durableObjectStorage = (localDisk = "objects"),` : ""}
    )),
    ${front ? frontService(front.name) : ""}
    (name = "kv", external = (address = "127.0.0.1:${kv}", http = ())),
    (name = "objects", disk = (path = ${quote(storage)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = ${quote(front ? "front" : "worker")})],
);`,
  );
  const child = killOnExit(spawn(workerd, ["serve", join(folder, "config.capnp")], { stdio: ["ignore", "ignore", "inherit"] }));
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}${firstRequest.path}`, { headers: firstRequest.headers })).arrayBuffer();
      break;
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`workerd exited with ${child.exitCode}`, { cause: error });
      await sleep(2);
    }
  }
  return {
    port,
    hasBackgroundWork: classes.length > 0,
    cpuTime: () => readCpuTime(Number(child.pid)),
    stop: async () => {
      const exited = new Promise((resolve) => child.once("exit", resolve));
      if (child.kill("SIGKILL")) await exited;
    },
  };
}

/**
 * Returns the CPU time of all threads of a process, in µs. It is the first number of `schedstat`, in ns.
 *
 * @param {number} pid
 */
function readCpuTime(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1_000,
    0,
  );
}
