#!/usr/bin/env bash
# Runs the Worker on this machine: setup, build, `wrangler dev`. What it stores survives in .wrangler/state.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

PORT=${PORT:-8787}
url=http://localhost:$PORT

if (exec 3<>"/dev/tcp/localhost/$PORT") 2>/dev/null; then
    fail "something else listens on port $PORT" "Take another one: make dev PORT=$((PORT + 1))"
fi

scripts/setup.sh build
scripts/build.sh

# Whether entitlements come from the catalog: a .dev.vars from before there was one says nothing, which is Stripe.
catalog() {
    grep -Eq "^[[:space:]]*ENTGATE_SOURCE[[:space:]]*=[[:space:]]*[\"']?catalog" .dev.vars
}

guide() {
    local key='-H "Authorization: Bearer sk_test_entgate"'
    cat <<TEXT

entgate answers on $url. To try it, in another terminal:

TEXT
    if catalog; then guide_to_catalog; else guide_to_events; fi
    cat <<TEXT
  Or in a browser: $url
  Ctrl-C ends it.

TEXT
}

guide_to_catalog() {
    cat <<TEXT
  Make something to sell; ten lines of README.md go on from here, until cus_ada has bought it
    curl $url/v1/entitlements/features $key -d name=SMS -d lookup_key=sms

  What is there, and what happened
    curl $url/v1/entitlements/features $key
    curl $url/v1/events $key

  May the customer use a feature?
    curl "$url/v1/check?customer=cus_ada&feature=sms" $key

TEXT
}

guide_to_events() {
    local port=''
    [ "$PORT" = 8787 ] || port=" --port $PORT"
    cat <<TEXT
  Tell it what a customer bought, as Stripe does
    node scripts/send-event.mjs$port cus_ada sms export

  May the customer use a feature?
    curl "$url/v1/check?customer=cus_ada&feature=sms" $key

  What may the customer use?
    curl "$url/v1/entitlements/active_entitlements?customer=cus_ada" $key

TEXT
}

answers() {
    node -e 'fetch(process.argv[1]).then(() => process.exit(0), () => process.exit(1))' "$url/healthz"
}

# Beside wrangler, which takes this process's place below: until the Worker answers, or wrangler is gone.
while kill -0 $$ 2>/dev/null; do
    if answers; then
        # What goes wrong it says itself, and everything else works all the same.
        if catalog; then node scripts/own-endpoint.mjs "$url" || true; fi
        guide
        break
    fi
    sleep 0.5
done &

# The Worker does not look at `request.cf`, so nothing has to be asked of Cloudflare for it.
export CLOUDFLARE_CF_FETCH_ENABLED=false
exec wrangler dev --port "$PORT" --show-interactive-dev-session=false
