// What panels are made of. Whatever comes from a server goes in as text, never as markup.

/** A new element; `children` are elements or texts, and what is null, undefined or false is left out. */
export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The same with attributes: `on…` are listeners, `true` is a bare attribute, what is null, undefined or false is left out. */
export function tag(name, attributes, ...children) {
  const made = element(name, "", ...children);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (attribute.startsWith("on")) made.addEventListener(attribute.slice(2), value);
    else made.setAttribute(attribute, value === true ? "" : value);
  }
  return made;
}

/** Gives `parent` these children in this order, and leaves alone those that are there already: who has the focus keeps it. */
export function arrange(parent, children) {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

export function button(label, pressed, className = "") {
  return tag("button", { type: "button", class: className || undefined, onclick: pressed }, label);
}

/** A label, an input below it, and a hint below that: `{ root, input, complain(message) }`. Without a message the hint is back. */
export function field(
  id,
  label,
  { hint = "", input = tag("input", { autocomplete: "off", spellcheck: "false", autocapitalize: "none" }), ...attributes } = {},
) {
  input.id = id;
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  const below = tag("p", { id: `${id}-hint`, class: "hint" }, hint);
  input.setAttribute("aria-describedby", below.id);
  return {
    input,
    root: element("div", "field", tag("label", { for: id }, label), input, below),
    complain(message) {
      input.setAttribute("aria-invalid", Boolean(message));
      below.textContent = message ?? hint;
    },
  };
}

/** One word in a colour: `tone` is yes, no, maybe, note or none. */
export function badge(text, tone = "none") {
  return element("span", `badge ${tone}`, text);
}

/** A card with a heading. */
export function card(title, ...children) {
  return element("section", "card", title && element("h2", "", title), ...children);
}

/** A sentence that stands out: `tone` as a badge's. */
export function notice(text, tone = "none", ...more) {
  return element("div", `notice ${tone}`, element("p", "", text), ...more);
}

/** What stands where nothing is yet: what that means, and what to do next. */
export function empty(title, text, ...actions) {
  return element(
    "div",
    "empty",
    element("p", "empty-title", title),
    text && element("p", "", text),
    actions.length > 0 && element("div", "actions", ...actions),
  );
}

/** What a panel shows that cannot go on without a server key. */
export function keyless(what) {
  return empty(
    "A server key is needed",
    `${what} Enter one at the top; it is kept in memory only.`,
    button("Enter the key", () => document.getElementById("key").focus()),
  );
}

/** A command with a button that copies it. */
export function command(text) {
  const code = element("code", "", text);
  return element("div", "command", element("pre", "", code), copier(code, "Copy"));
}

/** An id, in the type of ids, with a button that copies it. */
export function identifier(id) {
  const code = element("code", "", id);
  return element("span", "identifier", code, copier(code, "Copy", `Copy ${id}`));
}

/** A button that copies the text of `code`; where the browser forbids that, selects it. */
function copier(code, label, name) {
  const made = button(
    label,
    async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        made.textContent = "Copied";
        setTimeout(() => {
          made.textContent = label;
        }, 1500);
      } catch {
        getSelection().selectAllChildren(code);
      }
    },
    "small copy",
  );
  if (name) made.setAttribute("aria-label", name);
  return made;
}

/** A moment in the reader's time, the ISO time in its title; `seconds` since 1970. Null is never, and what is no moment a dash. */
export function time(seconds, style = { dateStyle: "medium", timeStyle: "medium" }) {
  const date = new Date(seconds * 1000);
  if (seconds === null) return element("span", "", "never");
  if (!Number.isFinite(seconds) || Number.isNaN(date.getTime())) return element("span", "", "–");
  return tag("time", { datetime: date.toISOString(), title: date.toISOString() }, date.toLocaleString(undefined, style));
}

/** How long ago, in words: `seconds` since 1970. */
export function ago(seconds, now = Date.now() / 1000) {
  const past = Math.max(0, now - seconds);
  const [unit, size] = [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ].find(([, size]) => past >= size) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(past / size), unit);
}

/**
 * A table: `columns` are `{ title, cell(row), className }`, the first of which names the row. `{ root, fill(rows) }`; the box scrolls,
 * and its header stays.
 */
export function table(caption, columns) {
  const body = element("tbody");
  const head = columns.map(({ title, className }) => tag("th", { scope: "col", class: className }, title));
  const made = element("table", "", element("caption", "unseen", caption), element("thead", "", element("tr", "", ...head)), body);
  const root = tag("div", { class: "table", tabindex: "0", role: "region", "aria-label": caption }, made);
  const line = (row) =>
    element(
      "tr",
      "",
      ...columns.map(({ title, cell, className }, at) => {
        const content = cell(row);
        const dash = content === "–" ? "dash" : undefined;
        return tag(at === 0 ? "th" : "td", { scope: at === 0 && "row", class: className ?? dash, "data-title": title }, content);
      }),
    );
  return { root, body, fill: (rows) => body.replaceChildren(...rows.map(line)) };
}

/** Terms and what they are: `[["Version", "6"], …]`. */
export function facts(pairs) {
  return element("dl", "facts", ...pairs.map(([term, value]) => element("div", "", element("dt", "", term), element("dd", "", value))));
}

/** JSON to read, which scrolls and can be reached by keyboard. */
export function json(value, label) {
  return tag(
    "pre",
    { class: "json", tabindex: "0", role: "region", "aria-label": label },
    typeof value === "string" ? value : JSON.stringify(value, null, 2),
  );
}
