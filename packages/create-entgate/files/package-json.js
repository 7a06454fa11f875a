// `package.json` of a project. Also that of the template for Cloudflare's Deploy button.

/** The secrets that a deployment needs, by source, with what they are. */
export const REQUIRED_SECRETS = {
  ENTGATE_API_KEYS:
    "The key of your backend: `sk_live_` and at least 24 characters that only you know, such as the output of `openssl rand -hex 24`.",
  STRIPE_WEBHOOK_SECRETS:
    "The signing secret of your Stripe webhook endpoint, `whsec_…`. Create the endpoint in Stripe under Developers → Webhooks, with the URL `https://<name of the Worker>.<your subdomain>.workers.dev/webhooks/stripe`, the event `entitlements.active_entitlement_summary.updated` and the payload style `snapshot`.",
};

/** A secret that a deployment with Stripe should have. */
const STRIPE_API_KEY = "STRIPE_API_KEY";

/**
 * The names of the secrets that `npm run secrets` asks for.
 *
 * @param {string} source
 */
export const secretNames = (source) => (source === "catalog" ? ["ENTGATE_API_KEYS"] : [...Object.keys(REQUIRED_SECRETS), STRIPE_API_KEY]);

/**
 * @param {object} options
 * @param {string} options.name
 * @param {string} options.source
 * @param {string} options.version  Of entgate's packages.
 * @param {string} options.wrangler  The version with which entgate was tested.
 * @param {object} [options.more]  Further members.
 */
export function packageJson({ name, source, version, wrangler, more = {} }) {
  const secrets = secretNames(source).map((secret) => `wrangler secret put ${secret}`);
  const content = {
    name,
    private: true,
    type: "module",
    scripts: { dev: "wrangler dev", deploy: "wrangler deploy", secrets: secrets.join(" && ") },
    dependencies: { "@entgate/worker": version },
    devDependencies: { entgate: version, wrangler: `^${wrangler}` },
    ...more,
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}
