#!/usr/bin/env bash
# Runs the Worker locally: setup, build, `wrangler dev`. KV and Durable Objects persist in .wrangler/state.
#
# | variable        | meaning                                                       |
# |-----------------|---------------------------------------------------------------|
# | PORT=8800       | the port, 8787 by default                                     |
# | DEMO=no         | an empty catalog stays empty; otherwise it gets a small story |
# | VERBOSE=1       | prints everything that wrangler prints                        |
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

export PORT=${PORT:-8787} DEMO=${DEMO:-yes} VERBOSE=${VERBOSE:-}

if ! [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] || ((PORT > 65535)); then
    fail "PORT is \`$PORT\`; expected a number from 1 to 65535, for example: make dev PORT=8800"
fi
case $DEMO in yes | no) ;; *) fail "DEMO is \`$DEMO\`; expected yes or no" ;; esac
case $VERBOSE in '' | 0 | 1) ;; *) fail "VERBOSE is \`$VERBOSE\`; expected 1, or nothing" ;; esac
if (exec 3<>"/dev/tcp/localhost/$PORT") 2>/dev/null; then
    fail "port $PORT is in use. Choose another one: make dev PORT=$((PORT < 65535 ? PORT + 1 : 8787))"
fi

scripts/setup.sh build
scripts/build.sh
exec node scripts/dev/main.mjs
