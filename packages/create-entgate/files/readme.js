// `README.md` of a project: from `npm install` to a deployment.

import { secretNames } from "./package-json.js";

/** @type {Record<string, string>} */
const SECRETS = {
  ENTGATE_API_KEYS: "a key that you create: `sk_live_`, and the output of `openssl rand -hex 24`",
  STRIPE_WEBHOOK_SECRETS: "the signing secret of the webhook endpoint in Stripe, `whsec_…`",
  STRIPE_API_KEY: "a restricted key of Stripe, `rk_live_…`, that may read entitlements, customers and events. Most guarantees depend on it",
};

const STRIPE_ENDPOINT = `
In Stripe, under *Developers → Webhooks*, add an endpoint with the URL \`https://<your worker>/webhooks/stripe\`, the event
\`entitlements.active_entitlement_summary.updated\` and the payload style *snapshot*.
`;

/**
 * @param {{ name: string, source: string }} options
 */
export const readme = ({ name, source }) => `# ${name}

A deployment of entgate: it answers whether a customer may use a feature.

\`\`\`sh
npm install
npm run dev
\`\`\`

It serves the Worker at <http://localhost:8787>. In another terminal, create a customer and give it a feature. Then ask:

\`\`\`sh
export ENTGATE_KEY=sk_test_entgate
npx entgate customers create --id cus_ada
npx entgate trigger entitlements.active_entitlement_summary.updated --customer cus_ada --add sms
npx entgate check --customer cus_ada --feature sms
\`\`\`

\`npx entgate help\` lists all commands. \`npx entgate plan <file>\` and \`apply\` keep features, products and prices in a file. The console is at
<http://localhost:8787>. \`.dev.vars\` has the settings of \`npm run dev\`.

## Deploy

\`\`\`sh
npx wrangler login
npm run deploy
npm run secrets
\`\`\`

\`npm run deploy\` prints the address of the Worker, and \`npm run secrets\` asks for each secret.
${source === "stripe" ? STRIPE_ENDPOINT : ""}
| secret | value |
|---|---|
${secretNames(source)
  .map((secret) => `| \`${secret}\` | ${SECRETS[secret]} |`)
  .join("\n")}

The console at the address of the Worker shows which settings are set. \`wrangler.jsonc\` has the settings that are not secret.

## Upgrade

\`npm create entgate@latest .\` writes the new versions into this folder. It keeps the files that you changed. Then run \`npm install\` and
\`npm run deploy\`.
`;
