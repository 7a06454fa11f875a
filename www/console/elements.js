// The DOM elements that panels are built from. Strings are always inserted as text, never as markup.

import { formatTime } from "./dates.js";

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";
const COPIED_LABEL_MS = 1500;

/** @typedef {Node | string | null | undefined | false} Child  A null, undefined or false child is omitted. */
/** @typedef {Child | Child[]} Children */
/** @typedef {Record<string, unknown>} Attributes */

/**
 * Creates an element with a class and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} [className]
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, className, ...children) {
  const created = document.createElement(name);
  if (className) created.className = className;
  created.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return created;
}

/**
 * Creates an element with attributes: `on…` adds a listener, `true` is a bare attribute, null, undefined and false are omitted.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Attributes} attributes
 * @param {...Children} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function tag(name, attributes, ...children) {
  const created = element(name, "", ...children);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (attribute.startsWith("on")) created.addEventListener(attribute.slice(2), /** @type {EventListener} */ (value));
    else created.setAttribute(attribute, value === true ? "" : String(value));
  }
  return created;
}

/**
 * Creates an SVG element.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} name
 * @param {Record<string, string | number>} attributes
 * @param {...SVGElement} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svgElement(name, attributes, ...children) {
  const created = document.createElementNS(SVG_NAMESPACE, name);
  for (const [attribute, value] of Object.entries(attributes)) created.setAttribute(attribute, String(value));
  created.append(...children);
  return created;
}

/**
 * Sets the children of `parent` in this order. Existing children are not re-inserted, so that the focused one keeps the focus.
 *
 * @param {Element} parent
 * @param {Element[]} children
 */
