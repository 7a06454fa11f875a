// The output of the shell. Everything is inserted as text; JSON is colored by its tokens.

import { element } from "../elements.js";

const MAX_ITEMS = 500; // Lines and JSON bodies on the screen.
const SCROLL_TOLERANCE_PX = 40;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/**
 * @typedef {object} Screen
 * @property {(line: string, prompt: string) => void} echo  Prints a typed line after its prompt.
 * @property {(text: string, tone?: string) => void} print  Prints text; `tone` is success, danger, warning or muted.
 * @property {(...spans: [text: string, tone?: string][]) => void} printSpans  Prints a line of spans with different tones.
 * @property {(value: object) => void} printJson
 * @property {() => void} clear
 */

/**
 * Creates the screen in its log element.
 *
 * @param {HTMLElement} log
 * @returns {Screen}
 */
export function createScreen(log) {
  // New output scrolls into view only if the reader has not scrolled up.
  let atEnd = true;
  const scrollToEnd = () => {
    if (atEnd) log.scrollTop = log.scrollHeight;
  };
  log.addEventListener("scroll", () => {
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < SCROLL_TOLERANCE_PX;
  });
  new ResizeObserver(scrollToEnd).observe(log);

  const append = (/** @type {HTMLElement} */ item) => {
    log.append(item);
    while (log.children.length > MAX_ITEMS) log.firstElementChild?.remove();
    scrollToEnd();
  };
  return {
    echo(line, prompt) {
      append(element("p", "line echo", element("span", "prompt", prompt), line));
      log.scrollTop = log.scrollHeight;
    },
    print(text, tone = "") {
      append(element("p", `line ${tone}`.trim(), text));
    },
    printSpans(...spans) {
      append(element("p", "line", ...spans.map(([text, tone = ""]) => element("span", tone, text))));
    },
    printJson(value) {
      append(element("pre", "line", ...colorJson(JSON.stringify(value, null, 2))));
    },
    clear() {
      log.replaceChildren();
    },
  };
}

/**
 * Splits JSON into text and colored spans.
 *
 * @param {string} text
 * @returns {(string | HTMLElement)[]}
 */
function colorJson(text) {
  const parts = [];
  let at = 0;
  for (const { index, 0: token, 1: string, 2: colon, 3: literal } of text.matchAll(TOKEN)) {
    if (index > at) parts.push(text.slice(at, index));
    if (colon) parts.push(element("span", "json-key", string), colon);
    else parts.push(element("span", string ? "json-string" : literal ? "json-literal" : "json-number", token));
    at = index + token.length;
  }
  parts.push(text.slice(at));
  return parts;
}
