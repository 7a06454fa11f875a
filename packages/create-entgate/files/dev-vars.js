// `.dev.vars` of a project: the settings of `npm run dev`, with public values, which entgate refuses outside development.

/** @param {{ jurisdiction: string }} options */
export const devVars = ({
  jurisdiction,
}) => `# Settings for \`npm run dev\`. The secrets are public values: entgate refuses them without ENTGATE_DEVELOPMENT.
# Git ignores this file. A deployment has its own secrets: npm run secrets.
ENTGATE_DEVELOPMENT="true"
# A secret key, which opens every route, and a read-only key, which opens checks, lists and streams.
ENTGATE_API_KEYS="sk_test_entgate,rk_test_entgate"
STRIPE_WEBHOOK_SECRETS="whsec_test_entgate"
# Development uses entgate's own catalog, which has Stripe's API. With "stripe", events come from Stripe.
ENTGATE_SOURCE="catalog"
# Signs and verifies customer tokens. Each token names one customer.
ENTGATE_TOKEN_SECRETS="token_test_entgate_not_for_production"
# Signs snapshots. This is the public example key of RFC 8037.
ENTGATE_SIGNING_KEY='{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'
# Origins that may call entgate from a browser. In development, those of this machine may without being listed.
ENTGATE_ALLOWED_ORIGINS="http://localhost:3000,http://localhost:5173"
${jurisdiction === "none" ? "" : LOCAL_JURISDICTION}`;

const LOCAL_JURISDICTION = `# A local Worker has no jurisdictions.
ENTGATE_JURISDICTION=""
`;
