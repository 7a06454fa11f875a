// Runs a parsed command: prints its result on the screen, and stops when its signal is aborted.

import { encodeForm } from "../form.js";
import { help } from "./help.js";
import { listen } from "./listen.js";
import { trigger } from "./trigger.js";

/**
 * @typedef {object} Shell
 * @property {Pick<import("../session.js").Session, "key" | "mode" | "source" | "health" | "request">} session
 * @property {import("./program.js").Program} program
 * @property {import("./screen.js").Screen} screen
 * @property {(question: string) => Promise<boolean>} confirm
 * @property {AbortSignal} signal
 */

/**
 * @param {import("./grammar.js").Command} command
 * @param {Shell} shell
 */
export async function run(command, shell) {
  const { session, program, screen } = shell;
  switch (command.kind) {
    case "nothing":
      return;
    case "error":
      return screen.print(command.message, "danger");
    case "help":
      return screen.print(help(command.topic, program));
    case "clear":
      return screen.clear();
    case "version":
      return screen.print(`entgate ${session.health?.body.version ?? "(unknown version)"}`);
  }
  const isPublic = command.kind === "request" && command.path === "/healthz";
  if (!session.key && !isPublic) return screen.print(program.missingKey, "danger");
  if (command.kind === "request") return runRequest(command, shell);
  if (command.kind === "trigger") return trigger(command, shell);
  return listen(command, shell);
}

/**
 * @param {import("./grammar.js").RequestCommand} command
 * @param {Shell} shell
 */
async function runRequest({ method, path, params, headers, idempotencyKey, confirm }, { session, screen, signal, confirm: ask }) {
  if (confirm && !(await ask(`Are you sure you want to perform the command: ${method} ${path}?\nEnter 'yes' to confirm:`))) {
    if (!signal.aborted) screen.print("Exiting without execution. User did not confirm the command.", "muted");
    return;
  }
  const form = Object.fromEntries(params);
  const inBody = method === "POST";
  const query = inBody || params.length === 0 ? "" : `${path.includes("?") ? "&" : "?"}${encodeForm(form)}`;
  const reply = await session.request(path + query, { method, form: inBody ? form : undefined, idempotencyKey, signal });
  if (signal.aborted) return;
  if (reply.status === 0) return screen.print(reply.problem ?? "", "danger");
  if (headers) {
    const lines = [...reply.headers].map(([name, value]) => `< ${name}: ${value}`);
    screen.print([`< ${reply.status}`, ...lines].join("\n"), "muted");
  }
  if (reply.status >= 400 && !reply.body.error) return screen.print(`Request failed, status=${reply.status}`, "danger");
  if (Object.keys(reply.body).length) screen.printJson(reply.body);
  else screen.print(reply.text || `(status ${reply.status})`, "muted");
}
