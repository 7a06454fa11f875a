#!/usr/bin/env bash
# Deploys the Worker to Cloudflare. Arguments are options of `wrangler deploy`. Refuses another jurisdiction than
# that of the stored objects. Names the secrets that are not set yet.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/setup.sh build
if wrangler whoami | grep 'not authenticated'; then exit 1; fi
node scripts/check-jurisdiction.mjs "$@"
wrangler deploy "$@"

secrets=$(wrangler secret list)
while IFS='|' read -r name why; do
    [[ $secrets == *"$name"* ]] || echo "$name is not set$why. Run: npx wrangler secret put $name"
done <<'TEXT'
ENTGATE_API_KEYS|
STRIPE_WEBHOOK_SECRETS|
STRIPE_API_KEY|, so entgate does not read lists from Stripe
TEXT
