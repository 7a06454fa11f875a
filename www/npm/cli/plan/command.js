// The commands `plan` and `apply`: read the file and the catalog, print the differences, and for `apply` carry them out.

import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { RequestError } from "../../../console/http-client.js";
import { COMMAND_LINE } from "../program.js";
import { applyPlan } from "./apply.js";
import { readCatalogState } from "./catalog-state.js";
import { PlanFileError, parsePlanFile } from "./file.js";
import { createPlan } from "./plan.js";

/** @typedef {import("../main.js").Context} Context */
/** @typedef {import("./plan.js").Plan} Plan */

/** The exit status of `plan --exit-code` if there are changes. */
const HAS_CHANGES = 2;

/** @type {Record<import("./plan.js").Action, { sign: string, tone: string, past: string }>} */
const ACTIONS = {
  create: { sign: "+", tone: "success", past: "created" },
  attach: { sign: "+", tone: "success", past: "attached" },
  update: { sign: "~", tone: "warning", past: "updated" },
  replace: { sign: "±", tone: "warning", past: "replaced" },
  detach: { sign: "-", tone: "danger", past: "detached" },
  archive: { sign: "-", tone: "danger", past: "archived" },
};

/**
 * @param {"plan" | "apply"} name
 * @param {string[]} words
 * @param {Context} context
 * @returns {Promise<number>} The exit status.
 */
export async function runPlanCommand(name, words, context) {
  const { session, screen, signal } = context;
  const fail = (/** @type {string} */ message) => {
    screen.print(message, "danger");
    return 1;
  };
  try {
    const { path, prune, exitCode, confirmed } = parseOptions(name, words);
    if (!session.key) return fail(COMMAND_LINE.missingKey);
    const file = parsePlanFile(await readText(path), path);
    await requireCatalog(session);
    const plan = createPlan(file, await readCatalogState(session, file, signal), { prune });
    printPlan(plan, screen);
    if (plan.changes.length === 0) return 0;
    if (name === "plan") return exitCode ? HAS_CHANGES : 0;
    const target = `${session.origin}${session.mode ? ` (${session.mode} mode)` : ""}`;
    if (!confirmed && !(await context.confirm(`Apply these changes to ${target}?\nEnter 'yes' to confirm:`))) {
      return fail("Nothing was changed.");
    }
    return await apply(plan, context);
  } catch (error) {
    if (error instanceof RequestError || error instanceof PlanFileError || error instanceof UsageError) return fail(error.message);
    throw error;
  }
}

class UsageError extends Error {}

/**
 * @param {"plan" | "apply"} name
 * @param {string[]} args
 */
function parseOptions(name, args) {
  const own = name === "plan" ? "exit-code" : "confirm";
  /** @type {import("node:util").ParseArgsOptionsConfig} */
  const options = { prune: { type: "boolean" }, [own]: { type: "boolean", ...(own === "confirm" && { short: "c" }) } };
  const hint = `See "entgate ${name} --help" for its flags.`;
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (positionals.length !== 1) throw new UsageError(`\`entgate ${name}\` requires exactly 1 file, not ${positionals.length}. ${hint}`);
    return {
      path: positionals[0],
      prune: Boolean(values.prune),
      exitCode: Boolean(values["exit-code"]),
      confirmed: Boolean(values.confirm),
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${error.message.split(". ")[0]}. ${hint}`);
  }
}

/** @param {string} path */
async function readText(path) {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new PlanFileError(`failed to read ${path}: ${error.code ?? error.message}`);
  }
}

/**
 * The catalog of entgate is changed without being named. Any other host has to be named by `--host`.
 *
 * @param {Context["session"]} session
 */
async function requireCatalog(session) {
  if (session.isNamedHost) return;
  const { problem } = await session.fetchHealth();
  if (problem) throw new RequestError(problem);
  if (session.source === "catalog") return;
  throw new RequestError(
    `The source of ${session.origin} is ${session.source ?? "not known"}, not its catalog. To change the products of another host, name it: --host https://api.stripe.com`,
  );
}

/**
 * @param {Plan} plan
 * @param {Context["screen"]} screen
 */
function printPlan({ changes, kept, notes }, screen) {
  for (const { action, name, details } of changes) {
    const { sign, tone } = ACTIONS[action];
    screen.printSpans(
      [`${sign} ${name}`, tone],
      [action === "replace" ? " (a new price takes the lookup_key; subscribers keep the old one)" : "", "muted"],
    );
    for (const detail of details) screen.printSpans([`    ${detail}`]);
  }
  for (const note of notes) screen.printSpans([note, "muted"]);
  if (kept.length) screen.printSpans([`Not in the file, and left alone without --prune: ${kept.join("; ")}`, "muted"]);
  screen.print(changes.length === 0 ? "Nothing to do." : `${count(changes.length, "change")}: ${summary(changes)}.`);
}

/** @param {Plan["changes"]} changes */
function summary(changes) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { action } of changes) counts.set(action, (counts.get(action) ?? 0) + 1);
  return [...counts].map(([action, number]) => `${number} to ${action}`).join(", ");
}

/**
 * @param {number} number
 * @param {string} noun
 */
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/**
 * @param {Plan} plan
 * @param {Context} context
 */
async function apply(plan, { session, screen, signal }) {
  let done = 0;
  /** @type {Set<string>} */
  const changedProducts = new Set();
  const failure = await applyPlan(
    plan,
    session,
    ({ action, name }) => {
      done += 1;
      screen.print(`${ACTIONS[action].past} ${name}`);
      if (action === "attach" || action === "detach") changedProducts.add(plan.ids.get(name.slice(0, name.lastIndexOf(" feature "))) ?? "");
    },
    signal,
  );
  if (failure) {
    const lines = [
      `failed to ${failure.change.action} ${failure.change.name}: ${failure.problem}`,
      `${done} of ${count(plan.changes.length, "change")} applied. Correct the problem, then run the command again: it continues with the rest.`,
    ];
    screen.print(lines.join("\n"), "danger");
    return 1;
  }
  screen.print(`${count(done, "change")} applied.`, "success");
  if (changedProducts.size && !session.isNamedHost) {
    screen.print("Current subscribers get the changed features at their next period. To grant them now:");
    for (const id of changedProducts) screen.print(`  entgate products apply_features ${id}`);
  }
  return 0;
}
