// The configuration with which `workerd serve` runs entgate: its Worker, the console, KV and Durable Objects on disk. Pure: values in,
// Cap'n Proto text out. The format is in `workerd.capnp` of the package `workerd`.
//
// | service   | content                                                              |
// |-----------|----------------------------------------------------------------------|
// | `front`   | receives each request, and has the clock: front.js                   |
// | `entgate` | the built Worker                                                     |
// | `kv`      | the namespace ENTITLEMENTS: kv.js                                    |
// | `objects` | the folder with the SQLite databases of all Durable Objects          |
//
// A setting is a reference to a variable of the environment: the file contains no secret.

/**
 * @typedef {object} SelfHostConfiguration
 * @property {string} address  Where to listen: `127.0.0.1:8787`.
 * @property {string} storage  The folder of the databases.
 * @property {string} console  The folder of the console.
 * @property {import("./console-files.js").ConsoleFiles} files
 * @property {string[]} settings  Names of variables of the environment.
 * @property {boolean} allowsPrivateNetwork  Whether entgate may send requests to private addresses.
 * @property {string} compatibilityDate
 * @property {{ name: string, class_name: string }[]} objects  The bindings of Durable Objects.
 */

/** The modules of the built Worker, the main module first. */
export const MODULES = ["index.js", "worker.js", "fast_path.wasm", "worker.wasm"];

/** The cron trigger in wrangler.toml is that of every minute. */
const CRON_INTERVAL_MS = 60_000;

/** A text of Cap'n Proto has the escapes of C, of which JSON's are a part. @param {unknown} value */
const quote = (value) => JSON.stringify(String(value)).replace(/[\u007f-\uffff]/g, (character) => toBytes(character));

/** @param {string} character */
const toBytes = (character) => Array.from(new TextEncoder().encode(character), (byte) => `\\x${byte.toString(16)}`).join("");

/** @param {string} name */
const module = (name) => `(name = ${quote(name)}, ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed ${quote(name)})`;

/**
 * Renders the configuration. The files that it embeds have to be in its folder: `MODULES`, front.js and kv.js.
 *
 * @param {SelfHostConfiguration} configuration
 */
export function renderConfiguration(configuration) {
  const { address, storage, console, files, settings, allowsPrivateNetwork, compatibilityDate, objects } = configuration;
  const bindings = [
    `(name = "ENTITLEMENTS", kvNamespace = "kv")`,
    ...objects.map(({ name, class_name }) => `(name = ${quote(name)}, durableObjectNamespace = ${quote(class_name)})`),
    ...settings.map((name) => `(name = ${quote(name)}, fromEnvironment = ${quote(name)})`),
  ];
  // The key of a class is a part of the path of its databases: a change would lose them.
  const classes = objects.map(
    ({ class_name }) => `(className = ${quote(class_name)}, uniqueKey = ${quote(`entgate-${class_name}`)}, enableSql = true)`,
  );
  const network = allowsPrivateNetwork ? `["public", "private"]` : `["public"]`;
  return `# Written by entgate: changes are lost at the next start.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "front", worker = (
      modules = [${module("front.js")}],
      compatibilityDate = ${quote(compatibilityDate)},
      bindings = [
        (name = "ENTGATE", service = "entgate"),
        (name = "CONSOLE", service = "console"),
        (name = "FILES", json = ${quote(JSON.stringify(files))}),
        (name = "CLOCK", durableObjectNamespace = "Clock"),
        (name = "CRON_INTERVAL_MS", json = "${CRON_INTERVAL_MS}"),
      ],
      durableObjectNamespaces = [(className = "Clock", uniqueKey = "entgate-Clock", enableSql = true)],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "entgate", worker = (
      modules = [
        ${MODULES.map(module).join(",\n        ")},
      ],
      compatibilityDate = ${quote(compatibilityDate)},
      bindings = [
        ${bindings.join(",\n        ")},
      ],
      durableObjectNamespaces = [
        ${classes.join(",\n        ")},
      ],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "kv", worker = (
      modules = [${module("kv.js")}],
      compatibilityDate = ${quote(compatibilityDate)},
      bindings = [(name = "NAMESPACE", durableObjectNamespace = "KvNamespace")],
      durableObjectNamespaces = [(className = "KvNamespace", uniqueKey = "entgate-KvNamespace", enableSql = true)],
      durableObjectStorage = (localDisk = "objects"),
    )),
    (name = "console", disk = ${quote(console)}),
    (name = "objects", disk = (path = ${quote(storage)}, writable = true)),
    (name = "internet", network = (allow = ${network}, tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = ${quote(address)}, http = (), service = "front")],
);
`;
}
