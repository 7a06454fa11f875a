#!/usr/bin/env bash
# Deploys the Worker to Cloudflare. Arguments are options of `wrangler deploy`. Asks first what runs: another source or jurisdiction has to
# be confirmed, with CONFIRM=source or CONFIRM=jurisdiction. Names the secrets that are not set afterwards.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/setup.sh build
node scripts/deploy/check.mjs "$@"
wrangler deploy "$@"
node scripts/deploy/missing.mjs "$@"
