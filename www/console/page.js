// The console at `/`: the header with health, server key and theme, and the navigation between panels.
//
// A panel is a module of `panels/` whose default export is a `Panel`. It is loaded and mounted at its first visit. The URL fragment
// `#panel?parameters` selects the panel.

import { element, notice, tag } from "./elements.js";
import { isLocal } from "./local-worker.js";
import { createSession } from "./session.js";

/**
 * @typedef {object} Panel
 * @property {string} id
 * @property {string} title
 * @property {string} [lead]  The introduction below the title.
 * @property {(root: HTMLElement, session: import("./session.js").Session) => PanelHandle} mount  Builds the panel once.
 *
 * @typedef {object} PanelHandle
 * @property {(params: URLSearchParams) => void} [show]  Called at each visit.
 * @property {() => void} [hide]  Called when another panel is opened.
 *
 * @typedef {PanelHandle & { section: HTMLElement, title: string }} MountedPanel
 */

const PANELS = ["overview", "check", "customers", "matrix", "activity", "playground", "shop", "shell"];
/** The panels that a read-only key may see. */
const READ_ONLY_PANELS = ["overview", "check"];
const MAKE_DEV_KEY = "sk_test_entgate"; // The public test key of .dev.vars.example.

const byId = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
const keyInput = /** @type {HTMLInputElement} */ (byId("key"));
const session = createSession();
/** @type {Map<string, Promise<MountedPanel>>} */
const mounted = new Map();
/** @type {MountedPanel | undefined} */
let current;

/** The panels that the key may see; without a key all of them, each of which then asks for one. */
const visiblePanels = () => (session.isReadOnly ? READ_ONLY_PANELS : PANELS);

/** Returns the panel and the parameters in the URL fragment; a panel that is unknown or hidden is the first one. */
function parseLocation() {
  const [id, query] = location.hash.slice(1).split("?");
  return { id: visiblePanels().includes(id) ? id : PANELS[0], params: new URLSearchParams(query) };
}

/** Shows the links of the panels that the key may see, and leaves any other panel. */
function showLinks() {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("#panels li > a"))) {
    const item = /** @type {HTMLElement} */ (link.parentElement);
    item.hidden = !visiblePanels().includes(link.hash.slice(1));
  }
  byId("developers").hidden = session.isReadOnly;
}

