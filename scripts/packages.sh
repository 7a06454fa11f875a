#!/usr/bin/env bash
# Builds the npm packages into dist/, one tarball each: entgate, @entgate/worker, create-entgate.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

ENTGATE_CATALOG=yes scripts/build.sh
ENTGATE_CATALOG=no ENTGATE_BUILD_DIR=target/packages/without-catalog scripts/build.sh
node scripts/packages.mjs
