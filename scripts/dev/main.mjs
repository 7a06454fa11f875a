// `make dev` after setup and build: runs `wrangler dev`, waits until the Worker is healthy, fills an empty catalog, prints the guide.
//
// | file         | content                                                        |
// |--------------|----------------------------------------------------------------|
// | output.mjs   | what of wrangler's output is printed                           |
// | health.mjs   | waits for `/healthz`, and says what is wrong                   |
// | story.mjs    | the features, plans and customers of an empty catalog          |
// | guide.mjs    | what to try next, with keys of .dev.vars                       |
//
// Accepts PORT, DEMO and VERBOSE, which dev.sh has checked. The current folder has wrangler.toml and .dev.vars.

import { spawn } from "node:child_process";
import { settingItems } from "../dev-vars.mjs";
import { printGuide } from "./guide.mjs";
import { waitForHealth } from "./health.mjs";
import { createOutputFilter } from "./output.mjs";
import { fillEmptyCatalog } from "./story.mjs";

const { PORT = "8787", DEMO = "yes", VERBOSE = "" } = process.env;
const url = `http://localhost:${PORT}`;
const isVerbose = VERBOSE === "1";

// The Worker does not use `request.cf`, so wrangler does not have to fetch it from Cloudflare.
const env = { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: "false", ...(process.stdout.isTTY && { FORCE_COLOR: "1" }) };
const wrangler = spawn("wrangler", ["dev", "--port", PORT, "--show-interactive-dev-session=false"], {
  stdio: isVerbose ? "inherit" : ["inherit", "pipe", "pipe"],
  env,
});
const exited = new Promise((resolve) => wrangler.once("close", (code) => resolve(code ?? 1)));
wrangler.once("error", (error) => {
  console.error(`error: failed to start wrangler: ${error.message}. Run: scripts/setup.sh build`);
  process.exitCode = 1;
});

const filters = [];
for (const [stream, target] of /** @type {const} */ ([
  [wrangler.stdout, process.stdout],
  [wrangler.stderr, process.stderr],
])) {
  if (!stream) continue;
  const filter = createOutputFilter((line) => target.write(`${line}\n`));
  filters.push(filter);
  stream.setEncoding("utf8");
  stream.on("data", (text) => filter.write(text));
  stream.on("end", () => filter.end());
}

// Ctrl-C reaches wrangler too, which then ends: this process waits for it.
process.on("SIGINT", () => {});
for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) process.on(signal, () => wrangler.kill(signal));

const stop = new AbortController();
exited.then(() => stop.abort());
try {
  await greet();
} catch (error) {
  if (!stop.signal.aborted) console.error(`\nerror: ${error.message}`);
}
process.exitCode ||= await exited;

/** Prints the guide, or what is wrong. Requests until then are not printed. */
async function greet() {
  // Only a secret key opens the details of `/healthz`, and only one of test mode may write the story.
  const keys = settingItems("ENTGATE_API_KEYS", ".").filter((item) => item.startsWith("sk_"));
  const key = keys.find((item) => item.startsWith("sk_test_")) ?? keys[0];
  const health = await waitForHealth(url, key, stop.signal);
  if (health.problem === undefined) {
    const hasStory = DEMO === "yes" && health.source === "catalog" && key?.startsWith("sk_test_");
    const filled = hasStory ? await fillEmptyCatalog(url, key, stop.signal).catch(reportStoryError) : undefined;
    await printGuide({ url, port: PORT, key, source: health.source, filled });
  } else {
    console.error(`\nentgate runs at ${url}, but it is not ready. ${health.problem}\n\n${health.advice}\n`);
  }
  for (const name of health.unknownSettings) console.error(`.dev.vars has a name that is not a setting: ${name}\n`);
  for (const filter of filters) filter.showRequests();
}

/** @param {Error} error @returns {undefined} */
function reportStoryError(error) {
  console.error(`\nfailed to fill the catalog: ${error.message}. Continue with an empty one: rm -r .wrangler/state, then make dev DEMO=no`);
}