/** Shows the panel of the URL fragment. After a navigation, its heading gets the focus, so that screen readers announce it. */
async function showPanel({ moveFocus = false } = {}) {
  const { id, params } = parseLocation();
  setMenuOpen(false);
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("#panels a"))) {
    if (link.hash === `#${id}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let loading = mounted.get(id);
  if (!loading) {
    loading = mountPanel(id);
    mounted.set(id, loading);
  }
  const panel = await loading;
  if (parseLocation().id !== id) return;

  if (current !== panel) {
    current?.hide?.();
    for (const section of /** @type {HTMLCollectionOf<HTMLElement>} */ (byId("main").children)) section.hidden = section !== panel.section;
    current = panel;
    document.title = `${panel.title} – entgate`;
  }
  if (moveFocus) {
    scrollTo(0, 0);
    panel.section.querySelector("h1")?.focus({ preventScroll: true });
  }
  panel.show?.(params);
}

/**
 * Loads a panel and builds its section. A panel that fails to load shows an error and does not affect the others.
 *
 * @param {string} id
 * @returns {Promise<MountedPanel>}
 */
async function mountPanel(id) {
  const heading = tag("h1", { id: `${id}-title`, tabindex: "-1" });
  const head = element("header", "panel-head", heading);
  const root = element("div", "panel-body");
  const section = tag("section", { id: `panel-${id}`, class: "panel", hidden: true }, head, root);
  byId("main").append(section);
  try {
    /** @type {{ default: Panel }} */
    const { default: panel } = await import(`./panels/${id}.js`);
    heading.textContent = panel.title;
    if (panel.lead) head.append(element("p", "lead", panel.lead));
    return { section, title: panel.title, ...panel.mount(root, session) };
  } catch (error) {
    console.error(error);
    heading.textContent ||= id;
    root.replaceChildren(notice("Failed to load this panel. Reload the page.", "danger"));
    return { section, title: heading.textContent };
  }
}

/** @param {boolean} open */
function setMenuOpen(open) {
  byId("menu").setAttribute("aria-expanded", String(open));
  byId("panels").dataset.open = String(open);
}

/**
 * Shows the mode of the server key, or that it is missing or invalid.
 *
 * @param {{ rejected: boolean }} key
 */
function showKey({ rejected }) {
  const mode = session.mode;
  const [state, label] = rejected
    ? ["rejected", "Invalid key"]
    : mode
      ? [mode, `${mode === "live" ? "Live mode" : "Test mode"}${session.isReadOnly ? ", read-only" : ""}`]
      : ["missing", session.key ? "Unknown key type" : "No key"];
  keyInput.setAttribute("aria-invalid", String(rejected));
  byId("mode").dataset.state = state;
  byId("mode").textContent = label;
}

/** @type {Record<string, string>} */
const HEALTH_LABELS = {
  ok: "Ready",
  unconfigured: "Setup required",
  degraded: "Degraded",
  error: "Error",
  unreachable: "Unreachable",
};

/** @param {import("./session.js").Reply} reply */
function showHealth({ status, body }) {
  const isHealth = body.object === "health";
  const state = isHealth ? body.status : status ? "error" : "unreachable";
  byId("health-status").dataset.state = state;
  setText("health-label", HEALTH_LABELS[state] ?? state);
  setText("release", isHealth && body.version ? `v${body.version}` : "");
  setText("source", session.source ? `Source: ${session.source}` : "");
}

/**
 * Sets a text only if it differs: screen readers announce every update of a status.
 *
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

/** Switches between light and dark. The theme is stored only if it differs from the system's. */
function toggleTheme() {
  const { dataset } = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const next = (dataset.theme ?? system) === "dark" ? "light" : "dark";
  try {
    if (next === system) localStorage.removeItem("entgate.theme");
    else localStorage.setItem("entgate.theme", next);
  } catch {
    // Storage is disabled in this browser: the theme applies until the page is closed.
  }
  if (next === system) delete dataset.theme;
  else dataset.theme = next;
}

const isMenuOpen = () => byId("menu").getAttribute("aria-expanded") === "true";

session.onKeyChange(() => {
  showKey({ rejected: false });
  session.fetchHealth();
  showLinks();
  if (!current || current.section.id === `panel-${parseLocation().id}`) return;
  // At once, before the panel reads with a key that does not open it.
  current.hide?.();
  current.section.hidden = true;
  current = undefined;
  showPanel();
});
session.onKeyRejected(() => showKey({ rejected: true }));
session.onHealth(showHealth);
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  session.setKey(keyInput.value.trim());
});
keyInput.addEventListener("change", () => session.setKey(keyInput.value.trim()));
byId("theme").addEventListener("click", toggleTheme);
byId("menu").addEventListener("click", () => setMenuOpen(!isMenuOpen()));
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !isMenuOpen()) return;
  setMenuOpen(false);
  byId("menu").focus();
});
byId("skip").addEventListener("click", (event) => {
  // The fragment selects a panel, so the link cannot navigate to `#main`.
  event.preventDefault();
  byId("main").focus();
});
addEventListener("hashchange", () => showPanel({ moveFocus: true }));

if (isLocal) {
  keyInput.value ||= MAKE_DEV_KEY;
  byId("key-hint").textContent = `Kept in memory only. make dev sets ${MAKE_DEV_KEY}.`;
}
session.setKey(keyInput.value.trim());
showKey({ rejected: false });
if (!session.key) session.fetchHealth();
showPanel();
