// One Worker in one workerd, with KV elsewhere: so the time that workerd's process takes is the Worker's and the platform's.

import { fork, spawn } from "node:child_process";
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ending, folder } from "./shutdown.mjs";

const { default: workerd } = createRequire(import.meta.url)("workerd");

/** The KV service: its port, and how it ends. */
export async function kv() {
  const child = ending(fork(fileURLToPath(new URL("kv-server.mjs", import.meta.url))));
  const port = await new Promise((resolve) => child.once("message", resolve));
  return {
    port,
    put: (key, body) => fetch(`http://127.0.0.1:${port}/${encodeURIComponent(key)}`, { method: "PUT", body }),
    stop: () => child.kill(),
  };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const text = (value) => JSON.stringify(value);

/** What is asked until it is answered, if nothing else is. */
const ANYTHING = { path: "/nothing", headers: {} };

/**
 * Serves modules, the first one being the Worker's main one, and asks it something first. `objects` are the classes of Durable Objects by binding, which are
 * kept on disk, as they are by default, in the folder `stored`.
 */
export async function serve({ kv, modules, bindings = {}, objects = {}, stored = folder() }, first = ANYTHING) {
  const configured = folder();
  const port = await freePort();
  // What is embedded is looked for beside the configuration.
  for (const { name, path } of modules) copyFileSync(path, join(configured, name));
  const embedded = modules.map(
    ({ name }) => `(name = ${text(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${text(name)})`,
  );
  const bound = [
    `(name = "ENTITLEMENTS", kvNamespace = "kv")`,
    ...Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
    ...Object.entries(objects).map(([name, className]) => `(name = ${text(name)}, durableObjectNamespace = ${text(className)})`),
  ];
  const classes = Object.values(objects).map(
    (className) => `(className = ${text(className)}, uniqueKey = ${text(className)}, enableSql = true)`,
  );
  writeFileSync(
    join(configured, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [${embedded.join(", ")}],
      compatibilityDate = "2026-04-01",
      compatibilityFlags = ["global_fetch_strictly_public", "new_module_registry"],
      bindings = [${bound.join(", ")}],
      ${classes.length ? `durableObjectNamespaces = [${classes.join(", ")}], durableObjectStorage = (localDisk = "objects"),` : ""}
    )),
    (name = "kv", external = (address = "127.0.0.1:${kv}", http = ())),
    (name = "objects", disk = (path = ${text(stored)}, writable = true)),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);`,
  );
  // In this workerd the new registry of modules is an experiment still.
  const child = ending(
    spawn(workerd, ["serve", "--experimental", join(configured, "config.capnp")], { stdio: ["ignore", "inherit", "inherit"] }),
  );
  for (;;) {
    try {
      await (await fetch(`http://127.0.0.1:${port}${first.path}`, { headers: first.headers })).arrayBuffer();
      break;
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  return {
    port,
    /** Whether it does anything after it has answered. */
    goesOn: classes.length > 0,
    cpu: () => cpu(child.pid),
    /** Resolves when it has stopped. */
    stop: () => child.kill("SIGKILL") && new Promise((resolve) => child.once("exit", resolve)),
  };
}

/** The time that all threads of a process took so far, in µs: the first number of `schedstat`, which is in ns. */
function cpu(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce(
    (sum, thread) => sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1_000,
    0,
  );
}
