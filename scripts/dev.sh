#!/usr/bin/env bash
# Runs the Worker locally: setup, build, `wrangler dev`. KV and Durable Objects persist in .wrangler/state.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

PORT=${PORT:-8787}
url=http://localhost:$PORT

if (exec 3<>"/dev/tcp/localhost/$PORT") 2>/dev/null; then
    fail "port $PORT is in use" "Choose another port: make dev PORT=$((PORT + 1))"
fi

scripts/setup.sh build
scripts/build.sh

# Whether the source of entitlements is the catalog. Without this setting the source is Stripe.
source_is_catalog() {
    grep -Eq "^[[:space:]]*ENTGATE_SOURCE[[:space:]]*=[[:space:]]*[\"']?catalog" .dev.vars
}

print_guide() {
    local key='-H "Authorization: Bearer sk_test_entgate"'
    cat <<TEXT

entgate is running at $url. Try these commands in another terminal:

TEXT
    if source_is_catalog; then print_catalog_guide; else print_stripe_guide; fi
    cat <<TEXT
  Open the console in a browser: $url
  Press Ctrl-C to stop.

TEXT
}

print_catalog_guide() {
    cat <<TEXT
  Create a feature. README.md continues from here until cus_ada has a subscription
    curl $url/v1/entitlements/features $key -d name=SMS -d lookup_key=sms

  List features and events
    curl $url/v1/entitlements/features $key
    curl $url/v1/events $key

  May the customer use a feature?
    curl "$url/v1/check?customer=cus_ada&feature=sms" $key

TEXT
}

print_stripe_guide() {
    local port=''
    [ "$PORT" = 8787 ] || port=" --port $PORT"
    cat <<TEXT
  With STRIPE_API_KEY in .dev.vars, the events of your test account arrive within a minute, without a webhook

  Send the webhook event that Stripe sends after a purchase
    node scripts/send-event.mjs$port cus_ada sms export

  May the customer use a feature?
    curl "$url/v1/check?customer=cus_ada&feature=sms" $key

  List the active entitlements of the customer
    curl "$url/v1/entitlements/active_entitlements?customer=cus_ada" $key

TEXT
}

is_up() {
    node -e 'fetch(process.argv[1]).then(() => process.exit(0), () => process.exit(1))' "$url/healthz"
}

# In the background: waits until the Worker answers, or until wrangler has exited. Wrangler replaces this process below.
while kill -0 $$ 2>/dev/null; do
    if is_up; then
        print_guide
        node scripts/report-settings.mjs "$url"
        break
    fi
    sleep 0.5
done &

# The Worker does not use `request.cf`, so wrangler does not have to fetch it from Cloudflare.
export CLOUDFLARE_CF_FETCH_ENABLED=false
exec wrangler dev --port "$PORT" --show-interactive-dev-session=false
