#!/usr/bin/env bash
# Builds the Worker into build/, unless it is there and newer than what it is made from; and what its page loads of the
# npm package, in the same way.
#
# ENTGATE_CATALOG=no leaves the built-in catalog out, for a smaller Worker whose source is Stripe.
#
# Also wrangler's build command: `wrangler dev` runs it at each change, `wrangler deploy` before it uploads.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/npm.sh

case ${ENTGATE_CATALOG:-yes} in
yes) parts=catalog ;;
no) parts='' ;;
*) fail 'ENTGATE_CATALOG is neither yes nor no.' ;;
esac

# It holds what the Worker there is built with.
built=build/.built
if [ -f build/worker.wasm ] && [ -f "$built" ] && [ "$(cat "$built")" = "$parts" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock scripts/build.sh .tools/env -newer "$built" -print -quit)" ]; then
    exit
fi

if ! command -v wasm-bindgen >/dev/null || ! [ -f .tools/env ] || ! [ -f node_modules/.installed ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# Dated from before the build: what is saved while it runs makes the next one run.
out=target/worker/build
rm -rf "$out"
mkdir -p build "$out"
started=$(mktemp build/.started.XXXX)
trap 'rm -f "$started"' EXIT
echo "$parts" >"$started"

# One of the Worker's two cores: its feature, its profile, and what it is optimized for.
core() {
    local feature=$1 profile=$2 level=$3 compiled=${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown
    # SHA-256 has a way of its own with simd128, which every Worker's engine has.
    RUSTFLAGS=-Ctarget-feature=+simd128 wasm cargo rustc --quiet --profile "$profile" --lib --crate-type cdylib \
        --target wasm32-unknown-unknown --no-default-features --features "$feature,$parts"
    wasm-bindgen --target web --no-typescript --experimental-reset-state-function --remove-name-section \
        --remove-producers-section --out-dir target/worker --out-name "$feature" "$compiled/$profile/entgate.wasm"
    optimize "$level" "target/worker/${feature}_bg.wasm"
    cp "target/worker/${feature}_bg.wasm" "$out/$feature.wasm"
}

# A script, as the platform takes it: its source, and its name.
script() {
    esbuild "$1" --bundle --format=esm --target=es2022 --minify --legal-comments=none --log-level=warning \
        --external:./{hot,worker}.wasm --external:./worker.js --alias:entgate-hot=./target/worker/hot.js \
        --alias:entgate-worker=./target/worker/worker.js --inject:./src/worker/microtask.js --outfile="$out/$2"
}

core hot hot -O3
core worker release -Oz
script src/worker/entry.js index.js
script src/worker/worker.js worker.js

# All that is in build/ is uploaded: what another version of this script left there is not to be.
rm -f build/*.js build/*.wasm
cp "$out"/* build
mv "$started" "$built"
