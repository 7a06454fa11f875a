#!/usr/bin/env bash
# Runs the built Worker on plain workerd, with its storage in self-host/. Arguments are options of entgate-self-host.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/setup.sh build
scripts/build.sh
settings=()
[ ! -f self-host.env ] || settings=(--settings self-host.env)
exec node scripts/self-host.mjs --storage self-host/data --configuration self-host/workerd "${settings[@]}" "$@"
