#!/usr/bin/env bash
# Builds the Worker into build/, unless it is there and newer than what it is made from; and what its page loads of the
# npm package, in the same way.
#
# Also wrangler's build command: `wrangler dev` runs it at each change, `wrangler deploy` before it uploads.
set -euo pipefail
# shellcheck source=scripts/env.sh
. "$(dirname "$0")/env.sh"

scripts/npm.sh

built=build/.built
if [ -f build/index_bg.wasm ] && [ -f "$built" ] &&
    [ -z "$(find src Cargo.toml Cargo.lock scripts/build.sh .tools/env -newer "$built" -print -quit)" ]; then
    exit
fi

if ! command -v wasm-bindgen >/dev/null || ! [ -f .tools/env ] || ! [ -f node_modules/.installed ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# Dated from before the build: what is saved while it runs makes the next one run.
mkdir -p build
started=$(mktemp build/.started.XXXX)
trap 'rm -f "$started"' EXIT

core=target/worker
# SHA-256 has a way of its own with simd128, which every Worker's engine has.
RUSTFLAGS=-Ctarget-feature=+simd128 wasm cargo rustc --quiet --release --lib --crate-type cdylib --target wasm32-unknown-unknown --features worker
wasm-bindgen --target web --no-typescript --experimental-reset-state-function --remove-name-section \
    --remove-producers-section --out-dir "$core" "${CARGO_TARGET_DIR:-target}/wasm32-unknown-unknown/release/entgate.wasm"
optimize "$core/entgate_bg.wasm"
cp "$core/entgate_bg.wasm" build/index_bg.wasm
esbuild src/worker/entry.js --bundle --format=esm --target=es2022 --minify --legal-comments=none --log-level=warning \
    --external:./index_bg.wasm --alias:entgate-core="./$core/entgate.js" --outfile=build/index.js

mv "$started" "$built"
