// What the shell has said so far. Everything is put in as text; JSON is coloured by its tokens.

import { element } from "../elements.js";

/** How many lines and answers are kept. */
const KEPT = 500;
const NEAR = 40; // Pixels from the end that count as at it.
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

export function screen(log) {
  // Whoever has scrolled up to read is left there.
  let atEnd = true;
  const follow = () => {
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  log.addEventListener("scroll", () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
  });
  new ResizeObserver(follow).observe(log);

  function put(...parts) {
    log.append(...parts);
    while (log.children.length > KEPT) log.firstChild.remove();
    follow();
  }
  return {
    /** What was typed, behind its prompt. */
    typed(line, prompt) {
      put(element("p", "line typed", element("span", "prompt", prompt), line));
      log.scrollTop = log.scrollHeight;
    },
    /** A text of any number of lines; `tone` is yes, no, maybe or soft. */
    say(text, tone = "") {
      put(element("p", `line ${tone}`.trim(), text));
    },
    /** A line whose parts differ in tone: `[text, tone]`. */
    row(...parts) {
      put(element("p", "line", ...parts.map(([text, tone = ""]) => element("span", tone, text))));
    },
    json(value) {
      put(element("pre", "line", ...coloured(JSON.stringify(value, null, 2))));
    },
    clear() {
      log.replaceChildren();
    },
  };
}

function coloured(text) {
  const parts = [];
  let at = 0;
  for (const { index, 0: token, 1: string, 2: colon, 3: word } of text.matchAll(TOKEN)) {
    if (index > at) parts.push(text.slice(at, index));
    if (colon) parts.push(element("span", "key", string), colon);
    else parts.push(element("span", string ? "string" : word ? "word" : "digits", token));
    at = index + token.length;
  }
  parts.push(text.slice(at));
  return parts;
}
