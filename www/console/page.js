// The console at `/`: is this Worker set up, and may this customer use this feature?
//
// Everything a server says is put on the page as text, never as markup. The key lives in its input and nowhere else.

const DEADLINE_MS = 15_000;
const LIST_LIMIT = 100; // Stripe's own maximum a page.
const LIST_PAGES = 10;

/** What it means that a setting is missing. */
const MISSING = {
  ENTGATE_API_KEYS: "Until it is set, every server route answers 401. Choose a long random key that begins with sk_live_ or sk_test_; several stand between commas.",
  STRIPE_WEBHOOK_SECRETS: "Until it is set, the webhook route answers 503 and takes no event. Stripe shows the secret (whsec_…) beside your endpoint.",
  STRIPE_API_KEY: "Optional. With it every event is confirmed by a read of Stripe’s list, and customers nothing was heard of are found there. A restricted key (rk_…) that may read entitlements and customers will do.",
};

const REASONS = {
  active_entitlement: "an active entitlement grants it.",
  not_entitled: "it is not among the customer’s active entitlements.",
  unknown_customer: "nothing is known of this customer.",
  unknown_feature: "no feature has this lookup key.",
};

const FIELDS = ["key", "customer", "feature"];
const $ = (id) => document.getElementById(id);
const hints = Object.fromEntries(FIELDS.map((field) => [field, $(`${field}-hint`).textContent]));
const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

/** What the form says now. */
function question() {
  const [key, customer, feature] = FIELDS.map((field) => $(field).value.trim());
  return { key, customer, feature };
}

const checkPath = ({ customer, feature }) => `/v1/check?${new URLSearchParams({ customer, feature })}`;

const turns = {};

/** A signal for one request of its kind; the request before it, if still under way, is dropped. */
function turn(kind) {
  turns[kind]?.abort();
  turns[kind] = new AbortController();
  return turns[kind].signal;
}

/** Sends one GET. Gives what came back; `status` is 0 and `problem` says why when nothing did. */
async function ask(path, signal, key) {
  if (key && !/^[\x21-\x7e]+$/.test(key)) {
    return { status: 0, field: "key", problem: "A key has no spaces and only ASCII characters." };
  }
  const started = performance.now();
  const deadline = AbortSignal.timeout(DEADLINE_MS);
  try {
    const response = await fetch(path, {
      headers: key ? { authorization: `Bearer ${key}` } : {},
      cache: "no-store",
      signal: AbortSignal.any([signal, deadline]),
    });
    const text = await response.text();
    const took = performance.now() - started;
    return { status: response.status, body: parse(text), text, took, retryAfter: response.headers.get("retry-after") };
  } catch {
    const problem = deadline.aborted
      ? `The Worker did not answer within ${DEADLINE_MS / 1000} s.`
      : "The Worker cannot be reached. Is it running, and is this browser online?";
    return { status: 0, problem };
  }
}

/** The object that `text` is the JSON of; an empty one when it is not. */
function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

/** Why a reply is not the answer: a sentence, and the field it is about, if any. */
function fault({ status, body, field, problem }) {
  if (problem) return { field, message: problem };
  const { message, param } = body.error ?? {};
  const named = String(param ?? "").split("[")[0];
  return {
    field: status === 401 ? "key" : FIELDS.find((each) => each === named),
    message: typeof message === "string" ? message : `The answer (status ${status}) is not one of entgate’s.`,
  };
}

/** `Retry-After` as the end of a sentence. */
function later({ retryAfter }) {
  if (!retryAfter) return "Ask again shortly.";
  return `Ask again ${/^\d+$/.test(retryAfter) ? `in ${retryAfter} s` : `after ${retryAfter}`} (Retry-After).`;
}

async function showHealth() {
  const signal = turn("health");
  const reply = await ask("/healthz", signal);
  if (signal.aborted) return;

  const { object, status, source, settings, version } = reply.body ?? {};
  const healthy = object === "health" && ["ok", "unconfigured", "degraded"].includes(status);
  const state = healthy ? status : reply.status ? "error" : "unreachable";
  const detail = healthy ? backlog(reply.body) : fault(reply).message;
  $("settings").dataset.state = state;
  $("health").textContent = {
    ok: "Ready: every setting that it needs is there.",
    unconfigured: "Not ready: a setting is missing.",
    degraded: "It answers, and there is something to see to:",
    error: "The Worker answers with an error:",
    unreachable: "No answer from the Worker.",
  }[state];
  $("health-detail").textContent = detail;
  $("health-detail").hidden = !detail;
  $("release").textContent = healthy && version ? `v${version}` : "";
  for (const part of document.querySelectorAll("#local > [data-source]")) part.hidden = part.dataset.source !== (source ?? "stripe");
  // What the Worker does not speak of it has no use for.
  const named = Object.keys(MISSING).filter((name) => !healthy || name in settings);
  const rows = named.map((name) => setting(name, (healthy && settings?.[name]) || "unknown"));
  $("settings-list").replaceChildren(...rows);
}

/** What a Worker that answers has to catch up with, and what its operator has to do. */
function backlog({ outbox, message }) {
  const owed = outbox === null ? "What is owed cannot be told at the moment." : "";
  const pending = outbox?.pending ? `${outbox.pending} pending, the oldest for ${outbox.oldest} s; tried again until done.` : "";
  return [message, owed, pending].filter(Boolean).join(" ");
}

/** The row of one setting; one that is missing says what that means and how to set it. */
function setting(name, state) {
  const row = element("li", "", element("code", "", name), element("span", `badge ${state}`, state));
  if (state === "missing") row.append(element("p", "", MISSING[name]), command(`npx wrangler secret put ${name}`));
  return row;
}

