// What `make dev` prints once the Worker is healthy: commands to try, with a key of .dev.vars, and the answers to three checks.
//
// Accepts what the Worker says of itself. Sends the checks, so that their answers are those of the Worker.

import { CHECKS, CUSTOMERS } from "./story.mjs";

/**
 * @typedef {object} Guide
 * @property {string} url
 * @property {string} port
 * @property {string | undefined} key A secret key.
 * @property {string | undefined} source Of entitlements; undefined without a key.
 * @property {boolean | undefined} filled Whether the catalog has the story.
 */

/** @param {Guide} guide */
export async function printGuide(guide) {
  const { url, key, source, filled } = guide;
  const lines = ["", `entgate is ready at ${url}${source ? `, and its source is ${sourceName(source)}` : ""}.`, ""];
  if (key === undefined) {
    lines.push('  No secret key is set. Add one to .dev.vars: ENTGATE_API_KEYS="sk_test_…"', "");
  } else if (source === "catalog") {
    lines.push(...(filled ? await describeStory({ ...guide, key }) : describeCatalog({ ...guide, key })));
  } else {
    lines.push(...describeStripe({ ...guide, key }));
  }
  lines.push(`  Open the console in a browser: ${url}`, "  Press Ctrl-C to stop.", "");
  console.log(lines.join("\n"));
}

/** @param {string} source */
const sourceName = (source) => (source === "catalog" ? "the built-in catalog" : "Stripe");

/** @param {string} url @param {string} key @param {string} customer @param {string} feature */
const checkCommand = (url, key, customer, feature) => `curl "${url}/v1/check?customer=${customer}&feature=${feature}" -u ${quote(key)}:`;

/** A word of a shell. @param {string} text */
const quote = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {Guide & { key: string }} guide */
async function describeStory({ url, key }) {
  const width = Math.max(...CUSTOMERS.map(({ id }) => id.length));
  const lines = ["  The catalog has a small story: the plans Starter and Team, and seven customers."];
  lines.push(...CUSTOMERS.map(({ id, is }) => `    ${id.padEnd(width)}  ${is}`), "");
  for (const { customer, feature, question } of CHECKS) {
    const answer = await ask(url, key, customer, feature);
    lines.push(`  ${question}`, `    ${checkCommand(url, key, customer, feature)}`, `    ${answer}`, "");
  }
  lines.push("  Without the story: rm -r .wrangler/state, then make dev DEMO=no", "");
  return lines;
}

/** The answer to a check, in short. @param {string} url @param {string} key @param {string} customer @param {string} feature */
async function ask(url, key, customer, feature) {
  const query = new URLSearchParams({ customer, feature });
  const response = await fetch(`${url}/v1/check?${query}`, { headers: { authorization: `Bearer ${key}` } });
  const { entitled, reason, error } = await response.json();
  return error ? `${response.status}: ${error.message}` : `"entitled":${entitled},"reason":"${reason}"`;
}

/** @param {Guide & { key: string }} guide */
function describeCatalog({ url, key }) {
  return [
    "  Create a feature",
    `    curl ${url}/v1/entitlements/features -u ${quote(key)}: -d name=SMS -d lookup_key=sms`,
    "",
    "  List features and events",
    `    curl ${url}/v1/entitlements/features -u ${quote(key)}:`,
    `    curl ${url}/v1/events -u ${quote(key)}:`,
    "",
    "  May the customer use a feature?",
    `    ${checkCommand(url, key, "cus_ada", "sms")}`,
    "",
  ];
}

/** @param {Guide & { key: string }} guide */
function describeStripe({ url, port, key }) {
  const option = port === "8787" ? "" : ` --port ${port}`;
  return [
    "  With STRIPE_API_KEY in .dev.vars, the events of your test account arrive within a minute, without a webhook",
    "",
    "  Send the webhook event that Stripe sends after a purchase",
    `    node scripts/send-event.mjs${option} cus_ada sms export`,
    "",
    "  May the customer use a feature?",
    `    ${checkCommand(url, key, "cus_ada", "sms")}`,
    "",
    "  List the active entitlements of the customer",
    `    curl "${url}/v1/entitlements/active_entitlements?customer=cus_ada" -u ${quote(key)}:`,
    "",
  ];
}
