#!/usr/bin/env bash
# Does everything that a release does, except to test and to publish: compares the versions, builds the packages, checks their contents,
# and writes the bill of materials and the checksums into dist/.
#
# With RELEASE_VERSION it is the check of a release: that version, its section in CHANGELOG.md, and the repository of each package.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

version=()
[ -z "${RELEASE_VERSION:-}" ] || version=("$RELEASE_VERSION")
node scripts/release/versions.mjs "${version[@]}"
node scripts/deploy-template.mjs --check
scripts/packages.sh
node scripts/release/sbom.mjs
node scripts/release/tarballs.mjs
echo 'release: ready. docs/development/releasing.md has what remains for a person'
