// Sends a signed entitlement summary to a running entgate, as Stripe does when the entitlements of a customer change.
//
// Accepts a customer, lookup keys of features and options, prints the response, and what will come of the event: that depends on the source
// of entitlements, which it asks entgate for. Needs Node only. The signature is Stripe's: HMAC-SHA256 of `<timestamp>.<body>`,
// https://docs.stripe.com/webhooks#verify-manually. Not here: retries.

import { createHash, createHmac, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { settingItems } from "./dev-vars.mjs";

const USAGE = `Usage: node scripts/send-event.mjs [options] <customer> [<feature> ...]

Sends an event that sets the entitlements of <customer> to exactly these
features. Without a feature, the customer has no entitlements. Says which
source of entitlements the running entgate has, and what it does next.

  node scripts/send-event.mjs cus_ada sms export
  node scripts/send-event.mjs cus_ada

Options:
  --port <port>       port of entgate on localhost ($PORT, or 8787)
  --secret <secret>   signing secret ($STRIPE_WEBHOOK_SECRET, or the first of
                      STRIPE_WEBHOOK_SECRETS in .dev.vars that is not live:…)
  --created <time>    time of the change, in Unix seconds (now)
  --has-more          mark the list as truncated, as Stripe does above 10 features
  --print             print header and body, send nothing
  --help              print this help`;

const { values: options, positionals } = parseOptions();
const [customer, ...features] = positionals;
if (options.help) {
  console.log(USAGE);
  process.exit();
}
if (!customer) exitWithError(USAGE);

const now = Math.floor(Date.now() / 1000);
const created = options.created === undefined ? now : Number(options.created);
if (!Number.isSafeInteger(created)) exitWithError(`--created: \`${options.created}\` is not a Unix time in seconds`);

const body = JSON.stringify(createEvent());
const header = `t=${now},v1=${createHmac("sha256", signingSecret()).update(`${now}.${body}`).digest("hex")}`;

if (options.print) {
  console.log(`Stripe-Signature: ${header}\n\n${body}`);
} else {
  await send();
}

function parseOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        port: { type: "string", default: process.env.PORT || "8787" },
        secret: { type: "string", default: process.env.STRIPE_WEBHOOK_SECRET },
        created: { type: "string" },
        "has-more": { type: "boolean", default: false },
        print: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
  } catch (error) {
    return exitWithError(`${error.message}\n\n${USAGE}`);
  }
}

function createEvent() {
  const data = features.map((feature) => ({
    id: randomId("ent_test_61"),
    object: "entitlements.active_entitlement",
    // The id of a feature is the same for every customer.
    feature: `feat_test_61${createHash("sha256").update(feature).digest("hex").slice(0, 30)}`,
    livemode: false,
    lookup_key: feature,
  }));
  return {
    id: randomId("evt_1"),
    object: "event",
    created,
    data: {
      object: {
        object: "entitlements.active_entitlement_summary",
        customer,
        entitlements: {
          object: "list",
          data,
          has_more: options["has-more"],
          url: `/v1/customer/${customer}/entitlements`,
        },
        livemode: false,
      },
      previous_attributes: { entitlements: { data: [] } },
    },
    livemode: false,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type: "entitlements.active_entitlement_summary.updated",
  };
}

/** @param {string} prefix */
function randomId(prefix) {
  return prefix + randomBytes(12).toString("hex");
}

function signingSecret() {
  // The event is of test mode.
  const testSecrets = settingItems("STRIPE_WEBHOOK_SECRETS").filter((item) => !item.startsWith("live:"));
  const [secret] = [options.secret, ...testSecrets].filter(Boolean);
  return secret?.replace(/^test:/, "") ?? exitWithError("no signing secret: pass --secret, or set STRIPE_WEBHOOK_SECRETS in .dev.vars");
}

async function send() {
  const url = `http://localhost:${options.port}/webhooks/stripe`;
  const headers = { "content-type": "application/json; charset=utf-8", "stripe-signature": header };
  const response = await fetch(url, { method: "POST", headers, body }).catch((error) =>
    exitWithError(`no response from ${url} (${error.cause?.code ?? error.message}). Is \`make dev\` running on this port?`),
  );
  console.log(`${response.status} ${response.statusText}\n${await response.text()}`);
  if (response.ok) console.error(describeConsequence(await askHealth()));
  process.exitCode = response.ok ? 0 : 1;
}

/** What entgate reports of test mode; undefined if it reports nothing. */
async function askHealth() {
  const key = settingItems("ENTGATE_API_KEYS").find((item) => item.startsWith("sk_test_"));
  const headers = key ? { authorization: `Bearer ${key}` } : undefined;
  try {
    return await (await fetch(`http://localhost:${options.port}/healthz`, { headers })).json();
  } catch {
    return undefined;
  }
}

/**
 * What entgate does after it has applied the event.
 *
 * @param {{ source?: string, settings?: Record<string, string> } | undefined} health
 */
function describeConsequence(health) {
  if (health?.source === "catalog") {
    return `The source is the built-in catalog: entgate now reads its list of ${customer}, which replaces that of the event. A customer that is not in the catalog keeps the event's features, and /healthz is \`degraded\`. To act as Stripe, set ENTGATE_SOURCE="stripe" in .dev.vars.`;
  }
  if (health?.source === "stripe" && health.settings?.STRIPE_API_KEY === "set") {
    return `The source is Stripe: entgate now reads the list of ${customer} with STRIPE_API_KEY, which replaces that of the event.`;
  }
  if (health?.source === "stripe") {
    const result = options["has-more"] ? "also has these features, and keeps its others," : "has exactly these features";
    return `The source is Stripe, and STRIPE_API_KEY is not set: ${customer} ${result} until the next event.`;
  }
  return "The source is not known, because .dev.vars has no sk_test_… key that this entgate accepts. If entgate can read its source, that list replaces the event's.";
}

/**
 * @param {string} message
 * @returns {never}
 */
function exitWithError(message) {
  console.error(message);
  process.exit(1);
}
