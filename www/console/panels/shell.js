// The panel "Shell": a command line like Stripe's. A line is parsed into a request to this Worker, and the response is printed below it.

import { button, element, tag } from "../elements.js";
import { complete } from "../shell/complete.js";
import { parse } from "../shell/grammar.js";
import { CONSOLE } from "../shell/program.js";
import { run } from "../shell/run.js";
import { createScreen } from "../shell/screen.js";

const MAX_HISTORY = 200;
const PROMPT = "$ ";
const EXAMPLES = [
  "features list",
  'features create --name "Text messages" --lookup-key sms',
  "trigger entitlements.active_entitlement_summary.updated --customer cus_ada --add sms",
  "check --customer cus_ada --feature sms",
  "explain --customer cus_ada --feature sms",
  "listen",
  "help",
];

/** @type {Record<string, number>} */
const HISTORY_STEPS = { ArrowUp: -1, ArrowDown: 1 };

export default {
  id: "shell",
  title: "Shell",
  lead: "The commands of Stripe’s CLI, and some of entgate’s own. Requests use the key at the top.",

  /**
   * @param {HTMLElement} root
   * @param {import("../session.js").Session} session
   */
  mount(root, session) {
    const log = tag("div", { class: "shell-log", role: "log", "aria-label": "Output", tabindex: "0" });
    const screen = createScreen(log);
    const input = tag("input", {
      id: "shell-input",
      "aria-label": "Command",
      "aria-describedby": "shell-hint",
      autocomplete: "off",
      spellcheck: "false",
      autocapitalize: "none",
      enterkeyhint: "go",
    });
    const prompt = tag("span", { class: "prompt", "aria-hidden": "true" }, PROMPT);
    const stopButton = button("Stop", () => withInputFocus(interrupt), "small");
    const clearButton = button("Clear", () => withInputFocus(screen.clear), "small");
    const form = element("form", "shell-input-line", prompt, input);
    const examples = element(
      "ul",
      "shell-examples",
      ...EXAMPLES.map((line) =>
        element(
          "li",
          "",
          button(line, () => fill(line), "small"),
        ),
      ),
    );
    const hint = tag(
      "p",
      { id: "shell-hint", class: "hint" },
      "Tab completes a word; after Escape, Tab moves the focus. The arrow keys browse previous commands, Ctrl-C stops a command.",
    );
    const header = element(
      "div",
      "shell-header",
      element("span", "", location.host),
      element("span", "shell-tools", stopButton, clearButton),
    );
    root.append(element("div", "shell", header, log, form), hint, tag("h2", { class: "visually-hidden" }, "Examples"), examples);
    stopButton.hidden = true;

    /** @type {string[]} */
    const history = [];
    let historyPosition = 0;
    let draft = "";
    /** @type {AbortController | undefined} */
    let running;
    /** @type {((confirmed: boolean) => void) | undefined} */
    let resolveConfirmation;
    let escapePressed = false;
    /** @type {string | undefined} */
    let offeredLine;

    screen.print("Each command is a request to this Worker. Enter “help”, or select an example below.", "muted");

    /** @param {string} line */
    async function submit(line) {
      if (resolveConfirmation) {
        screen.echo(line, "");
        return resolveConfirmation(line.trim() === "yes");
      }
      if (running) return;
      screen.echo(line, PROMPT);
      if (line.trim() && line !== history.at(-1)) history.push(line);
      history.splice(0, history.length - MAX_HISTORY);
      historyPosition = history.length;
      running = new AbortController();
      setBusy(true);
      try {
        await run(parse(line), { session, program: CONSOLE, screen, confirm, signal: running.signal });
      } catch (error) {
        console.error(error);
        screen.print(`Internal error of the shell: ${error.message}`, "danger");
      }
      running = undefined;
      setBusy(false);
    }

    /**
     * Asks for a confirmation; resolves to whether it was given.
     *
     * @param {string} question
     * @returns {Promise<boolean>}
     */
    function confirm(question) {
      screen.print(question, "warning");
      return new Promise((resolve) => {
        resolveConfirmation = (confirmed) => {
          resolveConfirmation = undefined;
          setBusy(true);
          resolve(confirmed);
        };
        setBusy(false);
      });
    }

    function interrupt() {
      if (!running) {
        screen.echo(`${input.value}^C`, PROMPT);
        input.value = "";
        return;
      }
      screen.print("^C", "muted");
      running.abort();
      resolveConfirmation?.(false);
    }

    /** @param {boolean} busy */
    function setBusy(busy) {
      input.readOnly = busy;
      prompt.textContent = busy || resolveConfirmation ? "" : PROMPT;
      form.setAttribute("aria-busy", String(busy));
      stopButton.hidden = !busy;
    }

    /** @param {string} line */
    function fill(line) {
      withInputFocus(() => {
        input.value = line;
      });
    }

    /**
     * Runs the action of a button and returns the focus to the input.
     *
     * @param {() => void} action
     */
    function withInputFocus(action) {
      action();
      input.focus();
    }

    /**
     * Moves through the history; its last position is the line that was being typed.
     *
     * @param {number} step
     */
    function browseHistory(step) {
      const position = historyPosition + step;
      if (position < 0 || position > history.length) return;
      if (historyPosition === history.length) draft = input.value;
      historyPosition = position;
      input.value = position === history.length ? draft : history[position];
    }

    /** Completes the line; returns whether there was anything to complete. */
    function completeLine() {
      const { value, selectionStart } = input;
      if (escapePressed || !value.trim() || selectionStart !== value.length) return false;
      const { line, candidates } = complete(value);
      if (line === value && candidates.length === 0) return false;
      // The candidates are printed once. The next Tab moves the focus.
      if (line === value && offeredLine === value) return false;
      if (line === value) screen.print(candidates.join("  "), "muted");
      offeredLine = line === value ? value : undefined;
      input.value = line;
      return true;
    }

    const hasSelection = () => Boolean(getSelection()?.toString());

    input.addEventListener("keydown", (event) => {
      const { key, ctrlKey, shiftKey } = event;
      const modified = ctrlKey || event.altKey || event.metaKey;
      if (ctrlKey && key === "c" && input.selectionStart === input.selectionEnd && !hasSelection()) {
        event.preventDefault();
        interrupt();
      } else if (ctrlKey && key === "l") {
        event.preventDefault();
        screen.clear();
      } else if (key === "Tab" && !shiftKey && !modified && !running && completeLine()) {
        event.preventDefault();
      } else if (HISTORY_STEPS[key] && !modified && !input.readOnly) {
        event.preventDefault();
        browseHistory(HISTORY_STEPS[key]);
      }
      escapePressed = key === "Escape";
    });
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text") ?? "";
      if (!/\\\r?\n/.test(text)) return;
      // A command that continues over several lines is pasted as one line.
      event.preventDefault();
      const line = text.replaceAll(/\s*\\\r?\n\s*/g, " ").trim();
      input.setRangeText(line, input.selectionStart ?? 0, input.selectionEnd ?? 0, "end");
    });
    log.addEventListener("click", () => {
      if (!hasSelection()) input.focus();
    });
    // A running command does not continue with another key.
    session.onKeyChange(() => {
      if (running) interrupt();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.readOnly) return;
      const { value } = input;
      input.value = "";
      submit(value);
    });
    return {
      /** @param {URLSearchParams} params */
      show(params) {
        const line = params.get("run");
        if (line) fill(line);
      },
    };
  },
};
