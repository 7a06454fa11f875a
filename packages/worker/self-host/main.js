// Runs entgate on workerd, without Cloudflare and without wrangler: `npx entgate-self-host`.
//
// Accepts options and the settings of the environment, writes the configuration with its modules into a folder, and runs
// `workerd serve` on it. Everything that entgate stores is in another folder, the storage. workerd is the package `workerd` of the folder
// in which the command runs, or what WORKERD names.

import { spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, parseEnv } from "node:util";
import { MODULES, renderConfiguration } from "./configuration.js";
import { listConsoleFiles } from "./console-files.js";

const USAGE = `Usage: entgate-self-host [options]

Runs entgate on workerd. Settings are variables of the environment, as in docs/configuration.md.

Options:
  --listen <address>       host and port (127.0.0.1:8787)
  --storage <folder>       where everything is stored (entgate-data)
  --settings <file>        further settings, NAME=value in each line; the environment takes precedence
  --configuration <folder> where the configuration is written (entgate-workerd)
  --write-only             write the configuration, and do not run workerd
  --allow-private-network  allow requests to private addresses, such as webhook endpoints of the catalog
  --without-catalog        run the smaller Worker, whose source is Stripe
  --help                   print this help`;

/** Any other name is passed on: entgate reports those that are not settings. */
const SETTING = /^(?:ENTGATE|STRIPE)_[A-Z0-9_]+$/;

/** Variables of the command line and of the build. */
const OTHER_VARIABLES = new Set(["ENTGATE_KEY", "ENTGATE_URL", "ENTGATE_CATALOG", "ENTGATE_WASM_FROM"]);

/** @param {string} path */
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * The parts of the package, and where `make self-host` has them in the repository.
 *
 * @typedef {object} Parts
 * @property {string} worker  The folder of the built Worker.
 * @property {string} console
 * @property {{ compatibility_date: string, durable_objects: { bindings: { name: string, class_name: string }[] } }} requirements
 */

/**
 * Runs the command.
 *
 * @param {string[]} argv
 * @param {(withCatalog: boolean) => Parts | Promise<Parts>} [findParts]
 */
export async function main(argv, findParts = packagedParts) {
  const options = parseOptions(argv);
  if (options.help) return console.log(USAGE);
  const environment = { ...readSettings(options.settings), ...process.env };
  const { worker, console: consoleFolder, requirements } = await findParts(!options["without-catalog"]);
  const settings = Object.keys(environment).filter((name) => SETTING.test(name) && !OTHER_VARIABLES.has(name) && environment[name] !== "");
  const [folder, storage] = [resolve(options.configuration), resolve(options.storage)];
  mkdirSync(folder, { recursive: true });
  mkdirSync(storage, { recursive: true, mode: 0o700 });
  for (const name of MODULES) copyFileSync(join(worker, name), join(folder, name));
  for (const name of ["front.js", "kv.js"]) copyFileSync(here(name), join(folder, name));
  const configuration = join(folder, "config.capnp");
  writeFileSync(
    configuration,
    renderConfiguration({
      address: options.listen,
      storage,
      console: resolve(consoleFolder),
      files: listConsoleFiles(consoleFolder),
      settings: settings.toSorted(),
      allowsPrivateNetwork: Boolean(options["allow-private-network"]),
      compatibilityDate: requirements.compatibility_date,
      objects: requirements.durable_objects.bindings,
    }),
  );
  if (options["write-only"]) return console.log(`Run: workerd serve ${configuration}`);
  if (!settings.includes("ENTGATE_API_KEYS")) console.error("ENTGATE_API_KEYS is not set, so every server route is a 401.");
  console.log(`entgate listens on http://${options.listen}, and stores everything in ${storage}`);
  run(findWorkerd(), ["serve", configuration], environment);
}

/** @param {string[]} args */
function parseOptions(args) {
  try {
    return parseArgs({
      args,
      options: {
        listen: { type: "string", default: "127.0.0.1:8787" },
        storage: { type: "string", default: "entgate-data" },
        configuration: { type: "string", default: "entgate-workerd" },
        settings: { type: "string" },
        "write-only": { type: "boolean" },
        "allow-private-network": { type: "boolean" },
        "without-catalog": { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    return exitWithError(`${error.message}\n\n${USAGE}`);
  }
}

/** @param {string | undefined} file */
function readSettings(file) {
  if (file === undefined) return {};
  try {
    return parseEnv(readFileSync(file, "utf8"));
  } catch (error) {
    return exitWithError(`--settings: failed to read ${file}: ${error.code ?? error.message}`);
  }
}

/** @type {(withCatalog: boolean) => Parts} */
function packagedParts(withCatalog) {
  return {
    worker: here(withCatalog ? "../with-catalog" : "../without-catalog"),
    console: here("../console"),
    requirements: JSON.parse(readFileSync(here("../requirements.json"), "utf8")),
  };
}

/** The path of workerd. */
function findWorkerd() {
  if (process.env.WORKERD) return process.env.WORKERD;
  for (const base of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      const { default: path } = createRequire(base)("workerd");
      if (existsSync(path)) return path;
    } catch {
      // The next folder may have it.
    }
  }
  return exitWithError("workerd is not installed. Run: npm install workerd");
}

/**
 * Runs a command until it ends. Passes on the signals that stop it.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function run(command, args, env) {
  const child = spawn(command, args, { stdio: "inherit", env });
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => child.kill(signal));
  child.once("error", (error) => exitWithError(`failed to run ${command}: ${error.message}`));
  child.once("exit", (status, signal) => process.exit(status ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));
}

/**
 * @param {string} message
 * @returns {never}
 */
function exitWithError(message) {
  console.error(message);
  process.exit(1);
}
