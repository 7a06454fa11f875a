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

if ! command -v worker-build >/dev/null || ! [ -f .tools/env ] || ! [ -f node_modules/.installed ]; then
    scripts/setup.sh build
    . scripts/env.sh
fi

# worker-build would download these.
WASM_BINDGEN_BIN=$(command -v wasm-bindgen)
ESBUILD_BIN=$(command -v esbuild)
export WASM_BINDGEN_BIN ESBUILD_BIN

# Dated from before the build: what is saved while it runs makes the next one run.
mkdir -p build
started=$(mktemp build/.started.XXXX)
trap 'rm -f "$started"' EXIT

# worker-build's own way with wasm-opt keeps the name of every function.
wasm worker-build --release --no-opt -- --features worker
optimize build/index_bg.wasm

mv "$started" "$built"
