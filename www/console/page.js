// The console at `/`: the theme, the key, and which panel is shown.
//
// A panel is a module of `panels/` whose default export is `{ id, title, lead, mount(root, desk) }`. It is loaded and mounted at its first
// visit; `mount` gives `{ show(params), hide() }`, called as visitors come and go. An address is `#panel?parameters`.

import { createDesk } from "./session.js";
import { element, notice, tag } from "./elements.js";

const PANELS = ["overview", "check", "customers", "matrix", "activity", "playground", "shop", "shell"];
const MAKE_DEV_KEY = "sk_test_entgate"; // Throw-away, and in the repository: see .dev.vars.example.

const $ = (id) => document.getElementById(id);
const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
const desk = createDesk();
const mounted = new Map();
let current;

/** The panel and the parameters that the address names. */
function place() {
  const [id, query] = location.hash.slice(1).split("?");
  return { id: PANELS.includes(id) ? id : PANELS[0], params: new URLSearchParams(query) };
}

/** Shows what the address names; `arriving` by a link, the heading is told to those who do not see it. */
async function visit(arriving) {
  const { id, params } = place();
  menu(false);
  for (const link of document.querySelectorAll("#panels a")) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!mounted.has(id)) mounted.set(id, mount(id));
  const panel = await mounted.get(id);
  if (place().id !== id) return;

  if (current !== panel) {
    current?.hide?.();
    for (const each of $("main").children) each.hidden = each !== panel.section;
    current = panel;
    document.title = `${panel.title} – entgate`;
  }
  if (arriving) {
    scrollTo(0, 0);
    panel.section.querySelector("h1").focus({ preventScroll: true });
  }
  panel.show?.(params);
}

/** Loads a panel and makes its section. One that fails says so, and leaves the others alone. */
async function mount(id) {
  const heading = tag("h1", { id: `${id}-title`, tabindex: "-1" });
  const head = element("header", "panel-head", heading);
  const root = element("div", "panel-body");
  const section = tag("section", { id: `panel-${id}`, class: "panel", hidden: true }, head, root);
  $("main").append(section);
  try {
    const { default: panel } = await import(`./panels/${id}.js`);
    heading.textContent = panel.title;
    if (panel.lead) head.append(element("p", "lead", panel.lead));
    return { section, title: panel.title, ...panel.mount(root, desk) };
  } catch (error) {
    console.error(error);
    heading.textContent ||= id;
    root.replaceChildren(notice("This panel could not be loaded. Load the page again.", "no"));
    return { section, title: heading.textContent };
  }
}

function menu(open) {
  $("menu").setAttribute("aria-expanded", open);
  $("panels").dataset.open = open;
}

/** What the key opens, or that it opens nothing. */
function showKey(refused) {
  const mode = desk.mode;
  const [state, word] = refused
    ? ["refused", "Refused"]
    : mode
      ? [mode, mode === "live" ? "Live mode" : "Test mode"]
      : ["missing", desk.key ? "Unknown kind" : "No key"];
  $("key").setAttribute("aria-invalid", refused);
  $("mode").dataset.state = state;
  $("mode").textContent = word;
}

function showHealth({ status, body }) {
  const known = body.object === "health";
  const state = known ? body.status : status ? "error" : "unreachable";
  $("standing").dataset.state = state;
  say(
    "standing-word",
    { ok: "Ready", unconfigured: "Not set up", degraded: "Degraded", error: "Error", unreachable: "No answer" }[state] ?? state,
  );
  say("release", known && body.version ? `v${body.version}` : "");
  say("source", desk.source ? `${desk.source} is the source` : "");
}

/** Writes a text where it is not the one that stands there: what is read aloud is so once. */
function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

/** Turns to the other theme. Nothing is kept where that is the system's. */
function turnTheme() {
  const { dataset } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (dataset.theme ?? system) === "dark" ? "light" : "dark";
  try {
    if (next === system) localStorage.removeItem("entgate.theme");
    else localStorage.setItem("entgate.theme", next);
  } catch {
    // A browser that stores nothing has it until the page is left.
  }
  if (next === system) delete dataset.theme;
  else dataset.theme = next;
}

desk.onKey(() => showKey(false));
desk.onRefusal(() => showKey(true));
desk.onHealth(showHealth);
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  desk.take($("key").value.trim());
});
$("key").addEventListener("change", () => desk.take($("key").value.trim()));
$("theme").addEventListener("click", turnTheme);
$("menu").addEventListener("click", () => menu($("menu").getAttribute("aria-expanded") !== "true"));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || $("menu").getAttribute("aria-expanded") !== "true") return;
  menu(false);
  $("menu").focus();
});
$("skip").addEventListener("click", (event) => {
  // An address with `#` names a panel here.
  event.preventDefault();
  $("main").focus();
});
addEventListener("hashchange", () => visit(true));

if (local) {
  $("key").value ||= MAKE_DEV_KEY;
  $("key-hint").textContent = `Kept in memory only. make dev has ${MAKE_DEV_KEY}.`;
}
desk.take($("key").value.trim());
showKey(false);
desk.examine();
visit(false);
