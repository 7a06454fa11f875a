// Sends a signed event to a running entgate, as Stripe does when what a customer may use has changed.
//
// Nothing but Node is needed. The signature is Stripe's: HMAC-SHA256 over `<time>.<body>`,
// https://docs.stripe.com/webhooks#verify-manually

import { createHash, createHmac, randomBytes } from "node:crypto";
import { parseArgs } from "node:util";
import { setting } from "./dev-vars.mjs";

const USAGE = `Usage: node scripts/send-event.mjs [options] <customer> [<feature> ...]

Tells entgate that <customer> may now use these features and no others; without
a feature, that the customer lost everything.

  node scripts/send-event.mjs cus_ada sms export
  node scripts/send-event.mjs cus_ada

Options:
  --port <port>       where entgate listens on localhost ($PORT, or 8787)
  --secret <secret>   what to sign with ($STRIPE_WEBHOOK_SECRET, or the first of
                      STRIPE_WEBHOOK_SECRETS in .dev.vars)
  --created <time>    when the change happened, in Unix seconds (now)
  --has-more          the event holds the first page only, as beyond 10 features
  --print             print header and body instead of sending them
  --help              print this`;

const { values: options, positionals } = parseOptions();
const [customer, ...features] = positionals;
if (options.help) {
  console.log(USAGE);
  process.exit();
}
if (!customer) stop(USAGE);

const now = Math.floor(Date.now() / 1000);
const created = options.created === undefined ? now : Number(options.created);
if (!Number.isSafeInteger(created)) stop(`--created: \`${options.created}\` is not a Unix time in seconds`);

const body = JSON.stringify(event());
const header = `t=${now},v1=${createHmac("sha256", secret()).update(`${now}.${body}`).digest("hex")}`;

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
    stop(`${error.message}\n\n${USAGE}`);
  }
}

function event() {
  const data = features.map((feature) => ({
    id: id("ent_test_61"),
    object: "entitlements.active_entitlement",
    // One feature has one id, whoever holds it.
    feature: `feat_test_61${createHash("sha256").update(feature).digest("hex").slice(0, 30)}`,
    livemode: false,
    lookup_key: feature,
  }));
  return {
    id: id("evt_1"),
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

function id(prefix) {
  return prefix + randomBytes(12).toString("hex");
}

function secret() {
  if (options.secret) return options.secret;
  const [first] = setting("STRIPE_WEBHOOK_SECRETS");
  if (first) return first;
  stop("no secret to sign with: give --secret, or set STRIPE_WEBHOOK_SECRETS in .dev.vars");
}

async function send() {
  const url = `http://localhost:${options.port}/webhooks/stripe`;
  const headers = { "content-type": "application/json; charset=utf-8", "stripe-signature": header };
  let answer;
  try {
    answer = await fetch(url, { method: "POST", headers, body });
  } catch (error) {
    stop(`${url} does not answer (${error.cause?.code ?? error.message}). Is \`make dev\` running, on this port?`);
  }
  console.log(`${answer.status} ${answer.statusText}\n${await answer.text()}`);
  process.exitCode = answer.ok ? 0 : 1;
}

function stop(message) {
  console.error(message);
  process.exit(1);
}