/** A command with a button that copies it. */
function command(text) {
  const button = element("button", "small copy", "Copy");
  button.type = "button";
  return element("div", "command", element("pre", "", element("code", "", text)), button);
}

/** A new element; `children` are elements or texts. */
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

async function check() {
  const asked = question();
  const signal = turn("check");
  complain();
  show({ state: "loading", word: "Asking…" });

  const reply = await ask(checkPath(asked), signal, asked.key);
  if (signal.aborted) return;
  show(verdict(reply, asked), reply);
  $("verdict").scrollIntoView({ block: "nearest" });
}

/** What a reply to a check means. Only `true` is a yes and only `false` is a no. */
function verdict(reply, asked) {
  const { object, entitled, reason, customer = asked.customer, feature = asked.feature } = reply.body ?? {};
  if (reply.status === 200 && object === "entitlement_check" && typeof entitled === "boolean") {
    const why = REASONS[reason] ?? `the reason is “${reason}”.`;
    return entitled
      ? { state: "entitled", word: "Entitled", why: `${customer} may use ${feature}: ${why}` }
      : { state: "denied", word: "Not entitled", why: `${customer} may not use ${feature}: ${why}` };
  }
  if (reply.status === 503) {
    return { state: "unknown", word: "Unknown", why: `Not known now – this is not a no. ${later(reply)}` };
  }
  const { field, message } = fault(reply);
  complain(field, message);
  return { state: "error", word: "No answer", why: message };
}

/** Puts an answer on the page. */
function show({ state, word, why = "" }, { status, body = {}, text = "", took } = {}) {
  const answered = state === "entitled" || state === "denied";
  $("answer").dataset.state = state;
  $("answer").setAttribute("aria-busy", state === "loading");
  $("verdict-word").textContent = word;
  $("verdict-why").textContent = why;
  if (state === "loading") return;

  $("version").textContent = answered ? body.version : "–";
  $("served-by").textContent = answered ? body.served_by : "–";
  $("took").textContent = took === undefined ? "–" : `${Math.ceil(took)} ms`;
  $("raw").textContent = Object.keys(body).length ? JSON.stringify(body, null, 2) : text.slice(0, 2000);
  $("raw-title").textContent = status ? `What came back (status ${status})` : "What came back";
  showTime(answered ? body.as_of : undefined);
}

/** When the set last changed: the reader's time, with the ISO time in the title. */
function showTime(seconds) {
  const date = new Date(seconds * 1000);
  const known = Number.isFinite(seconds) && !Number.isNaN(date.getTime());
  $("as-of").title = $("as-of").dateTime = known ? date.toISOString() : "";
  $("as-of").textContent = known
    ? date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })
    : seconds === null ? "never" : "–";
}

/** The question as a command. `URLSearchParams` escapes every quote, so the address can stand in single ones. */
function showCurl() {
  const address = location.origin + checkPath(question());
  $("curl").textContent = `curl '${address}' \\\n  -H "Authorization: Bearer $ENTGATE_KEY"`;
}

/** Writes `message` beside `field`, and clears the other fields; without a field, clears them all. */
function complain(field, message) {
  for (const each of FIELDS) {
    const wrong = each === field;
    $(each).setAttribute("aria-invalid", wrong);
    $(`${each}-hint`).textContent = wrong ? message : hints[each];
  }
}

async function list() {
  const { key, customer } = question();
  const signal = turn("list");
  complain();
  tell("loading", "Asking…");

  const held = [];
  let took = 0;
  let more = true;
  for (let page = 1; more && page <= LIST_PAGES; page += 1) {
    const query = new URLSearchParams({ customer, limit: LIST_LIMIT });
    if (held.length) query.set("starting_after", held.at(-1).id);
    const reply = await ask(`/v1/entitlements/active_entitlements?${query}`, signal, key);
    if (signal.aborted) return;
    const { data, has_more } = reply.body ?? {};
    if (reply.status !== 200 || !Array.isArray(data)) {
      refuse(reply);
      return;
    }
    held.push(...data);
    took += reply.took;
    more = has_more === true && data.length > 0;
  }

  const count = held.length === 1 ? "1 entitlement" : `${held.length || "no"} entitlements`;
  const sum = more ? `more than ${count}; these are the first` : count;
  tell("done", `${customer} holds ${sum}. Took ${Math.ceil(took)} ms.`, held);
}

/** Says why there is no list. */
function refuse(reply) {
  const { field, message } = fault(reply);
  if (reply.status === 503) {
    tell("unknown", `Not known now – this is not an empty list. ${later(reply)} ${message}`);
    return;
  }
  complain(field, message);
  tell("error", message);
}

/** Puts the list, or why there is none, on the page. */
function tell(state, text, held = []) {
  $("holdings").dataset.state = state;
  $("holdings-status").textContent = text;
  $("holdings-list").replaceChildren(
    ...held.map(({ lookup_key, feature }) =>
      element("li", "", element("code", "", lookup_key), element("span", "", feature))),
  );
  if (state !== "loading") $("holdings").scrollIntoView({ block: "nearest" });
}

/** Copies the command beside `button`; where the browser forbids that, selects it. */
async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } catch {
    getSelection().selectAllChildren(code);
  }
}

if (local) {
  $("key").value ||= "sk_test_entgate";
  $("customer").value ||= "cus_ada";
  $("feature").value ||= "sms";
  if (location.port && location.port !== "8787") $("event").append(` --port ${location.port}`);
  $("local").hidden = false;
}
showCurl();
$("question").addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
$("question").addEventListener("input", showCurl);
$("list").addEventListener("click", list);
$("recheck").addEventListener("click", showHealth);
document.addEventListener("click", (event) => {
  if (event.target.matches(".copy")) copy(event.target);
});
showHealth();