export function setChildren(parent, children) {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

/**
 * @param {string} label
 * @param {(event: MouseEvent) => void} onClick
 * @param {string} [className]
 */
export function button(label, onClick, className = "") {
  return tag("button", { type: "button", class: className || undefined, onclick: onClick }, label);
}

/**
 * @template {HTMLElement} I
 * @typedef {object} Field
 * @property {I} input
 * @property {HTMLDivElement} root  Contains the label, the input and the hint.
 * @property {(message?: string) => void} setError  Replaces the hint by an error; without a message it restores the hint.
 */

/**
 * Creates a label for an input, with a hint below it.
 *
 * @template {HTMLElement} I
 * @param {string} id
 * @param {string} label
 * @param {I} input
 * @param {string} [hint]
 * @returns {Field<I>}
 */
export function field(id, label, input, hint = "") {
  input.id = id;
  const hintElement = tag("p", { id: `${id}-hint`, class: "hint" }, hint);
  input.setAttribute("aria-describedby", hintElement.id);
  return {
    input,
    root: element("div", "field", tag("label", { for: id }, label), input, hintElement),
    setError(message) {
      input.setAttribute("aria-invalid", String(Boolean(message)));
      hintElement.textContent = message ?? hint;
    },
  };
}

/**
 * Creates a text input with its label and hint.
 *
 * @param {string} id
 * @param {string} label
 * @param {{ hint?: string, placeholder?: string }} [options]
 * @returns {Field<HTMLInputElement>}
 */
export function textField(id, label, { hint, placeholder } = {}) {
  return field(id, label, tag("input", { autocomplete: "off", spellcheck: "false", autocapitalize: "none", placeholder }), hint);
}

/**
 * A short colored label; `tone` is success, danger, warning, info or neutral.
 *
 * @param {string} text
 * @param {string} [tone]
 */
export function badge(text, tone = "neutral") {
  return element("span", `badge ${tone}`, text);
}

/**
 * A card with a heading.
 *
 * @param {string} title
 * @param {...Children} children
 */
export function card(title, ...children) {
  return element("section", "card", title && element("h2", "", title), ...children);
}

/**
 * A highlighted message; `tone` is that of a badge.
 *
 * @param {string} text
 * @param {string} [tone]
 * @param {...Children} more
 */
export function notice(text, tone = "neutral", ...more) {
  return element("div", `notice ${tone}`, element("p", "", text), ...more);
}

/**
 * The placeholder of an empty list: what it means, and what to do next.
 *
 * @param {string} title
 * @param {string} text
 * @param {...Children} actions
 */
export function emptyState(title, text, ...actions) {
  return element(
    "div",
    "empty",
    element("p", "empty-title", title),
    text && element("p", "", text),
    actions.length > 0 && element("div", "actions", ...actions),
  );
}

/**
 * The content of a panel that requires a server key.
 *
 * @param {string} reason
 */
export function keyRequired(reason) {
  return emptyState(
    "A server key is needed",
    `${reason} Enter one at the top; it is kept in memory only.`,
    button("Enter the key", () => document.getElementById("key")?.focus()),
  );
}

/**
 * A command with a button that copies it.
 *
 * @param {string} text
 */
export function command(text) {
  const code = element("code", "", text);
  return element("div", "command", element("pre", "", code), copyButton(code));
}

/**
 * An id with a button that copies it.
 *
 * @param {string} id
 */
export function identifier(id) {
  const code = element("code", "", id);
  const copy = copyButton(code);
  copy.setAttribute("aria-label", `Copy ${id}`);
  return element("span", "identifier", code, copy);
}

/**
 * A button that copies the text of `code`, or selects it if the browser denies access to the clipboard.
 *
 * @param {HTMLElement} code
 */
function copyButton(code) {
  const copy = button(
    "Copy",
    async () => {
      try {
        await navigator.clipboard.writeText(code.textContent ?? "");
        copy.textContent = "Copied";
        setTimeout(() => {
          copy.textContent = "Copy";
        }, COPIED_LABEL_MS);
      } catch {
        getSelection()?.selectAllChildren(code);
      }
    },
    "small copy",
  );
  return copy;
}

/**
 * A timestamp in the reader's time zone, with the ISO time as its title. Null is rendered as "never", an invalid timestamp as a dash.
 *
 * @param {number | null | undefined} seconds  Since 1970.
 * @param {Intl.DateTimeFormatOptions} [style]
 */
export function time(seconds, style) {
  if (seconds === null) return element("span", "", "never");
  const date = new Date((seconds ?? Number.NaN) * 1000);
  if (Number.isNaN(date.getTime())) return element("span", "", "–");
  return tag("time", { datetime: date.toISOString(), title: date.toISOString() }, formatTime(/** @type {number} */ (seconds), style));
}

/**
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: any) => Child} cell
 * @property {string} [className]
 */

/**
 * A scrollable table with a sticky header. The first column names the row.
 *
 * @param {string} caption
 * @param {Column[]} columns
 */
export function table(caption, columns) {
  const body = element("tbody");
  const head = columns.map(({ title, className }) => tag("th", { scope: "col", class: className }, title));
  const created = element(
    "table",
    "",
    element("caption", "visually-hidden", caption),
    element("thead", "", element("tr", "", ...head)),
    body,
  );
  const root = tag("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption }, created);
  const rowElement = (/** @type {unknown} */ row) =>
    element(
      "tr",
      "",
      ...columns.map(({ title, cell, className }, at) => {
        const content = cell(row);
        const emptyClass = content === "–" ? "empty-cell" : undefined;
        return tag(at === 0 ? "th" : "td", { scope: at === 0 && "row", class: className ?? emptyClass, "data-title": title }, content);
      }),
    );
  return {
    root,
    body,
    /** Shows the rows as cards on narrow screens. */
    stacked() {
      created.classList.add("stacked");
      return this;
    },
    fill: (/** @type {unknown[]} */ rows) => body.replaceChildren(...rows.map(rowElement)),
  };
}

/**
 * A description list: `[["Version", "6"], …]`.
 *
 * @param {[term: string, details: Child][]} pairs
 */
export function descriptionList(pairs) {
  return element(
    "dl",
    "description-list",
    ...pairs.map(([term, details]) => element("div", "", element("dt", "", term), element("dd", "", details))),
  );
}

/**
 * Formatted JSON in a scrollable region that can be focused.
 *
 * @param {unknown} value
 * @param {string} label
 */
export function json(value, label) {
  return tag("pre", { class: "json", tabindex: "0", role: "region", "aria-label": label }, JSON.stringify(value, null, 2));
}
