// What a command does. It says on the screen what has come of it, and ends when its signal says so.

import { encode } from "../session.js";
import { help } from "./help.js";
import { listen } from "./listen.js";
import { trigger } from "./trigger.js";

/** Runs one command that the grammar made; `shell` is `{ desk, screen, history, confirm(question), signal }`. */
export async function run(command, shell) {
  const { desk, screen } = shell;
  switch (command.kind) {
    case "nothing":
      return;
    case "error":
      return screen.say(command.message, "no");
    case "help":
      return screen.say(help(command.topic));
    case "clear":
      return screen.clear();
    case "history":
      return screen.say(shell.history.map((line, at) => `${String(at + 1).padStart(4)}  ${line}`).join("\n"));
    case "version":
      return screen.say(`entgate ${desk.health?.body.version ?? "of an unknown version"}`);
  }
  if (!desk.key && command.path !== "/healthz")
    return screen.say("No API key is given. Enter a server key at the top of the page; it goes with every request.", "no");
  if (command.kind === "request") return request(command, shell);
  if (command.kind === "trigger") return trigger(command, shell);
  return listen(command, shell);
}

async function request({ method, path, params, headers, idempotencyKey, confirm }, { desk, screen, signal, confirm: ask }) {
  if (confirm && !(await ask(`Are you sure you want to perform the command: ${method} ${path}?\nEnter 'yes' to confirm:`))) {
    if (!signal.aborted) screen.say("Exiting without execution. User did not confirm the command.", "soft");
    return;
  }
  const form = Object.fromEntries(params);
  const inBody = method === "POST";
  const query = inBody || params.length === 0 ? "" : `${path.includes("?") ? "&" : "?"}${encode(form)}`;
  const reply = await desk.ask(path + query, { method, form: inBody ? form : undefined, idempotencyKey, signal });
  if (signal.aborted) return;
  if (reply.status === 0) return screen.say(reply.problem, "no");
  if (headers) screen.say([`< ${reply.status}`, ...[...reply.headers].map(([name, value]) => `< ${name}: ${value}`)].join("\n"), "soft");
  if (reply.status >= 400 && !reply.body.error) return screen.say(`Request failed, status=${reply.status}`, "no");
  if (Object.keys(reply.body).length) screen.json(reply.body);
  else screen.say(reply.text || `(status ${reply.status})`, "soft");
}
