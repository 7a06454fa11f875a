// The command line: `npx entgate <command>`.
//
// | command                                     | module                                                   |
// |---------------------------------------------|----------------------------------------------------------|
// | requests, `trigger`, `listen`, `help`       | the console's shell, `www/console/shell`: one grammar     |
// | `plan`, `apply`                             | `plan/command.js`                                        |
//
// A request is a row in `www/console/shell/commands.js`, so the console and the command line have the same ones. Exit status: 0 on
// success, 1 if anything failed, 2 if `plan --exit-code` found changes, 130 after Ctrl-C.

import { parseWords } from "../../console/shell/grammar.js";
import { run } from "../../console/shell/run.js";
import { ask } from "./confirmation.js";
import { runPlanCommand } from "./plan/command.js";
import { planHelp } from "./plan/usage.js";
import { COMMAND_LINE } from "./program.js";
import { createScreen } from "./screen.js";
import { createSession, SettingError } from "./session.js";

const INTERRUPTED = 130;

/** Filled in by the build. @type {string} */
const VERSION = process.env.ENTGATE_VERSION ?? "";

/**
 * @typedef {object} Context
 * @property {import("./session.js").Session} session
 * @property {ReturnType<typeof createScreen>} screen
 * @property {(question: string) => Promise<boolean>} confirm
 * @property {AbortSignal} signal
 */

const controller = new AbortController();
process.once("SIGINT", () => controller.abort());
process.stdout.on("error", (error) => {
  // The reader of a pipe, such as `head`, has closed it.
  if (error.code === "EPIPE") process.exit();
  throw error;
});
process.exitCode = await main(process.argv.slice(2));

/**
 * Runs one command, and returns the exit status.
 *
 * @param {string[]} argv
 */
async function main(argv) {
  const screen = createScreen(process);
  const fail = (/** @type {string} */ message) => {
    screen.print(message, "danger");
    return 1;
  };
  const { words, host, problem } = takeHost(argv);
  if (problem) return fail(problem);
  if (words.length === 0) words.push("help");
  try {
    const session = createSession({ host, env: process.env });
    const confirm = async (/** @type {string} */ question) => {
      const isConfirmed = await ask(question, controller.signal);
      if (!isConfirmed) session.hasFailed = true;
      return isConfirmed;
    };
    const status = await runCommand(words, { session, screen, confirm, signal: controller.signal });
    return controller.signal.aborted ? INTERRUPTED : status;
  } catch (error) {
    if (error instanceof SettingError) return fail(error.message);
    throw error;
  }
}

/**
 * @param {string[]} words
 * @param {Context} context
 * @returns {Promise<number>}
 */
async function runCommand(words, context) {
  const { session, screen } = context;
  if ((words[0] === "plan" || words[0] === "apply") && !words.includes("--help") && !words.includes("-h")) {
    return runPlanCommand(words[0], words.slice(1), context);
  }
  const command = parseWords(words, COMMAND_LINE);
  const usage = command.kind === "help" ? planHelp(command.topic) : undefined;
  if (usage) screen.print(usage);
  else if (command.kind === "version") screen.print(`entgate ${VERSION}`);
  else {
    if (session.key && (command.kind === "trigger" || command.kind === "listen")) {
      const { problem } = await session.fetchHealth();
      if (problem) screen.print(problem, "danger");
      if (problem) return 1;
    }
    await run(command, { ...context, program: COMMAND_LINE });
  }
  return screen.hasFailed || session.hasFailed ? 1 : 0;
}

/**
 * Takes `--host <url>` from the words before `--`.
 *
 * @param {string[]} argv
 * @returns {{ words: string[], host?: string, problem?: string }}
 */
function takeHost(argv) {
  const end = argv.indexOf("--");
  const at = argv.findIndex((word, index) => (end < 0 || index < end) && (word === "--host" || word.startsWith("--host=")));
  if (at < 0) return { words: [...argv] };
  const isPair = argv[at] === "--host";
  const host = isPair ? argv[at + 1] : argv[at].slice("--host=".length);
  if (!host) return { words: [], problem: "flag needs an argument: --host" };
  return { words: argv.toSpliced(at, isPair ? 2 : 1), host };
}
