// A shell like Stripe's: a line is a request to this Worker, and what comes back stands below it.

import { button, element, tag } from "../elements.js";
import { complete } from "../shell/complete.js";
import { parse } from "../shell/grammar.js";
import { run } from "../shell/run.js";
import { screen as screenOf } from "../shell/screen.js";

const REMEMBERED = 200;
const PROMPT = "$ ";
const EXAMPLES = [
  "features list",
  'features create --name "Text messages" --lookup-key sms',
  "trigger entitlements.active_entitlement_summary.updated --customer cus_ada --add sms",
  "check --customer cus_ada --feature sms",
  "listen",
  "help",
];

export default {
  id: "shell",
  title: "Shell",
  lead: "The commands of Stripe’s CLI, and a few of entgate’s own, with the key at the top.",
  mount(root, desk) {
    const log = tag("div", { class: "shell-log", role: "log", "aria-label": "What was said", tabindex: "0" });
    const screen = screenOf(log);
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
    const stop = button("Stop", () => back(interrupt), "small");
    const wipe = button("Clear", () => back(screen.clear), "small");
    const form = element("form", "shell-line", prompt, input);
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
      "Tab completes what is begun; Escape lets the next Tab move on. The arrow keys go through what was typed, Ctrl-C ends what runs.",
    );
    const bar = element("div", "shell-bar", element("span", "", location.host), element("span", "shell-tools", stop, wipe));
    root.append(element("div", "shell", bar, log, form), hint, tag("h2", { class: "unseen" }, "Examples"), examples);
    stop.hidden = true;

    const history = [];
    let place = 0;
    let draft = "";
    let running;
    let answer;
    let escaped = false;
    let offered;

    screen.say("Welcome. Every command is a request to this Worker: try “help”, or one of the lines below.", "soft");

    async function submit(line) {
      if (answer) {
        screen.typed(line, "");
        return answer(line.trim() === "yes");
      }
      if (running) return;
      screen.typed(line, PROMPT);
      if (line.trim() && line !== history.at(-1)) history.push(line);
      history.splice(0, history.length - REMEMBERED);
      place = history.length;
      running = new AbortController();
      busy(true);
      try {
        await run(parse(line), { desk, screen, history, confirm, signal: running.signal });
      } catch (error) {
        console.error(error);
        screen.say(`This went wrong in the shell itself: ${error.message}`, "no");
      }
      running = undefined;
      busy(false);
    }

    /** Asks before something that cannot be undone. */
    function confirm(question) {
      screen.say(question, "maybe");
      return new Promise((resolve) => {
        answer = (meant) => {
          answer = undefined;
          busy(true);
          resolve(meant);
        };
        busy(false);
      });
    }

    function interrupt() {
      if (!running) {
        screen.typed(`${input.value}^C`, PROMPT);
        input.value = "";
        return;
      }
      screen.say("^C", "soft");
      running.abort();
      answer?.(false);
    }

    function busy(is) {
      input.readOnly = is;
      prompt.textContent = is || answer ? "" : PROMPT;
      form.setAttribute("aria-busy", is);
      stop.hidden = !is;
    }

    function fill(line) {
      back(() => {
        input.value = line;
      });
    }

    /** Does something for which the line was left, and goes back to it. */
    function back(work) {
      work();
      input.focus();
    }

    /** Goes through what was typed; what stood there is at its end. */
    function recall(step) {
      const next = place + step;
      if (next < 0 || next > history.length) return;
      if (place === history.length) draft = input.value;
      place = next;
      input.value = place === history.length ? draft : history[place];
    }

    /** Completes, and says whether there was anything to complete. */
    function completed() {
      const { value, selectionStart } = input;
      if (escaped || !value.trim() || selectionStart !== value.length) return false;
      const { line, candidates } = complete(value);
      if (line === value && candidates.length === 0) return false;
      // What could stand here is said once: whoever wants on is let on.
      if (line === value && offered === value) return false;
      if (line === value) screen.say(candidates.join("  "), "soft");
      offered = line === value ? value : undefined;
      input.value = line;
      return true;
    }

    const STEPS = { ArrowUp: -1, ArrowDown: 1 };
    input.addEventListener("keydown", (event) => {
      const { key, ctrlKey, shiftKey } = event;
      const modified = ctrlKey || event.altKey || event.metaKey;
      if (ctrlKey && key === "c" && input.selectionStart === input.selectionEnd && !getSelection().toString()) {
        event.preventDefault();
        interrupt();
      } else if (ctrlKey && key === "l") {
        event.preventDefault();
        screen.clear();
      } else if (key === "Tab" && !shiftKey && !modified && !running && completed()) {
        event.preventDefault();
      } else if (STEPS[key] && !modified && !input.readOnly) {
        event.preventDefault();
        recall(STEPS[key]);
      }
      escaped = key === "Escape";
    });
    input.addEventListener("paste", (event) => {
      const text = event.clipboardData?.getData("text") ?? "";
      if (!/\\\r?\n/.test(text)) return;
      // A command of several lines, as guides write it.
      event.preventDefault();
      input.setRangeText(text.replaceAll(/\s*\\\r?\n\s*/g, " ").trim(), input.selectionStart, input.selectionEnd, "end");
    });
    log.addEventListener("click", () => {
      if (!getSelection().toString()) input.focus();
    });
    // What was begun with another key is not gone on with.
    desk.onKey(() => running && interrupt());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (input.readOnly) return;
      const { value } = input;
      input.value = "";
      submit(value);
    });
    return {
      show(params) {
        const line = params.get("run");
        if (line) fill(line);
      },
    };
  },
};
